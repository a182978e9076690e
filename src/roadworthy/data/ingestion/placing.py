"""Where a poll's rows go: into which table, in place of what; and which are set aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roadworthy.core.dataset_names import parse_commit
from roadworthy.core.source import Source
from roadworthy.data.changes import Append, Change, PutTable
from roadworthy.data.datasets import Datasets
from roadworthy.data.ingestion.arriving import Arrived
from roadworthy.data.ingestion.spooling import QUARANTINE, Spooled, reader_of
from roadworthy.data.ingestion.upserting import Upsert
from roadworthy.data.snapshot import Snapshot
from roadworthy.errors import NotFound, SchemaBroken

Lots = Sequence[tuple[list[Arrived], Spooled]]
ROWS = "rows"
"""The table of a quarantine's branch."""


@dataclass(frozen=True)
class Placed:
    """The changes of a commit; how many rows take others' places."""

    changes: list[Change]
    replaced: int = 0


def changes_of(source: Source, schema: pa.Schema, lots: Lots, there: Snapshot | None) -> Placed:
    """What a poll changes in the dataset; ``there`` is None where it begins anew.

    Raises SchemaBroken where the table there has other columns.
    """
    spooled = [lot for _, lot in lots]
    if source.manner == "files":
        return Placed(_own_tables(source, schema, lots))
    _check_schema(source, schema, there)
    whole = not (there and there.find(source.path))
    if source.manner == "replace" and spooled:
        reader = reader_of(schema, spooled[-1:], Spooled.batches)
        return Placed([PutTable(source.path, reader, source.key)])
    reader = reader_of(schema, spooled, Spooled.batches)
    if not sum(lot.rows for lot in spooled):
        return Placed([])
    if source.manner == "upsert":
        upsert = Upsert(reader.read_all(), source.key, source.newest)
        change: Change = upsert.change(there, source.path)
        if whole and isinstance(change, Append):
            change = PutTable(source.path, change.rows, source.key)
        return Placed([change], upsert.replaced)
    if whole:
        return Placed([PutTable(source.path, reader, source.key)])
    return Placed([Append(source.path, reader, source.key)])


def _own_tables(source: Source, schema: pa.Schema, lots: Lots) -> list[Change]:
    return [
        PutTable(file_table(source, one.identity), reader_of(schema, [lot], Spooled.batches))
        for some, lot in lots
        for one in some
    ]


def file_table(source: Source, identity: str) -> str:
    """The path of a file's own table.

    >>> file_table(Source(name="a", url="/in/*/x*.csv", dataset="d"), "/in/may/x1.csv")
    'a/may/x1.csv'
    """
    pattern = source.url.partition("://")[2] if "://" in source.url else source.url
    fixed = pattern.split("*")[0].rpartition("/")[0]
    if source.kind == "objects":
        fixed = fixed.partition("/")[2]
    name = identity.removeprefix(fixed).strip("/").replace(":", "_").replace("\\", "_")
    return f"{source.path}/{name}"


def _check_schema(source: Source, schema: pa.Schema, there: Snapshot | None) -> None:
    entry = there.find(source.path) if there else None
    if entry is None or there is None or source.manner == "replace":
        return
    before = there.table_of(entry).schema
    if [(each.name, each.type) for each in before] != [(each.name, each.type) for each in schema]:
        raise SchemaBroken(
            f"{there.committed.commit.dataset} has a table {source.path} with other columns",
            cure=f"roadworthy data source add FILE --anew takes everything of {source.name} again",
        )


def quarantine_changes(
    datasets: Datasets, source: Source, lots: Lots, anew: bool = False
) -> list[Change]:
    """What a poll changes in the quarantine: bad rows, in place of the same deliveries'.

    With ``replace`` only the newest delivery's are kept.
    """
    lots = lots[-1:] if source.manner == "replace" else lots
    fresh = reader_of(QUARANTINE, [lot for _, lot in lots], Spooled.set_aside).read_all()
    before = quarantined(datasets, source)
    if before is None:
        if fresh.num_rows:
            return [PutTable(ROWS, fresh)]
        return []
    if source.kind == "sql" and source.key:  # rows at the cursor's value are read again
        fresh = fresh.filter(pc.invert(pc.is_in(fresh["raw"], before["raw"].combine_chunks())))
    if anew or source.manner == "replace":
        kept = before.slice(0, 0)
    else:
        names = pa.array([one.identity for some, _ in lots for one in some], pa.string())
        kept = before.filter(pc.invert(pc.is_in(before["delivery"], names)))
    if kept.num_rows < before.num_rows:
        return [PutTable(ROWS, pa.concat_tables([kept, fresh]))]
    return [Append(ROWS, fresh)] if fresh.num_rows else []


def quarantined(datasets: Datasets, source: Source) -> pa.Table | None:
    """The rows of a source that are set aside; None where none ever were."""
    there = set_aside(datasets, source)
    return None if there is None else there.to_arrow(ROWS)


def set_aside(datasets: Datasets, source: Source) -> Snapshot | None:
    """The commit that holds the rows of a source that are set aside; None where none ever were."""
    name = f"{parse_commit(source.dataset).dataset}@{source.quarantine}"
    try:
        log = datasets.log(name, limit=1)
    except NotFound:
        return None
    return datasets.snapshot(log[0]) if log else None


def groups(rows: pa.Table, by: Callable[[str], str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows set aside, by the table that they are for."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        found.setdefault(by(row["delivery"]), []).append(row)
    yield from found.items()
