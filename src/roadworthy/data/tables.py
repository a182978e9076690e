"""Tables as values: runs of rows, each split by column, each piece named by its values' digest."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import TypeVar

import msgspec
import pyarrow as pa

from roadworthy.core.dataset import Entry, Field
from roadworthy.data import paged
from roadworthy.data.bounds import bounds_of
from roadworthy.data.columns import (
    column_digest,
    is_bytes,
    load_column,
    one_array,
    plain_type,
    store_column,
)
from roadworthy.data.cutting import Cut, blocks, choose_cut, cut_runs, fitting_bits
from roadworthy.data.patches import Alignment, load_array, store_patch
from roadworthy.data.pieces import Pieces, PieceWriter
from roadworthy.data.stored import Stored, base_of
from roadworthy.errors import Damaged, NewerFormat, UsageError

_AT_ONCE = 8
_MOST_PIECES = 128
_CURE = "roadworthy data fsck says what is damaged"
_PAGE_BYTES = 32 << 10
THREADS = max(1, os.cpu_count() or 1)
T = TypeVar("T")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a table is: its Arrow schema (serialised), how it is cut, its runs.

    ``runs`` is the root of the list of runs: the weight of a record is its number of rows, its
    payload the digests of its columns, 32 bytes each, its key what is known of the rows' keys
    (``bounds_of``). ``size`` is what it takes in memory.
    """

    schema: bytes
    key: list[str]
    cut: Cut
    rows: int
    size: int
    runs: bytes
    format: int = 1

    def arrow(self) -> pa.Schema:
        """The Arrow schema."""
        return pa.ipc.read_schema(pa.py_buffer(self.schema))

    def fields(self) -> list[Field]:
        """The columns as plain values."""
        return fields_of(self.arrow())


_MANIFEST = msgspec.msgpack.Decoder(Manifest)


def fields_of(schema: pa.Schema) -> list[Field]:
    """A schema's columns as plain values."""
    return [Field(name=each.name, type=str(each.type), nullable=each.nullable) for each in schema]


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema in which a table is kept. Raises UsageError for what can't be."""
    names = schema.names
    if not names:
        raise UsageError("a table needs a column", cure="commit the file as bytes (--as file)")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"two columns are called {twice[0]!r}", cure="rename one, or commit the file as bytes"
        )
    return pa.schema([pa.field(each.name, plain_type(each.type), each.nullable) for each in schema])


def load_manifest(store: Pieces, entry: Entry) -> Manifest:
    """A table's manifest. Raises Damaged, Erased, NewerFormat, StorageError."""
    if entry.kind != "table":
        raise UsageError(f"{entry.path} is a file, not a table", cure="open it as a file")
    try:
        manifest = _MANIFEST.decode(store.get(bytes.fromhex(entry.content)))
    except msgspec.MsgspecError as error:
        raise Damaged(f"the manifest of {entry.path} can't be read: {error}") from error
    if manifest.format > 1:
        raise NewerFormat(f"{entry.path} is of a newer form", cure="upgrade Roadworthy")
    return manifest


def check_rows(entry: Entry, manifest: Manifest, rows: int) -> None:
    """Raises Damaged where the runs have not the rows that the table is to have."""
    if rows != manifest.rows:
        raise Damaged(
            f"{entry.path} is to have {manifest.rows} rows and has {rows}",
            cure="commit the table anew; the commits before have the rows that they had",
        )


