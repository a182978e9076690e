"""What a run of rows says of its keys, so that most runs need not be read to find a few rows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from roadworthy.data import paged

_LONGEST = 128


def bounds_of(name: str, values: pa.Array) -> bytes:
    """The least and greatest of a run's values in a column; empty where they can't be told.

    >>> msgspec.msgpack.decode(bounds_of("id", pa.array([7, 3])))
    ['id', 3, 7]
    """
    ordered = _ordered(values)
    if ordered is None or not len(ordered) or ordered.null_count:
        return b""
    found = pc.min_max(ordered).as_py()
    said = msgspec.msgpack.encode((name, found["min"], found["max"]))
    return said if len(said) <= _LONGEST else b""


def _ordered(values: pa.Array | pa.ChunkedArray) -> Any:
    """Values in an order that whole numbers or texts of Python share; None for other types."""
    kind = values.type
    if pa.types.is_timestamp(kind):
        return values.cast(pa.timestamp(kind.unit)).cast(pa.int64())
    if pa.types.is_date32(kind):
        return values.cast(pa.int32())
    if pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return values
    return None


class Sought:
    """Keys that are looked for in runs; ``rows`` has them in columns of the table's types."""

    def __init__(self, rows: pa.Table, key: Sequence[str]) -> None:
        self._columns: dict[str, list[Any]] = {}
        for name in key:
            ordered = _ordered(rows[name])
            if ordered is not None:
                self._columns[name] = sorted(set(ordered.drop_null().to_pylist()))

    def may_be_in(self, run: paged.Record) -> bool:
        """Whether a run may have one of the keys; it has none with a null, if it says bounds."""
        if not run.key:
            return True
        name, least, greatest = msgspec.msgpack.decode(run.key)
        values = self._columns.get(name)
        if values is None:
            return True
        at = bisect_left(values, least)
        return at < len(values) and bool(values[at] <= greatest)
