"""Packs: many pieces in one blob, with a list at the end of what is where."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from roadworthy.data.stored import KEPT, Stored, base_of, check_of, check_of_piece, compressed
from roadworthy.errors import Damaged, NewerFormat

MAGIC = b"RWPACK02"
ANY_MAGIC = b"RWPACK"
_READABLE = (b"RWPACK01", MAGIC)
_TAIL = 8 + 16 + 8


Packed = tuple[bytes, int, int, bytes, bytes]
"""A piece in a pack: its digest, where its stored bytes are (start, length), what they are checked
by (``is_whole``), and the piece that it is a patch of (empty: it stands alone).

A plain tuple: of many that live long the garbage collector lets only those alone.
"""


class OpenPack:
    """A pack that is being filled, in the form in which it will be stored.

    The layout: magic; the pieces one after the other; the list as MessagePack; its length
    (8 bytes, little endian), its check (16 bytes), magic. In packs of the first form pieces that
    are kept as they are have a check as well. ``places`` says of each piece where it begins and
    how long it is.
    """

    def __init__(self) -> None:
        self.packed: list[Packed] = []
        self.places: dict[bytes, tuple[int, int]] = {}
        self._data = bytearray(MAGIC)

    def __len__(self) -> int:
        """The bytes so far."""
        return len(self._data)

    def add(self, digest: bytes, stored: Stored) -> None:
        """Takes a piece in its stored form."""
        at, length = len(self._data), len(stored)
        self._data += stored
        self.places[digest] = at, length
        self.packed.append((digest, at, length, check_of_piece(stored), base_of(stored)))

    def add_bytes(self, digest: bytes, data: bytes) -> None:
        """Takes a piece that is nothing but bytes; compressed, where that is worth while."""
        stored = compressed(data)
        if stored:
            self.add(digest, stored)
            return
        at, length = len(self._data), len(data) + 1
        self._data += KEPT
        self._data += data
        self.places[digest] = at, length
        self.packed.append((digest, at, length, b"", b""))

    def get(self, digest: bytes) -> bytes:
        """A piece in its stored form. Raises KeyError."""
        at, length = self.places[digest]
        return bytes(memoryview(self._data)[at : at + length])

    def close(self) -> None:
        """Puts the list at the end. Nothing can be added after that."""
        footer = msgspec.msgpack.encode(self.packed)
        self._data += footer
        self._data += len(footer).to_bytes(8, "little") + check_of(footer) + MAGIC

    def whole(self) -> bytearray:
        """The whole pack, once it is closed; not a copy."""
        return self._data


def make_pack(pieces: Iterable[tuple[bytes, Stored]]) -> tuple[bytearray, list[Packed]]:
    """A pack of pieces (digest, stored bytes), and where each of them is in it."""
    pack = OpenPack()
    for digest, stored in pieces:
        pack.add(digest, stored)
    pack.close()
    return pack.whole(), pack.packed


def read_footer(read: Callable[[int, int], bytes], size: int, name: str) -> list[Packed]:
    """The list at the end of a pack of ``size`` bytes; ``read`` takes start and length.

    Raises Damaged, NewerFormat.
    """
    tail = read(max(0, size - _TAIL), _TAIL)
    if len(tail) != _TAIL or tail[-8:-2] != ANY_MAGIC:
        raise damaged_pack(name, "its end is missing")
    if tail[-8:] not in _READABLE:
        raise NewerFormat(
            f"pack b3:{name[:7]} is of a newer form", cure="install the Roadworthy that wrote it"
        )
    length = int.from_bytes(tail[:8], "little")
    if length > size - _TAIL - len(MAGIC):
        raise damaged_pack(name, "its list is longer than itself")
    footer = read(size - _TAIL - length, length)
    if check_of(footer) != tail[8:24]:
        raise damaged_pack(name, "its list has another digest")
    return msgspec.msgpack.decode(footer, type=list[Packed])


def damaged_pack(name: str, reason: str) -> Damaged:
    """The error for a pack whose list can't be used."""
    return Damaged(
        f"pack b3:{name[:7]} is damaged: {reason}",
        cure="restore it from a backup, or commit the files again",
        pack=name,
    )
