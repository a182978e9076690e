"""What happened to workers: the last events in memory, all in a file, failures counted."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import msgspec

from roadworthy.core.deployment import WorkerEvent
from roadworthy.serving.agent_workers import Worker
from roadworthy.serving.processes import trim

KEPT = 30
FAILURES = ("died", "killed", "not started", "unfit", "tired")
_MOST_REASON = 500


class Events:
    """The events of one agent; those of its predecessors are in the same file.

    ``failures`` counts by release and kind since this agent began.
    """

    def __init__(self, path: Path) -> None:
        self.last: list[WorkerEvent] = []
        self.failures: dict[str, dict[str, int]] = {}
        self._path = path

    def add(self, worker: Worker, kind: Any, reason: str) -> None:
        """Keep an event. A disk that takes no more loses the line, not the event."""
        event = WorkerEvent(
            at=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            release=worker.place.release,
            worker=worker.id,
            kind=kind,
            reason=reason[:_MOST_REASON],
        )
        self.last = [*self.last, event][-KEPT:]
        if kind in FAILURES:
            counts = self.failures.get(event.release, {})
            self.failures[event.release] = {**counts, kind: counts.get(kind, 0) + 1}
        try:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(event) + b"\n")
            trim(self._path)
        except OSError:
            pass
