"""Several requests as one batch: their columns put together, its answers taken apart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from roadworthy.serving.answers import Answered
from roadworthy.serving.waiting import Job
from roadworthy_runtime import frames


class Batch:
    """Jobs that a worker answers together; ``taken`` from the queue and ``sent``, in seconds."""

    __slots__ = ("id", "jobs", "rows", "sent", "taken")

    def __init__(self, id: int, jobs: list[Job]) -> None:
        self.id = id
        self.jobs = jobs
        self.rows = sum(job.n for job in jobs)
        self.taken = self.sent = time.monotonic()


def merge(jobs: list[Job]) -> dict[str, tuple[str, Any]]:
    """The columns of all jobs, row after row."""
    if len(jobs) == 1:
        return jobs[0].columns
    return {
        name: (wire, _joined(wire, [job.columns[name][1] for job in jobs]))
        for name, (wire, _) in jobs[0].columns.items()
    }


def _joined(wire: str, parts: Sequence[Any]) -> Any:
    """One column: still laid out where each part is, with the same levels; else a list."""
    levels = getattr(parts[0], "levels", None)
    if all(isinstance(part, frames.Packed) and part.levels == levels for part in parts):
        return frames.joined(wire, parts)
    values: list[Any] = []
    for part in parts:
        values += part.values(wire) if isinstance(part, frames.Packed) else part
    return values


def split(batch: Batch, frame: frames.Frame) -> list[Answered]:
    """The answers to each job. Raises ValueError where they are not as many as the rows."""
    if frame.n != batch.rows:
        raise ValueError(f"{frame.n} answers for {batch.rows} rows")
    whole = batch.jobs[0].columnar
    columns = {} if whole else {name: each.values() for name, each in frame.columns.items()}
    rejected = {row: (reason, line) for row, reason, line in frame.meta.get("rejected", ())}
    failed = dict(frame.meta.get("failed", ()))
    warnings = [(row, name, text) for row, name, text in frame.meta.get("warnings", ())]
    times = {
        "batch": int((batch.sent - batch.taken) * 1e6),
        "worker": int((time.monotonic() - batch.sent) * 1e6),
        "flow": frame.meta.get("times", {}).get("flow"),
    }
    found: list[Answered] = []
    start = 0
    for job in batch.jobs:
        stop = start + job.n
        found.append(
            Answered(
                n=job.n,
                columns={name: values[start:stop] for name, values in columns.items()},
                rejected=_within(rejected, start, stop),
                failed=_within(failed, start, stop),
                warnings=[
                    (None if row is None else row - start, name, text)
                    for row, name, text in warnings
                    if row is None or start <= row < stop
                ],
                times={"queue": int((batch.taken - job.queued) * 1e6), **times},
                batch=batch.rows,
                frame=frame if whole else None,
            )
        )
        start = stop
    return found


def _within(rows: dict[int, Any], start: int, stop: int) -> dict[int, Any]:
    if not rows:
        return {}
    return {row - start: value for row, value in rows.items() if start <= row < stop}
