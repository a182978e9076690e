"""The prediction log: what was asked and answered, kept in segments off the request's path.

Entries wait in bounded memory; a thread writes them every flush interval, or sooner when many
wait. What a ``kill -9`` loses is at most the last interval; what doesn't fit is counted. Now and
then a process of its own makes segments Parquet, puts small ones together and removes old ones.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from roadworthy.serving.log_entries import Entry, Redaction, sampled
from roadworthy.serving.log_segments import SUFFIX, write_segment
from roadworthy.serving.log_tidying import Tidier
from roadworthy.serving.options import LogOptions


class PredictionLog:
    """Takes entries without ever waiting; ``on_written`` and ``on_dropped`` are told of rows."""

    def __init__(
        self,
        options: LogOptions,
        on_written: Callable[[int], None] = lambda rows: None,
        on_dropped: Callable[[int, str], None] = lambda rows, reason: None,
    ) -> None:
        self._options = options
        self._directory = Path(options.directory)
        self._on_written = on_written
        self._on_dropped = on_dropped
        self._entries: deque[Entry] = deque()
        self._added = self._taken = 0
        self._added_bytes = self._taken_bytes = 0
        self._wake = threading.Event()
        self._closing = False
        self._numbers = itertools.count(1)
        self._redaction = Redaction(options)
        self._tidier = Tidier(options) if options.retains else None
        self._thread = threading.Thread(target=self._work, name="prediction-log", daemon=True)
        self._thread.start()

    def append(self, entry: Entry) -> None:
        """Keep an entry, or drop it and count it where too many wait. Called from one thread."""
        rate = self._options.samples.get(entry.release.partition("@")[0], self._options.sample)
        if rate < 1:
            kept = sampled(entry, rate)
            if kept is None:
                return
            entry = kept
        rows = max(entry.n, 1)
        waiting = self._added - self._taken
        waiting_bytes = self._added_bytes - self._taken_bytes
        full = waiting + rows > self._options.most_rows
        if full or waiting_bytes + entry.bytes > self._options.most_bytes:
            self._on_dropped(rows, "full")
            return
        self._entries.append(entry)
        self._added += rows
        self._added_bytes += entry.bytes
        if waiting + rows >= self._options.flush_rows:
            self._wake.set()

    def close(self) -> None:
        """Write what waits and end the thread."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._closing:
            self._wake.wait(self._options.flush_seconds)
            self._wake.clear()
            self._flush()
            if self._tidier is not None:
                self._tidier.look(time.monotonic())
        self._flush()
        if self._tidier is not None:
            self._tidier.stop()

    def _flush(self) -> None:
        by_release: dict[str, list[Entry]] = {}
        for _ in range(len(self._entries)):
            entry = self._entries.popleft()
            by_release.setdefault(entry.release, []).append(entry)
        for release, group in by_release.items():
            rows = sum(max(entry.n, 1) for entry in group)
            try:
                self._write(release, group)
            except OSError as error:
                self._on_dropped(rows, "write failed")
                print(f"prediction log of {release}: {error}", file=sys.stderr, flush=True)
            except Exception as error:  # noqa: BLE001 - the log's thread outlives a bad entry
                self._on_dropped(rows, "not writable")
                print(f"prediction log of {release}: {error!r}", file=sys.stderr, flush=True)
            else:
                self._on_written(rows)
            self._taken += rows
            self._taken_bytes += sum(entry.bytes for entry in group)

    def _write(self, release: str, entries: list[Entry]) -> None:
        parts = write_segment(entries, self._redaction)
        model, _, number = release.partition("@")
        day = time.strftime("%Y-%m-%d", time.gmtime(entries[0].at / 1e9))
        folder = self._directory / model / (number or "0") / day
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{entries[0].at // 1000}-{os.getpid()}-{next(self._numbers)}"
        fresh = folder / f".{name}.new"
        try:
            with fresh.open("wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(folder / f"{name}{SUFFIX}")
        finally:
            fresh.unlink(missing_ok=True)
        if self._tidier is not None:
            self._tidier.wrote(sum(map(len, parts)))
