"""Datasets: making commits, finding them, reading what they hold."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection

from roadworthy.core.dataset import (
    MAIN,
    Branch,
    Committed,
    Dataset,
    Erasure,
    Provenance,
    RefChange,
    Retention,
    Tag,
    Use,
)
from roadworthy.core.dataset_names import (
    CommitName,
    check_dataset_name,
    check_ref_name,
    parse_commit,
)
from roadworthy.core.ids import sortable_id
from roadworthy.data import committing
from roadworthy.data.changes import Change
from roadworthy.data.checking import Checked, Checker
from roadworthy.data.collecting import GRACE, Collected, Collector, Say
from roadworthy.data.documents import put_document
from roadworthy.data.erasing import Eraser
from roadworthy.data.files import Report
from roadworthy.data.merging import merge_changes
from roadworthy.data.naming import find_branch, find_commit, find_dataset, find_kept
from roadworthy.data.pieces import PieceStore
from roadworthy.data.rebuilding import Rebuilt, rebuild
from roadworthy.data.snapshot import Snapshot
from roadworthy.errors import Conflict, NotFound, UsageError
from roadworthy.storage.blobs import Blobs
from roadworthy.storage.metadata import Database
from roadworthy.storage.queries import datasets as asked
from roadworthy.storage.queries import erasures as asked_erasures
from roadworthy.storage.queries.pieces import register_pack


class Datasets:
    """Versioned data: what people, programs and ingestion do with it.

    ``clock`` gives the time now, with its zone. Safe to be used by several threads and
    processes at once.
    """

    def __init__(self, database: Database, blobs: Blobs, clock: Callable[[], datetime]) -> None:
        self.database = database
        self.blobs = blobs
        self.store = PieceStore(database, blobs)
        self.clock = clock

    def now(self) -> str:
        """The time now: UTC, ISO 8601, to the microsecond, so that texts sort as times do."""
        return self.clock().astimezone(UTC).isoformat(timespec="microseconds")

    def new_id(self) -> str:
        """An id for an act of writing, that sorts by time."""
        return sortable_id(int(self.clock().timestamp() * 1000), secrets.token_bytes(10))

    # Datasets

    def create(
        self, name: str, *, description: str = "", key: Sequence[str] = (), author: str = ""
    ) -> Dataset:
        """Makes a dataset with the empty branch ``main``. Raises Conflict if there is one."""
        check_dataset_name(name)
        at = self.now()
        new = Dataset(name=name, created=at, description=description, key=list(key))
        detail: dict[str, Any] = {"description": description, "key": list(key)}
        ref = self._put_ref("dataset", name, MAIN, "", 0, at, author, detail)

        def work(connection: Connection) -> Dataset:
            register_pack(connection, ref, 0, [], at)
            if not asked.insert_dataset(connection, new):
                known = find_dataset(connection, name)
                if known != new:
                    raise Conflict(
                        f"there is a dataset {name} already, made {known.created[:10]}",
                        cure="use it, or choose another name",
                    )
            asked.insert_branch(
                connection, Branch(dataset=name, name=MAIN, commit="", generation=0, at=at)
            )
            return new

        return self.database.write(work)

    def dataset(self, name: str) -> Dataset:
        """A dataset by name. Raises NotFound with the nearest names."""
        with self.database.reading() as connection:
            return find_dataset(connection, check_dataset_name(name))

    def all(self) -> list[Dataset]:
        """All datasets, by name."""
        with self.database.reading() as connection:
            return asked.all_datasets(connection)

    # Commits

    def commit(
        self,
        name: str,
        changes: Sequence[Change],
        *,
        message: str,
        author: str = "",
        provenance: Sequence[Provenance] = (),
        expected: str | None = None,
        write: str = "",
        also: Callable[[Connection, Committed], None] | None = None,
        report: Report | None = None,
    ) -> Committed:
        """Makes a commit on a branch (``flights@main``), and moves the branch to it.

        ``expected`` is the digest of the commit that the changes are meant for; without it, the
        one that the branch names when this begins. If the branch moves meanwhile, what only
        appends is done again on the new commit; anything else raises Conflict, which names both.
        ``write`` identifies this act: doing it again gives the commit that it made. ``also`` is
        called in the transaction that makes the commit, and happens with it or not at all; it
        may be called again in a new transaction, after the first was undone.

        Without a difference to the parent no commit is made and the parent is given (``also``
        still happens). Raises NotFound, UsageError, Conflict, StorageError, Unavailable.
        """
        wanted = parse_commit(name)
        if wanted.back or wanted.moment is not None:
            raise UsageError(f"{name} does not name a branch", cure=f"{wanted.dataset}@{MAIN}")
        act = committing.Act(
            dataset=wanted.dataset,
            branch=wanted.ref,
            message=message,
            author=author,
            provenance=list(provenance),
            write=write or self.new_id(),
            expected=expected,
            also=also,
            again=bool(write),
        )
        return committing.Committer(self, act, report or _silent).commit(changes)

    @contextlib.contextmanager
    def committing_beside(
        self,
        name: str,
        changes: Sequence[Change],
        *,
        message: str,
        author: str = "",
        provenance: Sequence[Provenance] = (),
    ) -> Iterator[Callable[[Connection], Committed]]:
        """Stores what a branch is to hold, and gives what commits it in another's transaction.

        Called by ``also`` of another commit, it has both happen or neither. Raises what
        ``commit`` raises; in the transaction Conflict, where the branch was moved meanwhile.
        """
        wanted = parse_commit(name)
        act = committing.Act(
            dataset=wanted.dataset,
            branch=wanted.ref,
            message=message,
            author=author,
            provenance=list(provenance),
            write=self.new_id(),
            expected=None,
            also=None,
        )
        with committing.Committer(self, act, _silent).beside(changes) as make:
            yield make

    def merge(
        self, into: str, other: str, *, author: str = "", message: str = "", dry_run: bool = False
    ) -> Committed:
        """Brings what another line did into a branch (``flights@main``): a commit with two parents.

        Lines that touch different paths are merged, and appended rows; the rest raises Conflict,
        which lists the paths. Where the other line merely continues the branch, the branch moves
        to it. Raises UsageError, NotFound, Conflict, StorageError.
        """
        wanted = parse_commit(into)
        ours, theirs = self.find(into), self.find(other)
        changes, continues = merge_changes(self, ours, theirs)
        if dry_run or not changes:
            return theirs if continues else ours
        if continues:
            self.move_branch(wanted.dataset, wanted.ref, other, author=author)
            return theirs
        act = committing.Act(
            dataset=wanted.dataset,
            branch=wanted.ref,
            message=message or f"Merge {other}",
            author=author,
            provenance=[],
            write=self.new_id(),
            expected=ours.digest,
            also=None,
            parents=(theirs.digest,),
        )
        return committing.Committer(self, act, _silent).commit(changes)

    def find(self, name: str) -> Committed:
        """The commit that a name means. Raises NotFound, InvalidName.

        ``flights``, ``flights@main~2``, ``flights@3f2a90``, ``flights@2026-03-01`` (as of).
        """
        with self.database.reading() as connection:
            return find_commit(connection, parse_commit(name))

    def read(self, name: str) -> Snapshot:
        """What a commit holds, by any of its names. Raises NotFound, InvalidName."""
        return Snapshot(self.store, self.find(name))

    def snapshot(self, committed: Committed) -> Snapshot:
        """What a commit holds."""
        return Snapshot(self.store, committed)

    def log(self, name: str, limit: int = 50, skip: int = 0) -> list[Committed]:
        """A commit and those before it along the line it continues, newest first."""
        wanted = parse_commit(name)
        with self.database.reading() as connection:
            try:
                digest = find_commit(connection, wanted).digest
            except NotFound:
                if wanted.back or wanted.moment or not self._is_empty(connection, wanted):
                    raise
                return []
            return asked.line(connection, digest, limit, skip)

    def _is_empty(self, connection: Connection, wanted: CommitName) -> bool:
        branch = asked.branch(connection, wanted.dataset, wanted.ref)
        return branch is not None and not branch.commit

    # Branches and tags

    def branch(self, dataset: str, name: str) -> Branch:
        """A branch by name. Raises NotFound."""
        with self.database.reading() as connection:
            return find_branch(connection, dataset, name)

    def branches(self, dataset: str) -> list[Branch]:
        """The branches of a dataset, by name. Raises NotFound."""
        with self.database.reading() as connection:
            find_dataset(connection, dataset)
            return asked.branches(connection, dataset)

    def create_branch(self, dataset: str, name: str, of: str = "", author: str = "") -> Branch:
        """Makes a branch of a commit (any of its names; without one, an empty branch).

        Raises Conflict if there is one of this name, NotFound, InvalidName.
        """
        check_ref_name(name)
        commit = self.find(of).digest if of else ""
        at = self.now()
        with self.database.reading() as connection:
            find_dataset(connection, dataset)
            generation = asked.last_generation(connection, dataset, name) + 1
        new = Branch(dataset=dataset, name=name, commit=commit, generation=generation, at=at)
        ref = self._put_ref("branch", dataset, name, commit, generation, at, author, {})

        def work(connection: Connection) -> Branch:
            register_pack(connection, ref, 0, [], at)
            self._still_there(connection, commit)
            if not asked.insert_branch(connection, new):
                known = find_branch(connection, dataset, name)
                if known != new:
                    raise Conflict(f"{dataset} has a branch {name} already", cure="use it")
            asked.refs_changed(connection)
            return new

        return self.database.write(work)

    def move_branch(self, dataset: str, name: str, to: str, *, author: str = "") -> Branch:
        """Has a branch name another commit: forward, back, or of another line.

        Raises NotFound, Conflict where the branch was moved meanwhile.
        """
        target = self.find(to)
        before = self.branch(dataset, name)
        if target.commit.dataset != dataset:
            raise UsageError(f"{to} is not a commit of {dataset}", cure="import it first")
        if before.commit == target.digest:
            return before
        moved = msgspec.structs.replace(
            before, commit=target.digest, generation=before.generation + 1, at=self.now()
        )
        ref = self._put_ref(
            "branch", dataset, name, target.digest, moved.generation, moved.at, author, {}
        )

        def work(connection: Connection) -> Branch:
            register_pack(connection, ref, 0, [], moved.at)
            self._still_there(connection, target.digest)
            if not asked.move_branch(connection, moved, before.commit):
                now = find_branch(connection, dataset, name)
                if now != moved:
                    raise Conflict(
                        f"{dataset}@{name} was moved to b3:{now.commit[:12]} meanwhile",
                        cure=f"roadworthy data log {dataset}@{name}, then try again",
                    )
            asked.refs_changed(connection)
            return moved

        return self.database.write(work)

    def delete_branch(self, dataset: str, name: str, *, author: str = "") -> Branch:
        """Removes a branch; its commits stay until gc. Raises NotFound, Conflict, UsageError."""
        if name == MAIN:
            raise UsageError(f"{MAIN} can't be removed", cure="remove other branches")
        known = self.branch(dataset, name)
        at = self.now()
        ref = self._put_ref("branch", dataset, name, "", known.generation + 1, at, author, {})

        def work(connection: Connection) -> Branch:
            register_pack(connection, ref, 0, [], at)
            if not asked.delete_branch(connection, known):
                if asked.branch(connection, dataset, name) is not None:
                    raise Conflict(f"{dataset}@{name} was moved meanwhile", cure="try again")
            asked.refs_changed(connection)
            return known

        return self.database.write(work)

    def set_retention(self, dataset: str, name: str, rule: Retention) -> Branch:
        """Replaces the rule by which gc drops a branch's old commits. Raises NotFound."""

        def work(connection: Connection) -> Branch:
            branch = find_branch(connection, dataset, name)
            asked.set_retention(connection, branch, rule)
            asked.refs_changed(connection)
            return msgspec.structs.replace(branch, retention=rule)

        return self.database.write(work)

    def tags(self, dataset: str) -> list[Tag]:
        """The tags of a dataset, by name. Raises NotFound."""
        with self.database.reading() as connection:
            find_dataset(connection, dataset)
            return asked.tags(connection, dataset)

    def create_tag(
        self, dataset: str, name: str, of: str, *, author: str = "", message: str = ""
    ) -> Tag:
        """Gives a commit a name that stays. Raises Conflict if the name is taken, NotFound."""
        check_ref_name(name, "tag")
        commit = self.find(of)
        at = self.now()
        new = Tag(
            dataset=dataset, name=name, commit=commit.digest, at=at, author=author, message=message
        )
        detail = {"message": message}
        ref = self._put_ref("tag", dataset, name, commit.digest, 1, at, author, detail)

        def work(connection: Connection) -> Tag:
            register_pack(connection, ref, 0, [], at)
            self._still_there(connection, commit.digest)
            if not asked.insert_tag(connection, new):
                known = asked.tag(connection, dataset, name)
                if known != new:
                    raise Conflict(f"{dataset} has a tag {name} already", cure="choose another")
            asked.refs_changed(connection)
            return new

        return self.database.write(work)

    def delete_tag(self, dataset: str, name: str, *, author: str = "") -> None:
        """Removes a tag. Raises NotFound."""
        ref = self._put_ref("tag", dataset, name, "", 2, self.now(), author, {})

        def work(connection: Connection) -> None:
            register_pack(connection, ref, 0, [], self.now())
            if not asked.delete_tag(connection, dataset, name):
                find_dataset(connection, dataset)
                raise NotFound(
                    f"{dataset} has no tag {name}", cure=f"roadworthy data tag {dataset}"
                )
            asked.refs_changed(connection)

        self.database.write(work)

    # Care

    def collect(
        self, *, grace: timedelta = GRACE, dry_run: bool = True, say: Say | None = None
    ) -> Collected:
        """Removes what no branch, tag, run, release or job reaches, after a grace period.

        Safe beside writers. Raises Conflict, StorageError.
        """
        return Collector(self.store, self.clock).collect(grace=grace, dry_run=dry_run, say=say)

    def check(self, say: Say | None = None) -> Checked:
        """Checks every digest; what is damaged and which commits it touches."""
        return Checker(PieceStore(self.database, self.blobs)).check(say)

    def rebuild(self, say: Say | None = None) -> Rebuilt:
        """Fills empty metadata with the datasets that the store holds. Raises Conflict."""
        return rebuild(self.store, self.now, say)

    def erase(
        self,
        dataset: str,
        path: str,
        *,
        reason: str,
        author: str = "",
        of: str = "",
        keep_heads: bool = False,
        dry_run: bool = False,
    ) -> list[Erasure]:
        """Erases what was ever at a path, or what a commit (``of``) has there, from all history.

        ``keep_heads`` leaves what branches have now. Other contents lose nothing. Raises
        NotFound, UsageError, Conflict, StorageError.
        """
        eraser = Eraser(PieceStore(self.database, self.blobs), self.now())
        if of:
            entries = [self.read(of).entry(path)]
        else:
            self.dataset(dataset)
            entries = eraser.contents_at(dataset, path, keep_heads)
        return eraser.erase(dataset, entries, reason=reason, author=author, dry_run=dry_run)

    def erasures(self, dataset: str) -> list[Erasure]:
        """What was erased of a dataset, oldest first."""
        with self.database.reading() as connection:
            return asked_erasures.erasures_of(connection, dataset)

    # Provenance

    def record_uses(self, commits: Iterable[str], kind: str, name: str, detail: str = "") -> None:
        """Keeps that a run, release, job … used commits (digests). Doing it again does nothing."""
        rows = [(commit, kind, name, detail) for commit in commits]
        at = self.now()

        def work(connection: Connection) -> None:
            asked.save_uses(connection, rows, at)
            asked.refs_changed(connection)

        self.database.write(work)

    def downstream(self, digest: str) -> list[Use]:
        """What a commit reached: commits made from it, directly or through others, and whatever
        runs, releases and jobs used any of them; nearest first.
        """
        found: list[Use] = []
        seen = {digest}
        wave = [digest]
        with self.database.reading() as connection:
            while wave:
                uses = asked.uses_of(connection, wave)
                found += uses
                wave = [use.name for use in uses if use.kind == "commit" and use.name not in seen]
                seen.update(wave)
        return found

    def impact(self, name: str) -> list[Use]:
        """What a commit, by any of its names, reached. Raises NotFound, InvalidName."""
        return self.downstream(self.find(name).digest)

    def upstream(self, kind: str, name: str) -> list[str]:
        """The commits (digests) that a run, release or job used."""
        with self.database.reading() as connection:
            return [digest for digest, _ in asked.used_by(connection, kind, name)]

    def _still_there(self, connection: Connection, digest: str) -> None:
        if digest:
            find_kept(connection, digest)

    def _put_ref(
        self,
        kind: str,
        dataset: str,
        name: str,
        commit: str,
        generation: int,
        at: str,
        author: str,
        detail: dict[str, Any],
    ) -> str:
        """Keeps a change of names in the store, so that the metadata can be made again from it."""
        change = RefChange(
            kind=kind,  # type: ignore[arg-type]
            dataset=dataset,
            name=name,
            commit=commit,
            generation=generation,
            at=at,
            author=author,
            detail=detail,
        )
        return put_document(self.blobs, change)


def _silent(_path: str, _size: int) -> None:
    """Nobody is told."""
