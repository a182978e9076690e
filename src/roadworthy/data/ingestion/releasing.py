"""Rows that were set aside, mapped once more after the mapping was corrected."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
from sqlalchemy import Connection

from roadworthy.core.dataset import Committed, Provenance
from roadworthy.core.dataset_names import parse_commit
from roadworthy.core.source import Poll, Source
from roadworthy.core.words import counted
from roadworthy.data.changes import Append, Change, PutTable
from roadworthy.data.datasets import Datasets
from roadworthy.data.ingestion.canonical import Canonical
from roadworthy.data.ingestion.cleansing import Cleansing
from roadworthy.data.ingestion.formats import rows_of_objects
from roadworthy.data.ingestion.placing import ROWS, file_table, groups, quarantined
from roadworthy.data.ingestion.polling import provenance_of
from roadworthy.data.ingestion.records import Bad
from roadworthy.data.ingestion.spooling import QUARANTINE, as_batch
from roadworthy.data.ingestion.upserting import Upsert
from roadworthy.data.snapshot import Snapshot
from roadworthy.errors import Conflict
from roadworthy.storage.queries import sources as asked


def release(
    datasets: Datasets, kept: asked.Kept, id: str, cleansing: Cleansing | None = None
) -> Poll:
    """Commits the rows that pass now, and leaves the others; both or neither happens.

    Raises SchemaBroken, StorageError, Conflict where the source was polled meanwhile or, for rows
    of a key, the branch was moved.
    """
    source = kept.source
    before = quarantined(datasets, source)
    at = datasets.now()
    if before is None or not before.num_rows:
        return Poll(id=id, source=source.name, at=at, outcome="nothing")
    canonical = Canonical(source, source.columns or kept.state.columns, cleansing)
    head = datasets.log(source.dataset, limit=1)
    there = datasets.snapshot(head[0]) if head else None
    changes: list[Change] = []
    remaining: list[pa.RecordBatch] = []
    passed = 0
    for path, rows in groups(before, lambda delivery: _path(source, delivery)):
        good, bad = _mapped(canonical, rows)
        remaining += bad
        passed += good.num_rows
        if good.num_rows:
            changes.append(_change(source, path, good, there))
    done = Poll(
        id=id,
        source=source.name,
        at=at,
        outcome="released" if passed else "nothing",
        rows=passed,
        bad=before.num_rows - passed,
    )
    if not passed:
        return done
    name = f"{parse_commit(source.dataset).dataset}@{source.quarantine}"
    message = f"{source.name}: {counted(passed, 'row')} released from quarantine"
    author = f"source {source.name}"
    rest = [PutTable(ROWS, pa.Table.from_batches(remaining, QUARANTINE))]
    result = [done]
    with datasets.committing_beside(name, rest, message=message, author=author) as make:

        def also(connection: Connection, made: Committed) -> None:
            result[:] = [msgspec.structs.replace(done, commit=made.digest)]
            if asked.poll(connection, id) is not None:
                return
            make(connection)
            if not asked.change_source(connection, kept, source, kept.state, at):
                raise Conflict(f"source {source.name} was polled meanwhile", cure="release again")
            asked.put_poll(connection, result[0])

        datasets.commit(
            source.dataset,
            changes,
            message=message,
            author=author,
            provenance=[
                Provenance(kind="source", name=source.name, detail="quarantine"),
                *provenance_of(source),
            ],
            expected=(head[0].digest if head else "") if source.manner == "upsert" else None,
            write=id,
            also=also,
        )
    return result[0]


def _path(source: Source, delivery: str) -> str:
    return file_table(source, delivery) if source.manner == "files" else source.path


def _mapped(
    canonical: Canonical, rows: list[dict[str, Any]]
) -> tuple[pa.Table, list[pa.RecordBatch]]:
    """The rows that pass, and batches for the quarantine of those that don't."""
    readable: list[tuple[str, int, dict[str, Any]]] = []
    kept: list[Bad] = []
    at: dict[tuple[str, int], str] = {}
    for row in rows:
        place = (row["delivery"], row["row"])
        at[place] = row["at"]
        try:
            readable.append((*place, msgspec.json.decode(row["raw"], type=dict[str, Any])))
        except (msgspec.DecodeError, msgspec.ValidationError):
            kept.append(Bad(*place, row["reason"], row["raw"]))
    good = pa.Table.from_batches([], canonical.schema)
    if readable:
        batch, bad = canonical.rows(rows_of_objects(readable))
        good = pa.Table.from_batches([batch], canonical.schema)
        kept += bad
    return good, [as_batch([each], at[each.delivery, each.row]) for each in kept]


def _change(source: Source, path: str, good: pa.Table, there: Snapshot | None) -> Change:
    if source.manner == "upsert":
        return Upsert(good, source.key, source.newest).change(there, path)
    return Append(path, good, source.key)
