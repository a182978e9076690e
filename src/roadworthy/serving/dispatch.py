"""The queue of one release: batches without timers, deadlines, retries, nothing lost.

A free worker takes all that is queued, up to a limit of rows and bytes. Alone, a request
never waits; under load, batches form by themselves.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from roadworthy.core.signature import Signature
from roadworthy.serving.answers import Answered
from roadworthy.serving.batches import Batch, merge, split
from roadworthy.serving.link import Link
from roadworthy.serving.options import Limits
from roadworthy.serving.pace import Pace
from roadworthy.serving.problems import Refused
from roadworthy.serving.typed_rows import TypedRows
from roadworthy.serving.validation import codes_of
from roadworthy.serving.waiting import Job, Waiting
from roadworthy_runtime import frames

SWEEP_SECONDS = 0.05
PATIENCE = 0.5
"""The share of a request's time that it may be expected to wait; else it is refused at once."""
CHECK_AFTER = 3
"""After so many batches in a row without an answer a worker is asked its golden request."""
RETRY_AFTER = 1
LISTED_ROWS = 4
"""Up to so many rows it is quicker to list them in a frame than to lay them out."""


class Pool:
    """The workers of one release, and the requests that wait for them.

    ``failed`` says why no worker will come; requests are then refused at once. A retired pool
    takes no requests; it calls ``emptied`` when the last one has been answered.
    """

    def __init__(self, release: str, flow: str, signature: Signature, limits: Limits) -> None:
        self.release = release
        self.flow = flow
        self.signature = signature
        self.codes = codes_of(signature)
        self.typed = TypedRows(signature, self.codes)
        self.failed = ""
        self.failures: dict[str, int] = {}
        self.batch_seconds = 30.0
        self.retired = False
        self.links: set[Link] = set()
        self.emptied: Callable[[Pool], None] = lambda _: None
        self.on_batch: Callable[[int, float], None] = lambda rows, seconds: None
        self.on_lost: Callable[[str], None] = lambda reason: None
        self._limits = limits
        self._pace = Pace()
        self._queue = Waiting()
        self._idle: list[Link] = []
        self._busy: dict[Link, Batch] = {}
        self._leaving: set[Link] = set()
        self._next = 0
        self._scheduled = False
        self._alone = True
        self._sweep: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def waiting(self) -> int:
        """Requests that are queued or being answered."""
        return len(self._queue) + sum(len(batch.jobs) for batch in self._busy.values())

    def submit(self, job: Job) -> asyncio.Future[Answered]:
        """Queue a job; its future gets the answers, or Refused. Raises Refused when full."""
        if self.failed and not self.links:
            raise Refused("unavailable", self.failed, retry_after=RETRY_AFTER)
        wait = self._expected_wait(job)
        if wait > PATIENCE * (job.deadline - time.monotonic()):
            raise self._overloaded(wait)
        while self._full(job):
            displaced = self._queue.displaced_by(job.priority)
            if displaced is None:
                raise self._overloaded()
            _fail(displaced, self._overloaded())
        self._queue.push(job)
        if self._alone and self._idle and not self._busy:
            self._dispatch()
        elif not self._scheduled:
            # After this turn of the event loop, so that what has arrived with it comes along.
            self._scheduled = True
            self._loop.call_soon(self._dispatch_scheduled)
        if self._sweep is None:
            self._sweep = self._loop.call_later(SWEEP_SECONDS, self._look)
        return job.future

    def add(self, link: Link) -> None:
        """Take a link to a worker that is ready."""
        link.receiver = self
        if link.closed:
            return
        self.links.add(link)
        self._idle.append(link)
        self._dispatch()

    def remove(self, id: str) -> None:
        """Use the worker no more; what it is answering is finished first."""
        for link in [link for link in self.links if link.id == id]:
            self.links.discard(link)
            if link in self._busy:
                self._leaving.add(link)
            else:
                self._idle.remove(link)
                link.receiver = None
                link.close()

    def retire(self) -> None:
        """Take no more requests; close the links once the last one has been answered."""
        self.retired = True
        self._settle()

    def in_use(self) -> set[str]:
        """The ids of workers that may still have to answer something."""
        leaving = {link.id for link in self._leaving}
        return leaving | {link.id for link in self.links}

    def refuse_all(self, refused: Refused) -> None:
        """Refuse what is queued."""
        for job in self._queue.clear():
            _fail(job, refused)

    def answered(self, link: Link, frame: frames.Frame) -> None:
        """A worker's answer to its batch."""
        batch = self._busy.get(link)
        if batch is not None and not batch.jobs:
            self._checked(link, frame)
            return
        if batch is None or frame.id != batch.id or frame.kind != "answers":
            what = frame.meta.get("message", f"a frame of kind {frame.kind!r} for no request")
            link.kill(f"worker {link.id} sent: {what}")
            return
        try:
            parts = split(batch, frame)
        except (frames.FrameError, ValueError, TypeError) as error:
            link.kill(f"worker {link.id} sent an answer that can't be read: {error}")
            return
        del self._busy[link]
        took = time.monotonic() - batch.sent
        self._pace.observe(batch.rows, took)
        self.on_batch(batch.rows, took)
        for job, answer in zip(batch.jobs, parts, strict=True):
            if not job.future.done():
                job.future.set_result(answer)
        link.failures = link.failures + 1 if _nothing_answered(frame) else 0
        if link.failures and link.failures % CHECK_AFTER == 0 and link not in self._leaving:
            self._check(link)
        else:
            self._free(link)
        self._dispatch()

    def _check(self, link: Link) -> None:
        """Ask a worker its golden request: is it the rows that fail, or the worker?"""
        self._next += 1
        self._busy[link] = Batch(self._next, [])
        link.send(frames.encode("check", self._next))
        if self._sweep is None:
            self._sweep = self._loop.call_later(SWEEP_SECONDS, self._look)

    def _checked(self, link: Link, frame: frames.Frame) -> None:
        problem = frame.meta.get("problem")
        if problem:
            link.kill(f"worker {link.id} fails: {problem}")
            return
        del self._busy[link]
        self._free(link)
        self._dispatch()

    def _free(self, link: Link) -> None:
        if link in self._leaving:
            self._leaving.discard(link)
            link.receiver = None
            link.close()
        else:
            self._idle.append(link)

    def lost(self, link: Link, reason: str) -> None:
        """A worker is gone: its requests are asked once more, each alone."""
        self.on_lost(reason)
        self.links.discard(link)
        self._leaving.discard(link)
        if link in self._idle:
            self._idle.remove(link)
        batch = self._busy.pop(link, None)
        if batch is not None:
            hung = bool(link.killed) and len(batch.jobs) == 1
            for job in reversed(batch.jobs):
                job.attempts += 1
                if job.future.done():
                    continue
                if hung or job.attempts > 1:
                    _fail(job, Refused("worker-failed", f"{reason} while answering this request"))
                    continue
                job.solo = True
                self._queue.push_first(job)
        self._dispatch()

    def _dispatch_scheduled(self) -> None:
        self._scheduled = False
        self._dispatch()

    def _dispatch(self) -> None:
        while self._queue and self._idle:
            jobs = self._take()
            if not jobs:
                break
            self._send(self._idle.pop(), jobs)
        self._settle()

    def _take(self) -> list[Job]:
        jobs: list[Job] = []
        rows = size = 0
        now = first = time.monotonic()
        while self._queue:
            job = self._queue.first()
            if job.future.done() or job.deadline <= now:
                _fail(self._queue.pop(), _late())
                continue
            first = min(first, job.deadline) if jobs else job.deadline
            if jobs and (
                job.solo
                or rows + job.n > self._limits.batch_rows
                or size + job.bytes > self._limits.batch_bytes
                or now + self._pace.seconds(rows + job.n) > first
            ):
                break
            jobs.append(self._queue.pop())
            rows += job.n
            size += job.bytes
            if job.solo:
                break
        return jobs

    def _full(self, job: Job) -> bool:
        queue, limits = self._queue, self._limits
        if len(queue) >= limits.queue_requests:
            return True
        too_much = queue.rows + job.n > limits.queue_rows
        return bool(queue) and (too_much or queue.bytes + job.bytes > limits.queue_bytes)

    def _expected_wait(self, job: Job) -> float:
        """Seconds until the job would be answered, as far as the pace is known.

        What is under way counts whole: for a moment too much is refused rather than too late.
        """
        if not self._queue or not self.links:
            return 0.0
        under_way = sum(batch.rows for batch in self._busy.values())
        waiting = self._queue.rows_before(job.priority) + job.n
        return self._pace.seconds(under_way + waiting) / len(self.links)

    def _overloaded(self, wait: float = 0.0) -> Refused:
        return Refused(
            "overloaded",
            f"{len(self._queue)} requests wait for {self.release} already",
            cure="try again later, or run more workers",
            retry_after=max(RETRY_AFTER, math.ceil(wait)),
        )

    def _send(self, link: Link, jobs: list[Job]) -> None:
        self._next += 1
        batch = Batch(self._next, jobs)
        try:
            columns = merge(jobs)
            if not link.takes_codes:
                columns = {name: (t, frames.plain(t, each)) for name, (t, each) in columns.items()}
            listed = link.takes_listed and batch.rows <= LISTED_ROWS
            frame = frames.encode("predict", batch.id, batch.rows, columns, listed=listed)
        except frames.FrameError as error:
            self._idle.append(link)
            for job in jobs:
                _fail(job, Refused("internal", f"the rows do not fit a frame: {error}"))
            return
        self._busy[link] = batch
        self._alone = len(jobs) == 1
        batch.sent = time.monotonic()
        link.send(frame)

    def _look(self) -> None:
        """Refuse what is past its deadline, and kill workers that take too long."""
        self._sweep = None
        now = time.monotonic()
        for link, batch in list(self._busy.items()):
            for job in batch.jobs:
                if job.deadline <= now:
                    _fail(job, _late())
            if now - batch.sent > self.batch_seconds and not link.killed:
                link.kill(f"worker {link.id} took longer than {self.batch_seconds:g} s")
        for job in self._queue:
            if job.deadline <= now:
                _fail(job, _late() if self.links else self._nobody())
        if self._queue and all(job.future.done() for job in self._queue):
            self._queue.clear()
        if self._queue or self._busy:
            self._sweep = self._loop.call_later(SWEEP_SECONDS, self._look)
        self._settle()

    def _nobody(self) -> Refused:
        reason = self.failed or f"no worker of {self.release} is ready"
        return Refused("unavailable", reason, retry_after=RETRY_AFTER)

    def _settle(self) -> None:
        if not self.retired or self._queue or self._busy:
            return
        for link in list(self.links):
            self.remove(link.id)
        self.emptied(self)


def _nothing_answered(frame: frames.Frame) -> bool:
    failed = frame.meta.get("failed", ())
    return bool(failed) and len(failed) + len(frame.meta.get("rejected", ())) >= frame.n


def _fail(job: Job, refused: Refused) -> None:
    if not job.future.done():
        job.future.set_exception(refused)


def _late() -> Refused:
    return Refused("deadline", "the answer did not come within the request's deadline")
