"""The pages' data from the control plane's own parts: what wiring calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from roadworthy.core.deployment import AgentStatus, Deployment, StageChange
from roadworthy.core.names import Stage
from roadworthy.core.operation import Operation
from roadworthy.operations.asking import roll_back
from roadworthy.operations.desired import Desired
from roadworthy.registry import Registry
from roadworthy.storage.queries import agents, deployments, operations
from roadworthy.ui.data import PageData, utc_now
from roadworthy.ui.gateway import GatewayClient

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HISTORY_SHOWN = 50


def page_data(
    desired: Desired,
    registry: Registry,
    gateway: GatewayClient,
    *,
    statuses: Mapping[str, int],
    token: str = "",
    now: Callable[[], datetime] = utc_now,
) -> PageData:
    """What the pages call. ``statuses`` maps error codes to HTTP statuses; ``token`` is asked for
    where it is not empty.
    """
    database = desired.database

    def all_deployments() -> Sequence[Deployment]:
        with database.reading() as connection:
            return deployments.all_deployments(connection)

    def history(model: str) -> Sequence[StageChange]:
        with database.reading() as connection:
            return deployments.stage_changes_of(connection, model, limit=HISTORY_SHOWN)

    def latest_operations(most: int) -> Sequence[Operation]:
        with database.reading() as connection:
            return operations.operations_of(connection, limit=most)

    def status() -> AgentStatus | None:
        if desired.status is not None:
            return desired.status
        with database.reading() as connection:
            kept = agents.latest_agent_status(connection)
        return None if kept is None else kept[0]

    def go_back(model: str, stage: Stage, generation: int, caller: str) -> Deployment:
        after, _ = roll_back(desired, registry, model, stage, generation, caller)
        return after

    return PageData(
        registry=registry,
        deployments=all_deployments,
        history=history,
        operations=latest_operations,
        status=status,
        roll_back=go_back,
        predict=gateway.predict,
        metrics=gateway.metrics,
        gateway=gateway.address,
        statuses=statuses,
        token=token or None,
        hosts=LOOPBACK,
        now=now,
    )
