"""The prediction log: what was asked and answered, kept in Parquet segments off the request's path.

Entries wait in bounded memory; a thread writes them every flush interval, or sooner when many
wait. What a ``kill -9`` loses is at most the last interval; what doesn't fit is counted.
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
from typing import Any, NamedTuple

from roadworthy.core.signature import Signature
from roadworthy.serving.answers import Answered, wire_names
from roadworthy.serving.options import LogOptions
from roadworthy_runtime.frames import encode_column

Columns = dict[str, tuple[str, list[Any]]]


class Entry(NamedTuple):
    """One request and its answer. ``at`` is nanoseconds since 1970, ``seconds`` the whole time."""

    at: int
    seconds: float
    request_id: str
    trace: str
    caller: str
    release: str
    stage: str
    status: int
    signature: Signature
    n: int
    bytes: int
    columns: Columns | None
    answered: Answered | None


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
        self._thread = threading.Thread(target=self._work, name="prediction-log", daemon=True)
        self._thread.start()

    def append(self, entry: Entry) -> None:
        """Keep an entry, or drop it and count it where too many wait. Called from one thread."""
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
        self._flush()

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
        import pyarrow.parquet as parquet

        table = to_table(entries)
        model, _, number = release.partition("@")
        day = time.strftime("%Y-%m-%d", time.gmtime(entries[0].at / 1e9))
        folder = self._directory / model / (number or "0") / day
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{entries[0].at // 1000}-{os.getpid()}-{next(self._numbers)}"
        fresh = folder / f".{name}.new"
        try:
            with fresh.open("wb") as file:
                parquet.write_table(table, file, compression="zstd")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(folder / f"{name}.parquet")
        finally:
            fresh.unlink(missing_ok=True)


def to_table(entries: list[Entry]) -> Any:
    """A pyarrow table of entries of one release: a row for each row that was asked.

    Columns: ``time`` (UTC, microseconds), ``request_id``, ``row``, ``trace``, ``caller``,
    ``model``, ``release``, ``stage``, ``role``, ``status``, ``rejected``, ``line``, ``error``,
    ``warnings``, ``batch``, ``queue_us``, ``flow_us``, ``total_us``, then ``input:<column>`` and
    ``output:<name>``. A request that was refused is one row with null inputs.
    """
    import pyarrow as pa

    signature = entries[0].signature
    arrays = {name: _array(*column) for name, column in _facts(entries).items()}
    arrays["time"] = arrays["time"].view(pa.timestamp("us", "UTC"))
    arrays["status"] = arrays["status"].cast(pa.int16())
    for name in ("row", "line", "batch"):
        arrays[name] = arrays[name].cast(pa.int32())
    for column in signature.columns:
        wire = _wire(entries, column.name)
        arrays[f"input:{column.name}"] = _array(wire, _inputs(entries, column.name))
    for output in signature.outputs:
        for column, (_, name) in zip(output.columns, wire_names(output), strict=True):
            wire = column.type if column.type in ("bool", "int", "float") else "text"
            values = [None if v != v else v for v in _outputs(entries, name)]
            arrays[f"output:{name}"] = _array(wire, values)
    return pa.Table.from_arrays(list(arrays.values()), list(arrays))


def _facts(entries: list[Entry]) -> dict[str, tuple[str, list[Any]]]:
    """What the log keeps of each row besides inputs and outputs, by column."""
    counts = [max(entry.n, 1) for entry in entries]

    def each(read: Callable[[Entry], Any]) -> list[Any]:
        return _spread(counts, [read(entry) for entry in entries])

    return {
        "time": ("int", each(lambda e: e.at // 1000)),
        "request_id": ("text", each(lambda e: e.request_id)),
        "row": ("int", [row for count in counts for row in range(count)]),
        "trace": ("text", each(lambda e: e.trace)),
        "caller": ("text", each(lambda e: e.caller)),
        "model": ("text", each(lambda e: e.release.partition("@")[0])),
        "release": ("text", each(lambda e: e.release)),
        "stage": ("text", each(lambda e: e.stage)),
        "role": ("text", each(lambda e: "primary")),
        "status": ("int", each(lambda e: e.status)),
        "rejected": ("text", _by_row(entries, lambda a, row: a.rejected.get(row, (None,))[0])),
        "line": ("int", _by_row(entries, lambda a, row: a.rejected.get(row, (0, None))[1])),
        "error": ("text", _by_row(entries, lambda a, row: a.failed.get(row))),
        "warnings": ("texts", _by_row(entries, _warnings_of)),
        "batch": ("int", each(lambda e: None if e.answered is None else e.answered.batch)),
        "queue_us": ("int", each(lambda e: _time(e, "queue"))),
        "flow_us": ("int", each(lambda e: _time(e, "flow"))),
        "total_us": ("int", each(lambda e: int(e.seconds * 1e6))),
    }


def _array(wire: str, values: list[Any]) -> Any:
    """A pyarrow array over the buffers of a frame's column (``pa.array`` would load pandas)."""
    import pyarrow as pa

    if wire == "texts":
        offsets = [0, *itertools.accumulate(len(value or ()) for value in values)]
        inner = _array("text", [text for value in values for text in value or ()])
        return pa.ListArray.from_arrays(_array("int", offsets).cast(pa.int32()), inner)
    types = {
        "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string(),
        "json": pa.string(), "datetime": pa.timestamp("us"), "timedelta": pa.duration("us"),
    }  # fmt: skip
    validity, buffers = encode_column(wire, values)
    parts = [None if validity is None else pa.py_buffer(validity)]
    parts += [pa.py_buffer(buffer) for buffer in buffers]
    return pa.Array.from_buffers(types[wire], len(values), parts)


def _spread(counts: list[int], values: list[Any]) -> list[Any]:
    if max(counts) == 1:
        return values
    return [value for count, value in zip(counts, values, strict=True) for _ in range(count)]


def _by_row(entries: list[Entry], read: Callable[[Answered, int], Any]) -> list[Any]:
    found: list[Any] = []
    for entry in entries:
        answered = entry.answered
        plain = answered is None or not (answered.rejected or answered.failed or answered.warnings)
        for row in range(max(entry.n, 1)):
            found.append(None if plain or answered is None else read(answered, row))
    return found


def _warnings_of(answered: Answered, row: int) -> list[str] | None:
    found = [text for at, _, text in answered.warnings if at is None or at == row]
    return found or None


def _time(entry: Entry, stage: str) -> int | None:
    return None if entry.answered is None else entry.answered.times.get(stage)


def _wire(entries: list[Entry], name: str) -> str:
    for entry in entries:
        if entry.columns is not None and name in entry.columns:
            return entry.columns[name][0]
    return "text"


def _inputs(entries: list[Entry], name: str) -> list[Any]:
    found: list[Any] = []
    for entry in entries:
        known = entry.n and entry.columns is not None and name in entry.columns
        if known and entry.columns is not None:
            found += entry.columns[name][1]
        else:
            found += [None] * max(entry.n, 1)
    return found


def _outputs(entries: list[Entry], name: str) -> list[Any]:
    found: list[Any] = []
    for entry in entries:
        if entry.answered is not None and entry.n:
            found += entry.answered.columns.get(name, [None] * entry.n)
        else:
            found += [None] * max(entry.n, 1)
    return found
