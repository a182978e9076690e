"""Long ordered lists as pages that are pieces: cut by content, so that alike lists share them.

A page is MessagePack: its level, and its records. A record of level 0 is the list's own: key,
weight, payload. One of a higher level stands for a page below: its first key, the sum of its
weights, its digest. A page ends where its last record says so (a hash of what identifies the
record), so a change touches the page it is in and the few above, wherever it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from roadworthy.errors import Damaged

Get = Callable[[bytes], bytes]
Put = Callable[[bytes], bytes]

AVERAGE = 256
_MOST = 16  # times the average


class Record(NamedTuple):
    """One record: what it is found by, how much it counts, what it says."""

    key: bytes
    weight: int
    payload: bytes


_PAGE = msgspec.msgpack.Decoder(tuple[int, list[Record]])


def load_page(get: Get, digest: bytes) -> tuple[int, list[Record]]:
    """A page's level and records. Raises Damaged, StorageError."""
    try:
        return _PAGE.decode(get(digest))
    except msgspec.MsgspecError as error:
        raise Damaged(
            f"page b3:{digest.hex()[:7]} can't be read: {error}",
            cure="restore the blobs from a backup",
        ) from error


class PageBuilder:
    """Cuts a list into pages of so many records on average (a power of two).

    ``by_key`` says whether the key decides where a page ends. With it a changed payload never
    moves a cut; without it, the payload decides.
    """

    def __init__(self, put: Put, by_key: bool, average: int = AVERAGE) -> None:
        self._put = put
        self._by_key = by_key
        self._mask = average - 1
        self._most = average * _MOST
        self._rows: list[Record] = []
        self._pages: list[Record] = []

    @property
    def at_cut(self) -> bool:
        """Whether the next record begins a page."""
        return not self._rows

    def add(self, record: Record) -> None:
        """The next record of the list."""
        self._rows.append(record)
        said = record.key if self._by_key else record.payload
        if zlib.crc32(said) & self._mask == 0 or len(self._rows) >= self._most:
            self._end()

    def add_page(self, page: Record) -> None:
        """A page of the list that is there already and ends with a cut, or is the last."""
        self._pages.append(page)

    def root(self) -> bytes:
        """The digest of the page that stands for the whole list."""
        if self._rows:
            self._end()
        level, pages = 0, self._pages
        if not pages:
            return self._put(msgspec.msgpack.encode((0, [])))
        while len(pages) > 1:
            level += 1
            pages = list(self._level(level, pages))
        return pages[0].payload

    def _end(self) -> None:
        rows, self._rows = self._rows, []
        self._pages.append(_page(self._put, 0, rows))

    def _level(self, level: int, below: Sequence[Record]) -> Iterator[Record]:
        rows: list[Record] = []
        for record in below:
            rows.append(record)
            said = record.key if self._by_key else record.payload
            ends = zlib.crc32(said, level) & 0xFF == 0 or len(rows) >= AVERAGE * _MOST
            if ends and len(rows) > 1:
                yield _page(self._put, level, rows)
                rows = []
        if rows:
            yield _page(self._put, level, rows)


def _page(put: Put, level: int, rows: list[Record]) -> Record:
    digest = put(msgspec.msgpack.encode((level, rows)))
    return Record(rows[0].key, sum(row.weight for row in rows), digest)


def build(put: Put, records: Iterable[Record], by_key: bool, average: int = AVERAGE) -> bytes:
    """The root of a list of records."""
    builder = PageBuilder(put, by_key, average)
    for record in records:
        builder.add(record)
    return builder.root()


def leaf_pages(get: Get, root: bytes) -> Iterator[Record]:
    """The pages of level 0, each as the record that stands for it, in order."""
    level, rows = load_page(get, root)
    if level == 0:
        if rows:
            yield Record(rows[0].key, sum(row.weight for row in rows), root)
        return
    if level == 1:
        yield from rows
        return
    for row in rows:
        yield from leaf_pages(get, row.payload)


