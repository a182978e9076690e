"""Reading tables by column and by run of rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from roadworthy.core.dataset import Entry
from roadworthy.data import paged
from roadworthy.data.pieces import PieceStore
from roadworthy.data.tables import THREADS, check_rows, grouped, load_manifest, load_runs
from roadworthy.errors import UsageError


class TableReader:
    """Reads a table of a commit by column and by run of rows."""

    def __init__(self, store: PieceStore, entry: Entry) -> None:
        self.entry = entry
        self.manifest = load_manifest(store, entry)
        self.schema = self.manifest.arrow()
        self._store = store
        check_rows(entry, self.manifest, paged.weight(store.get, self.manifest.runs))

    def batches(
        self, columns: Sequence[str] | None = None, start: int = 0, stop: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows from ``start`` to before ``stop``, a run at a time, some columns or all.

        Raises UsageError for a column that is not there, Damaged, Erased, StorageError.
        """
        end = self.manifest.rows if stop is None else min(stop, self.manifest.rows)
        numbers = self._numbers(columns)
        if not numbers:
            raise UsageError("no column was asked for", cure="name one, or leave them out for all")
        schema = self.schema_of(columns)
        found = paged.records_by_weight(self._store.get, self.manifest.runs, start)
        within = itertools.takewhile(lambda each: each[0] < end, found)
        with ThreadPoolExecutor(THREADS) as pool:
            for some in grouped(within, len(numbers)):
                batches = self._load(some, numbers, schema, pool)
                for (before, record), batch in zip(some, batches, strict=True):
                    low, high = max(start - before, 0), min(end - before, record.weight)
                    yield batch.slice(low, high - low)

    def runs_where(
        self, wanted: Callable[[paged.Record], bool], columns: Sequence[str]
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The runs that are wanted: the number of the first row, and some columns of all."""
        numbers, schema = self._numbers(columns), self.schema_of(columns)
        found = paged.records_by_weight(self._store.get, self.manifest.runs, 0)
        with ThreadPoolExecutor(THREADS) as pool:
            for some in grouped((each for each in found if wanted(each[1])), len(numbers)):
                batches = self._load(some, numbers, schema, pool)
                yield from zip([before for before, _ in some], batches, strict=True)

    def runs(self) -> list[paged.Record]:
        """The records of the table's runs, in order."""
        return list(paged.records(self._store.get, self.manifest.runs))

    def read(self, start: int, stop: int) -> pa.Table:
        """Some rows, in memory."""
        return pa.Table.from_batches(self.batches(start=start, stop=stop), self.schema)

    def some_runs(self, runs: Sequence[paged.Record], columns: Sequence[str]) -> pa.Table:
        """Some columns of some runs, in memory."""
        schema = self.schema_of(columns)
        batches = load_runs(self._store, runs, schema, self._numbers(columns))
        return pa.Table.from_batches(batches, schema)

    def schema_of(self, columns: Sequence[str] | None) -> pa.Schema:
        """The schema of some columns. Raises UsageError for one that is not there."""
        return pa.schema([self.schema.field(number) for number in self._numbers(columns)])

    def _numbers(self, columns: Sequence[str] | None) -> list[int]:
        if columns is None:
            return list(range(len(self.schema.names)))
        for name in columns:
            if name not in self.schema.names:
                raise UsageError(
                    f"{self.entry.path} has no column {name!r}",
                    cure="it has " + ", ".join(self.schema.names[:20]),
                )
        return [self.schema.names.index(name) for name in columns]

    def _load(
        self,
        group: Sequence[tuple[int, paged.Record]],
        numbers: list[int],
        schema: pa.Schema,
        pool: ThreadPoolExecutor,
    ) -> Iterator[pa.RecordBatch]:
        return load_runs(self._store, [record for _, record in group], schema, numbers, pool)
