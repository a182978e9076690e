"""Erasing a content from all history: its bytes go, its digest and the reason stay.

Commits are not changed: their digests, and whatever was certified on them, can still be checked.
Reading what was erased says who erased it, when and why.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
from sqlalchemy import Connection

from roadworthy.core.dataset import Committed, Entry, Erasure, RefChange
from roadworthy.data import paged
from roadworthy.data.collecting import bury, move_pieces, register_moved
from roadworthy.data.columns import store_column
from roadworthy.data.documents import put_document
from roadworthy.data.packs import make_pack, read_footer
from roadworthy.data.patches import load_array
from roadworthy.data.pieces import PieceStore
from roadworthy.data.reachable import entry_pieces
from roadworthy.data.snapshot import Snapshot
from roadworthy.data.tables import load_manifest
from roadworthy.errors import Conflict, Erased, NotFound, StorageError, UsageError
from roadworthy.storage.queries import datasets as asked
from roadworthy.storage.queries import erasures, packs
from roadworthy.storage.queries.pieces import register_pack


def erasure_note(record: Erasure, pieces: Iterable[bytes]) -> RefChange:
    """An erasure as the store keeps it, so that metadata made again from it knows."""
    return RefChange(
        kind="erased",
        dataset=record.dataset,
        name=record.path,
        commit=record.content,
        generation=0,
        at=record.at,
        author=record.author,
        detail={
            "reason": record.reason,
            "bytes": record.bytes,
            "pieces": [piece.hex() for piece in sorted(pieces)],
        },
    )


class Eraser:
    """Removes contents from one store."""

    def __init__(self, store: PieceStore, now: str) -> None:
        self._store = store
        self._database = store.database
        self._now = now

    def contents_at(self, dataset: str, path: str, keep_heads: bool) -> list[Entry]:
        """The contents that were ever at a path of a dataset, oldest first.

        Those that a branch has now are left out where ``keep_heads`` is set.
        """
        with self._database.reading() as connection:
            commits = asked.commits_of(connection, dataset)
            heads = {each.commit for each in asked.branches(connection, dataset)}
        found: dict[str, Entry] = {}
        kept: set[str] = set()
        for committed in commits:
            entry = self._entry(committed, path)
            if entry is not None:
                found.setdefault(entry.content, entry)
                if keep_heads and committed.digest in heads:
                    kept.add(entry.content)
        return [entry for content, entry in found.items() if content not in kept]

    def erase(
        self, dataset: str, entries: Iterable[Entry], *, reason: str, author: str, dry_run: bool
    ) -> list[Erasure]:
        """Removes contents, except the pieces that contents which stay rest on too.

        Raises UsageError without a reason, StorageError; what was begun can be done again.
        """
        if not reason.strip():
            raise UsageError("an erasure needs a reason: it is what stays", cure="give --reason")
        chosen = {entry.content: entry for entry in entries}
        if not chosen:
            raise NotFound("there is nothing to erase at this path", cure="roadworthy data log")
        own = {content: self._pieces(entry) for content, entry in chosen.items()}
        doomed: set[bytes] = set().union(*own.values())
        patches = self._resting_on(doomed)
        records = []
        gone = doomed - self._still_needed(doomed, set(chosen))
        with self._database.reading() as connection:
            sizes = {digest: length for digest, _, length in packs.all_pieces(connection)}
        for content, entry in chosen.items():
            mine = own[content] & gone
            records.append(
                Erasure(
                    content=content,
                    dataset=dataset,
                    path=entry.path,
                    at=self._now,
                    author=author,
                    reason=reason.strip(),
                    pieces=len(mine),
                    bytes=sum(sizes.get(piece, 0) for piece in mine),
                )
            )
        if not dry_run:
            self._write_whole([each for each in patches if each not in gone])
            self._remove(records, own, gone)
        return records

    def _entry(self, committed: Committed, path: str) -> Entry | None:
        return Snapshot(self._store, committed).find(path)

    def _pieces(self, entry: Entry) -> set[bytes]:
        """What an entry rests on; of a table that was erased before, what is left to be named."""
        try:
            return set(entry_pieces(self._store, entry, set()))
        except Erased:
            return set()

    def _still_needed(self, doomed: set[bytes], chosen: set[str]) -> set[bytes]:
        """The doomed pieces that contents which stay rest on."""
        needed: set[bytes] = set()
        looked: set[str] = set()
        with self._database.reading() as connection:
            commits = asked.commits_of(connection, None)
        for committed in commits:
            for entry in Snapshot(self._store, committed).entries():
                if entry.content not in chosen and entry.content not in looked:
                    looked.add(entry.content)
                    needed |= self._pieces(entry) & doomed
        return needed

    def _resting_on(self, doomed: set[bytes]) -> set[bytes]:
        """The patches of contents that stay, whose base is to go."""
        with self._database.reading() as connection:
            return {patch for patch, _ in packs.patches_of(connection, doomed)}

    def _write_whole(self, patches: list[bytes]) -> None:
        """Writes patches as whole pieces, so that they rest on nothing any more."""
        kinds = self._kinds(set(patches)) if patches else {}
        by_pack: dict[int, list[tuple[bytes, bytes]]] = {}
        with self._database.reading() as connection:
            places = packs.packs_of(connection, patches)
        for pack, digests in places.items():
            for digest in digests:
                if digest in kinds:
                    stored = self._store.stored([digest])
                    array = load_array(stored, kinds[digest], digest)
                    by_pack.setdefault(pack, []).append((digest, store_column(array)))
        for pack, pieces in by_pack.items():
            data, packed = make_pack(pieces)
            name = self._store.blobs.put(data)
            register_moved(self._store, name, len(data), packed, pack, self._now)

    def _kinds(self, wanted: set[bytes]) -> dict[bytes, pa.DataType]:
        """The Arrow types of some columns' pieces, as the tables that have them say."""
        found: dict[bytes, pa.DataType] = {}
        looked: set[str] = set()
        with self._database.reading() as connection:
            commits = asked.commits_of(connection, None)
        for committed in commits:
            for entry in Snapshot(self._store, committed).entries():
                if entry.kind != "table" or entry.content in looked:
                    continue
                looked.add(entry.content)
                try:
                    manifest = load_manifest(self._store, entry)
                except Erased:
                    continue
                schema = manifest.arrow()
                for run in paged.records(self._store.get, manifest.runs):
                    for number, field in enumerate(schema):
                        digest = run.payload[32 * number : 32 * number + 32]
                        if digest in wanted:
                            found[digest] = field.type
        return found

    def _remove(self, records: list[Erasure], own: dict[str, set[bytes]], gone: set[bytes]) -> None:
        """Has packs without the pieces take the place of those with them.

        In an order that can be begun again: the index forgets the pieces in the transaction that
        dooms their pack.
        """

        def note(connection: Connection) -> None:
            for document in documents:
                register_pack(connection, document, 0, [], self._now)
            for record in records:
                erasures.save_erasure(connection, record, own[record.content] & gone)

        notes = [erasure_note(each, own[each.content] & gone) for each in records]
        documents = [put_document(self._store.blobs, each) for each in notes]
        self._database.write(note)
        with self._database.reading() as connection:
            indexed = packs.packs_of(connection, gone)
            known = [each for each in packs.all_packs(connection) if each.size]
        for pack in known:
            if pack.id in indexed or self._holds(pack, gone):
                with self._database.reading() as connection:
                    inside = packs.pieces_in(connection, pack.id)
                rest = [each for each in inside if each not in gone]
                move_pieces(self._store, rest, pack, self._now)
                self._delete(pack)

    def _holds(self, pack: packs.Pack, gone: set[bytes]) -> bool:
        """Whether a pack says itself that it holds any of some pieces.

        The index may name another for them, or none: gc moved them and the pack waits to be
        removed, two writers stored the same, or a writer died before its pieces were known.
        """
        if pack.state == "deleted":
            return False
        try:
            listed = read_footer(
                lambda start, length: self._store.blobs.read(pack.digest, start, length),
                pack.size,
                pack.digest,
            )
        except StorageError:  # fsck tells of it
            return False
        return any(digest in gone for digest, *_ in listed)

    def _delete(self, pack: packs.Pack) -> None:
        """Deletes a condemned pack at once: what is erased must not wait out a grace period."""
        doomed = self._database.write(lambda c: packs.doom(c, [pack.id], self._now))
        if not doomed:
            raise Conflict(
                f"pack b3:{pack.digest[:7]} was used by a commit meanwhile",
                cure="erase again: somebody commits the same content",
            )
        self._store.blobs.delete(pack.digest)
        bury(self._store, pack)
