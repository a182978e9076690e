"""What the agent's report means for the controller."""

from __future__ import annotations

from collections.abc import Mapping

from roadworthy.core.deployment import AgentStatus
from roadworthy.operations.decisions import Observed

BROKEN_AFTER = 1
"""How many restarts a failing worker may have had before its release counts as broken."""


def observe(
    status: AgentStatus | None, silent: float, environments: Mapping[str, str] | None = None
) -> Observed:
    """The observation made of a report that is ``silent`` seconds old; None: never reported.

    A release is ready with each of its ready workers, failing while it has neither a ready nor
    a starting one, and broken where that is so after a restart.
    """
    environments = environments or {}
    if status is None:
        return Observed(environments=environments)
    ready: dict[str, int] = {}
    hoping = {each.release for each in status.workers if each.state in ("starting", "ready")}
    failing: dict[str, str] = {}
    broken: dict[str, str] = {}
    for worker in status.workers:
        if worker.state == "ready":
            ready[worker.release] = ready.get(worker.release, 0) + 1
        elif worker.error and worker.release not in hoping:
            failing[worker.release] = worker.error
            if worker.restarts >= BROKEN_AFTER:
                broken[worker.release] = worker.error
    return Observed(
        applied=status.applied if status.gateway_pid is not None else 0,
        silent=silent,
        ready=ready,
        failing=failing,
        broken=broken,
        environments=environments,
    )