def records(get: Get, root: bytes, start: bytes = b"") -> Iterator[Record]:
    """The records in order; of a list sorted by key, from the first not before ``start``."""
    level, rows = load_page(get, root)
    if level == 0:
        yield from (row for row in rows if row.key >= start)
        return
    for number, row in enumerate(rows):
        if start and number + 1 < len(rows) and rows[number + 1].key <= start:
            continue
        yield from records(get, row.payload, start)


def records_by_weight(get: Get, root: bytes, skip: int) -> Iterator[tuple[int, Record]]:
    """The records from the one in which weight ``skip`` lies, with the weight before each."""
    yield from _by_weight(get, root, skip, 0)


def _by_weight(get: Get, root: bytes, skip: int, before: int) -> Iterator[tuple[int, Record]]:
    level, rows = load_page(get, root)
    for row in rows:
        if before + row.weight > skip:
            if level == 0:
                yield before, row
            else:
                yield from _by_weight(get, row.payload, skip, before)
        before += row.weight


def find(get: Get, root: bytes, key: bytes) -> Record | None:
    """The record of a key, in a list that is sorted by key."""
    for record in records(get, root, key):
        return record if record.key == key else None
    return None


def weight(get: Get, root: bytes) -> int:
    """The sum of all weights."""
    return sum(row.weight for row in load_page(get, root)[1])


def update(
    get: Get, put: Put, root: bytes, changes: Sequence[tuple[bytes, Record | None]]
) -> bytes:
    """The root of a list sorted by key after changes (sorted; None removes the key's record).

    Pages that no change falls in are taken over as they are, unread.
    """
    builder = PageBuilder(put, by_key=True)
    pages = list(leaf_pages(get, root))
    position = 0
    for number, page in enumerate(pages):
        last = number + 1 == len(pages)
        end = len(changes) if last else position
        while not last and end < len(changes) and changes[end][0] < pages[number + 1].key:
            end += 1
        own = changes[position:end]
        position = end
        if not own and builder.at_cut:
            builder.add_page(page)
            continue
        for record in _merged(load_page(get, page.payload)[1], own):
            builder.add(record)
    if not pages:
        for _, change in changes:
            if change is not None:
                builder.add(change)
    return builder.root()


def _merged(
    rows: Sequence[Record], changes: Sequence[tuple[bytes, Record | None]]
) -> Iterator[Record]:
    position = 0
    for key, change in changes:
        while position < len(rows) and rows[position].key < key:
            yield rows[position]
            position += 1
        if position < len(rows) and rows[position].key == key:
            position += 1
        if change is not None:
            yield change
    yield from rows[position:]


def differences(
    get: Get, before: bytes | None, after: bytes
) -> Iterator[tuple[bytes, Record | None, Record | None]]:
    """Where two lists sorted by key differ: key, what was, what is. Shared pages are unread."""
    old = list(leaf_pages(get, before)) if before is not None else []
    new = list(leaf_pages(get, after))
    shared = {page.payload for page in old} & {page.payload for page in new}
    was = _unshared(get, old, shared)
    now = _unshared(get, new, shared)
    left, right = next(was, None), next(now, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.key < right.key):
            assert left is not None
            yield left.key, left, None
            left = next(was, None)
        elif left is None or right.key < left.key:
            yield right.key, None, right
            right = next(now, None)
        else:
            if left != right:
                yield left.key, left, right
            left, right = next(was, None), next(now, None)


def _unshared(get: Get, pages: Sequence[Record], shared: set[bytes]) -> Iterator[Record]:
    for page in pages:
        if page.payload not in shared:
            yield from load_page(get, page.payload)[1]


def pages_of(get: Get, root: bytes, seen: set[bytes]) -> Iterator[tuple[bytes, list[Record]]]:
    """Every page that is not in ``seen`` yet: its digest and, at level 0, its records."""
    if root in seen:
        return
    seen.add(root)
    level, rows = load_page(get, root)
    yield root, rows if level == 0 else []
    if level:
        for row in rows:
            yield from pages_of(get, row.payload, seen)
