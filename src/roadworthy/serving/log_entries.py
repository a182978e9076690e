"""What the prediction log keeps of a request, and how it becomes the rows of a table."""

from __future__ import annotations

import datetime
import hashlib
import itertools
import json
import zlib
from array import array
from collections.abc import Callable
from functools import lru_cache, partial
from operator import eq
from typing import Any, NamedTuple

from roadworthy.core.signature import Signature
from roadworthy.serving.answers import Answered, wire_names
from roadworthy.serving.dispatch import Pool
from roadworthy.serving.inference import Exchange
from roadworthy.serving.options import LogOptions
from roadworthy.serving.validation import EPOCH, MICROSECOND, wire_of
from roadworthy_runtime.frames import Packed, encode_column

Columns = dict[str, tuple[str, Any]]
"""Frame type and values by name: a list, or `Packed`."""

CHECK = "check"
"""The role of what certification asked; what callers ask is *primary*."""
OWN_STAGES = ("decode", "validate", "encode")
"""Stages that the gateway times itself; the others' times come with the answer."""


class ChunkRows(NamedTuple):
    """Rows ``first`` and on of an Arrow stream: their inputs by column, and the answers' batch."""

    first: int
    inputs: dict[str, Any]
    answers: Any


class Entry(NamedTuple):
    """One request and its answer. ``at`` is nanoseconds since 1970, ``seconds`` the whole time.

    ``weight`` is how many requests like it this one stands for, where only a sample is kept.
    """

    at: int
    seconds: float
    request_id: str
    trace: str
    caller: str
    key: str
    protocol: str
    release: str
    stage: str
    status: int
    refused: str
    times: dict[str, int]
    signature: Signature
    n: int
    bytes: int
    columns: Columns | None
    answered: Answered | None
    role: str = "primary"
    weight: float = 1.0
    chunk: ChunkRows | None = None

    @property
    def large(self) -> bool:
        """Whether its columns are laid out already, and so it is a table of its own."""
        columns = self.columns or {}
        return self.chunk is not None or any(isinstance(v, Packed) for _, v in columns.values())

    @classmethod
    def of(cls, exchange: Exchange, pool: Pool, status: int, caller: str) -> Entry:
        """The entry of an exchange that reached a release."""
        checked = exchange.checked
        headers = exchange.headers
        return cls(
            at=exchange.at,
            seconds=exchange.seconds,
            request_id=exchange.request_id,
            trace=headers.trace,
            caller=caller,
            key=headers.key,
            protocol=exchange.target.protocol,
            release=pool.release,
            stage=exchange.stage,
            status=status,
            refused=exchange.refused,
            times=exchange.times,
            signature=pool.signature,
            n=checked.n if checked is not None else 0,
            bytes=exchange.bytes,
            columns=checked.columns if checked is not None else None,
            answered=exchange.answered,
            role=CHECK if headers.checking else "primary",
        )


def sampled(entry: Entry, rate: float) -> Entry | None:
    """The entry with its weight, None where it is not in the sample.

    Chosen by the request's id, so that all its rows are kept or none. What was refused,
    rejected or failed is always kept.
    """
    answered = entry.answered
    plain = answered is not None and not (answered.rejected or answered.failed)
    if rate >= 1 or not plain or entry.status != 200:
        return entry
    if zlib.crc32(entry.request_id.encode()) >= rate * (1 << 32):
        return None
    return entry._replace(weight=1 / rate)


class Redaction:
    """Which columns of a model are left out, and which are replaced by pseudonyms.

    Columns are named alone or as ``model:column``, inputs and outputs alike. A pseudonym is a
    keyed digest: equal values have equal ones, and without the key nobody can guess them.
    """

    def __init__(self, options: LogOptions) -> None:
        self._left_out = options.redact
        self._replaced = options.pseudonymise
        self._key = bytes.fromhex(options.pseudonym_key)

    def concerns(self, model: str, column: str) -> bool:
        """Whether anything happens to a column."""
        names = {column, f"{model}:{column}"}
        return not names.isdisjoint(self._left_out) or not names.isdisjoint(self._replaced)

    def apply(self, model: str, column: str, wire: str, values: list[Any]) -> tuple[str, list[Any]]:
        """The type and values that may be kept."""
        names = (column, f"{model}:{column}")
        if any(name in self._left_out for name in names):
            return wire, [None] * len(values)
        if any(name in self._replaced for name in names):
            return "text", [None if value is None else self._pseudonym(value) for value in values]
        return wire, values

    def _pseudonym(self, value: Any) -> str:
        text = json.dumps(value, sort_keys=True, default=str).encode()
        return hashlib.blake2b(text, key=self._key, digest_size=16).hexdigest()


