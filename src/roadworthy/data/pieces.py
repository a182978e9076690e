"""Pieces of contents, by digest: written into packs once, found through the index, checked."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Protocol

import pyarrow as pa

from roadworthy.data.packs import OpenPack, Packed
from roadworthy.data.sending import PackSender
from roadworthy.data.stored import (
    Stored,
    base_of,
    damaged_piece,
    digest_bytes,
    is_whole,
    load_bytes,
)
from roadworthy.errors import Erased, StorageError
from roadworthy.storage.blobs import Blobs
from roadworthy.storage.metadata import Database
from roadworthy.storage.queries import erasures
from roadworthy.storage.queries.packs import bases_of
from roadworthy.storage.queries.pieces import (
    Place,
    live_packs_of,
    places_of,
)

PACK_BYTES = 32 << 20
_GAP = 64 << 10
_SPAN = 16 << 20
_BATCH = 4096
_CACHED = 4 << 20


class Pieces(Protocol):
    """What gives pieces by digest."""

    def get(self, digest: bytes) -> bytes:
        """The bytes of one piece, checked."""

    def stored(self, digests: Sequence[bytes]) -> dict[bytes, Stored]:
        """Pieces as they are stored, and those they are patches of."""


class PieceStore:
    """Finds and reads pieces. Safe to be used by several threads."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self.database = database
        self.blobs = blobs
        self._cache: OrderedDict[bytes, bytes] = OrderedDict()
        self._cached = 0
        self._lock = threading.Lock()

    def get(self, digest: bytes) -> bytes:
        """The bytes of one piece, checked. Raises Damaged, Erased, StorageError."""
        known = self._cache.get(digest)
        if known is not None:
            return known
        data = load_bytes(self.stored([digest])[digest], digest)
        self.remember(digest, data)
        return data

    def stored(self, digests: Sequence[bytes]) -> dict[bytes, Stored]:
        """Pieces as they are stored, checked, and those they are patches of; read in as few
        strokes as can be.

        Raises Damaged, Erased, StorageError, Unavailable.
        """
        found: dict[bytes, Stored] = {}
        wanted = list(dict.fromkeys(digests))
        for attempt in (1, 2):  # gc may have moved some from one pack to another meanwhile
            places = self._places(wanted)
            try:
                stretches = list(_stretches(places))
                readers = min(self.blobs.readers, len(stretches))
                if readers < 2:
                    self._read(stretches, found)
                else:
                    shares = [stretches[at::readers] for at in range(readers)]
                    with ThreadPoolExecutor(readers, thread_name_prefix="reading") as pool:
                        for _ in pool.map(self._read, shares, itertools.repeat(found)):
                            pass  # what one raises is raised here
                return found
            except StorageError as error:
                if attempt == 2 or not isinstance(error.__cause__, StorageError | OSError):
                    raise
        return found

    def bases(self, digests: set[bytes]) -> set[bytes]:
        """The pieces that some of these are patches of."""
        with self.database.reading() as connection:
            return bases_of(connection, digests)

    def _places(self, wanted: list[bytes]) -> dict[bytes, Place]:
        with self.database.reading() as connection:
            places = places_of(connection, wanted)
            bases = {place.base for place in places.values() if place.base} - places.keys()
            if bases:
                places |= places_of(connection, bases)
        for digest in (*wanted, *bases):
            if digest not in places:
                raise self._missing(digest)
        return places

    def known(self, digests: Iterable[bytes]) -> dict[bytes, int]:
        """Which pieces are in a live pack already, and in which."""
        with self.database.reading() as connection:
            return live_packs_of(connection, digests)

    def _read(self, stretches: list[list[tuple[bytes, Place]]], found: dict[bytes, Stored]) -> None:
        for stretch in stretches:
            first = stretch[0][1]
            length = max(place.start + place.length for _, place in stretch) - first.start
            # In memory of Arrow's, which it keeps for the next: new pages would take longer than
            # what is read into them.
            data = memoryview(pa.allocate_buffer(length)).cast("B")
            size = self.blobs.read_into(first.pack, first.start, data)
            for digest, place in stretch:
                at = place.start - first.start
                stored = data[at : min(at + place.length, size)]
                if not is_whole(stored, digest, place.check):
                    raise damaged_piece(digest, "its bytes are not those written", place.pack)
                found[digest] = stored.toreadonly()

    def _missing(self, digest: bytes) -> StorageError:
        with self.database.reading() as connection:
            erasure = erasures.erasure_of_piece(connection, digest)
        if erasure is not None:
            return Erased(
                f"{erasure.path} of {erasure.dataset} (b3:{erasure.content[:7]}) was erased on "
                f"{erasure.at[:10]} by {erasure.author or 'somebody'}: {erasure.reason}",
                cure="read another commit",
                content=erasure.content,
            )
        return StorageError(
            f"piece b3:{digest.hex()[:7]} is in no pack that is known",
            cure="roadworthy data fsck says what it touches; --rebuild makes the index again",
            piece=digest.hex(),
        )

    def remember(self, digest: bytes, data: bytes) -> None:
        """Keeps the bytes of a small piece at hand."""
        if len(data) > _CACHED // 16:
            return
        with self._lock:
            if digest not in self._cache:
                self._cache[digest] = data
                self._cached += len(data)
            while self._cached > _CACHED:
                _, old = self._cache.popitem(last=False)
                self._cached -= len(old)


