"""Whether a deployment answers, as one sign, one word and one sentence: a pure rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from roadworthy.core.deployment import AgentStatus, Deployment, WorkerStatus
from roadworthy.core.names import Stage
from roadworthy.core.operation import Operation
from roadworthy.ui.formats import age, duration, plural, shortened

SILENT_SECONDS = 15.0
"""After this long without a report, what runs is not known."""

Sign = Literal["ok", "warn", "bad", "run", "wait", "na"]


class Health(NamedTuple):
    """``sign`` and ``word`` make the pill; ``sentence`` says more where there is more to say."""

    sign: Sign
    word: str
    sentence: str = ""
    cure: str = ""


_STEP_WORDS = {
    "record": "is recorded",
    "start": "starts",
    "certify": "is certified",
    "switch": "takes over",
    "route": "takes over",
    "ended": "takes over",
}


def release_name(model: str, number: int) -> str:
    """``flight-delay@12``."""
    return f"{model}@{number}"


def workers_of(status: AgentStatus | None, release: str) -> list[WorkerStatus]:
    """The workers of a release that the agent reports."""
    return [each for each in (status.workers if status else []) if each.release == release]


def silence(status: AgentStatus | None, now: datetime) -> str:
    """Why what runs is not known; empty where it is."""
    if status is None:
        return "the agent has not reported yet"
    since = age(status.at, now)
    if since is None:
        return "the agent's last report has no time"
    seconds = since.total_seconds()
    if seconds > SILENT_SECONDS:
        return f"the agent has not reported for {duration(seconds)}"
    return ""


def runs_now(status: AgentStatus | None, release: str, now: datetime) -> bool | None:
    """Whether a release can be asked now; None where that is not known."""
    if silence(status, now):
        return None
    return any(each.state == "ready" for each in workers_of(status, release))


Healths = Mapping[tuple[str, Stage], Health]


def healths_of(
    deployments: Iterable[Deployment],
    operations: Sequence[Operation],
    status: AgentStatus | None,
    now: datetime,
) -> Healths:
    """How each deployment is, by model and stage."""
    workers: dict[str, list[WorkerStatus]] = {}
    for worker in status.workers if status else ():
        workers.setdefault(worker.release, []).append(worker)

    def own(each: Deployment) -> AgentStatus | None:
        release = release_name(each.model, each.live or 0)
        return status and msgspec.structs.replace(status, workers=workers.get(release, []))

    return {
        (each.model, each.stage): health_of(each, operations, own(each), now)
        for each in deployments
    }


def health_of(
    deployment: Deployment,
    operations: Sequence[Operation],
    status: AgentStatus | None,
    now: datetime,
) -> Health:
    """How a deployment is, from what is wanted, what is under way and what the agent reports."""
    moving = _under_way(deployment, operations)
    if deployment.live is None:
        return moving or Health("na", "not live", f"nothing answers in {deployment.stage}")
    why = silence(status, now)
    if why or status is None:
        return Health("warn", "not known", why, "roadworthy status")
    if status.gateway_pid is None:
        return Health(
            "bad",
            "does not answer",
            "the gateway is down; the agent starts it again",
            "roadworthy logs gateway",
        )
    release = release_name(deployment.model, deployment.live)
    workers = workers_of(status, release)
    ready = sum(each.state == "ready" for each in workers)
    error = next((each.error for each in workers if each.error), "")
    if ready == 0:
        reason = error or ("its worker is starting" if workers else "none of its workers runs")
        return Health(
            "bad",
            "does not answer",
            f"{release}: {shortened(reason)}",
            f"roadworthy logs --release {release}",
        )
    if moving:
        return moving
    if ready < deployment.workers:
        return Health(
            "warn",
            f"{ready} of {plural(deployment.workers, 'worker')}",
            f"{release} answers with fewer workers than wanted"
            + (f": {shortened(error)}" if error else ""),
            f"roadworthy logs --release {release}",
        )
    return Health("ok", "healthy")


def _under_way(deployment: Deployment, operations: Sequence[Operation]) -> Health | None:
    for each in operations:
        if each.state != "running" or each.kind == "verify":
            continue
        if (each.model, each.stage) == (deployment.model, deployment.stage):
            said = each.progress[-1].message if each.progress else ""
            release = "@" + each.release.partition("@")[2] if each.release else "new release"
            return Health("run", f"{release} {_STEP_WORDS[each.step]}", said)
    if deployment.release is not None and deployment.release != deployment.live:
        return Health(
            "run",
            f"@{deployment.release} takes over",
            f"{release_name(deployment.model, deployment.release)} is to answer, and starts",
        )
    return None
