"""Segments of the prediction log as pyarrow tables, whichever way they were written."""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any

from roadworthy.serving.arrow_arrays import arrow_array
from roadworthy.serving.log_segments import STAGES, SUFFIX, read_segment
from roadworthy_runtime import frames

_FACTS = (
    "time", "request_id", "row", "trace", "caller", "key", "protocol", "model", "release", "stage",
    "role", "status", "refused", "rejected", "line", "error", "warnings", "batch", "weight",
    *(f"{stage}_us" for stage in STAGES), "total_us",
)  # fmt: skip


def read_table(path: Path) -> Any:
    """All rows of a segment; of one that a gateway wrote, texts are dictionaries.

    Raises OSError, FrameError, pyarrow.ArrowException.
    """
    if path.suffix == SUFFIX:
        return table_of(path.read_bytes())
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(path) as file:
        return file.read(use_threads=False)


def plain(table: Any) -> Any:
    """The same table with dictionaries written out."""
    import pyarrow as pa

    types = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(types))


def table_of(content: bytes) -> Any:
    """A table of what `write_segment` wrote: a row for each row that was asked.

    Columns: ``time`` (UTC, microseconds), ``request_id``, ``row``, ``trace``, ``caller``, ``key``,
    ``protocol``, ``model``, ``release``, ``stage``, ``role``, ``status``, ``refused``,
    ``rejected``, ``line``, ``error``, ``warnings``, ``batch``, ``weight``, the stages' times
    (``decode_us``, ``validate_us``, ``queue_us``, ``batch_us``, ``worker_us``, ``flow_us``,
    ``encode_us``, ``total_us``), then ``input:<column>`` and ``output:<name>``. A request that
    was refused is one row with null inputs. Texts are dictionaries. Raises FrameError.
    """
    import pyarrow as pa

    requests, groups = read_segment(content)
    facts = {name: _array(column) for name, column in requests.columns.items()}
    facts["time"] = facts["time"].view(pa.timestamp("us", "UTC"))
    for name, type_ in (("status", pa.int16()), ("batch", pa.int32())):
        facts[name] = facts[name].cast(type_)
    places, numbers = array("q"), array("q")
    for group in groups:
        first = group.meta.get("first", 0)
        for at, count in enumerate(group.meta.get("counts", [1] * group.n), group.id):
            places.extend(array("q", [at]) * count)
            numbers.extend(range(first, first + count))
    taken = arrow_array("int", places)
    found = {name: each.take(taken) for name, each in facts.items()}
    found["row"] = arrow_array("int", numbers).cast(pa.int32())
    own = [_own(group) for group in groups]
    found |= {name: pa.chunked_array([each[name] for each in own]) for name in own[0]}
    names = [*_FACTS, *(name for name in own[0] if name.startswith(("input:", "output:")))]
    return pa.Table.from_arrays([found[name] for name in names], names).unify_dictionaries()


def _own(group: frames.Frame) -> dict[str, Any]:
    """The columns of single rows in a frame: reasons, warnings, inputs, outputs."""
    import pyarrow as pa

    found: dict[str, Any] = {}
    for name in ("rejected", "error"):
        column = group.columns.get(name)
        none = pa.nulls(group.n, pa.string()).dictionary_encode()
        found[name] = none if column is None else _array(column)
    line, told = group.columns.get("line"), group.columns.get("warnings")
    found["line"] = pa.nulls(group.n, pa.int32()) if line is None else _array(line).cast(pa.int32())
    if told is None:
        none = arrow_array("int", array("q", bytes(8 * (group.n + 1)))).cast(pa.int32())
        found["warnings"] = pa.ListArray.from_arrays(none, pa.nulls(0, pa.string()))
    else:
        said = [text and json.loads(text) for text in told.values()]
        found["warnings"] = arrow_array("texts", said)
    own = [name for name in group.columns if name.startswith(("input:", "output:"))]
    return {**found, **{name: _array(group.columns[name]) for name in own}}


def _array(column: frames.Column) -> Any:
    """A column's array over the same bytes; texts as a dictionary."""
    import pyarrow as pa

    packed = frames.Packed(column.n, column.validity, list(column.buffers), column.levels)
    found = arrow_array(column.type, packed)
    if pa.types.is_dictionary(found.type):
        return pa.DictionaryArray.from_arrays(found.indices.cast(pa.int32()), found.dictionary)
    return found.dictionary_encode() if pa.types.is_string(found.type) else found
