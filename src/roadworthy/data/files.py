"""Files as bytes: cut where the content says (FastCDC), kept as pieces, read by range."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import BinaryIO, NamedTuple

from blake3 import blake3
from pyfastcdc import FastCDC

from roadworthy.core.dataset import Entry
from roadworthy.data.pieces import PieceStore, PieceWriter
from roadworthy.data.stored import load_bytes
from roadworthy.errors import Damaged

AVERAGE, LEAST, MOST = 64 << 10, 16 << 10, 256 << 10
_RECORD = 36
_INLINE = 64
_LIST = 1024
_AHEAD = 4 << 20

Report = Callable[[str, int], None]
"""Told about progress: the path that is being stored, and how many bytes more of it are."""


class Chunk(NamedTuple):
    """One chunk of a file: its digest and how many bytes it has."""

    digest: bytes
    length: int


def store_file(writer: PieceWriter, path: str, source: BinaryIO, report: Report) -> Entry:
    """Keeps what a file gives, from where it stands to its end, without having it in memory.

    Raises StorageError, Unavailable, OSError of the source.
    """
    head = source.read(LEAST)
    if len(head) < LEAST:  # too short to be cut
        rest = source.read(LEAST)
        if not rest:
            return store_short(writer, path, head, report)
        head += rest
    hasher = blake3()
    chunks: list[Chunk] = []
    cutter = FastCDC(avg_size=AVERAGE, min_size=LEAST, max_size=MOST)
    for cut in cutter.cut_stream(_Joined(head, source)):
        data = bytes(cut.data)
        hasher.update(data)
        chunks.append(Chunk(writer.put_bytes(data), len(data)))
        report(path, len(data))
    size = sum(chunk.length for chunk in chunks)
    listed, indirect = _listed(writer, chunks)
    return Entry(
        path=path,
        kind="file",
        content=hasher.hexdigest(),
        size=size,
        pieces=listed,
        indirect=indirect,
    )


def store_short(writer: PieceWriter, path: str, data: bytes, report: Report) -> Entry:
    """Keeps a file that is too short to be cut. Raises StorageError, Unavailable."""
    digest = writer.put_bytes(data)
    report(path, len(data))
    return Entry(
        path=path,
        kind="file",
        content=digest.hex(),
        size=len(data),
        pieces=digest + len(data).to_bytes(4, "little"),
    )


class _Joined:
    """Bytes that were read already, and then the rest of the file."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readinto(self, into: memoryview) -> int:
        if self._head:
            count = min(len(into), len(self._head))
            into[:count] = self._head[:count]
            self._head = self._head[count:]
            return count
        readinto = getattr(self._rest, "readinto", None)
        if readinto is not None:
            return int(readinto(into) or 0)
        data = self._rest.read(len(into))
        into[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        buffer = bytearray(AVERAGE if size < 0 else size)
        count = self.readinto(memoryview(buffer))
        return bytes(buffer[:count])


def _listed(writer: PieceWriter, chunks: list[Chunk]) -> tuple[bytes, bool]:
    """The list of chunks as it stands in the entry, or the list of the pieces that hold it."""
    rows = [chunk.digest + chunk.length.to_bytes(4, "little") for chunk in chunks]
    if len(rows) <= _INLINE:
        return b"".join(rows), False
    lists: list[bytes] = []
    some: list[bytes] = []
    for row in rows:
        some.append(row)
        if row[0] == 0 or len(some) == _LIST:  # by content, so that a change stays local
            lists.append(writer.put_bytes(b"".join(some)))
            some = []
    if some:
        lists.append(writer.put_bytes(b"".join(some)))
    return b"".join(lists), True


def list_pieces(entry: Entry) -> list[bytes]:
    """The pieces that hold an entry's list of chunks; none where it stands in the entry."""
    if not entry.indirect:
        return []
    return [entry.pieces[at : at + 32] for at in range(0, len(entry.pieces), 32)]


def chunks_of(store: PieceStore, entry: Entry) -> list[Chunk]:
    """A file's chunks in order. Raises Damaged, StorageError."""
    rows = entry.pieces
    if entry.indirect:
        rows = b"".join(store.get(digest) for digest in list_pieces(entry))
    if len(rows) % _RECORD:
        raise Damaged(f"the list of {entry.path}'s chunks is damaged", cure="roadworthy data fsck")
    return [
        Chunk(rows[at : at + 32], int.from_bytes(rows[at + 32 : at + 36], "little"))
        for at in range(0, len(rows), _RECORD)
    ]


class StoredFile(io.RawIOBase):
    """A file of a commit, to read and to seek in; each chunk is checked before it is given."""

    def __init__(self, store: PieceStore, entry: Entry) -> None:
        super().__init__()
        self.name = entry.path
        self._store = store
        self._chunks = chunks_of(store, entry)
        self._starts = list(accumulate((chunk.length for chunk in self._chunks), initial=0))
        self._size = self._starts[-1]
        self._at = 0
        self._ready: dict[int, bytes] = {}

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to where the next read begins."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a file has nothing before its start")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fills a buffer as far as the present chunk goes; 0 at the end."""
        if self._at >= self._size or not len(buffer):
            return 0
        number = bisect_right(self._starts, self._at) - 1
        while not self._chunks[number].length:
            number += 1
        data = self._chunk(number)
        begin = self._at - self._starts[number]
        part = data[begin : begin + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _chunk(self, number: int) -> bytes:
        if number not in self._ready:
            ahead: list[bytes] = []
            size = 0
            end = number
            while end < len(self._chunks) and (size < _AHEAD or end == number):
                ahead.append(self._chunks[end].digest)
                size += self._chunks[end].length
                end += 1
            stored = self._store.stored(ahead)
            self._ready = {
                number + at: load_bytes(stored[digest], digest) for at, digest in enumerate(ahead)
            }
        return self._ready[number]


def whole_files(store: PieceStore, entries: Sequence[Entry]) -> Iterator[bytes]:
    """The contents of small files, read together, each checked.

    Raises Damaged, Erased, StorageError.
    """
    chunks = [[chunk.digest for chunk in chunks_of(store, entry)] for entry in entries]
    stored = store.stored([digest for own in chunks for digest in own])
    for entry, own in zip(entries, chunks, strict=True):
        parts = [load_bytes(stored[digest], digest) for digest in own]
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        if own != [bytes.fromhex(entry.content)] and blake3(data).hexdigest() != entry.content:
            raise _changed(entry)
        yield data


def file_parts(store: PieceStore, entry: Entry) -> Iterator[bytes]:
    """A file's content, part by part, its whole checked at the end.

    Raises Damaged, Erased, StorageError.
    """
    hasher = blake3()
    file = StoredFile(store, entry)
    while part := file.read(MOST):
        hasher.update(part)
        yield part
    if hasher.hexdigest() != entry.content:
        raise _changed(entry)


def _changed(entry: Entry) -> Damaged:
    return Damaged(f"{entry.path} is not as it was committed", cure="roadworthy data fsck")
