"""What to do next, given what is wanted and what was observed: pure decisions.

``next_steps`` is level-triggered: it looks at the whole state, never at what it said before,
so that after any crash it is asked again and goes on. Each step is idempotent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from roadworthy.core.deployment import Deployment
from roadworthy.core.names import ReleaseName, Stage
from roadworthy.core.operation import Operation
from roadworthy.core.values import Value
from roadworthy.errors import EnvironmentFailed, RoadworthyError, Unavailable, WorkerFailed
from roadworthy.operations.transitions import empty_deployment, superseded

START_SECONDS = 120.0
"""How long a worker may take to be ready before its operation gives up."""
ROUTE_SECONDS = 60.0
"""How long a routing change may take to be acknowledged before its operation gives up."""
CERTIFY_SECONDS = 300.0
"""How long the checks of a release may take."""
FAILING_SECONDS = 5.0
"""How long a release whose worker failed and was not tried again is given."""
SILENT_SECONDS = 10.0
"""After how long without a report the agent counts as away."""


class Observed(Value):
    """What is known of the running system.

    ``applied`` is the version of the routing table that the gateway follows, ``silent`` the
    seconds since the agent's last report; ``ready`` counts each release's ready workers,
    ``failing`` gives the last error of releases of which no worker runs, ``broken`` of those
    that were tried again in vain.
    ``environments`` names what is wrong with a release's environment, where something is.
    """

    applied: int = 0
    silent: float = float("inf")
    ready: Mapping[str, int] = msgspec.field(default_factory=dict)
    failing: Mapping[str, str] = msgspec.field(default_factory=dict)
    broken: Mapping[str, str] = msgspec.field(default_factory=dict)
    environments: Mapping[str, str] = msgspec.field(default_factory=dict)

    @property
    def present(self) -> bool:
        """Whether the agent reports."""
        return self.silent <= SILENT_SECONDS


class Record(Value):
    """Record the operation's release and let its workers be wanted."""

    operation: str


class Certify(Value):
    """Begin the checks of the operation's release, whose workers are ready."""

    operation: str


class Proceed(Value):
    """Put the operation at its next step: what it waited for has come."""

    operation: str
    step: str
    message: str


class Want(Value):
    """Have the deployment want the operation's release."""

    operation: str


class GoLive(Value):
    """Route the deployment's requests to the release it wants: its workers are ready."""

    model: str
    stage: Stage
    release: int


class Finish(Value):
    """End the operation well."""

    operation: str
    message: str


class Fail(Value):
    """End the operation without its effect; the deployment is put back to what answers."""

    operation: str
    problem: dict[str, Any]


class Note(Value):
    """Tell what the operation waits for."""

    operation: str
    message: str


Step = Record | Certify | Proceed | Want | GoLive | Finish | Fail | Note


def next_steps(
    deployments: Iterable[Deployment],
    operations: Iterable[Operation],
    observed: Observed,
    table: int,
    busy: Iterable[str],
    now: float,
) -> list[Step]:
    """The steps to take now, at most one per operation and per deployment.

    ``table`` is the version of the routing table as it should be, ``busy`` the operations
    whose checks run in this process, ``now`` seconds since the epoch.
    """
    by_key = {(each.model, each.stage): each for each in deployments}
    steps: list[Step] = []
    for deployment in by_key.values():
        step = _deployment_step(deployment, observed)
        if step is not None:
            steps.append(step)
    running = set(busy)
    for operation in operations:
        if operation.state != "running":
            continue
        key = (operation.model, operation.stage)
        deployment = by_key.get(key) or empty_deployment(*key)
        next_ = _operation_step(operation, deployment, observed, table, running, now)
        if next_ is not None:
            steps.append(next_)
    return steps


def _deployment_step(deployment: Deployment, observed: Observed) -> Step | None:
    wanted = deployment.release
    if wanted is None or wanted == deployment.live:
        return None
    if observed.ready.get(_name(deployment.model, wanted), 0) < deployment.workers:
        return None
    return GoLive(model=deployment.model, stage=deployment.stage, release=wanted)


