"""A segment of the prediction log as the gateway writes it: frames, whose rows others make Parquet.

A segment has the entries of one release. After eight bytes (a magic with the format's number, the
CRC-32 of all that follows) come frames (frames.py): one of kind ``requests`` with a row for each
entry, then ones of kind ``rows`` with the rows that were asked, entry after entry. Their ``id`` is
the place of the first entry, ``meta`` says how many rows each entry has (``counts``, where some
have not one) and the number of the first row (``first``, for a chunk of a stream). A column that no
row has anything in is left out. Needs no Arrow, which would cost a gateway 13 MB and 0.2 s.
"""

from __future__ import annotations

import datetime
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from operator import eq
from typing import Any

from roadworthy.serving.answers import Answered, wire_names
from roadworthy.serving.log_entries import Columns, Entry, Redaction
from roadworthy.serving.validation import EPOCH, MICROSECOND, wire_of
from roadworthy_runtime import frames

SUFFIX = ".rows"
MAGIC = b"RWL1"
HEAD = struct.Struct("<4sI")
MOST_BYTES = 1 << 30
STAGES = ("decode", "validate", "queue", "batch", "worker", "flow", "encode")
OWN_STAGES = ("decode", "validate", "encode")
"""Stages that the gateway times itself; the others' times come with the answer."""

_Reason = Callable[[Answered, int], Any]


def write_segment(entries: list[Entry], redaction: Redaction) -> list[bytes]:
    """The parts of a segment with these entries of one release, in no particular order.

    Raises FrameError where values do not fit.
    """
    ordered = sorted(entries, key=lambda entry: not entry.large)
    parts = [frames.encode("requests", 0, len(ordered), _requests(ordered), limit=MOST_BYTES)]
    for first, group in _groups(ordered):
        counts = [max(entry.n, 1) for entry in group]
        meta: dict[str, Any] = {} if set(counts) == {1} else {"counts": counts}
        chunk = group[0].chunk
        if chunk is not None:
            meta["first"] = chunk.first
        columns = _rows(group, redaction)
        parts.append(frames.encode("rows", first, sum(counts), columns, meta, MOST_BYTES))
    found = 0
    for part in parts:
        found = zlib.crc32(part, found)
    return [HEAD.pack(MAGIC, found), *parts]


def read_segment(content: bytes) -> tuple[frames.Frame, list[frames.Frame]]:
    """The requests and the rows of a segment. Raises FrameError where it is not whole."""
    if len(content) < HEAD.size or content[:4] != MAGIC:
        raise frames.FrameError("it is no segment of the prediction log")
    body = memoryview(content)[HEAD.size :]
    if zlib.crc32(body) != HEAD.unpack_from(content)[1]:
        raise frames.FrameError("it is damaged: its checksum is another")
    assembler = frames.Assembler(MOST_BYTES)
    found: list[frames.Frame] = []
    while body:
        length = frames.PREFIX.size + frames.PREFIX.unpack_from(body)[0]
        found += assembler.feed(body[:length])
        body = body[length:]
    return found[0], found[1:]


def _groups(entries: list[Entry]) -> Iterator[tuple[int, list[Entry]]]:
    """Entries that share a frame, with the place of the first: large ones have one each."""
    large = sum(entry.large for entry in entries)
    for at in range(large):
        yield at, [entries[at]]
    if large < len(entries):
        yield large, entries[large:]


