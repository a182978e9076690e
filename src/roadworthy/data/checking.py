"""fsck: every digest checked; what is damaged, and which commits it touches."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from roadworthy.core.dataset import Commit, Committed, Entry
from roadworthy.core.values import Document
from roadworthy.data import paged
from roadworthy.data.collecting import Say
from roadworthy.data.documents import get_document
from roadworthy.data.files import chunks_of, list_pieces
from roadworthy.data.patches import load_array
from roadworthy.data.pieces import PieceStore
from roadworthy.data.snapshot import entry_of
from roadworthy.data.stored import load_bytes
from roadworthy.data.tables import check_rows, load_manifest
from roadworthy.errors import Erased, RoadworthyError, StorageError
from roadworthy.storage.queries import datasets as asked
from roadworthy.storage.queries import packs

_AT_ONCE = 256
_MOST_PACKS = 2000
"""How many packs a quick look asks for, the newest."""


class Problem(Document, frozen=True):
    """Something that is not as it was written: what, why, and in which commits at which path."""

    what: str
    reason: str
    commits: list[str] = []
    path: str = ""


class Checked(Document, frozen=True):
    """What fsck looked at and what it found."""

    packs: int
    pieces: int
    commits: int
    bytes: int
    erased: int
    problems: list[Problem]


class Looked(Document, frozen=True):
    """What a quick look found; ``all_read``: everything that branches hold was read."""

    problems: list[Problem]
    all_read: bool


class Checker:
    """fsck over one store. Reads everything; changes nothing."""

    def __init__(self, store: PieceStore) -> None:
        self._store = store
        self._bad: dict[bytes, str] = {}
        self._looked: set[bytes] = set()
        self._verdicts: dict[bytes, list[tuple[str, str]]] = {}
        self._entries: dict[bytes, str] = {}
        self._erased = 0

    def check(self, say: Say | None = None) -> Checked:
        """Checks packs, commits, trees and the values of all contents."""
        with self._store.database.reading() as connection:
            known = [each for each in packs.all_packs(connection) if each.state != "deleted"]
            commits = asked.commits_of(connection, None)
        done = pieces = 0
        for each in known:
            if each.size:
                pieces += self._check_pack(each)
            done += each.size
            if say is not None:
                say("packs", done, sum(pack.size for pack in known))
        found: dict[tuple[str, str, str], list[str]] = {}
        for number, committed in enumerate(commits):
            for path, what, reason in self._check_commit(committed):
                found.setdefault((what, reason, path), []).append(committed.name)
            if say is not None:
                say("commits", number + 1, len(commits))
        problems = [
            Problem(what=what, reason=reason, path=path, commits=names)
            for (what, reason, path), names in found.items()
        ]
        told = {reason for _, reason, _ in found}
        problems += [
            Problem(what=f"piece b3:{digest.hex()[:12]}", reason=reason)
            for digest, reason in self._bad.items()
            if reason not in told
        ]
        return Checked(
            packs=sum(each.size > 0 for each in known),
            pieces=pieces,
            commits=len(commits),
            bytes=done,
            erased=self._erased,
            problems=problems,
        )

    def look(self, most_bytes: int) -> Looked:
        """Looks whether packs are there, and reads what branches hold, newest first, to a bound."""
        with self._store.database.reading() as connection:
            known = [each for each in packs.all_packs(connection) if each.state != "deleted"]
            digests = {each.commit for each in asked.branches(connection) if each.commit}
            heads = [asked.commit(connection, digest) for digest in digests]
        problems = [found for each in known[-_MOST_PACKS:] if (found := self._there(each))]
        left = most_bytes
        skipped = False
        there = [each for each in heads if each is not None]
        for head in sorted(there, key=lambda each: each.commit.at, reverse=True):
            if head.commit.bytes > left:
                skipped = True
                continue
            left -= head.commit.bytes
            problems += [
                Problem(what=what, reason=reason, path=path, commits=[head.name])
                for path, what, reason in self._check_commit(head)
            ]
        return Looked(problems=problems, all_read=not skipped)

    def _there(self, pack: packs.Pack) -> Problem | None:
        """What can be seen of a pack without reading it."""
        if not pack.size:
            return None
        size = self._store.blobs.size(pack.digest)
        if size == pack.size:
            return None
        reason = "it is missing" if size is None else f"it has {size} bytes of {pack.size}"
        return Problem(what=f"pack b3:{pack.digest[:12]}", reason=reason)

    def _check_pack(self, pack: packs.Pack) -> int:
        with self._store.database.reading() as connection:
            digests = packs.pieces_in(connection, pack.id)
        for at in range(0, len(digests), _AT_ONCE):
            some = digests[at : at + _AT_ONCE]
            try:
                self._store.stored(some)
            except StorageError:
                for digest in some:
                    self._check_piece(digest)
        return len(digests)

    def _check_piece(self, digest: bytes) -> None:
        try:
            self._store.stored([digest])
        except StorageError as error:
            self._bad[digest] = error.message

    def _check_commit(self, committed: Committed) -> Iterator[tuple[str, str, str]]:
        """The problems of a commit: path, what, reason."""
        try:
            if get_document(self._store.blobs, committed.digest, Commit) != committed.commit:
                yield "", committed.name, "its record in the metadata is not the commit's"
        except RoadworthyError as error:
            yield "", committed.name, error.message
        root = bytes.fromhex(committed.commit.tree)
        for path, reason in self._page(root):
            yield path, path or "tree", reason

    def _page(self, digest: bytes) -> list[tuple[str, str]]:
        """The problems of a tree's page and all below it; worked out once."""
        if digest not in self._verdicts:
            found: list[tuple[str, str]] = []
            try:
                level, rows = paged.load_page(self._store.get, digest)
            except StorageError as error:
                found.append(("", error.message))
            else:
                for row in rows:
                    found += self._page(row.payload) if level else self._entry(entry_of(row))
            self._verdicts[digest] = found
        return self._verdicts[digest]

    def _entry(self, entry: Entry) -> list[tuple[str, str]]:
        key = bytes.fromhex(entry.content)
        if key not in self._entries:
            try:
                self._check_content(entry)
                self._entries[key] = ""
            except Erased:
                self._erased += 1
                self._entries[key] = ""
            except StorageError as error:
                self._entries[key] = error.message
        reason = self._entries[key]
        return [(entry.path, reason)] if reason else []

    def _check_content(self, entry: Entry) -> None:
        if entry.kind == "file":
            for piece in list_pieces(entry):
                self._store.get(piece)
            digests = [chunk.digest for chunk in chunks_of(self._store, entry)]
            for at in range(0, len(digests), _AT_ONCE):
                some = [each for each in digests[at : at + _AT_ONCE] if each not in self._looked]
                stored = self._store.stored(some)
                for digest in some:
                    load_bytes(stored[digest], digest)
                self._looked.update(some)
            return
        manifest = load_manifest(self._store, entry)
        schema = manifest.arrow()
        rows = 0
        for run in paged.records(self._store.get, manifest.runs):
            self._check_run(run, schema)
            rows += run.weight
        check_rows(entry, manifest, rows)

    def _check_run(self, run: paged.Record, schema: pa.Schema) -> None:
        digests = [run.payload[at : at + 32] for at in range(0, len(run.payload), 32)]
        fresh = [each for each in digests if each not in self._looked]
        stored = self._store.stored(fresh)
        for digest, field in zip(digests, schema, strict=True):
            if digest in stored and digest not in self._looked:
                load_array(stored, field.type, digest, verify=True)
        self._looked.update(fresh)
