"""Rows by key: those that come replace those that are there, in their places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roadworthy.data.bounds import Sought
from roadworthy.data.changes import Append, Update
from roadworthy.data.reading import TableReader
from roadworthy.data.snapshot import Snapshot

_NUMBER = "__number__"


class Upsert:
    """Brings rows into a table by key; ``replaced`` counts those that took another's place.

    Of rows with the same key the later one holds, or, with ``newest``, the one whose value
    there is greater, in whichever order they come; null is the least. ``fresh`` is in memory;
    of the table only the keys are read, of the runs of rows that may have one of these.
    """

    def __init__(self, fresh: pa.Table, key: Sequence[str], newest: str = "") -> None:
        self._key = list(key)
        self._newest = newest
        self._fresh = _last_of_each(fresh, self._key, newest)
        self._index = _index(self._fresh, self._key)
        self.replaced = 0

    def change(self, there: Snapshot | None, path: str) -> Append | Update:
        """The change of a commit: appended rows where no key is there yet."""
        entry = there.find(path) if there is not None else None
        if there is None or entry is None:
            return Append(path, self._fresh, self._key)
        table = there.table_of(entry)
        met = np.zeros(self._fresh.num_rows, bool)
        gone, chosen = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for start, rows in self._candidates(table):
            places = self._places(rows)
            met[places[places >= 0]] = True
            takes = (places >= 0) & self._newer(rows, places)
            gone.append(start + np.flatnonzero(takes))
            chosen.append(places[takes])
        if not met.any():
            return Append(path, self._fresh, self._key)
        self.replaced = sum(map(len, gone))
        rows = self._fresh.take(pa.array(np.concatenate(chosen)))
        added = self._fresh.filter(pa.array(~met))
        return Update(path, entry.content, np.concatenate(gone), rows, added)

    def _candidates(self, table: TableReader) -> Iterator[tuple[int, pa.Table]]:
        """The runs that may have one of the keys: where each begins, and the columns needed."""
        columns = [*self._key, *([self._newest] if self._newest else [])]
        schema = self._fresh.select(columns).schema
        own = table.schema_of(self._key)
        sought = Sought(self._fresh.select(self._key).cast(own), self._key)
        for start, batch in table.runs_where(sought.may_be_in, columns):
            yield start, pa.table(batch).cast(schema)

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
