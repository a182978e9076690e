"""Making one commit: contents first, then the commit, last the branch, all or nothing.

Contents and commit are immutable and named by digest. The branch moves by compare-and-set in one
transaction of the metadata. A crash before that leaves only what nothing names; a lost answer is
resolved by looking for the act's own id.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection

from roadworthy.core.dataset import (
    Branch,
    Commit,
    Committed,
    Dataset,
    Entry,
    Provenance,
    TableSummary,
)
from roadworthy.data import paged
from roadworthy.data.changes import Append, Change, Remove
from roadworthy.data.documents import put_document
from roadworthy.data.files import Report
from roadworthy.data.naming import find_branch, find_kept
from roadworthy.data.pieces import PieceWriter
from roadworthy.data.preparing import Prepared, prepare
from roadworthy.data.snapshot import Snapshot, entry_of
from roadworthy.data.tables import load_manifest
from roadworthy.errors import Conflict
from roadworthy.storage.queries import datasets as asked
from roadworthy.storage.queries.pieces import PackGone, hold, register_pack

if TYPE_CHECKING:
    from roadworthy.data.datasets import Datasets

_MOST_TABLES = 50
_MOST_REBASES = 20


@dataclass(frozen=True, kw_only=True)
class Act:
    """One act of committing: where, by whom, why, under which id."""

    dataset: str
    branch: str
    message: str
    author: str
    provenance: list[Provenance]
    write: str
    expected: str | None
    also: Callable[[Connection, Committed], None] | None
    parents: tuple[str, ...] = ()
    again: bool = False
    """Whether it may have been done before, by whoever gave its id."""


class _Moved(Exception):
    """The branch names another commit than the one that was built on."""

    def __init__(self, branch: Branch) -> None:
        super().__init__(branch.commit)
        self.branch = branch


class Committer:
    """Carries out one act."""

    def __init__(self, datasets: Datasets, act: Act, report: Report) -> None:
        self._datasets = datasets
        self._dataset: Dataset
        self._act = act
        self._report = report

    def commit(self, changes: Sequence[Change]) -> Committed:
        """The commit with these changes; the one that this act made before, if it did."""
        known = self._done()
        if known is not None:
            return known
        branch, parent = self._parent()
        self._check_expected(branch)
        with PieceWriter(self._datasets.store, self._datasets.now) as writer:
            prepared = prepare(writer, changes, parent, self._report)
            for attempt in range(_MOST_REBASES):
                try:
                    return self._try(writer, prepared, branch, parent)
                except _Moved as moved:
                    if attempt + 1 == _MOST_REBASES:
                        raise self._conflict(moved.branch, parent) from None
                    branch, parent = self._rebased(changes, moved.branch, parent)
                    time.sleep(random.uniform(0, 0.01) * 2 ** min(attempt, 6))
        raise AssertionError("the loop returns or raises")

    @contextlib.contextmanager
    def beside(self, changes: Sequence[Change]) -> Iterator[Callable[[Connection], Committed]]:
        """Stores these changes and gives what makes the commit in another's transaction."""
        branch, parent = self._parent()
        with PieceWriter(self._datasets.store, self._datasets.now) as writer:
            prepared = prepare(writer, changes, parent, self._report)
            tree = prepared.tree(writer, parent)
            if parent is not None and tree.hex() == parent.committed.commit.tree:
                same = parent.committed
                yield lambda _connection: same
                return
            commit = self._commit_of(writer, prepared, tree, branch, parent)
            new = Committed(digest=put_document(self._datasets.blobs, commit), commit=commit)

            def make(connection: Connection) -> Committed:
                try:
                    return self._move(connection, writer, new, branch, False)
                except _Moved as moved:
                    raise self._conflict(moved.branch, parent) from None

            yield make

    def _parent(self) -> tuple[Branch, Snapshot | None]:
        with self._datasets.database.reading() as connection:
            head = asked.head(connection, self._act.dataset, self._act.branch)
            if head is None:
                return find_branch(connection, self._act.dataset, self._act.branch), None
        self._dataset, branch, newest = head
        return branch, None if newest is None else self._datasets.snapshot(newest)

    def _check_expected(self, branch: Branch) -> None:
        expected = self._act.expected
        if expected is not None and branch.commit != expected:
            raise Conflict(
                f"{self._act.dataset}@{self._act.branch} is at b3:{branch.commit[:12] or 'none'}, "
                f"not at b3:{expected[:12] or 'none'}, which the changes are meant for",
                cure=f"roadworthy data log {self._act.dataset}@{self._act.branch}; do it again",
                theirs=branch.commit,
                expected=expected,
            )

    def _done(self) -> Committed | None:
        if not self._act.again:
            return None
        with self._datasets.database.reading() as connection:
            return asked.commit_of_write(connection, self._act.write)

    def _try(
        self, writer: PieceWriter, prepared: Prepared, branch: Branch, parent: Snapshot | None
    ) -> Committed:
        tree = prepared.tree(writer, parent)
        if parent is not None and tree.hex() == parent.committed.commit.tree:
            if not self._act.parents:
                return self._unchanged(parent.committed)
        commit = self._commit_of(writer, prepared, tree, branch, parent)
        digest = put_document(self._datasets.blobs, commit)
        try:
            return self._publish(writer, Committed(digest=digest, commit=commit), branch)
        except _Moved:
            # Its name holds this act's id, so nobody else's is removed; and it never was a commit.
            self._datasets.blobs.delete(digest)
            raise

    def _unchanged(self, parent: Committed) -> Committed:
        if self._act.also is not None:
            also = self._act.also
            self._datasets.database.write(lambda connection: also(connection, parent))
        return parent

    def _commit_of(
        self,
        writer: PieceWriter,
        prepared: Prepared,
        tree: bytes,
        branch: Branch,
        parent: Snapshot | None,
    ) -> Commit:
        before = parent.committed.commit if parent else None
        made = _Summary(writer, prepared, before)
        if before is None:
            for entry in prepared.first_entries(writer):
                made.add(entry.path, None, entry)
        else:
            root = bytes.fromhex(before.tree)
            for key, was, now in paged.differences(writer.get, root, tree):
                made.add(
                    key.decode(), entry_of(was) if was else None, entry_of(now) if now else None
                )
        writer.finish()
        parents = [parent.committed.digest] if parent else []
        return Commit(
            dataset=self._act.dataset,
            tree=tree.hex(),
            parents=[*parents, *self._act.parents],
            branch=branch.name,
            generation=branch.generation + 1,
            author=self._act.author,
            message=self._act.message,
            at=max(self._datasets.now(), before.at if before else ""),
            write=self._act.write,
            files=made.files,
            bytes=made.bytes,
            added=writer.added,
            tables=sorted(made.tables.values(), key=lambda each: each.path),
            more_tables=made.count - len(made.tables),
            provenance=self._act.provenance,
            append_only=made.append_only,
            description=self._dataset.description,
            key=self._dataset.key,
        )

    def _publish(self, writer: PieceWriter, new: Committed, branch: Branch) -> Committed:
        """Makes the commit the branch's, in one transaction; exactly once."""
        database = self._datasets.database
        try:
            return database.write(lambda c: self._move(c, writer, new, branch, False))
        except PackGone as error:
            if error.details.get("state") != "deleted":
                raise
        writer.put_again()
        put_document(self._datasets.blobs, new.commit)
        return database.write(lambda c: self._move(c, writer, new, branch, True))

    def _move(
        self,
        connection: Connection,
        writer: PieceWriter,
        new: Committed,
        branch: Branch,
        rewritten: bool,
    ) -> Committed:
        known = asked.commit_of_write(connection, self._act.write) if self._act.again else None
        if known is not None:
            return known
        moved = msgspec.structs.replace(
            branch, commit=new.digest, generation=branch.generation + 1, at=new.commit.at
        )
        if not asked.move_branch(connection, moved, branch.commit):
            known = asked.commit_of_write(connection, self._act.write)
            if known is not None:  # the answer of the first try was lost
                return known
            raise _Moved(find_branch(connection, branch.dataset, branch.name))
        for parent in self._act.parents:
            find_kept(connection, parent)
        at = new.commit.at
        relied = set(writer.relied)
        for digest, size, packed in writer.unregistered:
            relied.update(register_pack(connection, digest, size, packed, at, rewritten=rewritten))
        fresh = {digest for digest, _, _ in writer.unregistered}
        hold(connection, relied, [each for each in writer.packs if each not in fresh], at)
        register_pack(connection, new.digest, 0, [], at, rewritten=rewritten)
        asked.insert_commit(connection, new)
        uses = [
            (each.name.partition("@")[2], "commit", new.digest, each.detail)
            for each in new.commit.provenance
            if each.kind == "commit"
        ]
        asked.save_uses(connection, uses, at)
        if self._act.also is not None:
            self._act.also(connection, new)
        return new

    def _rebased(
        self, changes: Sequence[Change], branch: Branch, parent: Snapshot | None
    ) -> tuple[Branch, Snapshot | None]:
        """The commit to build on now. Raises Conflict unless the changes only append to both."""
        if self._act.expected is not None or self._act.parents:
            raise self._conflict(branch, parent)
        now, head = self._parent()
        for change in changes:
            if isinstance(change, Append):
                continue
            if isinstance(change, Remove) or _was_there(change, parent) or _was_there(change, head):
                raise self._conflict(now, parent)
        return now, head

    def _conflict(self, branch: Branch, parent: Snapshot | None) -> Conflict:
        ours = parent.committed.digest if parent else ""
        with self._datasets.database.reading() as connection:
            theirs = asked.commit(connection, branch.commit)
        by = f", by {theirs.commit.author}" if theirs and theirs.commit.author else ""
        return Conflict(
            f"{branch.dataset}@{branch.name} was moved from b3:{ours[:12] or 'none'} to "
            f"b3:{branch.commit[:12]} meanwhile{by}"
            + (
                f" ({theirs.commit.message.splitlines()[0]})"
                if theirs and theirs.commit.message
                else ""
            ),
            cure=f"roadworthy data log {branch.dataset}@{branch.name}; commit again on top of it",
            ours=ours,
            theirs=branch.commit,
        )