def _requests(entries: list[Entry]) -> Columns:
    """What is the same for all rows of an entry."""

    def each(wire: str, read: Callable[[Entry], Any]) -> tuple[str, Any]:
        return wire, [read(entry) for entry in entries]

    def few(read: Callable[[Entry], str | None]) -> tuple[str, Any]:
        values = [read(entry) for entry in entries]
        levels = {level: code for code, level in enumerate(dict.fromkeys(values))}
        codes = levels if len(levels) <= frames.MOST_LEVELS else None
        return "text", frames.pack("text", values, codes)

    facts: Columns = {
        "time": each("int", lambda e: e.at // 1000),
        "request_id": each("text", lambda e: e.request_id),
        "trace": each("text", lambda e: e.trace),
        "caller": few(lambda e: e.caller),
        "key": each("text", lambda e: e.key or None),
        "protocol": few(lambda e: e.protocol),
        "model": few(lambda e: e.release.partition("@")[0]),
        "release": few(lambda e: e.release),
        "stage": few(lambda e: e.stage),
        "role": few(lambda e: e.role),
        "status": each("int", lambda e: e.status),
        "refused": few(lambda e: e.refused or None),
        "batch": each("int", lambda e: e.answered and e.answered.batch),
        "weight": each("float", lambda e: e.weight),
    }
    for stage in STAGES:
        facts[f"{stage}_us"] = each("int", partial(_time, stage=stage))
    facts["total_us"] = each("int", lambda e: int(e.seconds * 1e6))
    return facts


def _time(entry: Entry, stage: str) -> int | None:
    if stage in OWN_STAGES:
        return entry.times.get(stage)
    return None if entry.answered is None else entry.answered.times.get(stage)


def _rows(entries: list[Entry], redaction: Redaction) -> Columns:
    """The columns of the rows of some small entries, or of one that is large."""
    signature = entries[0].signature
    model = entries[0].release.partition("@")[0]
    entry, chunk = entries[0], entries[0].chunk
    columns = _reasons(entries)
    for column in signature.columns:
        name, wire = column.name, wire_of(column)
        found: tuple[str, Any]
        if redaction.concerns(model, name):
            found = redaction.apply(model, name, wire, _inputs(entries, name))
        elif chunk is not None:
            found = (wire, _packed(chunk.inputs[name]))
        elif entry.large:
            found = (entry.columns or {})[name]
        else:
            found = (wire, _inputs(entries, name))
        columns[f"input:{name}"] = found
    for output in signature.outputs:
        for column, (_, name) in zip(output.columns, wire_names(output), strict=True):
            wire = column.type if column.type in ("bool", "int", "float") else "text"
            if chunk is not None and not redaction.concerns(model, name):
                columns[f"output:{name}"] = (wire, _packed(chunk.answers.column(name)))
                continue
            values = _outputs(entries, name)
            if not all(map(eq, values, values)):
                values = [None if v != v else v for v in values]
            columns[f"output:{name}"] = redaction.apply(model, name, wire, values)
    return columns


def _packed(array: Any) -> frames.Packed:
    from roadworthy.serving.arrow_columns import packed

    return packed(array)


def _reasons(entries: list[Entry]) -> Columns:
    """Why rows have no answer, and what they were warned of; nothing where there is nothing."""
    chunk = entries[0].chunk
    if chunk is not None:
        columns: Columns = {
            name: ("text", _packed(chunk.answers.column(f"_{name}")))
            for name in ("rejected", "error")
        }
        told = chunk.answers.column("_warnings").to_pylist()
        return {**columns, "warnings": ("json", [_as_json(texts) for texts in told])}
    if not any(entry.answered and _says(entry.answered) for entry in entries):
        return {}
    read: dict[str, tuple[str, _Reason]] = {
        "rejected": ("text", lambda a, row: a.rejected.get(row, (None,))[0]),
        "line": ("int", lambda a, row: a.rejected.get(row, (0, None))[1]),
        "error": ("text", lambda a, row: a.failed.get(row)),
        "warnings": ("json", _warnings_of),
    }
    return {name: (wire, _by_row(entries, of)) for name, (wire, of) in read.items()}


def _by_row(entries: list[Entry], read: _Reason) -> list[Any]:
    found: list[Any] = []
    for entry in entries:
        answered = entry.answered
        plain = answered is None or not _says(answered)
        for row in range(max(entry.n, 1)):
            found.append(None if plain or answered is None else read(answered, row))
    return found


def _says(answered: Answered) -> bool:
    """Whether something is said of single rows."""
    return bool(answered.rejected or answered.failed or answered.warnings)


def _warnings_of(answered: Answered, row: int) -> str | None:
    return _as_json([text for at, _, text in answered.warnings if at is None or at == row])


def _as_json(texts: list[str] | None) -> str | None:
    return json.dumps(texts) if texts else None


def _inputs(entries: list[Entry], name: str) -> list[Any]:
    found: list[Any] = []
    for entry in entries:
        if entry.chunk is not None:
            return [_plain(value) for value in entry.chunk.inputs[name].to_pylist()]
        if entry.n and entry.columns is not None and name in entry.columns:
            wire, values = entry.columns[name]
            found += values.values(wire) if isinstance(values, frames.Packed) else values
        else:
            found += [None] * max(entry.n, 1)
    return found


def _plain(value: Any) -> Any:
    """A value of an array as a frame's column has it: times are microseconds."""
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // MICROSECOND
    return value // MICROSECOND if isinstance(value, datetime.timedelta) else value


def _outputs(entries: list[Entry], name: str) -> list[Any]:
    found: list[Any] = []
    for entry in entries:
        if entry.chunk is not None:
            return list(entry.chunk.answers.column(name).to_pylist())
        if entry.answered is not None and entry.n:
            found += entry.answered.columns.get(name, [None] * entry.n)
        else:
            found += [None] * max(entry.n, 1)
    return found
