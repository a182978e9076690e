"""Whether a release leaks: the same requests, repeated, must not take ever more memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from roadworthy.certification.service import Service, Usage
from roadworthy.core.certificate import Check

REPEATS = 3
LEAST_STEP = 256 * 1024
LEAST_GROWTH = 2 * 1024 * 1024
BATCH_ROWS = 500
SINGLES = 19
LEAST = 4
MOST_BYTES = 4 * 1024 * 1024
MEBIBYTE = 1024 * 1024


def leak_check(
    service: Service,
    rows: Sequence[dict[str, Any]],
    usage: Callable[[], Usage],
    clock: Callable[[], float],
    seconds: float = 0.05,
) -> Check:
    """Memory after each of three repeats of the same requests, by single rows and one batch.

    Growth in each of them is looked at once more, for four times as long, before it counts: a
    cache that was still filling must not keep a release out. Raises Unavailable, and ValueError
    without rows.
    """
    if not rows:
        raise ValueError("no rows to send")
    bodies = _bodies(rows)
    asked, sizes = _repeat(service, bodies, usage, clock, seconds, LEAST)
    if leaks(sizes):
        asked, sizes = _repeat(service, bodies, usage, clock, 4 * seconds, 4 * LEAST)
    grown = sizes[-1] - sizes[0]
    found = leaks(sizes)
    measured = (
        f"grew by {grown / MEBIBYTE:.1f} MiB in {asked} requests, and in each part of them"
        if found
        else f"no steady growth in {asked} requests"
    )
    return Check(
        id="leak",
        group="service",
        title="Keeps no memory from request to request",
        outcome="failed" if found else "passed",
        required=f"not ≥ {LEAST_GROWTH / MEBIBYTE:g} MiB more, in steady steps",
        measured=measured,
        evidence={"bytes": sizes, "requests": asked},
    )


def leaks(sizes: Sequence[int]) -> bool:
    """Whether memory grew in each step, and by enough in all.

    >>> leaks([100 << 20, 102 << 20, 104 << 20, 106 << 20])
    True
    >>> leaks([100 << 20, 110 << 20, 110 << 20, 111 << 20])
    False
    """
    steps = [after - before for before, after in itertools.pairwise(sizes)]
    return min(steps) >= LEAST_STEP and sizes[-1] - sizes[0] >= LEAST_GROWTH


def _bodies(rows: Sequence[dict[str, Any]]) -> list[bytes]:
    endless = itertools.cycle(rows)
    each = len(msgspec.json.encode(rows)) / len(rows)
    size = max(1, min(BATCH_ROWS, int(MOST_BYTES / each)))
    batch = msgspec.json.encode(list(itertools.islice(endless, size)))
    return [batch, *(msgspec.json.encode([next(endless)]) for _ in range(SINGLES))]


def _repeat(
    service: Service,
    bodies: list[bytes],
    usage: Callable[[], Usage],
    clock: Callable[[], float],
    seconds: float,
    least: int,
) -> tuple[int, list[int]]:
    """How many requests were sent, and the resident bytes before and after each repeat."""
    connection = service.connect()
    asked = 0
    try:
        sizes = []
        for _ in range(1 + REPEATS):  # what the first repeat loads or caches is no leak
            until = clock() + seconds
            for place, body in enumerate(itertools.cycle(bodies)):
                if place >= least and clock() >= until:
                    break
                connection.send(body)
                asked += 1
            sizes.append(usage().rss_bytes)
    finally:
        connection.close()
    return asked, sizes
