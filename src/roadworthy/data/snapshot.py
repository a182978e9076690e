"""What a commit holds, to be read: rows as Arrow, pandas, polars or DuckDB; files as files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa

from roadworthy.core.dataset import Committed, Entry, TreeChange
from roadworthy.core.names import nearest
from roadworthy.data import paged
from roadworthy.data.files import StoredFile, file_parts, whole_files
from roadworthy.data.pieces import PieceStore
from roadworthy.data.reading import TableReader
from roadworthy.errors import Damaged, NotFound, UsageError

_ENTRY = msgspec.msgpack.Decoder(Entry)
_BUFFER = 1 << 20


def entry_record(entry: Entry) -> paged.Record:
    """An entry as a record of its tree's list."""
    return paged.Record(entry.path.encode(), 1, msgspec.msgpack.encode(entry))


def entry_of(record: paged.Record) -> Entry:
    """The entry that a record of a tree holds. Raises Damaged."""
    try:
        return _ENTRY.decode(record.payload)
    except msgspec.MsgspecError as error:
        raise Damaged(f"an entry of a tree can't be read: {error}") from error


class Snapshot:
    """A commit's tree: its entries, and what is at each path.

    Nothing is read before it is asked for, and nothing wholly where it can be read in parts.
    """

    def __init__(self, store: PieceStore, committed: Committed) -> None:
        self.committed = committed
        self._store = store
        self._tree = bytes.fromhex(committed.commit.tree)

    @property
    def name(self) -> str:
        """``flights@3f2a90c1d2e4``."""
        return self.committed.name

    def entries(self, below: str = "") -> Iterator[Entry]:
        """The entries in the order of their paths; those at or under a path."""
        prefix = below.rstrip("/")
        for record in paged.records(self._store.get, self._tree, prefix.encode()):
            entry = entry_of(record)
            if not prefix or entry.path == prefix or entry.path.startswith(f"{prefix}/"):
                yield entry
            elif not entry.path.startswith(prefix):
                return

    def entries_after(self, path: str) -> Iterator[Entry]:
        """The entries whose paths come after one, in their order; an empty text for all."""
        key = path.encode()
        for record in paged.records(self._store.get, self._tree, key):
            if not key or record.key > key:
                yield entry_of(record)

    def find(self, path: str) -> Entry | None:
        """What is at a path."""
        record = paged.find(self._store.get, self._tree, path.encode())
        return None if record is None else entry_of(record)

    def entry(self, path: str | None = None) -> Entry:
        """What is at a path; without one, the only table, or the only entry.

        Raises NotFound with the nearest paths, UsageError where there are several.
        """
        if path is None:
            return self._only()
        found = self.find(path)
        if found is None:
            raise NotFound(f"{self.name} has no {path!r}", cure=self._did_you_mean(path))
        return found

    def table(self, path: str | None = None) -> TableReader:
        """The table at a path, to be read by column and run of rows."""
        return TableReader(self._store, self.entry(path))

    def table_of(self, entry: Entry) -> TableReader:
        """The table of an entry, of this commit or another."""
        return TableReader(self._store, entry)

    def schema(self, path: str | None = None) -> pa.Schema:
        """The Arrow schema of a table."""
        return self.table(path).schema

    def batches(
        self,
        path: str | None = None,
        *,
        columns: Sequence[str] | None = None,
        start: int = 0,
        stop: int | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """A table's rows, some at a time: memory for a few runs of rows is all that is needed."""
        return self.table(path).batches(columns, start, stop)

    def reader(
        self, path: str | None = None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """A table's rows as an Arrow stream, which DuckDB, polars and others take as it is."""
        table = self.table(path)
        names = list(columns) if columns is not None else table.schema.names
        batches = table.batches(names)
        schema = table.schema_of(names)
        return pa.RecordBatchReader.from_batches(schema, batches)

    def to_arrow(self, path: str | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """A whole table in memory."""
        return self.reader(path, columns).read_all()

    def to_pandas(self, path: str | None = None, columns: Sequence[str] | None = None) -> Any:
        """A whole table as a pandas DataFrame."""
        return self.to_arrow(path, columns).to_pandas()

    def to_polars(self, path: str | None = None, columns: Sequence[str] | None = None) -> Any:
        """A whole table as a polars DataFrame. Raises UsageError where polars is missing."""
        try:
            import polars
        except ImportError:
            raise UsageError("polars is not installed", cure="pip install polars") from None
        return polars.from_arrow(self.to_arrow(path, columns))

    def open(self, path: str) -> BinaryIO:
        """A file of bytes, to read and to seek in; each part is checked when it is read."""
        return io.BufferedReader(self.raw(path), _BUFFER)

    def raw(self, path: str) -> StoredFile:
        """The same, without a buffer of its own."""
        entry = self.entry(path)
        if entry.kind != "file":
            raise UsageError(
                f"{path} is a table, not bytes", cure="read its batches, or export it to a file"
            )
        return StoredFile(self._store, entry)

    def parts(self, entry: Entry) -> Iterator[bytes]:
        """A file's bytes, part by part, its whole checked at the end."""
        return file_parts(self._store, entry)

    def whole(self, entries: Sequence[Entry]) -> Iterator[bytes]:
        """The contents of small files, read together, each checked."""
        return whole_files(self._store, entries)

    def differences(self, after: Snapshot) -> Iterator[TreeChange]:
        """How another commit's tree differs from this one; in time that grows with that."""
        for key, was, now in paged.differences(self._store.get, self._tree, after._tree):
            yield TreeChange(
                path=key.decode(),
                before=entry_of(was) if was else None,
                after=entry_of(now) if now else None,
            )

    def _only(self) -> Entry:
        tables: list[Entry] = []
        first: list[Entry] = []
        for entry in self.entries():
            first = [*first, entry][:3]
            if entry.kind == "table":
                tables.append(entry)
            if len(tables) > 1:
                break
        if len(tables) == 1:
            return tables[0]
        if len(first) == 1:
            return first[0]
        paths = [entry.path for entry in tables or first]
        if not paths:
            raise NotFound(f"{self.name} is empty", cure="commit a file or table to it")
        raise UsageError(
            f"{self.name} has several: {', '.join(paths)} …", cure="say which: give a path"
        )

    def _did_you_mean(self, path: str) -> str:
        known: list[str] = []
        for entry in self.entries():
            known.append(entry.path)
            if len(known) == 1000:
                break
        close = nearest(path, known)
        shown = ", ".join(close or known[:5])
        return f"did you mean {shown}?" if close else f"it has {shown or 'nothing'}"
