"""What is wanted and what was reported: the state that the controller and people act on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from roadworthy.core.deployment import AgentStatus, Deployment, RoutingTable
from roadworthy.core.names import ReleaseName, Stage
from roadworthy.core.operation import Operation
from roadworthy.core.values import Value
from roadworthy.operations.bell import Bell
from roadworthy.operations.decisions import Observed
from roadworthy.operations.observing import observe
from roadworthy.operations.placing import Placement
from roadworthy.operations.table import build_table
from roadworthy.operations.transitions import empty_deployment
from roadworthy.storage.metadata import Database
from roadworthy.storage.queries import agents, deployments, operations

NO_TABLE = RoutingTable(version=0, workers=[], routes=[])


class Snapshot(Value):
    """One consistent look at what is wanted."""

    deployments: list[Deployment]
    operations: list[Operation]
    table: RoutingTable


class Desired:
    """The metadata of deployments and operations, and the agent's last report beside it.

    Safe to be used by several threads. ``bell`` is rung with every change, so that whoever
    waits for one looks again.
    """

    def __init__(
        self,
        database: Database,
        placement: Placement,
        bell: Bell,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.database = database
        self.placement = placement
        self.bell = bell
        self.clock = clock
        self._lock = threading.Lock()
        self._status: AgentStatus | None = None
        self._reported = 0.0

    def at(self) -> str:
        """The time now, UTC, ISO 8601."""
        moment = datetime.fromtimestamp(self.clock(), UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def snapshot(self) -> Snapshot:
        """What is wanted now. Raises Unavailable where the metadata is away."""
        with self.database.reading() as connection:
            return read_snapshot(connection)

    def publish(self, connection: Connection) -> RoutingTable:
        """Bring the routing table up to date within a writing transaction."""
        now = read_snapshot(connection)
        table = build_table(now.deployments, now.operations, self.placement.specs, now.table)
        if table is not now.table:
            deployments.save_routing_table(connection, table)
        return table

    def change(
        self, identity: str, change: Callable[[Connection, Operation], Operation | None]
    ) -> bool:
        """Change a running operation in one transaction; whether something changed.

        ``change`` may write more in the same transaction, and gives None to leave it.
        """

        def work(connection: Connection) -> bool:
            operation = operations.operation(connection, identity)
            if operation.state != "running":
                return False
            after = change(connection, operation)
            if after is None or after == operation:
                return False
            operations.save_operation(connection, after)
            self.publish(connection)
            return True

        changed = self.database.write(work)
        if changed:
            self.bell.ring()
        return changed

    def report(self, status: AgentStatus) -> None:
        """Take the agent's report; it is kept in the metadata where it says something new."""
        with self._lock:
            before = self._status
            self._status = status
            self._reported = time.monotonic()
        if before is None or _gist(before) != _gist(status):
            seen = self.at()
            self.database.write(lambda each: agents.save_agent_status(each, status, seen))
            self.bell.ring()

    @property
    def status(self) -> AgentStatus | None:
        """What the agent reported last to this process."""
        with self._lock:
            return self._status

    def observed(self) -> Observed:
        """What is known of what runs."""
        with self._lock:
            status, silent = self._status, time.monotonic() - self._reported
        return observe(status, silent, self.placement.problems)


def read_snapshot(connection: Connection) -> Snapshot:
    """What is wanted, as this transaction sees it."""
    return Snapshot(
        deployments=deployments.all_deployments(connection),
        operations=operations.running_operations(connection),
        table=deployments.routing_table(connection) or NO_TABLE,
    )


def deployment_of(connection: Connection, model: str, stage: Stage) -> Deployment:
    """What is wanted of a model at a stage; an empty deployment where nothing ever was."""
    found = deployments.deployment(connection, model, stage)
    return found or empty_deployment(model, stage)


def save_deployment(
    connection: Connection, before: Deployment, after: Deployment, change: object = None
) -> None:
    """Replace a deployment by its next generation. Raises Conflict where it has moved on."""
    expected = before.generation or None
    deployments.save_deployment(connection, after, expected, change)  # type: ignore[arg-type]


def number_of(release: str) -> int:
    """The number in a release's name.

    >>> number_of("flight-delay@12")
    12
    """
    return int(release.rpartition("@")[2])


def name_of(model: str, number: int) -> str:
    """A release's name.

    >>> name_of("flight-delay", 12)
    'flight-delay@12'
    """
    return str(ReleaseName(model=model, number=number))


def _gist(status: AgentStatus) -> bytes:
    """The report without what changes all the time: times, memory, processor use."""
    workers = [replace(each, rss_bytes=0, cpu_seconds=0.0) for each in status.workers]
    return msgspec.json.encode(replace(status, at="", workers=workers))