def _operation_step(
    operation: Operation,
    deployment: Deployment,
    observed: Observed,
    table: int,
    busy: set[str],
    now: float,
) -> Step | None:
    if _changed_by_others(operation, deployment):
        return _fail(operation, superseded(operation, deployment))
    if operation.step == "record":
        return Record(operation=operation.id)
    if operation.step == "start":
        return _waiting_for_workers(operation, observed, now) or Proceed(
            operation=operation.id, step="certify", message=f"{operation.release} answers"
        )
    if operation.step == "certify":
        return _certify_step(operation, observed, busy, now)
    if operation.step == "switch":
        if operation.kind == "verify":
            return Finish(operation=operation.id, message=f"{operation.release} is verified")
        return Want(operation=operation.id)
    if operation.step == "route":
        return _route_step(operation, deployment, observed, table, now)
    return None


def _changed_by_others(operation: Operation, deployment: Deployment) -> bool:
    """Whether the deployment is no longer as it was asked about, or as the operation made it."""
    if operation.kind == "verify":
        return False
    if operation.step == "route":
        return deployment.asked != operation.wanted
    return deployment.asked > operation.generation


def _certify_step(
    operation: Operation, observed: Observed, busy: set[str], now: float
) -> Step | None:
    if operation.id in busy:
        if now - operation.since > CERTIFY_SECONDS:
            return _fail(
                operation,
                WorkerFailed(
                    f"the checks of {operation.release} did not end in {CERTIFY_SECONDS:.0f} s",
                    cure=f"roadworthy logs --release {operation.release}",
                ),
            )
        return None
    return _waiting_for_workers(operation, observed, now) or Certify(operation=operation.id)


def _route_step(
    operation: Operation, deployment: Deployment, observed: Observed, table: int, now: float
) -> Step | None:
    if deployment.live == deployment.release:
        if observed.applied == table and observed.present:
            return Finish(
                operation=operation.id,
                message=f"{operation.release} is live in {operation.stage}",
            )
        if now - operation.since <= ROUTE_SECONDS:
            return None
        return _fail(operation, _silent(observed, f"the gateway did not take {operation.release}"))
    if now - operation.since > START_SECONDS:
        return _fail(operation, _silent(observed, f"{operation.release} is not ready"))
    return _waiting_for_workers(operation, observed, now)


def _waiting_for_workers(operation: Operation, observed: Observed, now: float) -> Step | None:
    """None once the operation's release has a ready worker; else what to do meanwhile."""
    release = operation.release
    if release in observed.environments:
        problem = observed.environments[release]
        return _fail(
            operation,
            EnvironmentFailed(
                f"the environment of {release} can't be made: {problem}",
                cure="roadworthy doctor",
            ),
        )
    if observed.present and observed.ready.get(release, 0) >= 1:
        return None
    error = observed.broken.get(release, "")
    if now - operation.since > FAILING_SECONDS:
        error = error or observed.failing.get(release, "")
    if observed.present and error:
        return _fail(
            operation,
            WorkerFailed(
                f"the worker of {release} does not start: {error}",
                cure=f"roadworthy logs --release {release}",
            ),
        )
    if now - operation.since > START_SECONDS:
        return _fail(operation, _silent(observed, f"{release} has no ready worker"))
    if not observed.present and now - operation.since > SILENT_SECONDS:
        return Note(operation=operation.id, message="waiting for the agent, which does not report")
    return Note(operation=operation.id, message=f"waiting for a worker of {release}")


def _silent(observed: Observed, what: str) -> RoadworthyError:
    if observed.present:
        return WorkerFailed(f"{what} in time", cure="roadworthy logs agent")
    return Unavailable(f"{what}: the agent does not report", cure="roadworthy status")


def _fail(operation: Operation, error: RoadworthyError) -> Fail:
    return Fail(operation=operation.id, problem=error.problem())


def _name(model: str, number: int) -> str:
    return str(ReleaseName(model=model, number=number))
