"""What the columns of a table look like: nulls, range, middle, and how values are spread.

Two versions are looked at together, so that their plots share one scale. Of a large table runs of
rows that are spread evenly over it stand for all; how many rows were looked at is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roadworthy.core.values import Document
from roadworthy.data.columns import one_array
from roadworthy.data.comparing import is_text
from roadworthy.data.reading import TableReader

MOST_CELLS = 2_000_000
"""How many values of a version are looked at, all columns together."""
BINS = 30
MOST_LEVELS = 24
_FEW = 20
_TAIL = 0.005


class Side(Document, frozen=True):
    """A column in one version, as far as it was looked at.

    ``minimum``, ``maximum`` and ``middle`` (the median) are numbers, or ISO 8601 texts of times;
    ``levels`` counts different texts, or numbers where they are few. ``shares`` belong to the
    profile's bins or levels, and are parts of the values that are there.
    """

    type: str
    rows: int
    nulls: int
    minimum: Any = None
    maximum: Any = None
    middle: Any = None
    levels: int | None = None
    shares: list[float] = []


class ColumnProfile(Document, frozen=True):
    """A column in one or two versions, None where it is not there.

    ``edges`` are those of the bins, one more than there are; ``names`` the most frequent levels.
    Values beyond the edges, half a percent on either side, count to the outermost bins.
    """

    name: str
    before: Side | None
    after: Side | None
    edges: list[float] = []
    names: list[str] = []


class Profile(Document, frozen=True):
    """Some columns of a table in one or two versions; how many of their rows were looked at."""

    columns: list[ColumnProfile]
    rows: list[int]
    looked: list[int]


def profile(readers: Sequence[TableReader | None], names: Sequence[str]) -> Profile:
    """What columns look like in two versions (the first may be None).

    Raises Damaged, Erased, StorageError.
    """
    tables = [None if reader is None else _sample(reader, names) for reader in readers]
    return Profile(
        columns=[_column(name, tables) for name in names],
        rows=[0 if reader is None else reader.manifest.rows for reader in readers],
        looked=[0 if table is None else table.num_rows for table in tables],
    )


def _sample(reader: TableReader, names: Sequence[str]) -> pa.Table:
    """The columns that are there, of runs that are spread evenly over the table."""
    there = [name for name in names if name in reader.schema.names]
    if not there:
        return pa.table({})
    runs = reader.runs()
    most = max(1, MOST_CELLS // len(there))
    step = -(-reader.manifest.rows // most)
    if step > 1:
        runs = runs[::step]
    return reader.some_runs(runs, there)


def _column(name: str, tables: Sequence[pa.Table | None]) -> ColumnProfile:
    arrays = [
        one_array(table.column(name), table.schema.field(name).type)
        if table is not None and name in table.schema.names
        else None
        for table in tables
    ]
    there = [array for array in arrays if array is not None]
    kinds = {str(array.type) for array in there}
    edges: list[float] = []
    levels: list[Any] = []
    if len(kinds) == 1 and there:
        levels = _levels(there)
        if not levels:
            edges = _edges(there)
    sides = [None if array is None else _side(array, edges, levels) for array in arrays]
    return ColumnProfile(
        name=name,
        before=sides[0],
        after=sides[1],
        edges=edges,
        names=["true" if each is True else "false" if each is False else str(each)[:80]
               for each in levels],
    )  # fmt: skip


def _levels(arrays: Sequence[pa.Array]) -> list[Any]:
    """The most frequent values where bars tell more than bins do: texts, words, few numbers."""
    kind = arrays[0].type
    few = pa.types.is_integer(kind)
    if not (is_text(kind) or pa.types.is_boolean(kind) or few):
        return []
    counts: dict[Any, int] = {}
    for array in arrays:
        for each in pc.value_counts(array.drop_null()).to_pylist():
            counts[each["values"]] = counts.get(each["values"], 0) + each["counts"]
    if few and len(counts) > _FEW:
        return []
    if few:
        return sorted(counts)
    return sorted(counts, key=lambda value: (-counts[value], str(value)))[:MOST_LEVELS]


def _edges(arrays: Sequence[pa.Array]) -> list[float]:
    """The edges of bins that hold the middle 99 % of all values, evenly wide."""
    values = [found for array in arrays if (found := _numbers(array)) is not None and found.size]
    if not values:
        return []
    joined = np.concatenate(values)
    low, high = np.quantile(joined, [_TAIL, 1 - _TAIL])
    if not low < high:
        low, high = joined.min(), joined.max()
    if not low < high:
        low, high = low - 0.5, high + 0.5
    return [float(each) for each in np.linspace(low, high, BINS + 1)]


def _numbers(array: pa.Array) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """The finite values as numbers; None for a type that has none."""
    kind = array.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        array = array.cast(pa.timestamp("us")).cast(pa.int64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return None
    plain = array.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(plain[np.isfinite(plain)])


def _side(array: pa.Array, edges: Sequence[float], levels: Sequence[Any]) -> Side:
    values = _numbers(array)
    found: dict[str, Any] = {}
    shares: list[float] = []
    there = len(array) - array.null_count
    if levels:
        counted = pc.value_counts(array.drop_null())
        if is_text(array.type) or len(counted) <= _FEW:
            found["levels"] = len(counted)
        counts = {each["values"]: each["counts"] for each in counted.to_pylist()}
        shares = [counts.get(level, 0) / there if there else 0.0 for level in levels]
    if values is not None and values.size:
        ends = (values.min(), np.median(values), values.max())
        found |= dict(
            zip(("minimum", "middle", "maximum"), (_plain(e, array.type) for e in ends),
                strict=True)
        )  # fmt: skip
        if edges:
            bins, _ = np.histogram(np.clip(values, edges[0], edges[-1]), np.asarray(edges))
            shares = [float(each) / values.size for each in bins]
    return Side(
        type=str(array.type), rows=len(array), nulls=array.null_count, shares=shares, **found
    )


def _plain(value: Any, kind: pa.DataType) -> Any:
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        text = str(np.datetime64(int(value), "us").astype("datetime64[s]"))
        return text[:10] if pa.types.is_date(kind) else text
    return int(value) if pa.types.is_integer(kind) else float(value)
