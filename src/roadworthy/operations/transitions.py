"""How deployments and operations change: pure steps from one value to the next."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from roadworthy.core.deployment import Deployment, StageChange
from roadworthy.core.names import Stage
from roadworthy.core.operation import Operation, OperationStep, Progress
from roadworthy.errors import Conflict, NotFound

Change = tuple[Deployment, StageChange | None]


def empty_deployment(model: str, stage: Stage) -> Deployment:
    """A deployment that nobody has put anything into yet: generation 0."""
    return Deployment(model=model, stage=stage, generation=0, release=None)


def wanted(
    deployment: Deployment, release: int, action: str, at: str, caller: str, reason: str
) -> Change:
    """The deployment wanting another release, and the line of history that says so."""
    after = replace(
        deployment,
        generation=deployment.generation + 1,
        asked=deployment.generation + 1,
        release=release,
        changed=at,
        caller=caller,
        reason=reason,
    )
    return after, _change(deployment, after, action)


def routed(deployment: Deployment) -> Deployment:
    """The deployment answering with what it wants; what answered so far is the way back."""
    if deployment.release == deployment.live:
        return deployment
    return replace(
        deployment,
        generation=deployment.generation + 1,
        live=deployment.release,
        previous=deployment.live if deployment.live is not None else deployment.previous,
    )


def rolled_back(
    deployment: Deployment, to: int | None, warm: bool, at: str, caller: str, reason: str
) -> Change:
    """The deployment going back, at once where the release it goes back to is ``warm``.

    Without ``to``: in a rollout that is not finished, to what answers now; otherwise to the
    release before. Raises NotFound where there is nothing to go back to, Conflict where that
    release answers already.
    """
    name = deployment.model
    unfinished = deployment.live is not None and deployment.release != deployment.live
    target = to if to is not None else deployment.live if unfinished else deployment.previous
    if target is None:
        raise NotFound(
            f"{name} has no earlier release in {deployment.stage} to go back to",
            cure=f"roadworthy history {name}",
        )
    if target == deployment.live and not unfinished:
        raise Conflict(
            f"{name}@{target} already answers in {deployment.stage}"
            + (f", by {deployment.caller}" if deployment.caller else ""),
            cure=f"roadworthy why {name}",
        )
    after, change = wanted(deployment, target, "rollback", at, caller, reason)
    if target != deployment.live and warm:
        after = replace(after, live=target, previous=deployment.live)
    return after, change


def given_up(deployment: Deployment, at: str, reason: str) -> Change:
    """The deployment no longer wanting what can't be reached: back to what answers."""
    after, change = wanted(
        deployment, deployment.live or 0, "rollback", at, deployment.caller, reason
    )
    if deployment.live is None:
        after = replace(after, release=None)
        assert change is not None
        change = replace(change, release=None)
    return after, change


def moved(
    operation: Operation, step: OperationStep, message: str, at: str, now: float, **fields: Any
) -> Operation:
    """The operation at its next step, with a line of progress."""
    return replace(
        operation,
        step=step,
        since=now,
        progress=[*operation.progress, Progress(at=at, step=step, message=message)],
        **fields,
    )


def noted(operation: Operation, message: str, at: str) -> Operation:
    """The operation with one more line of progress, unless its last line says the same."""
    if operation.progress and operation.progress[-1].message == message:
        return operation
    line = Progress(at=at, step=operation.step, message=message)
    return replace(operation, progress=[*operation.progress, line])


def resumed(operation: Operation, at: str, now: float) -> Operation:
    """The operation taken up again after the control plane was away: its step begins anew."""
    return replace(noted(operation, "taken up again after a restart", at), since=now)


def done(operation: Operation, message: str, at: str, now: float, seconds: float) -> Operation:
    """The operation ended well."""
    return moved(operation, "ended", message, at, now, state="done", seconds=seconds)


def failed(
    operation: Operation, problem: dict[str, Any], at: str, now: float, seconds: float
) -> Operation:
    """The operation ended without its effect; ``problem`` says why and what comes next."""
    message = str(problem.get("message", "failed"))
    return moved(
        operation, "ended", message, at, now, state="failed", problem=problem, seconds=seconds
    )


def superseded(operation: Operation, deployment: Deployment) -> Conflict:
    """What the operation's caller is told when somebody changed the deployment meanwhile."""
    what = "nothing" if deployment.release is None else f"{deployment.model}@{deployment.release}"
    by = deployment.caller or "somebody"
    return Conflict(
        f"{operation.model} in {operation.stage} was changed meanwhile: {by} set it to {what}"
        + (f" at {deployment.changed}" if deployment.changed else "")
        + (f" ({deployment.reason})" if deployment.reason else ""),
        cure=(
            f"roadworthy why {operation.model}; then, if {operation.release} should answer: "
            f"roadworthy promote {operation.release} --to {operation.stage}"
        ),
        by=by,
        release=deployment.release,
        generation=deployment.generation,
    )


def holds(deployment: Deployment, operation: Operation) -> bool:
    """Whether the deployment wants, because of this operation, what does not answer yet."""
    return (
        operation.step == "route"
        and deployment.asked == operation.wanted
        and deployment.release != deployment.live
    )


def _change(before: Deployment, after: Deployment, action: str) -> StageChange:
    return StageChange(
        model=after.model,
        stage=after.stage,
        generation=after.generation,
        release=after.release,
        replaced=before.live,
        action=action,  # type: ignore[arg-type]  # callers pass one of its literals
        at=after.changed,
        caller=after.caller,
        reason=after.reason,
    )
