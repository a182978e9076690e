"""Texts and bytes that hardly repeat, as a piece: so that they are read without one by one.

A piece is its form and a MessagePack list: how many there are; which are there, a bit for each
(empty: all are); their lengths, all as wide as the longest needs; their bytes one after the other.
Each of the three is kept as bytes are: compressed where that saves something.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa

from roadworthy.data.stored import TEXTS, Stored, store_bytes, unpacked


class _Texts(msgspec.Struct, array_like=True):
    rows: int
    present: memoryview
    lengths: memoryview
    data: memoryview


_DECODER = msgspec.msgpack.Decoder(_Texts)


def _is_wide(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))


def validity(array: pa.Array) -> bytes:
    """Which values are there and not null, a bit for each."""
    there = array.is_valid().to_numpy(zero_copy_only=False)
    return np.packbits(there, bitorder="little").tobytes()


def laid_out(array: pa.Array) -> tuple[np.ndarray, memoryview]:
    """Where each text or bytes begins, and the last one ends; and all of them. Nulls are empty."""
    if array.null_count:
        array = array.fill_null(b"" if "binary" in str(array.type) else "")
    _, starts, data = array.buffers()
    word = "<i8" if _is_wide(array.type) else "<i4"
    if not len(array):
        return np.zeros(1, word), memoryview(b"")
    offsets = np.frombuffer(starts, word)[array.offset :][: len(array) + 1]
    if data is None:
        return offsets, memoryview(b"")
    return offsets, memoryview(data)[int(offsets[0]) : int(offsets[-1])]


def store_texts(array: pa.Array) -> bytes:
    """The piece of an array of texts or bytes."""
    offsets, data = laid_out(array)
    lengths = np.diff(offsets)
    width = np.min_scalar_type(lengths.max(initial=0)).newbyteorder("<")
    texts = _Texts(
        rows=len(array),
        present=memoryview(store_bytes(validity(array) if array.null_count else b"")),
        lengths=memoryview(store_bytes(lengths.astype(width).tobytes())),
        data=memoryview(store_bytes(data)),
    )
    return bytes([TEXTS]) + msgspec.msgpack.encode(texts)


def load_texts(stored: Stored, kind: pa.DataType) -> pa.Array:
    """The values of such a piece. Raises ValueError, OSError, ArrowException where it is none."""
    texts = _DECODER.decode(stored[1:])
    present, packed, data = (unpacked(each) for each in (texts.present, texts.lengths, texts.data))
    lengths = np.frombuffer(packed, f"<u{packed.size // texts.rows}" if texts.rows else "u1")
    word = "<i8" if _is_wide(kind) else "<i4"
    offsets = np.zeros(texts.rows + 1, word)
    np.cumsum(lengths, dtype=word, out=offsets[1:])
    if offsets[-1] != data.size:
        raise ValueError("its lengths are not those of its bytes")
    buffers = [present if present.size else None, pa.py_buffer(offsets), data]
    return pa.Array.from_buffers(kind, texts.rows, buffers)