def _stretches(places: dict[bytes, Place]) -> Iterator[list[tuple[bytes, Place]]]:
    """Pieces that lie close together in one pack, to be read at once."""
    ordered = sorted(places.items(), key=lambda each: (each[1].pack, each[1].start))
    stretch: list[tuple[bytes, Place]] = []
    for each in ordered:
        place = each[1]
        if stretch:
            first, last = stretch[0][1], stretch[-1][1]
            near = place.start - (last.start + last.length) <= _GAP
            if place.pack != first.pack or not near or place.start - first.start > _SPAN:
                yield stretch
                stretch = []
        stretch.append(each)
    if stretch:
        yield stretch


class PieceWriter:
    """Takes pieces for one commit, keeps those that are new in packs.

    A pack that is full is sent to be stored beside the work. What is left at the end is registered
    by the transaction that makes the commit (``unregistered``). ``relied`` are the pieces that
    were there already, ``packs`` the packs that were made: what the commit must hold on to.
    """

    def __init__(self, store: PieceStore, now: Callable[[], str], most: int = PACK_BYTES) -> None:
        self.store = store
        self.relied: set[bytes] = set()
        self.unregistered: list[tuple[str, int, list[Packed]]] = []
        self._most = most
        self._waiting: dict[bytes, bytes] = {}
        self._waiting_bytes = 0
        self._pack = OpenPack()
        self._sender = PackSender(store.database, store.blobs, now)
        self._finished: list[OpenPack] = []

    @property
    def packs(self) -> list[str]:
        """The packs that were stored."""
        return self._sender.packs + [digest for digest, _, _ in self.unregistered]

    @property
    def added(self) -> int:
        """Their bytes."""
        return self._sender.added + sum(size for _, size, _ in self.unregistered)

    def put_bytes(self, data: bytes) -> bytes:
        """Keeps some bytes as a piece; its digest. Raises StorageError, Unavailable."""
        digest = digest_bytes(data)
        if not self._has(digest) and digest not in self._waiting:
            self._waiting[digest] = data
            self._waiting_bytes += len(data)
            if len(self._waiting) >= _BATCH or self._waiting_bytes > self._most // 4:
                self._settle()
        return digest

    def put_page(self, data: bytes) -> bytes:
        """The same for a page of a tree, which the next commit is likely to read again."""
        digest = self.put_bytes(data)
        self.store.remember(digest, data)
        return digest

    def missing(self, digests: Iterable[bytes]) -> set[bytes]:
        """Which pieces are not there yet and have to be ``put``."""
        wanted = {each for each in digests if not self._has(each)}
        known = self.store.known(wanted)
        self.relied.update(known)
        return wanted - known.keys()

    def put(self, digest: bytes, stored: bytes) -> None:
        """Keeps a piece that is missing, in its stored form. Raises StorageError, Unavailable."""
        if self._has(digest):
            return
        self._pack.add(digest, stored)
        if len(self._pack) >= self._most:
            self._send()

    def finish(self) -> None:
        """Stores what is left. More may be put and finished after that."""
        self._settle()
        self._sender.begin_to_settle()
        if self._pack.packed:  # while the pieces of those before are put into the table
            pack = self._pack
            pack.close()
            digest = self.store.blobs.put(pack.whole())
            self._pack = OpenPack()
            self.unregistered.append((digest, len(pack), pack.packed))
            self._finished.append(pack)
        self._await()

    def put_again(self) -> None:
        """Stores the unregistered packs once more, after gc removed one. Raises StorageError."""
        for pack in self._finished:
            self.store.blobs.put(pack.whole())

    def get(self, digest: bytes) -> bytes:
        """The bytes of a piece, also of one that was put here. Raises Damaged, StorageError."""
        waiting = self._waiting.get(digest)
        if waiting is not None:
            return waiting
        stored = self._own(digest)
        if stored is not None:
            return load_bytes(stored, digest)
        if digest in self._sender.sent:
            self._await()
        return self.store.get(digest)

    def stored(self, digests: Sequence[bytes]) -> dict[bytes, Stored]:
        """Pieces as they are stored, also those that were put here, and what they rest on."""
        if not self._sender.sent.isdisjoint(digests):
            self._await()
        found: dict[bytes, Stored] = {}
        for digest in digests:
            own = self._own(digest)
            if own is not None:
                found[digest] = own
        bases = {base_of(own) for own in found.values()} - {b""}
        away = [each for each in (*digests, *bases) if each not in found]
        return found | (self.store.stored(away) if away else {})

    def close(self) -> None:
        """Ends the thread that stores packs."""
        self._sender.close()

    def __enter__(self) -> PieceWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _has(self, digest: bytes) -> bool:
        return (
            digest in self._pack.places
            or digest in self.relied
            or digest in self._sender.sent
            or (bool(self._finished) and any(digest in pack.places for pack in self._finished))
        )

    def _own(self, digest: bytes) -> bytes | None:
        """A piece in its stored form, if it is in a pack that is at hand."""
        for pack in (self._pack, *self._finished):
            if digest in pack.places:
                return pack.get(digest)
        return None

    def _settle(self) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        if not waiting:
            return
        known = self.store.known(waiting)
        self.relied.update(known)
        for digest, data in waiting.items():
            if digest not in known and not self._has(digest):
                self._pack.add_bytes(digest, data)
        if len(self._pack) >= self._most:
            self._send()

    def _send(self) -> None:
        pack, self._pack = self._pack, OpenPack()
        self._sender.send(pack)

    def _await(self) -> None:
        """Makes everything that was sent known and readable."""
        self._sender.settle()
        self.relied.update(self._sender.relied)
