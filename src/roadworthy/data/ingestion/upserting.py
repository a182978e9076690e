"""Rows by key: those that come replace those that are there, in their places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roadworthy.data.changes import Append, PutTable
from roadworthy.data.snapshot import Snapshot

_NUMBER = "__number__"


class Upsert:
    """Brings rows into a table by key; ``replaced`` counts those that took another's place.

    Of rows with the same key the later one holds, or, with ``newest``, the one whose value
    there is greater, in whichever order they come; null is the least. ``fresh`` is in memory,
    the table is read a run of rows at a time.
    """

    def __init__(self, fresh: pa.Table, key: Sequence[str], newest: str = "") -> None:
        self._key = list(key)
        self._newest = newest
        self._fresh = _last_of_each(fresh, self._key, newest)
        self._index = _index(self._fresh, self._key)
        self.replaced = 0

    def change(self, there: Snapshot | None, path: str) -> Append | PutTable:
        """The change of a commit: appended rows where no key is there yet."""
        if there is None or there.find(path) is None or not self._touches(there, path):
            return Append(path, self._fresh, self._key)
        table = there.table(path)
        batches = self._batches(table.batches(None))
        reader = pa.RecordBatchReader.from_batches(self._fresh.schema, batches)
        return PutTable(path, reader, self._key)

    def _touches(self, there: Snapshot, path: str) -> bool:
        keys = there.batches(path, columns=self._key)
        return any((self._places(pa.table(batch)) >= 0).any() for batch in keys)

    def _batches(self, old: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        self.replaced = 0
        fresh = self._fresh
        met = np.zeros(fresh.num_rows, bool)
        for batch in old:
            before = pa.table(batch).cast(fresh.schema)
            places = self._places(before)
            here = places >= 0
            met[places[here]] = True
            takes = here & self._newer(before, places)
            self.replaced += int(takes.sum())
            order = np.arange(before.num_rows)
            order[takes] = before.num_rows + places[takes]
            both = pa.concat_tables([before, fresh])
            yield from both.take(pa.array(order)).combine_chunks().to_batches()
        yield from fresh.filter(pa.array(~met)).combine_chunks().to_batches()

    def _places(self, rows: pa.Table) -> Any:
        """For each row which of the fresh ones has its key; -1 where none has."""
        return self._index.get_indexer(_index(rows, self._key))

    def _newer(self, before: pa.Table, places: Any) -> Any:
        if not self._newest:
            return np.ones(len(places), bool)
        ours = self._fresh[self._newest].take(pa.array(np.maximum(places, 0)))
        theirs = before[self._newest]
        holds = pc.or_kleene(theirs.is_null(), pc.greater_equal(ours, theirs))
        return np.asarray(pc.fill_null(holds, False).to_numpy(), bool)


def _last_of_each(rows: pa.Table, key: list[str], newest: str) -> pa.Table:
    """One row of each key, in the order in which the last ones came."""
    numbered = rows.append_column(_NUMBER, pa.array(np.arange(rows.num_rows)))
    if newest:
        values = rows[newest].to_pandas().reset_index(drop=True)
        order = values.sort_values(kind="stable", na_position="first").index
        numbered = numbered.take(pa.array(order.to_numpy()))
    last = pa.TableGroupBy(numbered, key, use_threads=False).aggregate([(_NUMBER, "last")])
    return rows.take(pa.array(np.sort(last[f"{_NUMBER}_last"].to_numpy())))


def _index(rows: pa.Table, key: list[str]) -> pd.Index:
    columns = [rows[name].to_pandas() for name in key]
    return pd.Index(columns[0]) if len(columns) == 1 else pd.MultiIndex.from_arrays(columns)
