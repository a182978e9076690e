"""What people ask for: deploy, promote, verify, roll back. Each checks, records, and returns.

The controller does the rest. Everything here is one short transaction, so that it has
happened or it has not.
"""

from __future__ import annotations

from sqlalchemy import Connection

from roadworthy.core.deployment import Deployment, RoutingTable
from roadworthy.core.names import STAGES, Stage, check_model_name, nearest, parse_release
from roadworthy.core.operation import DeployRequest, Operation, OperationKind
from roadworthy.core.release import Release
from roadworthy.errors import Conflict, NotFound, RoadworthyError, UsageError
from roadworthy.operations import transitions
from roadworthy.operations.controller import not_passed
from roadworthy.operations.desired import Desired, deployment_of, name_of, save_deployment
from roadworthy.registry import Registry, check_quarantine
from roadworthy.storage.queries import operations


def check_stage(text: str) -> Stage:
    """The stage of that name. Raises UsageError with the nearest one.

    >>> check_stage("staging")
    'staging'
    """
    for stage in STAGES:
        if stage == text:
            return stage
    close = nearest(text, STAGES, most=1)
    raise UsageError(
        f"{text!r} is not a stage",
        cure=f"did you mean {close[0]}?" if close else f"there are {' and '.join(STAGES)}",
    )


def begin_deploy(
    desired: Desired, registry: Registry, request: DeployRequest, caller: str, reason: str
) -> Operation:
    """Begin a deployment whose run is recorded and whose blobs are there.

    Raises InvalidName, NotFound (the run), SignatureConflict when recording it.
    """
    check_model_name(request.model)
    registry.run(request.run)
    return _begin(
        desired,
        registry,
        kind="deploy",
        model=request.model,
        stage=check_stage(request.stage),
        caller=caller,
        reason=reason,
        request=request,
    )


def begin_promote(
    desired: Desired,
    registry: Registry,
    release: str,
    stage: str,
    caller: str,
    reason: str,
    seen: int | None = None,
) -> Operation:
    """Begin moving a release to a stage: its worker is started, checked if it never was.

    ``seen``, where given, is the deployment's generation as the caller saw it: raises Conflict
    where somebody asked for a change since, or one is under way. Raises NotFound;
    PolicyViolation for a release that is quarantined or failed its checks.
    """
    found = _numbered(registry, release)
    with desired.database.reading() as connection:
        check_quarantine(connection, found.model, found.number)
    certificate = registry.latest_certificate(found.digest)
    if certificate is not None and not certificate.passed:
        raise not_passed(certificate)
    return _begin(
        desired,
        registry,
        kind="promote",
        model=found.model,
        stage=check_stage(stage),
        caller=caller,
        reason=reason,
        release=found.name,
        seen=seen,
    )


def begin_verify(desired: Desired, registry: Registry, release: str, caller: str) -> Operation:
    """Begin repeating a release's checks in a worker of its own environment."""
    found = _numbered(registry, release)
    return _begin(
        desired,
        registry,
        kind="verify",
        model=found.model,
        stage="staging",
        caller=caller,
        reason="verify",
        release=found.name,
    )


def _begin(
    desired: Desired,
    registry: Registry,
    *,
    kind: OperationKind,
    model: str,
    stage: Stage,
    caller: str,
    reason: str,
    release: str = "",
    request: DeployRequest | None = None,
    seen: int | None = None,
) -> Operation:
    identity = registry.new_id()
    at, now = desired.at(), desired.clock()
    if release:
        desired.placement.forget_problem(release)

    def work(connection: Connection) -> Operation:
        if seen is not None:
            _check_unchanged(connection, model, stage, seen)
        operation = Operation(
            id=identity,
            kind=kind,
            model=model,
            stage=stage,
            generation=deployment_of(connection, model, stage).generation,
            caller=caller,
            started=at,
            since=now,
            step="start" if release else "record",
            release=release,
            request=request,
            reason=reason,
        )
        operation = transitions.noted(operation, "accepted", at)
        operations.save_operation(connection, operation)
        return operation

    operation = desired.database.write(work)
    desired.bell.ring()
    return operation


def roll_back(
    desired: Desired,
    registry: Registry,
    model: str,
    stage: str,
    seen: int,
    caller: str,
    to: int | None = None,
    reason: str = "",
) -> tuple[Deployment, RoutingTable]:
    """Send a deployment back, in one routing change where what it goes back to is warm.

    ``seen`` is the deployment's generation as the caller saw it: raises Conflict, which says
    who did what, where somebody asked for a change since. Raises NotFound where there is
    nothing to go back to, PolicyViolation for a quarantined release.
    """
    place = check_stage(stage)
    check_model_name(model)
    if to is not None:
        registry.release(name_of(model, to))
    at, ready = desired.at(), desired.observed().ready

    def work(connection: Connection) -> tuple[Deployment, RoutingTable]:
        before = deployment_of(connection, model, place)
        if before.generation == 0:
            raise NotFound(
                f"{model} is not deployed in {place}", cure="roadworthy status lists what is"
            )
        if before.asked > seen:
            raise overtaken(before)
        goal, _ = transitions.rolled_back(before, to, False, at, caller, reason)
        if goal.release is not None:
            check_quarantine(connection, model, goal.release)
        warm = ready.get(name_of(model, goal.release or 0), 0) >= 1
        after, change = transitions.rolled_back(before, to, warm, at, caller, reason)
        save_deployment(connection, before, after, change)
        return after, desired.publish(connection)

    result = desired.database.write(work)
    desired.bell.ring()
    return result


def overtaken(deployment: Deployment) -> RoadworthyError:
    """What the second of two operators is told: who did what, and when."""
    release = deployment.release
    what = "nothing" if release is None else name_of(deployment.model, release)
    return Conflict(
        f"{deployment.model} in {deployment.stage} was changed meanwhile: "
        f"{deployment.caller or 'somebody'} set it to {what} at {deployment.changed}"
        + (f" ({deployment.reason})" if deployment.reason else ""),
        cure=f"roadworthy why {deployment.model}; then decide again",
        by=deployment.caller,
        release=release,
        generation=deployment.generation,
    )


def _check_unchanged(connection: Connection, model: str, stage: Stage, seen: int) -> None:
    """Raises Conflict where a deployment was changed since, or is being changed."""
    before = deployment_of(connection, model, stage)
    if before.asked > seen:
        raise overtaken(before)
    for each in operations.running_operations(connection):
        if (each.model, each.stage) == (model, stage) and each.kind != "verify":
            raise Conflict(
                f"{each.release or f'a new release of {model}'} is on its way to {stage} already: "
                f"{each.caller or 'somebody'} began it at {each.started}",
                cure=f"roadworthy why {model}; then decide again",
                by=each.caller,
                operation=each.id,
            )


def _numbered(registry: Registry, release: str) -> Release:
    if parse_release(release).number is None:
        newest = registry.release(release)
        raise UsageError(
            f"{release!r} names a model: say which release", cure=f"write {newest.name}"
        )
    return registry.release(release)
