"""Columns of values: their digest, which depends on nothing but the values, and their pieces.

A digest covers the Arrow type, the number of values, which are null, and the values; not how
they were chunked, padded, encoded or compressed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3
from pyarrow import parquet
from pyarrow.parquet.core import ParquetReader

from roadworthy.data.stored import PARQUET, TEXTS, Stored, damaged_piece
from roadworthy.data.texts import laid_out, load_texts, store_texts, validity
from roadworthy.errors import UsageError

_SAMPLE, _SOME_ROWS = 512, 4096
_WORTH_WHILE, _HARDLY_MORE = 0.8, 1.15
_ZSTD: dict[str, Any] = {"compression": "zstd", "compression_level": 1}
_CODEC = pa.Codec("zstd", compression_level=1)
_LZ4: dict[str, Any] = {"compression": "lz4"}
_PLAIN: dict[str, Any] = {"compression": "none"}


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type in which values of a type are kept: dictionaries and views become plain.

    Raises UsageError for a type that can't be kept.
    """
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if pa.types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        make = pa.list_ if pa.types.is_list(kind) else pa.large_list
        value = kind.value_field
        return make(pa.field("item", plain_type(value.type), value.nullable))
    if pa.types.is_struct(kind):
        return pa.struct([_plain_field(kind.field(i)) for i in range(kind.num_fields)])
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pa.types.is_primitive(kind) or is_bytes(kind) or pa.types.is_decimal(kind):
        if not pa.types.is_interval(kind):
            return kind
    if pa.types.is_null(kind) or pa.types.is_fixed_size_binary(kind):
        return kind
    raise UsageError(
        f"a column of Arrow type {kind} can't be kept as a table",
        cure="convert it to another type, or commit the file as bytes (--as file)",
    )


def _plain_field(field: pa.Field) -> pa.Field:
    return pa.field(field.name, plain_type(field.type), field.nullable)


