"""Storing what a commit is to hold, before anything names it."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from roadworthy.core.dataset import Entry, replaced
from roadworthy.core.dataset_names import check_tree_path
from roadworthy.data import paged
from roadworthy.data.changes import Append, Change, PutEntry, PutFile, PutTable, Remove, Update
from roadworthy.data.files import LEAST, Report, store_file, store_short
from roadworthy.data.pieces import PieceWriter
from roadworthy.data.reachable import entry_pieces
from roadworthy.data.snapshot import Snapshot, entry_record
from roadworthy.data.sources import open_rows
from roadworthy.data.tables import Manifest, TableWriter, append_rows, load_manifest
from roadworthy.data.updating import update_rows
from roadworthy.errors import Conflict, NotFound, StorageError, UsageError


@dataclass(frozen=True)
class Appended:
    """Rows that are stored and come after a table's, whichever it is by then."""

    fresh: TableWriter
    runs: list[paged.Record]


@dataclass(frozen=True)
class Prepared:
    """Changes whose contents are stored: by path an entry, rows to append, None for its end."""

    paths: dict[str, Entry | Appended | None]
    below: list[str]

    def appends(self, path: str) -> bool:
        """Whether what happens at a path is that rows come after those there."""
        return isinstance(self.paths.get(path), Appended)

    def tree(self, writer: PieceWriter, parent: Snapshot | None) -> bytes:
        """The root of the parent's tree after these changes."""
        if parent is None:
            entries = map(entry_record, self.first_entries(writer))
            return paged.build(writer.put_page, entries, by_key=True)
        changes: dict[bytes, paged.Record | None] = {}
        for folder in self.below:
            for entry in parent.entries(folder):
                changes[entry.path.encode()] = None
        for path, change in self.paths.items():
            now = (
                _appended(writer, path, change, parent) if isinstance(change, Appended) else change
            )
            changes[path.encode()] = None if now is None else entry_record(now)
        root = bytes.fromhex(parent.committed.commit.tree)
        return paged.update(writer.store.get, writer.put_page, root, sorted(changes.items()))

    def first_entries(self, writer: PieceWriter) -> Iterator[Entry]:
        """The entries of a tree that has no parent, in order; texts sort as their UTF-8 does."""
        for path in sorted(self.paths):
            change = self.paths[path]
            if isinstance(change, Appended):
                yield _appended(writer, path, change, None)
            elif change is not None:
                yield change


def _appended(writer: PieceWriter, path: str, rows: Appended, parent: Snapshot | None) -> Entry:
    before = parent.find(path) if parent is not None else None
    fresh = rows.fresh.copy()
    if before is None:
        return fresh.finish(path, rows.runs)
    return append_rows(writer, before, fresh, path, rows.runs)


def prepare(
    writer: PieceWriter, changes: Sequence[Change], parent: Snapshot | None, report: Report
) -> Prepared:
    """Stores what is new of some changes.

    Raises UsageError, InvalidName, NotFound for what is to be removed and is not there,
    StorageError, Unavailable.
    """
    paths: dict[str, Entry | Appended | None] = {}
    below: list[str] = []
    for change in changes:
        path = check_tree_path(change.entry.path if isinstance(change, PutEntry) else change.path)
        if path in paths and not isinstance(change, Remove):
            raise UsageError(f"{path} is changed twice in one commit", cure="leave one out")
        if isinstance(change, PutFile):
            paths[path] = _put_file(writer, change, report)
        elif isinstance(change, Remove):
            _check_removed(change, parent)
            if change.below:
                below.append(path)
            else:
                paths[path] = None
        elif isinstance(change, PutEntry):
            paths[path] = change.entry
            writer.relied.update(entry_pieces(writer.store, change.entry, set()))
        elif isinstance(change, PutTable):
            paths[path] = _put_table(writer, change, parent, report)
        elif isinstance(change, Update):
            paths[path] = _update(writer, change, parent)
        else:
            paths[path] = _append(writer, change, parent, report)
    return Prepared(paths, below)


def _check_removed(change: Remove, parent: Snapshot | None) -> None:
    found = parent is not None and (
        next(parent.entries(change.path), None) if change.below else parent.find(change.path)
    )
    if not found:
        raise NotFound(
            f"{change.path!r} can't be removed: it is not there", cure="roadworthy data show"
        )


def _put_file(writer: PieceWriter, change: PutFile, report: Report) -> Entry:
    given = change.source
    if not isinstance(given, str | Path):
        source = io.BytesIO(given) if isinstance(given, bytes) else given
        return store_file(writer, change.path, source, report)
    try:
        descriptor = os.open(given, os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{given} is not a regular file", cure="leave it out")
            entry = _put_regular(writer, change.path, descriptor, status.st_size, report)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(
            f"{given} can't be read: {error.strerror or error}",
            cure="check the path and rights",
        ) from error
    return replaced(entry, executable=True) if status.st_mode & 0o111 else entry


def _put_regular(
    writer: PieceWriter, path: str, descriptor: int, size: int, report: Report
) -> Entry:
    """Keeps an open file; a short one is read at once."""
    head = os.read(descriptor, size + 1) if size < LEAST else b""
    if len(head) == size:
        return store_short(writer, path, head, report)
    os.lseek(descriptor, 0, os.SEEK_SET)
    with io.FileIO(descriptor, closefd=False) as file:
        return store_file(writer, path, file, report)


def _writer(
    writer: PieceWriter, schema: pa.Schema, change: PutTable | Append, previous: Manifest | None
) -> TableWriter:
    try:
        return TableWriter(writer, schema, tuple(change.key), previous)
    except UsageError as error:
        raise UsageError(f"{change.path}: {error.message}", cure=error.cure) from None


def _put_table(
    writer: PieceWriter, change: PutTable, parent: Snapshot | None, report: Report
) -> Entry:
    before = parent.find(change.path) if parent is not None else None
    known = before is not None and before.kind == "table"
    previous = load_manifest(writer.store, before) if known and before else None
    with open_rows(change.rows) as reader:
        table = _writer(writer, reader.schema, change, previous)
        runs = table.write(reader, lambda size: report(change.path, size))
    return table.finish(change.path, runs)


def _update(writer: PieceWriter, change: Update, parent: Snapshot | None) -> Entry:
    before = parent.find(change.path) if parent is not None else None
    if before is None or before.content != change.content:
        raise Conflict(
            f"the table {change.path} was changed meanwhile", cure="update the rows there now"
        )
    return update_rows(writer, before, change)


def _append(
    writer: PieceWriter, change: Append, parent: Snapshot | None, report: Report
) -> Appended:
    before = parent.find(change.path) if parent is not None else None
    previous = load_manifest(writer.store, before) if before is not None else None
    with open_rows(change.rows) as reader:
        table = _writer(writer, reader.schema, change, previous)
        runs = table.write(reader, lambda size: report(change.path, size))
    return Appended(table, runs)