def to_table(entries: list[Entry], redaction: Redaction | None = None) -> Any:
    """A pyarrow table of entries of one release: a row for each row that was asked.

    Columns: ``time`` (UTC, microseconds), ``request_id``, ``row``, ``trace``, ``caller``, ``key``,
    ``protocol``, ``model``, ``release``, ``stage``, ``role``, ``status``, ``refused``,
    ``rejected``, ``line``, ``error``, ``warnings``, ``batch``, ``weight``, the stages' times
    (``decode_us``, ``validate_us``, ``queue_us``, ``batch_us``, ``worker_us``, ``flow_us``,
    ``encode_us``, ``total_us``), then ``input:<column>`` and ``output:<name>``. A request that
    was refused is one row with null inputs. Texts that are said of whole requests are dictionaries.
    """
    import pyarrow as pa

    redaction = redaction or Redaction(LogOptions(directory=""))
    tables = [_table([entry], redaction) for entry in entries if entry.chunk is not None]
    others = [entry for entry in entries if entry.chunk is None]
    if others:
        tables.append(_table(sorted(others, key=lambda entry: not entry.large), redaction))
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables)


def _table(entries: list[Entry], redaction: Redaction) -> Any:
    """The rows of one chunk of a stream, or of any entries else, those that are large first."""
    import pyarrow as pa

    signature = entries[0].signature
    model = entries[0].release.partition("@")[0]
    chunk = entries[0].chunk
    large = [entry for entry in entries if entry.large]
    small = entries[len(large) :]
    arrays = _facts(entries)
    for column in signature.columns:
        name = f"input:{column.name}"
        wire = wire_of(column)
        if redaction.concerns(model, column.name):
            values = _inputs(entries, column.name)
            arrays[name] = arrow_array(*redaction.apply(model, column.name, wire, values))
        elif chunk is not None:
            arrays[name] = chunk.inputs[column.name]
        else:
            parts = [arrow_array(*(entry.columns or {})[column.name]) for entry in large]
            if small:
                parts.append(arrow_array(wire, _inputs(small, column.name)))
            arrays[name] = _together(parts)
    for output in signature.outputs:
        for column, (_, name) in zip(output.columns, wire_names(output), strict=True):
            wire = column.type if column.type in ("bool", "int", "float") else "text"
            if chunk is not None and not redaction.concerns(model, name):
                arrays[f"output:{name}"] = chunk.answers.column(name)
                continue
            values = _outputs(entries, name)
            if not all(map(eq, values, values)):
                values = [None if v != v else v for v in values]
            arrays[f"output:{name}"] = arrow_array(*redaction.apply(model, name, wire, values))
    return pa.Table.from_arrays(list(arrays.values()), list(arrays))


def _together(parts: list[Any]) -> Any:
    """Arrays of one column's values, of which some may be dictionaries, as one column."""
    import pyarrow as pa

    if any(part.type != parts[0].type for part in parts):
        parts = [
            part.dictionary_decode() if pa.types.is_dictionary(part.type) else part
            for part in parts
        ]
    return pa.chunked_array(parts)