class TableWriter:
    """Writes one table: cuts rows into runs, keeps the columns that are new."""

    def __init__(
        self,
        writer: PieceWriter,
        schema: pa.Schema,
        key: Sequence[str] = (),
        previous: Manifest | None = None,
    ) -> None:
        self.schema = plain_schema(schema)
        missing = [name for name in key if name not in self.schema.names]
        if missing:
            raise UsageError(
                f"the key's column {missing[0]!r} is not in the table",
                cure="it has " + ", ".join(self.schema.names[:20]),
            )
        self.key = list(key) or (previous.key if previous else [])
        self._writer = writer
        self._cut = self._inherited(previous)
        self._old = self._alignment(previous)
        self.rows = 0
        self.size = 0

    @property
    def cut_rows(self) -> int:
        """How many rows a run has on average."""
        return 1 << self._cut.bits if self._cut else 0

    def copy(self) -> TableWriter:
        """The same, to finish another time."""
        return copy(self)

    def write(
        self, batches: Iterable[pa.RecordBatch], on_bytes: Callable[[int], None] | None = None
    ) -> list[paged.Record]:
        """Keeps rows; the records of their runs, in order."""
        runs: list[paged.Record] = []
        with ThreadPoolExecutor(THREADS) as pool:
            for some in grouped(self._runs(batches)):
                runs += self.keep(some, pool)
                self.rows += sum(run.num_rows for run in some)
                self.size += sum(run.nbytes for run in some)
                if on_bytes is not None:
                    on_bytes(sum(run.nbytes for run in some))
        return runs

    def finish(self, path: str, runs: Iterable[paged.Record]) -> Entry:
        """The entry of the table that has these runs."""
        columns = len(self.schema.names)
        average = 1 << max(1, (_PAGE_BYTES // (32 * columns + 8)).bit_length() - 1)
        put = self._writer.put_bytes
        root = paged.build(put, runs, by_key=False, average=average)
        manifest = Manifest(
            schema=self.schema.serialize().to_pybytes(),
            key=self.key,
            cut=self._cut or Cut(columns=list(self.key), bits=12),
            rows=self.rows,
            size=self.size,
            runs=root,
        )
        digest = put(msgspec.msgpack.encode(manifest))
        return Entry(path=path, kind="table", content=digest.hex(), size=self.size, rows=self.rows)

    def _inherited(self, previous: Manifest | None) -> Cut | None:
        if previous is None or any(name not in self.schema.names for name in previous.cut.columns):
            return None
        if self.key and self.key != previous.key:
            return None
        fitting = fitting_bits(previous.rows, previous.size, whole=True)
        if previous.rows and fitting > previous.cut.bits + 2:  # it has grown since
            return Cut(columns=previous.cut.columns, bits=fitting)
        return previous.cut

    def _alignment(self, previous: Manifest | None) -> Alignment | None:
        if previous is None or self._cut is None:
            return None
        old = previous.arrow()
        where = {field.name: (number, field.type) for number, field in enumerate(old)}
        columns = [
            where[field.name][0] if where.get(field.name, (0, None))[1] == field.type else None
            for field in self.schema
        ]
        return Alignment(paged.records(self._writer.store.get, previous.runs), columns)

    def _runs(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
        source = getattr(batches, "schema", None)
        tables = (self._plain(table) for table in blocks(batches, source))
        first = next(tables, None)
        if first is None:
            return
        if self._cut is None:
            self._cut = choose_cut(first, self.key)

        def all_tables() -> Iterator[pa.Table]:
            yield first
            yield from tables

        yield from cut_runs(all_tables(), self._cut)

    def _plain(self, table: pa.Table) -> pa.Table:
        arrays = [one_array(table.column(field.name), field.type) for field in self.schema]
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def keep(
        self, runs: list[pa.Table], pool: ThreadPoolExecutor, old: Sequence[paged.Record] = ()
    ) -> list[paged.Record]:
        """Keeps runs, as patches of the old ones where these are known; their records."""
        arrays = [
            [
                one_array(column, field.type)
                for column, field in zip(run.columns, self.schema, strict=True)
            ]
            for run in runs
        ]
        digests = list(pool.map(lambda each: [column_digest(array) for array in each], arrays))
        missing = self._writer.missing(each for run in digests for each in run)
        before: list[list[bytes | None]]
        if old:
            width = range(len(self.schema.names))
            before = [[run.payload[32 * at : 32 * at + 32] for at in width] for run in old]
        elif self._old:
            pairs = zip(digests, arrays, strict=True)
            before = [self._old.old_digests(names, len(columns[0])) for names, columns in pairs]
        else:
            before = [[None] * len(names) for names in digests]
        todo: dict[bytes, tuple[pa.Array, bytes | None]] = {}
        # Column by column, so that those of one are read in one stroke.
        for column in zip(*map(zip, digests, arrays, before), strict=True):
            todo |= {digest: (array, was) for digest, array, was in column if digest in missing}
        bases = self._bases([was for _, was in todo.values() if was is not None])
        work = [(array, bases.get(was) if was else None) for array, was in todo.values()]
        for digest, (stored, base) in zip(todo, pool.map(_store, work), strict=True):
            if base is not None:
                self._writer.relied.add(base)
            self._writer.put(digest, stored)
        return [
            paged.Record(self._bounds(columns), len(columns[0]), b"".join(names))
            for columns, names in zip(arrays, digests, strict=True)
        ]

    def _bounds(self, columns: Sequence[pa.Array]) -> bytes:
        if not self.key:
            return b""
        return bounds_of(self.key[0], columns[self.schema.names.index(self.key[0])])

    def _bases(self, digests: Sequence[bytes]) -> dict[bytes, tuple[bytes, Stored]]:
        """For old pieces the whole ones to patch: their digests and stored bytes."""
        found = self._writer.stored(digests) if digests else {}
        return {
            digest: (base, found[base])
            for digest in digests
            if (base := base_of(found[digest]) or digest)
        }


def _store(work: tuple[pa.Array, tuple[bytes, Stored] | None]) -> tuple[bytes, bytes | None]:
    """A column in its stored form, and the piece that it is a patch of."""
    array, base = work
    if base is not None:
        digest, stored = base
        patch = store_patch(load_column(stored, array.type, digest), digest, array)
        if patch is not None:
            return patch, digest
    return store_column(array), None


def grouped(all_of_them: Iterable[T], columns: int = _MOST_PIECES) -> Iterator[list[T]]:
    """Runs, or what stands for them, as many together as are worked on at once.

    Of few ``columns`` these are more, so that about as much is in memory.
    """
    left = iter(all_of_them)
    while some := list(itertools.islice(left, max(_AT_ONCE, _MOST_PIECES // columns))):
        yield some


def append_rows(
    writer: PieceWriter, before: Entry, fresh: TableWriter, path: str, runs: list[paged.Record]
) -> Entry:
    """The entry of a table after rows were appended to it. Raises UsageError."""
    manifest = load_manifest(writer.store, before)
    old = manifest.arrow()
    if old != fresh.schema:
        raise UsageError(
            f"the rows have other columns than {path}: {_difference(old, fresh.schema)}",
            cure="give the rows the table's columns, or put a new table in its place",
        )
    kept = list(paged.records(writer.get, manifest.runs))
    check_rows(before, manifest, _rows(kept))
    together = joined(writer, kept, fresh, runs)
    fresh.rows += manifest.rows
    fresh.size += manifest.size
    return fresh.finish(path, together)


def joined(
    writer: PieceWriter, kept: list[paged.Record], fresh: TableWriter, runs: list[paged.Record]
) -> list[paged.Record]:
    """The runs of a table and those that come after them, which ``fresh`` wrote."""
    small = fresh.cut_rows // 4
    tail: list[paged.Record] = []
    # A short run at the end is cut again with what comes: a row is moved so a few times at most.
    while kept and kept[-1].weight <= small and kept[-1].weight <= 4 * (fresh.rows + _rows(tail)):
        tail.insert(0, kept.pop())
    if not tail or not runs or runs[0].weight > small:
        return [*kept, *tail, *runs]
    again = [*tail, runs[0]]
    batches = list(load_runs(writer, again, fresh.schema, range(len(fresh.schema.names))))
    rows, size = fresh.rows, fresh.size
    between = fresh.write(batches)
    fresh.rows, fresh.size = rows, size
    return [*kept, *between, *runs[1:]]


def _rows(runs: Iterable[paged.Record]) -> int:
    return sum(run.weight for run in runs)


def _difference(old: pa.Schema, new: pa.Schema) -> str:
    before = {field.name: str(field.type) for field in old}
    after = {field.name: str(field.type) for field in new}
    said = [f"{name} is missing" for name in before if name not in after]
    said += [f"{name} is new" for name in after if name not in before]
    said += [
        f"{name} is {after[name]}, was {before[name]}"
        for name in before
        if name in after and after[name] != before[name]
    ]
    return "; ".join(said[:5]) or "in another order, or with other nullability"


def _is_quick(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or is_bytes(kind))


def load_runs(
    store: Pieces,
    runs: Sequence[paged.Record],
    schema: pa.Schema,
    numbers: Sequence[int],
    pool: ThreadPoolExecutor | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of runs, some columns of them (by number; ``schema`` is theirs), a batch a run.

    Raises Damaged, Erased, StorageError.
    """
    wanted = [
        record.payload[32 * number : 32 * number + 32] for record in runs for number in numbers
    ]
    stored = store.stored(wanted)
    kinds = [field.type for field in schema]

    def load(places: range) -> list[pa.Array]:
        return [load_array(stored, kinds[at % len(kinds)], wanted[at]) for at in places]

    # To numbers threads would bring nothing but waiting for each other, and as much to texts that
    # are handed over one by one: each thread takes its share.
    if pool is None or all(_is_quick(kind) for kind in kinds):
        arrays = iter(load(range(len(wanted))))
    else:
        share = -(-len(wanted) // THREADS)
        places = range(len(wanted))
        shares = [places[at : at + share] for at in range(0, len(wanted), share)]
        arrays = itertools.chain.from_iterable(pool.map(load, shares))
    for record in runs:
        columns = [next(arrays) for _ in numbers]
        if any(len(array) != record.weight for array in columns):
            raise Damaged("a run of rows has columns of different lengths", cure=_CURE)
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