def is_bytes(kind: pa.DataType) -> bool:
    """Whether values of a type are texts or bytes of any length."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def one_array(column: pa.ChunkedArray | pa.Array, kind: pa.DataType) -> pa.Array:
    """A column as one array of its plain type."""
    if column.type != kind:
        if isinstance(column.type, pa.BaseExtensionType):
            column = column.cast(column.type.storage_type)
        column = column.cast(kind)
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column


def column_digest(array: pa.Array) -> bytes:
    """The digest of an array's values, 32 bytes.

    >>> a = pa.chunked_array([[1, None], [3]]).combine_chunks()
    >>> column_digest(a) == column_digest(pa.array([0, 1, None, 3])[1:])
    True
    """
    hasher = blake3()
    _feed(hasher, array)
    return hasher.digest()


def _feed(hasher: Any, array: pa.Array) -> None:
    kind = array.type
    hasher.update(f"{kind}|{len(array)}|".encode())
    if pa.types.is_null(kind):
        return
    _feed_validity(hasher, array)
    if pa.types.is_struct(kind):
        for child in array.flatten():
            _feed(hasher, child)
        return
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = pc.fill_null(pc.list_value_length(array), 0)
        hasher.update(lengths.to_numpy(zero_copy_only=False).astype("<i8").tobytes())
        _feed(hasher, array.flatten())
        return
    if is_bytes(kind):
        _feed_bytes(hasher, array)
        return
    hasher.update(fixed_values(array))


def _feed_validity(hasher: Any, array: pa.Array) -> None:
    if array.null_count:
        hasher.update(validity(array))
        hasher.update(b"n")
    else:
        hasher.update(b"v")


def _feed_bytes(hasher: Any, array: pa.Array) -> None:
    if not len(array):
        return
    offsets, data = laid_out(array)
    hasher.update(np.diff(offsets).view(np.uint8).data)
    hasher.update(data)


def fixed_values(array: pa.Array) -> memoryview:
    """The values of fixed width as bytes, nulls as zeros."""
    kind = array.type
    if pa.types.is_boolean(kind):
        flags = array.fill_null(False).to_numpy(zero_copy_only=False)
        return np.packbits(flags, bitorder="little").data
    width = kind.byte_width
    buffer = array.buffers()[1]
    if not len(array) or buffer is None:
        return memoryview(b"")
    view = memoryview(buffer)[array.offset * width : (array.offset + len(array)) * width]
    if not array.null_count:
        return view
    rows = np.frombuffer(view, dtype=np.uint8).reshape(len(array), width).copy()
    rows[~array.is_valid().to_numpy(zero_copy_only=False)] = 0
    return rows.reshape(-1).data


def store_column(array: pa.Array) -> bytes:
    """A column's values as a piece: one Parquet file with page checksums, or texts side by side.

    Numbers that hardly repeat are kept by their differences, or byte by byte (all first bytes,
    all second ones, ...); and what a general compression saves little of is kept without: to
    undo that is what takes longest when a column is read.
    """
    kind = array.type
    if pa.types.is_boolean(kind):
        return _parquet(array, _PLAIN, use_dictionary=False, column_encoding={"v": "PLAIN"})
    if pa.types.is_nested(kind) or pa.types.is_null(kind) or _repeats(array):
        # In a piece this small, a dictionary can cost more than the values that it stands for.
        most = max(array.nbytes // 6, 1024)
        plain = _parquet(array, _PLAIN, dictionary_pagesize_limit=most)
        if not _can_shrink(plain):
            return plain
        return _parquet(array, _ZSTD, dictionary_pagesize_limit=most)
    if is_bytes(kind):
        return store_texts(array)
    if kind.bit_width < 32:
        return _parquet(array, _ZSTD, use_dictionary=False)
    if pa.types.is_integer(kind) or pa.types.is_temporal(kind):
        return _whole_numbers(array)
    some = np.frombuffer(fixed_values(array.slice(0, _SOME_ROWS)), np.uint8)
    if not _can_shrink(some.reshape(-1, kind.bit_width // 8).T.tobytes()):
        return _parquet(array, _PLAIN, use_dictionary=False)
    by_byte = {"v": "BYTE_STREAM_SPLIT"}
    return _parquet(array, _ZSTD, use_dictionary=False, column_encoding=by_byte)


def _whole_numbers(array: pa.Array) -> bytes:
    """By their differences; byte by byte where that hardly takes more, for it is read sooner."""
    differences = {"v": "DELTA_BINARY_PACKED"}
    one = _parquet(array, _PLAIN, use_dictionary=False, column_encoding=differences)
    if len(one) < array.nbytes // 8:
        return one
    by_byte = {"v": "BYTE_STREAM_SPLIT"}
    other = _parquet(array, _LZ4, use_dictionary=False, column_encoding=by_byte)
    return other if len(other) < _HARDLY_MORE * len(one) else one


def _can_shrink(data: bytes) -> bool:
    """Whether compressing saves enough to be undone each time that this is read."""
    return len(_CODEC.compress(data, asbytes=True)) < _WORTH_WHILE * len(data)


def _parquet(array: pa.Array, compression: dict[str, Any], **encoding: Any) -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(
        pa.table([array], names=["v"]),
        sink,
        write_page_checksum=True,
        write_statistics=False,
        store_schema=False,
        use_compliant_nested_type=False,
        row_group_size=max(len(array), 1),
        **compression,
        **encoding,
    )
    return b"".join((bytes([PARQUET]), sink.getvalue()))


def _repeats(array: pa.Array) -> bool:
    """Whether of some of the values, all over the array, every fourth was there before."""
    some = array.take(pa.array(np.arange(0, len(array), max(1, len(array) // _SAMPLE))))
    return bool(pc.count_distinct(some, mode="all").as_py() < 0.75 * len(some))


def load_column(stored: Stored, kind: pa.DataType, digest: bytes) -> pa.Array:
    """The values of a stored column. Raises Damaged."""
    try:
        if stored[0] == TEXTS:
            return load_texts(stored, kind)
        source = pa.BufferReader(pa.py_buffer(stored).slice(1))
        # Not by ``ParquetFile``, which looks for columns by name: a fifth of a small piece's time.
        reader = ParquetReader()
        reader.open(source)
        if is_bytes(kind) and _of_dictionary(reader.metadata):
            metadata, reader = reader.metadata, ParquetReader()
            reader.open(source, metadata=metadata, read_dictionary=[0])
        return one_array(reader.read_column(0), kind)
    except MemoryError:
        raise  # it is not the piece's fault
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged_piece(digest, f"it can't be decoded ({error})") from error


def _of_dictionary(metadata: parquet.FileMetaData) -> bool:
    """Whether texts are kept as numbers of a dictionary's: then each is made once, and copied.

    Any that is kept as it is takes four bytes for its length alone.
    """
    column = metadata.row_group(0).column(0)
    return bool(
        column.has_dictionary_page and column.total_uncompressed_size < 4 * column.num_values
    )
