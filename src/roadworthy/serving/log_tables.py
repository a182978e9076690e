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
    """All rows of a segment. Raises OSError, FrameError, pyarrow.ArrowException."""
    if path.suffix == SUFFIX:
        return table_of(path.read_bytes())
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(path) as file:
        return file.read(use_threads=False)


def table_of(content: bytes) -> Any:
    """A table of what `write_segment` wrote: a row for each row that was asked.

    Columns: ``time`` (UTC, microseconds), ``request_id``, ``row``, ``trace``, ``caller``, ``key``,
    ``protocol``, ``model``, ``release``, ``stage``, ``role``, ``status``, ``refused``,
    ``rejected``, ``line``, ``error``, ``warnings``, ``batch``, ``weight``, the stages' times
    (``decode_us``, ``validate_us``, ``queue_us``, ``batch_us``, ``worker_us``, ``flow_us``,
    ``encode_us``, ``total_us``), then ``input:<column>`` and ``output:<name>``. A request that
    was refused is one row with null inputs. Raises FrameError.
    """
    import pyarrow as pa

    requests, groups = read_segment(content)
    facts = {name: _array(column) for name, column in requests.columns.items()}
    facts["time"] = facts["time"].view(pa.timestamp("us", "UTC"))
    for name, type_ in (("status", pa.int16()), ("batch", pa.int32())):
        facts[name] = facts[name].cast(type_)
    return pa.concat_tables([_rows(facts, group) for group in groups])


def _rows(requests: dict[str, Any], group: frames.Frame) -> Any:
    """The rows of a frame, with what is said of their requests."""
    import pyarrow as pa

    counts = group.meta.get("counts", [1] * group.n)
    first = group.meta.get("first", 0)
    places, numbers = array("q"), array("q")
    for at, count in enumerate(counts, group.id):
        places.extend(array("q", [at]) * count)
        numbers.extend(range(first, first + count))
    taken = arrow_array("int", places)
    found = {name: each.take(taken) for name, each in requests.items()}
    found["row"] = arrow_array("int", numbers).cast(pa.int32())
    found |= _reasons(group)
    columns = [name for name in group.columns if name.startswith(("input:", "output:"))]
    found |= {name: _array(group.columns[name]) for name in columns}
    names = [*_FACTS, *columns]
    return pa.Table.from_arrays([found[name] for name in names], names)


def _reasons(group: frames.Frame) -> dict[str, Any]:
    import pyarrow as pa

    found: dict[str, Any] = {}
    for name in ("rejected", "error"):
        column = group.columns.get(name)
        found[name] = pa.nulls(group.n, pa.string()) if column is None else _array(column)
    line, told = group.columns.get("line"), group.columns.get("warnings")
    none = pa.nulls(group.n, pa.int32())
    found["line"] = none if line is None else _array(line).cast(pa.int32())
    texts = [None] * group.n if told is None else told.values()
    found["warnings"] = arrow_array("texts", [text and json.loads(text) for text in texts])
    return found


def _array(column: frames.Column) -> Any:
    """A column's array over the same bytes; texts by their codes are written out."""
    packed = frames.Packed(column.n, column.validity, list(column.buffers), column.levels)
    found = arrow_array(column.type, packed)
    return found.dictionary_decode() if column.levels and None not in column.levels else found
