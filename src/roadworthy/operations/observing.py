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

    A release is ready with each of its ready workers, and broken while none is ready and one
    failed again after having been restarted.
    """
    environments = environments or {}
    if status is None:
        return Observed(environments=environments)
    ready: dict[str, int] = {}
    failed: dict[str, str] = {}
    for worker in status.workers:
        if worker.state == "ready":
            ready[worker.release] = ready.get(worker.release, 0) + 1
        elif worker.error and worker.restarts >= BROKEN_AFTER:
            failed[worker.release] = worker.error
    return Observed(
        applied=status.applied if status.gateway_pid is not None else 0,
        silent=silent,
        ready=ready,
        broken={name: error for name, error in failed.items() if name not in ready},
        environments=environments,
    )
