"""The prediction log: what was asked and answered, kept in Parquet segments off the request's path.

Entries wait in bounded memory; a thread writes them every flush interval, or sooner when many
wait. What a ``kill -9`` loses is at most the last interval; what doesn't fit is counted. Small
segments are put together and old ones removed in between.
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
from typing import Any

from roadworthy.serving.log_compaction import compact
from roadworthy.serving.log_entries import Entry, Redaction, sampled, to_table
from roadworthy.serving.log_retention import retain
from roadworthy.serving.options import LogOptions

RETAIN_SECONDS = 600.0
STATISTICS = ["time", "request_id", "caller"]
"""Columns that rows are looked for by: of these alone a segment says what is least and greatest."""


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
        self._retained = 0.0
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
            self._retain()
        self._flush()

    def _retain(self) -> None:
        """Now and then put small segments together, and remove old ones."""
        now = time.monotonic()
        if not self._options.retains or now < self._retained:
            return
        self._retained = now + RETAIN_SECONDS
        try:
            compact(self._directory, time.time())
            retain(
                self._directory,
                time.time(),
                self._options.retention_days,
                self._options.retention_bytes,
            )
        except OSError as error:
            print(
                f"prediction log: segments stay as they are: {error}", file=sys.stderr, flush=True
            )

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
        table = to_table(entries, self._redaction)
        model, _, number = release.partition("@")
        day = time.strftime("%Y-%m-%d", time.gmtime(entries[0].at / 1e9))
        folder = self._directory / model / (number or "0") / day
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{entries[0].at // 1000}-{os.getpid()}-{next(self._numbers)}"
        fresh = folder / f".{name}.new"
        try:
            with fresh.open("wb") as file:
                write_parquet(table, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(folder / f"{name}.parquet")
        finally:
            fresh.unlink(missing_ok=True)


def write_parquet(table: Any, file: Any) -> None:
    """Write a segment as quickly as may be: it is done beside requests.

    Dictionaries are read back as what they hold. Parquet has no type of its own for durations, so
    that a table with some has to say Arrow's types.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    durations = any(pa.types.is_duration(column.type) for column in table.schema)
    if durations:
        plain = [
            field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
            for field in table.schema
        ]
        table = table.cast(pa.schema(plain))
    parquet.write_table(
        table, file, compression="lz4", write_statistics=STATISTICS, store_schema=durations
    )
