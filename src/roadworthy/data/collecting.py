"""gc: removing what nothing names any more, in two phases, beside writers.

First a pack without a living piece is condemned. After a grace period, if still nothing reaches
it, it is deleted. A commit that relies on a condemned pack makes it live again, in the very
transaction that makes the commit; so whichever comes first, nothing that is named is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from roadworthy.core.dataset import Committed
from roadworthy.core.values import Document
from roadworthy.data.packs import Packed, make_pack
from roadworthy.data.pieces import PACK_BYTES, PieceStore
from roadworthy.data.reachable import kept_commits, live_pieces
from roadworthy.data.stored import Stored
from roadworthy.errors import Conflict, Erased, StorageError
from roadworthy.storage.queries import datasets as asked
from roadworthy.storage.queries import packs

GRACE = timedelta(days=1)
_SPARSE = 0.5
_ATTEMPTS = 10
Say = Callable[[str, int, int], None]


class Collected(Document, frozen=True):
    """What gc did, or would do: packs and bytes condemned, moved together, deleted; commits
    dropped by retention rules or because no branch reaches them; blobs that nothing knew.
    """

    condemned: int = 0
    condemned_bytes: int = 0
    repacked: int = 0
    freed_bytes: int = 0
    deleted: int = 0
    deleted_bytes: int = 0
    commits: int = 0
    strays: int = 0


@dataclass
class _Found:
    """What one look at everything found."""

    version: int
    kept: set[str]
    unkept: set[str]
    live: set[bytes]
    total: dict[int, int] = field(default_factory=dict)
    living: dict[int, int] = field(default_factory=dict)


class Collector:
    """gc over one store."""

    def __init__(self, store: PieceStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._database = store.database
        self._clock = clock

    def collect(
        self, *, grace: timedelta = GRACE, dry_run: bool = True, say: Say | None = None
    ) -> Collected:
        """Condemns, moves together and deletes; with ``dry_run`` it only says what it would.

        Raises Conflict where branches are changed so often that no look is whole, StorageError
        where a kept commit can't be read: then nothing more is deleted.
        """
        found = self._look(say)
        now = self._clock().astimezone(UTC)
        with self._database.reading() as connection:
            known = packs.all_packs(connection)
        dead = [each for each in known if each.state == "live" and not self._reached(each, found)]
        revived = [
            each for each in known if each.state == "condemned" and self._reached(each, found)
        ]
        sparse = [each for each in known if self._is_sparse(each, found)]
        strays = self._strays({each.digest for each in known if each.state != "deleted"})
        cutoff = (now - grace).isoformat(timespec="microseconds")
        due = [each for each in known if self._is_due(each, found, cutoff)]
        told = Collected(
            condemned=len(dead),
            condemned_bytes=sum(each.size for each in dead),
            repacked=len(sparse),
            freed_bytes=sum(each.size - found.living[each.id] for each in sparse),
            deleted=len(due),
            deleted_bytes=sum(each.size for each in due),
            commits=sum(each.digest in found.unkept for each in due),
            strays=len(strays),
        )
        if dry_run:
            return told
        at = now.isoformat(timespec="microseconds")
        self._database.write(
            lambda c: packs.condemn(
                c, [each.id for each in dead], [each.id for each in revived], strays, at
            )
        )
        for each in sparse:
            self._repack(each, found.live, at)
        self._delete(due, found, cutoff)
        return told

    def _reached(self, pack: packs.Pack, found: _Found) -> bool:
        """Whether something that is kept rests on a pack; a commit is reached if it is kept, and
        other documents as long as they are live.
        """
        if pack.digest in found.unkept or pack.digest in found.kept:
            return pack.digest in found.kept
        return bool(found.living.get(pack.id)) or (not pack.size and pack.state == "live")

    def _is_due(self, pack: packs.Pack, found: _Found, cutoff: str) -> bool:
        if pack.state == "deleting":
            return True
        return pack.state == "condemned" and pack.since <= cutoff and not self._reached(pack, found)

    def _look(self, say: Say | None) -> _Found:
        for _ in range(_ATTEMPTS):
            with self._database.reading() as connection:
                version = asked.refs_version(connection)
                every = asked.commits_of(connection, None)
                kept = kept_commits(connection, self._clock().astimezone(UTC))
            chosen = [Committed(digest=digest, commit=kept[digest]) for digest in kept]
            live = self._live(chosen, say)
            if live is None:
                continue  # a commit was dropped while it was read
            unkept = {each.digest for each in every if each.digest not in kept}
            found = _Found(version, set(kept), unkept, live)
            with self._database.reading() as connection:
                for digest, pack, length in packs.all_pieces(connection):
                    found.total[pack] = found.total.get(pack, 0) + length
                    if digest in live:
                        found.living[pack] = found.living.get(pack, 0) + length
            return found
        raise Conflict("branches change all the time", cure="run gc when it is quieter")

    def _live(self, commits: list[Committed], say: Say | None) -> set[bytes] | None:
        def failed(path: str, error: StorageError) -> None:
            if not isinstance(error, Erased):
                raise error

        if say is not None:
            say("marking", len(commits), 0)
        return live_pieces(self._store, commits, failed)

    def _is_sparse(self, pack: packs.Pack, found: _Found) -> bool:
        living = found.living.get(pack.id, 0)
        return pack.state == "live" and 0 < living < pack.size * _SPARSE and pack.size > 1 << 16

    def _strays(self, known: set[str]) -> list[str]:
        return [digest for digest in self._store.blobs.digests() if digest not in known]

    def _repack(self, pack: packs.Pack, live: set[bytes], at: str) -> None:
        """Writes the living pieces of a pack to a new one, and condemns the old."""
        with self._database.reading() as connection:
            own = [digest for digest in packs.pieces_in(connection, pack.id) if digest in live]
        move_pieces(self._store, own, pack, at)

    def _delete(self, due: list[packs.Pack], found: _Found, cutoff: str) -> None:
        def work(connection: Connection) -> list[packs.Pack]:
            if asked.refs_version(connection) != found.version:
                raise Conflict("a branch or tag was changed while gc looked", cure="run it again")
            doomed = packs.doom(connection, [each.id for each in due], cutoff)
            dropped = [each.digest for each in doomed if each.digest in found.unkept]
            asked.delete_commits(connection, dropped)
            return doomed

        for each in self._database.write(work) if due else []:
            self._store.blobs.delete(each.digest)
            bury(self._store, each)


def bury(store: PieceStore, pack: packs.Pack) -> None:
    """Keeps that a pack's blob is gone."""
    store.database.write(lambda connection: packs.bury(connection, pack.id))


