"""Rows of a table that give way to others: only the runs that they are in are written anew."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from roadworthy.core.dataset import Entry
from roadworthy.data import paged
from roadworthy.data.changes import Update
from roadworthy.data.pieces import PieceWriter
from roadworthy.data.tables import (
    THREADS,
    TableWriter,
    check_rows,
    grouped,
    joined,
    load_manifest,
    load_runs,
)


def update_rows(writer: PieceWriter, before: Entry, change: Update) -> Entry:
    """The entry of a table after an update. Raises StorageError."""
    manifest = load_manifest(writer.store, before)
    table = TableWriter(writer, manifest.arrow(), (), manifest)
    runs = list(paged.records(writer.get, manifest.runs))
    check_rows(before, manifest, sum(run.weight for run in runs))
    places = np.asarray(change.places, np.int64)
    rows = change.rows.cast(table.schema).combine_chunks()
    ends = np.cumsum([run.weight for run in runs])
    touched = np.unique(np.searchsorted(ends, places, side="right"))
    grown = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for some in grouped(touched.tolist()):
            old = [runs[number] for number in some]
            fresh: list[pa.Table] = []
            columns = range(len(table.schema.names))
            batches = load_runs(writer, old, table.schema, columns, pool)
            for number, batch in zip(some, batches, strict=True):
                start = int(ends[number]) - batch.num_rows
                fresh.append(_with_rows(pa.table(batch), start, places, rows))
                grown += fresh[-1].nbytes - batch.nbytes
            for number, record in zip(some, table.keep(fresh, pool, old), strict=True):
                runs[number] = record
    added = table.write(change.added.cast(table.schema).to_batches())
    runs = joined(writer, runs, table, added)
    table.rows += manifest.rows
    table.size += manifest.size + grown
    return table.finish(change.path, runs)


def _with_rows(batch: pa.Table, start: int, places: Any, rows: pa.Table) -> pa.Table:
    """A run whose rows begin at ``start`` of the table, with those that take others' places."""
    low, high = np.searchsorted(places, (start, start + batch.num_rows))
    order = np.arange(batch.num_rows)
    order[places[low:high] - start] = batch.num_rows + np.arange(high - low)
    both = pa.concat_tables([batch, rows.slice(int(low), int(high - low))])
    return both.take(pa.array(order)).combine_chunks()
