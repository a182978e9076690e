"""Storing full packs beside the work that fills them, and making known what is in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from roadworthy.data.packs import OpenPack, Packed
from roadworthy.storage.blobs import Blobs
from roadworthy.storage.metadata import Database
from roadworthy.storage.queries.pieces import PackGone, register_pack, register_packs

_PACKS_TOGETHER, _PIECES_TOGETHER = 8, 100_000
_MOST_SENT = 2
"""Packs that wait to be stored: one at work and the next, for each is held in memory."""

T = TypeVar("T")
_Known = tuple[str, int, list[Packed]]


class PackSender:
    """Stores packs and makes them known, one after the other, in a thread of its own.

    A pack is known as soon as it is stored, as one that is being made use of; the pieces of some
    packs are put into the table together. ``packs`` and ``added`` are what was stored, ``sent``
    the pieces that can't be read yet, ``relied`` those that other packs had already. What went
    wrong once is raised by every later call: pieces are missing then.

    The thread hashes, writes and has the database work, all of which leaves the interpreter to
    the work beside it: threads that call for each of many pieces would mostly wait for each other.
    """

    def __init__(self, database: Database, blobs: Blobs, now: Callable[[], str]) -> None:
        self.packs: list[str] = []
        self.added = 0
        self.sent: set[bytes] = set()
        self.relied: list[bytes] = []
        self._database = database
        self._blobs = blobs
        self._now = now
        self._pool: ThreadPoolExecutor | None = None
        self._sent: deque[Future[_Known]] = deque()
        self._stored: list[_Known] = []
        self._error: Exception | None = None
        self._registering: tuple[list[_Known], Future[list[bytes]]] | None = None

    def send(self, pack: OpenPack) -> None:
        """Has a pack stored. Raises what went wrong with one before."""
        self._check()
        while len(self._sent) >= _MOST_SENT:
            self._take()
        pieces = sum(len(packed) for _, _, packed in self._stored)
        if len(self._stored) >= _PACKS_TOGETHER or pieces >= _PIECES_TOGETHER:
            self._register()
        self.sent.update(pack.places)
        pack.close()
        self._sent.append(self._threads().submit(self._store, pack.whole(), pack.packed))

    def begin_to_settle(self) -> None:
        """Has all pieces put into the table that are not yet. Raises what went wrong."""
        self._check()
        while self._sent:
            self._take()
        if self._stored:
            self._register()

    def settle(self) -> None:
        """The same, and waits for it: what was sent is known and can be read."""
        self.begin_to_settle()
        self._registered()

    def close(self) -> None:
        """Ends the thread."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _result(self, future: Future[T]) -> T:
        try:
            return future.result()
        except Exception as error:
            self._error = error
            raise

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="packs")
        return self._pool

    def _store(self, data: bytearray, packed: list[Packed]) -> _Known:
        """Stores a pack and makes it known, yet without its pieces.

        What gc removed of it meanwhile can still be stored again, for it is at hand.
        """
        digest = self._blobs.put(data)
        try:
            self._name(digest, len(data), rewritten=False)
        except PackGone as error:
            if error.details.get("state") != "deleted":
                raise
            self._blobs.put(data)
            self._name(digest, len(data), rewritten=True)
        return digest, len(data), packed

    def _name(self, digest: str, size: int, rewritten: bool) -> None:
        at = self._now()
        self._database.write(lambda c: register_pack(c, digest, size, [], at, rewritten=rewritten))

    def _take(self) -> None:
        stored = self._result(self._sent.popleft())
        digest, size, _ = stored
        self.added += size
        self.packs.append(digest)
        self._stored.append(stored)

    def _register(self) -> None:
        self._registered()
        stored, self._stored = self._stored, []
        at = self._now()

        def work() -> list[bytes]:
            return self._database.write(lambda connection: register_packs(connection, stored, at))

        self._registering = stored, self._threads().submit(work)

    def _registered(self) -> None:
        if self._registering is not None:
            (stored, future), self._registering = self._registering, None
            relied = self._result(future)
            self.relied += relied
            for _, _, packed in stored:
                self.sent.difference_update([piece[0] for piece in packed])
