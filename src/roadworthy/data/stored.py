"""How a piece is stored: one byte that says the form, then the content in that form."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from blake3 import blake3

from roadworthy.errors import Damaged

RAW, ZSTD, PARQUET, PATCH, TEXTS = 0, 1, 2, 3, 4
KEPT = bytes([RAW])
CHECK_BYTES = 16
_LEAST_TO_COMPRESS = 64
_SMALL = 16 << 10
_ZSTD = pa.Codec("zstd", compression_level=1)
_LZ4 = pa.Codec("lz4_raw")


Stored = bytes | memoryview
"""A piece in its stored form: as it was made, or a part of what was read at once."""


def digest_bytes(data: bytes | memoryview) -> bytes:
    """The BLAKE3 digest of some bytes, as 32 bytes."""
    return blake3(data).digest()


def check_of(stored: Stored) -> bytes:
    """What stored bytes are checked by: the first 16 bytes of their BLAKE3."""
    return blake3(stored).digest(CHECK_BYTES)


def check_of_piece(stored: Stored) -> bytes:
    """The same for a piece; nothing where its bytes are kept as they are, for it is named by
    their digest.
    """
    return b"" if stored[0] == RAW else check_of(stored)


def is_whole(stored: Stored, digest: bytes, check: bytes) -> bool:
    """Whether a piece's stored bytes are those that were written, also of packs that have a check
    for every piece.
    """
    if stored and stored[0] == RAW:
        return digest_bytes(memoryview(stored)[1:]) == digest
    return check_of(stored) == check


def base_of(stored: Stored) -> bytes:
    """The digest of the piece that a stored one is a patch of; empty if it stands alone."""
    return bytes(stored[1:33]) if stored[:1] == bytes([PATCH]) else b""


def store_bytes(data: bytes | memoryview) -> bytes:
    """Bytes as they are stored: compressed where that saves a tenth or more."""
    return compressed(data) or KEPT + bytes(data)


def compressed(data: bytes | memoryview) -> bytes:
    """Bytes as they are stored where compressing saves a tenth or more; else nothing."""
    if len(data) >= _LEAST_TO_COMPRESS and not _is_dense(data):
        packed: bytes = _ZSTD.compress(data, asbytes=True)
        if len(packed) + 8 < len(data) * 0.9:
            return bytes([ZSTD]) + len(data).to_bytes(8, "little") + packed
    return b""


def _is_dense(data: bytes | memoryview) -> bool:
    """Whether a small piece is surely compressed already, as pictures are.

    LZ4 finds out in a fifth of the time that Zstandard takes to begin; in text it overlooks what
    can be saved.
    """
    if len(data) > _SMALL or bytes(data[:_LEAST_TO_COMPRESS]).isascii():
        return False
    return len(_LZ4.compress(data, asbytes=True)) >= len(data)


def load_bytes(stored: Stored, digest: bytes) -> bytes:
    """The bytes that were stored, checked by their digest. Raises Damaged.

    What is kept as it is was checked by just that already (``is_whole``).
    """
    form = stored[0] if stored else -1
    if form == RAW:
        return bytes(stored[1:])
    if form == ZSTD:
        try:
            data: bytes = _inflated(stored, asbytes=True)
        except (OSError, pa.ArrowException, ValueError) as error:
            raise damaged_piece(digest, f"it can't be unpacked ({error})") from error
    else:
        raise damaged_piece(digest, f"its form {form} is not one of bytes")
    if digest_bytes(data) != digest:
        raise damaged_piece(digest, "its content has another digest")
    return data


def unpacked(stored: Stored) -> pa.Buffer:
    """What ``store_bytes`` stored, not checked. Raises OSError, ArrowException, ValueError."""
    if stored[0] == RAW:
        return pa.py_buffer(bytes(stored[1:]))
    return _inflated(stored, asbytes=False)


def _inflated(stored: Stored, *, asbytes: bool) -> Any:
    size = int.from_bytes(stored[1:9], "little")
    return _ZSTD.decompress(memoryview(stored)[9:], size, asbytes=asbytes)


def damaged_piece(digest: bytes, reason: str, pack: str = "") -> Damaged:
    """The error for a piece that is not what was written."""
    where = f" in pack b3:{pack[:7]}" if pack else ""
    return Damaged(
        f"piece b3:{digest.hex()[:7]}{where} is damaged: {reason}",
        cure="roadworthy data fsck says what it touches; commit the file again, which mends it, "
        "or restore the blobs from a backup",
        piece=digest.hex(),
        pack=pack,
    )