def register_moved(
    store: PieceStore, digest: str, size: int, packed: list[Packed], old: int, at: str
) -> None:
    """Has the index name a new pack for pieces of an old one."""
    store.database.write(lambda c: packs.move(c, digest, size, packed, old, at))


def move_pieces(store: PieceStore, digests: list[bytes], old: packs.Pack, at: str) -> int:
    """Writes pieces of a pack to a new one that the index names from then on; its bytes.

    The old pack is condemned: whoever read the index before still finds it for a while.
    """
    moved = 0
    for some in _portions(store, digests):
        data, packed = make_pack(some)
        digest = store.blobs.put(data)
        moved += len(data)
        register_moved(store, digest, len(data), packed, old.id, at)
    store.database.write(lambda connection: packs.condemn(connection, [old.id], [], [], at))
    return moved


def _portions(store: PieceStore, digests: list[bytes]) -> list[list[tuple[bytes, Stored]]]:
    portions: list[list[tuple[bytes, Stored]]] = []
    size = PACK_BYTES
    for at in range(0, len(digests), 256):
        some = digests[at : at + 256]
        stored = store.stored(some)
        for digest in some:
            if size >= PACK_BYTES:
                portions.append([])
                size = 0
            portions[-1].append((digest, stored[digest]))
            size += len(stored[digest])
    return portions
