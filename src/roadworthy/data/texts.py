"""Texts and bytes that hardly repeat, as a piece: so that they are read without one by one.

A piece is its form and a MessagePack list: how many there are; which are there, a bit for each
(empty: all are); their lengths, all as wide as the longest needs; their bytes one after the other.
Each of the three is kept as bytes are: compressed where that saves something.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roadworthy.data.stored import TEXTS, Stored, store_bytes, unpacked


class _Texts(msgspec.Struct, array_like=True):
    rows: int
    present: memoryview
    lengths: memoryview
    data: memoryview


_DECODER = msgspec.msgpack.Decoder(_Texts)


def _is_wide(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))


def store_texts(array: pa.Array) -> bytes:
    """The piece of an array of texts or bytes."""
    present = b""
    if array.null_count:
        there = array.is_valid().to_numpy(zero_copy_only=False)
        present = np.packbits(there, bitorder="little").tobytes()
        array = array.fill_null(b"" if "binary" in str(array.type) else "")
    lengths = pc.binary_length(array).to_numpy()
    width = np.min_scalar_type(lengths.max(initial=0)).newbyteorder("<")
    texts = _Texts(
        rows=len(array),
        present=memoryview(store_bytes(present)),
        lengths=memoryview(store_bytes(lengths.astype(width).tobytes())),
        data=memoryview(store_bytes(_bytes_of(array))),
    )
    return bytes([TEXTS]) + msgspec.msgpack.encode(texts)


def _bytes_of(array: pa.Array) -> memoryview:
    _, offsets_buffer, data = array.buffers()
    if data is None or not len(array):
        return memoryview(b"")
    offsets = np.frombuffer(offsets_buffer, "<i8" if _is_wide(array.type) else "<i4")
    return memoryview(data)[int(offsets[array.offset]) : int(offsets[array.offset + len(array)])]


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
