"""The requests that wait for one release: by priority, and within one in the order of coming."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any, Literal

from roadworthy.serving.answers import Answered

Priority = Literal[0, 1, 2]
HIGH: Priority = 0
NORMAL: Priority = 1
LOW: Priority = 2


class Job:
    """Rows of one request that wait for answers. ``deadline`` is on the monotonic clock.

    A ``columnar`` job brings columns in Arrow's layout (``frames.Packed``); it is sent as it is,
    never together with others, and gets the worker's frame itself.
    """

    __slots__ = (
        "attempts", "bytes", "columnar", "columns", "deadline", "future", "n", "priority",
        "queued", "solo",
    )  # fmt: skip

    def __init__(
        self,
        columns: dict[str, tuple[str, Any]],
        n: int,
        bytes: int,
        deadline: float,
        priority: Priority = NORMAL,
        columnar: bool = False,
    ) -> None:
        self.columns = columns
        self.n = n
        self.bytes = bytes
        self.deadline = deadline
        self.priority = priority
        self.columnar = columnar
        self.queued = time.monotonic()
        self.attempts = 0
        self.solo = columnar
        self.future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()


class Waiting:
    """A queue of jobs; ``rows`` and ``bytes`` are what all of them bring together."""

    def __init__(self) -> None:
        self.rows = 0
        self.bytes = 0
        self._count = 0
        self._lane_rows = [0, 0, 0]
        self._lanes: tuple[deque[Job], ...] = (deque(), deque(), deque())

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Job]:
        return chain.from_iterable(self._lanes)

    def push(self, job: Job) -> None:
        """Queue a job behind those of its priority."""
        self._lanes[job.priority].append(job)
        self._add(job, 1)

    def push_first(self, job: Job) -> None:
        """Queue a job before those of its priority: it has waited already."""
        self._lanes[job.priority].appendleft(job)
        self._add(job, 1)

    def first(self) -> Job:
        """The job that is next. Raises IndexError where none waits."""
        for lane in self._lanes:
            if lane:
                return lane[0]
        raise IndexError("nobody waits")

    def pop(self) -> Job:
        """Take the job that is next. Raises IndexError where none waits."""
        for lane in self._lanes:
            if lane:
                job = lane.popleft()
                self._add(job, -1)
                return job
        raise IndexError("nobody waits")

    def displaced_by(self, priority: Priority) -> Job | None:
        """Take the last job of the lowest priority below this one; None if there is none."""
        for lower in range(LOW, priority, -1):
            if self._lanes[lower]:
                job = self._lanes[lower].pop()
                self._add(job, -1)
                return job
        return None

    def rows_before(self, priority: Priority) -> int:
        """The rows that are taken before a job of this priority that comes now."""
        return sum(self._lane_rows[: priority + 1])

    def clear(self) -> list[Job]:
        """Take all jobs."""
        jobs = list(self)
        for lane in self._lanes:
            lane.clear()
        self.rows = self.bytes = self._count = 0
        self._lane_rows = [0, 0, 0]
        return jobs

    def _add(self, job: Job, sign: int) -> None:
        self._count += sign
        self._lane_rows[job.priority] += sign * job.n
        self.rows += sign * job.n
        self.bytes += sign * job.bytes
