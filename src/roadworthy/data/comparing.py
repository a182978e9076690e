"""How two commits differ: by path, and for tables by schema, rows and statistics."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roadworthy.core.values import Document
from roadworthy.data.columns import is_bytes, one_array
from roadworthy.data.cutting import row_hashes
from roadworthy.data.reading import TableReader
from roadworthy.data.snapshot import Snapshot
from roadworthy.data.stored import digest_bytes

_MOST_TEXTS = 10_000


class ColumnFigures(Document, frozen=True):
    """A column in one version: nulls, and of numbers and times the range and mean.

    ``distinct`` is counted for texts, up to some ten thousand. Times are ISO 8601 text.
    """

    rows: int
    nulls: int
    minimum: Any = None
    maximum: Any = None
    mean: float | None = None
    distinct: int | None = None


class ColumnChange(Document, frozen=True):
    """How a column differs: added, removed, of another type, or of other values."""

    name: str
    before_type: str
    after_type: str
    before: ColumnFigures | None = None
    after: ColumnFigures | None = None


class RowChange(Document, frozen=True):
    """How many rows are only in one of two versions, and how many are in both.

    With a key, a row is the same row if its key is: ``changed`` counts those with other values.
    """

    before: int
    after: int
    added: int
    removed: int
    changed: int | None = None


class PathChange(Document, frozen=True):
    """How one path differs. Columns and rows are given for tables that were asked to be read."""

    path: str
    kind: str
    before_bytes: int | None = None
    after_bytes: int | None = None
    columns: list[ColumnChange] = []
    rows: RowChange | None = None


def compare(before: Snapshot, after: Snapshot, *, deep: bool = True) -> list[PathChange]:
    """The paths that differ; ``deep`` reads the tables for rows and statistics.

    Only runs of rows that the two versions do not share are read.
    """
    changes: list[PathChange] = []
    for change in before.differences(after):
        was, now = change.before, change.after
        both = was is not None and now is not None and was.kind == now.kind == "table"
        columns: list[ColumnChange] = []
        rows: RowChange | None = None
        if both and deep and was and now:
            columns, rows = _tables(before.table_of(was), after.table_of(now))
        changes.append(
            PathChange(
                path=change.path,
                kind=change.kind,
                before_bytes=was.size if was else None,
                after_bytes=now.size if now else None,
                columns=columns,
                rows=rows,
            )
        )
    return changes


def _tables(old: TableReader, new: TableReader) -> tuple[list[ColumnChange], RowChange | None]:
    columns: list[ColumnChange] = []
    names = list(dict.fromkeys([*old.schema.names, *new.schema.names]))
    changed = changed_columns(old, new)
    for name in names:
        types = [_type(reader.schema, name) for reader in (old, new)]
        if types[0] != types[1] or name in changed:
            columns.append(
                ColumnChange(
                    name=name,
                    before_type=types[0],
                    after_type=types[1],
                    before=column_figures(old, name) if types[0] else None,
                    after=column_figures(new, name) if types[1] else None,
                )
            )
    return columns, row_change(old, new)


def _type(schema: pa.Schema, name: str) -> str:
    return str(schema.field(name).type) if name in schema.names else ""


def changed_columns(old: TableReader, new: TableReader) -> set[str]:
    """The columns whose values differ somewhere, told from digests alone."""
    digests: list[dict[str, list[bytes]]] = []
    for reader in (old, new):
        found: dict[str, list[bytes]] = {name: [] for name in reader.schema.names}
        for run in reader.runs():
            for number, name in enumerate(reader.schema.names):
                found[name].append(run.payload[32 * number : 32 * number + 32])
        digests.append(found)
    return {name for name in digests[0] if digests[0][name] != digests[1].get(name)}


def row_change(
    old: TableReader, new: TableReader, most_cells: int | None = None
) -> RowChange | None:
    """How many rows differ: told apart by key, or else as wholes, among runs that are not shared.

    None where more values would have to be read than ``most_cells``.
    """
    columns = [name for name in new.schema.names if name in old.schema.names]
    key = [name for name in new.manifest.key if name in columns]
    runs = [old.runs(), new.runs()]
    shared: set[bytes] = set()
    if old.schema == new.schema:
        shared = {run.payload for run in runs[0]} & {run.payload for run in runs[1]}
    fresh = [[run for run in own if run.payload not in shared] for own in runs]
    cells = sum(run.weight for own in fresh for run in own) * len(columns)
    if most_cells is not None and cells > most_cells:
        return None
    tables = [reader.some_runs(own, columns) for reader, own in zip((old, new), fresh, strict=True)]
    before, after = (_counts(table, key or columns) for table in tables)
    added, removed = (after - before).total(), (before - after).total()
    changed: int | None = None
    if key:
        was, now = (_counts(table, columns) for table in tables)
        changed = max(0, (now - was).total() - added)
    return RowChange(
        before=old.manifest.rows,
        after=new.manifest.rows,
        added=added,
        removed=removed,
        changed=changed,
    )


def _counts(table: pa.Table, columns: list[str]) -> Counter[int]:
    """How often each row is there, by a hash of all of it."""
    whole = table.select(columns)
    for number, field in enumerate(whole.schema):
        if is_bytes(field.type):
            hashes = _text_hashes(one_array(whole.column(number), field.type))
            whole = whole.set_column(number, field.name, hashes)
    return Counter(row_hashes(whole, columns).tolist())


def _text_hashes(array: pa.Array) -> pa.Array:
    """Each text's own hash; every different text is hashed once."""
    coded = array.dictionary_encode()
    words = coded.dictionary.cast(pa.large_binary()).to_pylist()
    hashes = [int.from_bytes(digest_bytes(word)[:8]) for word in words]
    return pa.array(hashes, pa.uint64()).take(coded.indices)


def column_figures(reader: TableReader, name: str) -> ColumnFigures:
    """A column's figures, read run by run."""
    kind = reader.schema.field(name).type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    texts: set[Any] = set()
    rows = nulls = 0
    total = 0.0
    ends: list[Any] = []
    for batch in reader.batches([name]):
        array = batch.column(0)
        rows += len(array)
        nulls += array.null_count
        if _is_ordered(kind):
            found = pc.min_max(array).as_py()
            ends = [each for each in (*ends, found["min"], found["max"]) if each is not None]
            ends = [min(ends), max(ends)] if ends else []
        if numeric:
            total += pc.sum(array).as_py() or 0
        if is_text(kind) and len(texts) < _MOST_TEXTS:
            texts.update(pc.unique(array).to_pylist())
    return ColumnFigures(
        rows=rows,
        nulls=nulls,
        minimum=_plain(ends[0]) if ends else None,
        maximum=_plain(ends[1]) if ends else None,
        mean=total / (rows - nulls) if numeric and rows > nulls else None,
        distinct=len(texts - {None}) if is_text(kind) else None,
    )


def is_text(kind: pa.DataType) -> bool:
    """Whether values of a type are texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_ordered(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_date(kind)
        or pa.types.is_decimal(kind)
    )


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float) else str(value)
