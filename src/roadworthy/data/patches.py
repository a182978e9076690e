"""Patches: a column of a run that differs from an older one in few rows, kept as those rows.

This is the overlay for scattered edits. A patch always rests on a whole piece, never on another
patch, so reading takes one step; once it would hold more than an eighth of the rows, the column is
written whole again, which folds it in. Where up to three quarters lie together, whichever is
shorter decides: reading a patch takes longer, so it has to be less than half as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from roadworthy.data import paged
from roadworthy.data.columns import (
    column_digest,
    fixed_values,
    is_bytes,
    load_column,
    store_column,
)
from roadworthy.data.stored import PATCH, Stored, base_of, damaged_piece

MOST_SHARE, MOST_TOGETHER = 1 / 8, 3 / 4
_LEAST_ROWS = 256
_MOST_DIGESTS = 500_000


def differing_rows(before: pa.Array, after: pa.Array) -> npt.NDArray[np.int64] | None:
    """The rows in which two arrays of one type and length differ; None if that can't be told.

    >>> differing_rows(pa.array([1, None, 3]), pa.array([1, 2, 3])).tolist()
    [1]
    """
    kind = after.type
    if pa.types.is_nested(kind) or pa.types.is_null(kind):
        return None
    if is_bytes(kind):
        empty = pa.scalar("" if "string" in str(kind) else b"", kind)
        unlike = pc.not_equal(before.fill_null(empty), after.fill_null(empty))
        differs = unlike.to_numpy(zero_copy_only=False)
    elif pa.types.is_boolean(kind):
        pair = [each.fill_null(False).to_numpy(zero_copy_only=False) for each in (before, after)]
        differs = pair[0] != pair[1]
    else:
        rows = [np.frombuffer(fixed_values(each), np.uint8) for each in (before, after)]
        wide = [each.reshape(len(after), -1) for each in rows]
        differs = (wide[0] != wide[1]).any(axis=1)
    if before.null_count or after.null_count:
        valid = [each.is_valid().to_numpy(zero_copy_only=False) for each in (before, after)]
        differs = differs | (valid[0] != valid[1])
    return np.flatnonzero(differs)


def _most_share(rows: npt.NDArray[np.int64]) -> float:
    """The share of rows up to which a patch is worth while: more for a block, of which few columns
    may be changed, than for edits all over, which are likely to go on.
    """
    together = len(rows) > 0 and 2 * len(rows) > rows[-1] + 1 - rows[0]
    return MOST_TOGETHER if together else MOST_SHARE


def store_patch(base: pa.Array, base_digest: bytes, after: pa.Array) -> bytes | None:
    """An array as a patch of another; None where writing it whole is better."""
    if len(base) != len(after) or len(after) < _LEAST_ROWS:
        return None
    rows = differing_rows(base, after)
    if rows is None or len(rows) > len(after) * _most_share(rows):
        return None
    sink = pa.BufferOutputStream()
    values = after.take(pa.array(rows))
    parquet.write_table(
        pa.table([pa.array(rows.astype(np.int32)), values], names=["row", "v"]),
        sink,
        compression="zstd",
        write_page_checksum=True,
        write_statistics=False,
        store_schema=False,
        use_compliant_nested_type=False,
        use_dictionary=["v"],
        column_encoding={"row": "DELTA_BINARY_PACKED"},
    )
    patch = b"".join((bytes([PATCH]), base_digest, sink.getvalue()))
    if len(rows) > len(after) * MOST_SHARE and 2 * len(patch) > len(store_column(after)):
        return None
    return patch


def load_array(
    stored: Mapping[bytes, Stored], kind: pa.DataType, digest: bytes, verify: bool = False
) -> pa.Array:
    """The values of a piece, whole or a patch; ``stored`` has it and what it rests on.

    A patch is checked by the digest of the values, a whole piece only where asked to: its
    stored bytes were checked. Raises Damaged.
    """
    own = stored[digest]
    base_digest = base_of(own)
    if not base_digest:
        array = load_column(own, kind, digest)
    else:
        base = load_column(stored[base_digest], kind, base_digest)
        array = _apply(base, own, kind, digest)
        verify = True
    if verify and column_digest(array) != digest:
        raise damaged_piece(digest, "its values have another digest")
    return array


def _apply(base: pa.Array, own: Stored, kind: pa.DataType, digest: bytes) -> pa.Array:
    try:
        source = pa.BufferReader(pa.py_buffer(own).slice(33))
        table = parquet.ParquetFile(source).read(use_threads=False)
        rows = table.column(0).to_numpy()
        values = table.column(1).cast(kind).combine_chunks()
        places = np.arange(len(base))
        places[rows] = np.arange(len(values)) + len(base)
        return pa.concat_arrays([base, values]).take(pa.array(places))
    except MemoryError:
        raise  # it is not the piece's fault
    except (pa.ArrowException, OSError, ValueError, IndexError) as error:
        raise damaged_piece(digest, f"its patch can't be decoded ({error})") from error


class Alignment:
    """Finds, for a run of the new version, the run of the old one that it most likely was."""

    def __init__(self, runs: Iterable[paged.Record], columns: Sequence[int | None]) -> None:
        """``columns`` says where each new column was in the old version; None: it was not."""
        self._columns = columns
        self._runs: list[paged.Record] = []
        self._with: dict[bytes, int] = {}
        self._last = -1
        kept = [column for column in columns if column is not None]
        for number, run in enumerate(runs):
            if number * len(kept) > _MOST_DIGESTS:
                break
            self._runs.append(run)
            for column in kept:
                self._with.setdefault(run.payload[32 * column : 32 * column + 32], number)

    def old_digests(self, digests: Sequence[bytes], rows: int) -> list[bytes | None]:
        """For each column of a new run its digest in the old one it was, where there is one."""
        votes: dict[int, int] = {}
        for digest in digests:
            number = self._with.get(digest)
            if number is not None and self._runs[number].weight == rows:
                votes[number] = votes.get(number, 0) + 1
        number = max(votes, key=lambda each: votes[each]) if votes else self._last + 1
        if number >= len(self._runs) or self._runs[number].weight != rows:
            return [None] * len(digests)
        self._last = number
        payload = self._runs[number].payload
        return [
            None if column is None else payload[32 * column : 32 * column + 32]
            for column in self._columns
        ]
