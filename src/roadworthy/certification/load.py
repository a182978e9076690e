"""A short load on a running release: latency, throughput, memory and CPU, measured outside it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from roadworthy.certification.service import Connection, Service, Usage
from roadworthy.core.certificate import ResourceProfile
from roadworthy.core.values import Value
from roadworthy.errors import Unavailable
from roadworthy.stats.summary import Summary, summarise

BATCHES = (32, 1000)  # besides single rows
CONNECTIONS = 8
MOST_BYTES = 8 * 1024 * 1024
LEAST = 3  # requests of each phase, however long they take


class Phase(Value, frozen=True):
    """One phase: what was sent how often, how long it took, and what it cost.

    ``latency`` is in milliseconds of the requests that were answered; ``failures`` maps what
    came instead of an answer to how often it came.
    """

    connections: int
    batch: int
    requests: int
    seconds: float
    cpu_seconds: float
    latency: Summary | None
    failures: dict[str, int]

    @property
    def answered(self) -> int:
        """Requests that got an answer."""
        return self.latency.count if self.latency else 0

    @property
    def requests_per_second(self) -> float:
        """Requests answered in a second."""
        return self.answered / self.seconds if self.seconds > 0 else 0.0

    @property
    def rows_per_second(self) -> float:
        """Rows answered in a second; on one connection by the median of the requests.

        The median, because a machine that is busy with something else for a moment must not
        look like a release that is slow.
        """
        if self.connections == 1 and self.latency is not None and self.latency.p50 > 0:
            return 1000 * self.batch / self.latency.p50
        return self.requests_per_second * self.batch


class Load(Value, frozen=True):
    """All phases, and memory before them and at its highest between them, in bytes."""

    alone: Phase
    together: Phase
    batches: list[Phase]
    idle_bytes: int
    load_bytes: int

    @property
    def sequential(self) -> list[Phase]:
        """Those on one connection, the smallest batch first: single rows."""
        return [self.alone, *self.batches]

    @property
    def phases(self) -> list[Phase]:
        """All of them, in the order in which they ran."""
        return [self.alone, self.together, *self.batches]


def measure(
    service: Service,
    rows: Sequence[dict[str, Any]],
    usage: Callable[[], Usage],
    clock: Callable[[], float],
    seconds: float = 1.8,
) -> Load:
    """Load the release for about this many seconds in all, longer if it is slower than that.

    A third goes to one connection, a third to eight, the rest to batches on one. Each
    request has other rows than the one before. Raises Unavailable if nothing answers, and
    ValueError without rows.
    """
    if not rows:
        raise ValueError("no rows to send")
    idle = usage()
    highest = idle.rss_bytes
    singles = [msgspec.json.encode([row]) for row in rows[:200]]

    def phase(connections: int, bodies: list[bytes], batch: int, share: float) -> Phase:
        nonlocal highest
        before = usage().cpu_seconds
        found = _phase(service, connections, bodies, batch, seconds * share, clock)
        after = usage()
        highest = max(highest, after.rss_bytes)
        return msgspec.structs.replace(found, cpu_seconds=after.cpu_seconds - before)

    return Load(
        alone=phase(1, singles, 1, 0.34),
        together=phase(CONNECTIONS, singles, 1, 0.33),
        batches=[phase(1, _batches(rows, size), size, 0.165) for size in _sizes(rows)],
        idle_bytes=idle.rss_bytes,
        load_bytes=highest,
    )


def profile(load: Load, start_seconds: float) -> ResourceProfile | None:
    """The resource profile of a load; None where a phase had no answer at all."""
    latency = load.alone.latency
    if latency is None or any(phase.answered == 0 for phase in load.phases):
        return None
    largest = load.sequential[-1]
    return ResourceProfile(
        start_seconds=start_seconds,
        idle_bytes=load.idle_bytes,
        load_bytes=load.load_bytes,
        cpu_ms_per_request=1000 * load.alone.cpu_seconds / load.alone.answered,
        cpu_ms_per_row=1000 * largest.cpu_seconds / (largest.answered * largest.batch),
        rows_per_second={str(phase.batch): phase.rows_per_second for phase in load.sequential},
        p50_ms=latency.p50,
        p95_ms=latency.p95,
        p99_ms=latency.p99,
        requests_per_second=load.together.requests_per_second,
    )


def _sizes(rows: Sequence[dict[str, Any]]) -> list[int]:
    """The sizes of batches whose bodies stay below what a gateway takes."""
    each = len(msgspec.json.encode(rows)) / len(rows)
    return [size for size in BATCHES if size * each <= MOST_BYTES]


def _batches(rows: Sequence[dict[str, Any]], size: int) -> list[bytes]:
    """Up to four different bodies of this many rows, which repeat where there are too few."""
    endless = itertools.cycle(rows)
    count = min(4, max(1, len(rows) // size))
    return [msgspec.json.encode(list(itertools.islice(endless, size))) for _ in range(count)]


def _phase(
    service: Service,
    connections: int,
    bodies: list[bytes],
    batch: int,
    seconds: float,
    clock: Callable[[], float],
) -> Phase:
    opened = [service.connect() for _ in range(connections)]
    try:
        outcome = _Outcome()
        started = clock()
        until = started + seconds
        threads = [
            threading.Thread(
                target=_send, args=(one, bodies[at:] + bodies[:at], until, clock, outcome)
            )
            for at, one in enumerate(opened[1:], start=1)
        ]
        for thread in threads:
            thread.start()
        _send(opened[0], bodies, until, clock, outcome)
        for thread in threads:
            thread.join()
        took = clock() - started
    finally:
        for connection in opened:
            connection.close()
    return Phase(
        connections=connections,
        batch=batch,
        requests=len(outcome.milliseconds) + sum(outcome.failures.values()),
        seconds=took,
        cpu_seconds=0.0,
        latency=summarise(outcome.milliseconds) if outcome.milliseconds else None,
        failures=dict(outcome.failures),
    )


class _Outcome:
    """What the connections of a phase collect together."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.failures: dict[str, int] = {}
        self._lock = threading.Lock()

    def failed(self, what: str) -> None:
        with self._lock:
            self.failures[what] = self.failures.get(what, 0) + 1


def _send(
    connection: Connection,
    bodies: list[bytes],
    until: float,
    clock: Callable[[], float],
    outcome: _Outcome,
) -> None:
    """Send one body after the other until the time is over; a lost connection ends it."""
    for sent, body in enumerate(itertools.cycle(bodies)):
        if sent >= LEAST and clock() >= until:
            return
        try:
            reply = connection.send(body)
        except Unavailable as error:
            outcome.failed(error.message)
            return
        if reply.status == 200:
            outcome.milliseconds.append(reply.seconds * 1000)
        else:
            outcome.failed(f"status {reply.status}")
