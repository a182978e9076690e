"""Cutting a stream of rows into runs, at places that the rows themselves decide.

A row ends a run where a hash of some of its columns says so. What is inserted, appended or
changed then moves the cuts around it and no others, however the sender's file was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roadworthy.data.columns import fixed_values, one_array

RUN_BYTES = 2 << 20
_FEWEST_BITS, _MOST_BITS = 6, 14
_LEAST_RUNS, _SMALL_BITS = 16, 8
_BLOCK_ROWS = 1 << 18
_BLOCK_BYTES = 32 << 20
_SAMPLE = 1 << 14
_MOST_COLUMNS = 4
_PRIME = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio
_HALF = np.uint64(32)

Words = npt.NDArray[np.uint64]


class Cut(msgspec.Struct, frozen=True):
    """How a table is cut: by a hash of these columns, into runs of 2**bits rows on average."""

    columns: list[str]
    bits: int


def fitting_bits(rows: int, size: int, *, whole: bool) -> int:
    """How long runs should be for rows of a size: about two megabytes, 16,384 rows at most.

    Where the rows are the ``whole`` table, short enough for it to have several.
    """
    width = max(size / max(rows, 1), 1.0)
    bits = min(max(int(np.log2(max(RUN_BYTES / width, 1.0))), _FEWEST_BITS), _MOST_BITS)
    if whole:
        bits = min(bits, max(_SMALL_BITS, int(np.log2(max(rows / _LEAST_RUNS, 1.0)))))
    return bits


def choose_cut(sample: pa.Table, key: Sequence[str]) -> Cut:
    """How to cut a table that looks like its first rows.

    By its key, or else by the columns with the most different values.
    """
    whole = sample.num_rows < _BLOCK_ROWS and sample.nbytes < _BLOCK_BYTES
    bits = fitting_bits(sample.num_rows, sample.nbytes, whole=whole)
    if key:
        return Cut(columns=list(key), bits=bits)
    head = sample.slice(0, _SAMPLE)
    ranked = sorted(
        (
            (-_variety(head.column(number)), number)
            for number in range(head.num_columns)
            if not pa.types.is_nested(head.schema.field(number).type)
        ),
    )
    names = [head.schema.names[number] for _, number in ranked[:_MOST_COLUMNS]]
    return Cut(columns=names, bits=bits)


def _variety(column: pa.ChunkedArray) -> int:
    return int(pc.count_distinct(column).as_py()) if column.type != pa.null() else 0


def row_hashes(table: pa.Table, columns: Sequence[str]) -> Words:
    """A hash of each row's values in some columns."""
    hashes = np.full(table.num_rows, _PRIME, dtype=np.uint64)
    for name in columns:
        array = one_array(table.column(name), table.schema.field(name).type)
        for words in _words(array):
            hashes ^= words
            hashes *= _PRIME
            hashes ^= hashes >> _HALF
    return hashes


def _words(array: pa.Array) -> Iterator[Words]:
    """An array's values as 64-bit words: all of a short one, the ends of a long one.

    How many there are depends on the type alone, so that a row's hash depends on the row alone.
    """
    kind = array.type
    if pa.types.is_null(kind) or not len(array):
        return
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        words = _text_words(array, "<i4")
    elif pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        words = _text_words(array, "<i8")
    elif pa.types.is_boolean(kind):
        flags = array.fill_null(False).to_numpy(zero_copy_only=False)
        words = iter([flags.astype(np.uint64)])
    else:
        words = _fixed_words(np.frombuffer(fixed_values(array), np.uint8), len(array))
    first = next(words)
    if array.null_count:
        first = np.where(array.is_valid().to_numpy(zero_copy_only=False), first, ~_PRIME)
    yield first
    yield from words


def _fixed_words(data: npt.NDArray[np.uint8], rows: int) -> Iterator[Words]:
    width = len(data) // rows
    if width in (1, 2, 4, 8):
        yield data.view(f"<u{width}").astype(np.uint64, copy=False)
        return
    padded = np.zeros((rows, -(-width // 8) * 8), dtype=np.uint8)
    padded[:, :width] = data.reshape(rows, width)
    yield from padded.view("<u8").T


def _text_words(array: pa.Array, dtype: str) -> Iterator[Words]:
    _, offsets_buffer, data = array.buffers()
    offsets: Any = np.frombuffer(offsets_buffer, dtype)[array.offset :][: len(array) + 1]
    starts, lengths = offsets[:-1], np.diff(offsets)
    if array.null_count:
        lengths = np.where(array.is_valid().to_numpy(zero_copy_only=False), lengths, 0)
    lengths = lengths.astype(np.int64)
    yield lengths.astype(np.uint64)
    size = data.size if data is not None else 0
    if size < 8:
        data, size = pa.py_buffer((data.to_pybytes() if data is not None else b"") + bytes(8)), 8
    words = np.ndarray(shape=(size - 7,), dtype="<u8", buffer=data, strides=(1,))
    short = np.minimum(lengths, 8)
    at = np.minimum(starts, size - 8)
    # Near the buffer's end the word begins before the text: shifted back into place.
    first = words[at] >> ((starts - at).clip(0, 7) * 8).astype(np.uint64)
    yield np.where(short > 0, first & _ONES[short], 0)
    end = (starts + lengths - 8).clip(0)
    yield np.where(lengths > 8, words[end], 0)


_ONES = np.array([(1 << (8 * count)) - 1 for count in range(9)], dtype=np.uint64)


def blocks(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Batches gathered into tables that are worth working on at once."""
    some: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        some.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= _BLOCK_ROWS or size >= _BLOCK_BYTES:
            yield pa.Table.from_batches(some, schema)
            some, rows, size = [], 0, 0
    if some:
        yield pa.Table.from_batches(some, schema)


def _first(ends: npt.NDArray[np.int64], low: int, high: int) -> int | None:
    """The first possible end from ``low`` to before ``high``."""
    found = int(np.searchsorted(ends, low))
    return int(ends[found]) if found < len(ends) and ends[found] < high else None


def cut_runs(tables: Iterable[pa.Table], cut: Cut) -> Iterator[pa.Table]:
    """The runs of a stream of tables; the last one ends where the stream does."""
    average = 1 << cut.bits
    least, most = average // 2, 2 * average
    # Harder to end before the average, easier after it: lengths stay close to it.
    hard, easy = np.uint64(4 * average - 1), np.uint64(average // 4 - 1)
    carry: list[pa.Table] = []
    carried = 0
    for table in tables:
        hashes = row_hashes(table, cut.columns)
        early = np.flatnonzero(hashes & hard == 0)
        late = np.flatnonzero(hashes & easy == 0)
        begin = 0
        while True:
            start = begin - carried
            end = _first(early, start + least - 1, start + average - 1)
            if end is None:
                end = _first(late, start + average - 1, start + most - 1)
            if end is None:
                end = start + most - 1
            if end >= table.num_rows:
                break
            yield pa.concat_tables([*carry, table.slice(begin, end + 1 - begin)])
            carry, carried, begin = [], 0, end + 1
        rest = table.slice(begin)
        if rest.num_rows:
            carry.append(rest)
            carried += rest.num_rows
    if carry:
        yield pa.concat_tables(carry)
