"""What people want to know: why does this release answer, since when, and what did before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from roadworthy.core.certificate import Certificate
from roadworthy.core.deployment import AgentStatus, Deployment, StageChange
from roadworthy.core.moments import parse_moment
from roadworthy.core.names import Stage
from roadworthy.core.operation import Operation
from roadworthy.core.release import Release
from roadworthy.core.values import Document
from roadworthy.errors import NotFound
from roadworthy.operations.asking import check_stage
from roadworthy.operations.desired import Desired, name_of
from roadworthy.registry import Registry
from roadworthy.storage.queries import deployments, operations


class Evidence(Document):
    """What let a release in."""

    depth: str
    made: str
    passed: bool
    checks: int
    failed: list[str]
    p95_ms: float | None = None
    requests_per_second: float | None = None
    memory_bytes: int | None = None


class Why(Document):
    """One stage of a model on one screen.

    ``back`` is the release that a roll-back goes to and ``warm`` whether its worker is ready;
    ``underway`` says what is being done now.
    """

    model: str
    stage: Stage
    release: str
    live: str
    since: str
    caller: str
    action: str
    reason: str
    replaced: str
    run: str
    program: str
    notes: str
    evidence: Evidence | None
    back: str
    warm: bool
    workers_ready: int
    workers_wanted: int
    restarts: int
    underway: list[str]


def why(desired: Desired, registry: Registry, model: str) -> list[Why]:
    """For each stage of a model, production first: what is live, why, and the way back.

    Raises NotFound where the model does not exist or was never deployed.
    """
    registry.release(model)  # raises NotFound, with the nearest names
    with desired.database.reading() as connection:
        found = deployments.deployments_of(connection, model)
        changes = deployments.stage_changes_of(connection, model)
        running = [
            each for each in operations.running_operations(connection) if each.model == model
        ]
    if not found:
        raise NotFound(
            f"{model} was never deployed", cure=f"roadworthy releases {model}; roadworthy promote"
        )
    return [
        _why(each, changes, running, desired.status, registry)
        for each in sorted(found, key=lambda each: each.stage)
    ]


def _why(
    deployment: Deployment,
    changes: Sequence[StageChange],
    running: Sequence[Operation],
    status: AgentStatus | None,
    registry: Registry,
) -> Why:
    model, stage = deployment.model, deployment.stage
    own = [each for each in changes if each.stage == stage]
    change = next((each for each in own if each.release == deployment.live), None)
    release = registry.release(name_of(model, deployment.live)) if deployment.live else None
    live = release.name if release else ""
    workers = [] if status is None else status.workers
    ready = [each for each in workers if each.state == "ready"]
    back = name_of(model, deployment.previous) if deployment.previous else ""
    return Why(
        model=model,
        stage=stage,
        release=name_of(model, deployment.release) if deployment.release else "",
        live=live,
        since=change.at if change else "",
        caller=change.caller if change else "",
        action=change.action if change else "",
        reason=change.reason if change else "",
        replaced=name_of(model, change.replaced) if change and change.replaced else "",
        run=release.run if release else "",
        program=registry.run(release.run).program if release else "",
        notes=release.notes if release else "",
        evidence=_evidence(release, registry),
        back=back,
        warm=any(each.release == back for each in ready),
        workers_ready=sum(each.release == live for each in ready),
        workers_wanted=deployment.workers,
        restarts=sum(each.restarts for each in workers if each.release == live),
        underway=[
            f"{each.kind} of {each.release or 'a new release'} by {each.caller or 'somebody'}: "
            f"{each.step}"
            for each in running
            if each.stage == stage
        ],
    )


def _evidence(release: Release | None, registry: Registry) -> Evidence | None:
    if release is None:
        return None
    certificate: Certificate | None = registry.latest_certificate(release.digest)
    if certificate is None:
        return None
    profile = certificate.profile
    return Evidence(
        depth=certificate.depth,
        made=certificate.made,
        passed=certificate.passed,
        checks=sum(each.outcome != "not applicable" for each in certificate.checks),
        failed=[each.title for each in certificate.checks if each.outcome == "failed"],
        p95_ms=profile.p95_ms if profile else None,
        requests_per_second=profile.requests_per_second if profile else None,
        memory_bytes=profile.load_bytes if profile else None,
    )


def history(
    desired: Desired, registry: Registry, model: str, stage: str | None = None, at: str = ""
) -> list[StageChange]:
    """What was asked of a model's deployments, newest first.

    With ``at`` (``2h`` ago, a day's end, or ISO 8601; without a zone: UTC) only what held then, one
    line a stage. Raises NotFound where the model does not exist, UsageError for what is no moment.
    """
    registry.release(model)
    moment = parse_moment(at, whole_day=True) if at else None
    wanted = check_stage(stage) if stage else None
    with desired.database.reading() as connection:
        changes = deployments.stage_changes_of(connection, model, wanted, limit=1000)
    return changes if moment is None else held_at(changes, moment)


def held_at(changes: Sequence[StageChange], moment: datetime) -> list[StageChange]:
    """The change of each stage that held at a moment, from changes that are newest first."""
    found: dict[Stage, StageChange] = {}
    for change in sorted(changes, key=lambda each: (each.at, each.generation), reverse=True):
        if parse_moment(change.at) <= moment:
            found.setdefault(change.stage, change)
    return [found[stage] for stage in sorted(found)]