def _was_there(change: Any, snapshot: Snapshot | None) -> bool:
    path = change.entry.path if hasattr(change, "entry") else change.path
    return snapshot is not None and snapshot.find(path) is not None


class _Summary:
    """What a commit says of its tree: counted from its parent's and what changed."""

    def __init__(self, writer: PieceWriter, prepared: Prepared, before: Commit | None) -> None:
        self.files = before.files if before else 0
        self.bytes = before.bytes if before else 0
        self.tables = {each.path: each for each in before.tables} if before else {}
        self.count = len(self.tables) + (before.more_tables if before else 0)
        self.append_only = True
        self._writer = writer
        self._prepared = prepared

    def add(self, path: str, before: Entry | None, after: Entry | None) -> None:
        """Counts one path: what was there, what is."""
        for entry, sign in ((before, -1), (after, 1)):
            if entry is not None:
                self.files += sign
                self.bytes += sign * entry.size
                self.count += sign * (entry.kind == "table")
        self.tables.pop(path, None)
        if after is not None and after.kind == "table" and len(self.tables) < _MOST_TABLES:
            fields = load_manifest(self._writer, after).fields()
            self.tables[path] = TableSummary(path=path, rows=after.rows, fields=fields)
        if before is not None and not self._prepared.appends(path):
            self.append_only = False