def _facts(entries: list[Entry]) -> dict[str, Any]:
    """What the log keeps of each row besides inputs and outputs: arrays by column.

    What is the same for all rows of an entry is laid out once an entry, then repeated.
    """
    import pyarrow as pa

    counts = [max(entry.n, 1) for entry in entries]
    places = None
    if max(counts) > 1:
        rows = array("q")
        for at, n in enumerate(counts):
            rows.extend(array("q", [at]) * n)
        places = arrow_array("int", rows)

    def each(wire: str, read: Callable[[Entry], Any]) -> Any:
        found = arrow_array(wire, [read(entry) for entry in entries])
        if wire == "text":
            found = found.dictionary_encode()
        return found if places is None else found.take(places)

    own = _reasons(entries, sum(counts))
    facts: dict[str, Any] = {
        "time": each("int", lambda e: e.at // 1000).view(pa.timestamp("us", "UTC")),
        "request_id": each("text", lambda e: e.request_id),
        "row": arrow_array("int", _row_numbers(entries, counts)).cast(pa.int32()),
        "trace": each("text", lambda e: e.trace),
        "caller": each("text", lambda e: e.caller),
        "key": each("text", lambda e: e.key or None),
        "protocol": each("text", lambda e: e.protocol),
        "model": each("text", lambda e: e.release.partition("@")[0]),
        "release": each("text", lambda e: e.release),
        "stage": each("text", lambda e: e.stage),
        "role": each("text", lambda e: e.role),
        "status": each("int", lambda e: e.status).cast(pa.int16()),
        "refused": each("text", lambda e: e.refused or None),
        **own,
        "batch": each("int", lambda e: e.answered and e.answered.batch).cast(pa.int32()),
        "weight": each("float", lambda e: e.weight),
    }
    for stage in ("decode", "validate", "queue", "batch", "worker", "flow", "encode"):
        facts[f"{stage}_us"] = each("int", partial(_time, stage=stage))
    facts["total_us"] = each("int", lambda e: int(e.seconds * 1e6))
    return facts


def _reasons(entries: list[Entry], n: int) -> dict[str, Any]:
    """Why rows have no answer, and what they were warned of."""
    import pyarrow as pa

    chunk = entries[0].chunk
    if chunk is not None:
        found = {name: chunk.answers.column(f"_{name}") for name in ("rejected", "error")}
        lines = pa.nulls(n, pa.int32())
        return {
            "rejected": found["rejected"], "line": lines, "error": found["error"],
            "warnings": chunk.answers.column("_warnings"),
        }  # fmt: skip
    if not any(entry.answered and _says(entry.answered) for entry in entries):
        # Zeros by their bytes: making one from Python's would import pandas where it is installed.
        none = pa.Array.from_buffers(pa.int32(), n + 1, [None, pa.py_buffer(bytes(4 * (n + 1)))])
        return {
            "rejected": pa.nulls(n, pa.string()), "line": pa.nulls(n, pa.int32()),
            "error": pa.nulls(n, pa.string()),
            "warnings": pa.ListArray.from_arrays(none, pa.nulls(0, pa.string())),
        }  # fmt: skip
    read: dict[str, tuple[str, Callable[[Answered, int], Any]]] = {
        "rejected": ("text", lambda a, row: a.rejected.get(row, (None,))[0]),
        "line": ("int", lambda a, row: a.rejected.get(row, (0, None))[1]),
        "error": ("text", lambda a, row: a.failed.get(row)),
        "warnings": ("texts", _warnings_of),
    }
    arrays = {name: arrow_array(wire, _by_row(entries, of)) for name, (wire, of) in read.items()}
    return {**arrays, "line": arrays["line"].cast(pa.int32())}


def arrow_array(wire: str, values: Any) -> Any:
    """A pyarrow array over the buffers of a frame's column.

    ``pa.array`` and ``pa.scalar`` would load pandas.
    """
    import pyarrow as pa

    if wire == "texts":
        offsets = [0, *itertools.accumulate(len(value or ()) for value in values)]
        inner = arrow_array("text", [text for value in values for text in value or ()])
        return pa.ListArray.from_arrays(arrow_array("int", offsets).cast(pa.int32()), inner)
    types = {
        "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string(),
        "json": pa.string(), "datetime": pa.timestamp("us"), "timedelta": pa.duration("us"),
    }  # fmt: skip
    if isinstance(values, Packed) and values.levels:
        if None in values.levels:
            return arrow_array(wire, values.values(wire))
        codes = pa.Array.from_buffers(pa.uint8(), values.n, [None, pa.py_buffer(values.buffers[0])])
        return pa.DictionaryArray.from_arrays(codes, _levels(values.levels))
    validity, buffers = encode_column(wire, values)
    parts = [None if validity is None else pa.py_buffer(validity)]
    parts += [pa.py_buffer(buffer) for buffer in buffers]
    return pa.Array.from_buffers(types[wire], len(values), parts)


@lru_cache(maxsize=256)
def _levels(levels: tuple[str, ...]) -> Any:
    return arrow_array("text", levels)


def _by_row(entries: list[Entry], read: Callable[[Answered, int], Any]) -> list[Any]:
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


def _warnings_of(answered: Answered, row: int) -> list[str] | None:
    found = [text for at, _, text in answered.warnings if at is None or at == row]
    return found or None


def _time(entry: Entry, stage: str) -> int | None:
    if stage in OWN_STAGES:
        return entry.times.get(stage)
    return None if entry.answered is None else entry.answered.times.get(stage)


def _plain(value: Any) -> Any:
    """A value of an array as a frame's column has it: times are microseconds."""
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // MICROSECOND
    return value // MICROSECOND if isinstance(value, datetime.timedelta) else value


def _row_numbers(entries: list[Entry], counts: list[int]) -> array[int]:
    found = array("q")
    for entry, count in zip(entries, counts, strict=True):
        first = entry.chunk.first if entry.chunk is not None else 0
        found.extend(range(first, first + count))
    return found


def _inputs(entries: list[Entry], name: str) -> list[Any]:
    found: list[Any] = []
    for entry in entries:
        if entry.chunk is not None:
            return [_plain(value) for value in entry.chunk.inputs[name].to_pylist()]
        known = entry.n and entry.columns is not None and name in entry.columns
        if known and entry.columns is not None:
            wire, values = entry.columns[name]
            found += values.values(wire) if isinstance(values, Packed) else values
        else:
            found += [None] * max(entry.n, 1)
    return found


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
