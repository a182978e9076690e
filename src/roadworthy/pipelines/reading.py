"""Rows of a Parquet or CSV file, of any size, in chunks that are the same every time."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Literal

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from roadworthy.errors import Damaged, InvalidRows, UsageError

Form = Literal["parquet", "csv"]
CHUNK_BYTES = 8 << 20
FEWEST_ROWS, MOST_ROWS = 256, 50_000
_READ_BYTES = 1 << 20
_SAMPLED_ROWS = 1024


@dataclass(frozen=True)
class Table:
    """A file with rows: its columns, how many rows where that is known, and a way to read on.

    ``batches(start, columns)`` gives the rows from number ``start`` on, in batches of no
    particular size.
    """

    form: Form
    schema: pa.Schema
    rows: int | None
    chunk_rows: int
    batches: Callable[[int, Sequence[str]], Iterator[pa.RecordBatch]]

    def chunks(self, start: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows from chunk ``start`` on, ``chunk_rows`` at a time, the last chunk shorter."""
        size = self.chunk_rows
        held: list[pa.RecordBatch] = []
        rows = 0
        for batch in self.batches(start * size, columns):
            held.append(batch)
            rows += batch.num_rows
            while rows >= size:
                whole = pa.Table.from_batches(held).combine_chunks()
                yield _first(whole.slice(0, size))
                rows -= size
                held = whole.slice(size).to_batches()
        if rows:
            yield _first(pa.Table.from_batches(held).combine_chunks())


def form_of(path: str) -> Form:
    """The form that a path's ending says. Raises UsageError.

    >>> form_of("a/rows.parquet"), form_of("rows.CSV")
    ('parquet', 'csv')
    """
    ending = PurePosixPath(path).suffix.lower()
    if ending in (".parquet", ".pq"):
        return "parquet"
    if ending == ".csv":
        return "csv"
    raise UsageError(f"{path} has no form that is known", cure="use a .parquet or .csv file")


def read_table(path: str, opened: Callable[[], BinaryIO], chunk_rows: int = 0) -> Table:
    """A file's rows, read anew by each call of ``batches``.

    ``chunk_rows`` 0: as many as make about 8 MiB. Raises UsageError, Damaged, what ``opened``
    raises.
    """
    if form_of(path) == "parquet":
        return _parquet(path, opened, chunk_rows)
    return _csv(path, opened, chunk_rows)


def _parquet(path: str, opened: Callable[[], BinaryIO], chunk_rows: int) -> Table:
    with opened() as file, _readable(path):
        found = parquet.ParquetFile(file)
        about, schema = found.metadata, found.schema_arrow
    groups = [about.row_group(place) for place in range(about.num_row_groups)]
    starts = [0, *itertools.accumulate(group.num_rows for group in groups)]

    def batches(start: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        left = [place for place in range(len(groups)) if starts[place + 1] > start]
        if not left:
            return
        skip = start - starts[left[0]]
        with opened() as file, _readable(path):
            reader = parquet.ParquetFile(file, buffer_size=_READ_BYTES, pre_buffer=False)
            for batch in reader.iter_batches(
                batch_rows, row_groups=left, columns=list(columns), use_threads=False
            ):
                if skip < batch.num_rows:
                    yield batch.slice(skip)
                skip = max(0, skip - batch.num_rows)

    batch_rows = _SAMPLED_ROWS
    rows = chunk_rows or _rows_for(batches(0, schema.names))
    batch_rows = min(rows, 16 * _SAMPLED_ROWS)
    return Table("parquet", schema, about.num_rows, rows, batches)


def _csv(path: str, opened: Callable[[], BinaryIO], chunk_rows: int) -> Table:
    """Every value is text; what it means is for the signature to say."""
    with opened() as file:
        names = _header(path, file)
    schema = pa.schema([pa.field(name, pa.string()) for name in names])

    def batches(start: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        skip = start
        with opened() as file, _readable(path):
            reader = arrow_csv.open_csv(
                file,
                arrow_csv.ReadOptions(block_size=_READ_BYTES, use_threads=False),
                arrow_csv.ParseOptions(newlines_in_values=True),
                arrow_csv.ConvertOptions(
                    column_types=schema, include_columns=list(columns), strings_can_be_null=False
                ),
            )
            for batch in reader:
                if skip < batch.num_rows:
                    yield batch.slice(skip)
                skip = max(0, skip - batch.num_rows)

    rows = chunk_rows or _rows_for(batches(0, names))
    return Table("csv", schema, None, rows, batches)


def _header(path: str, file: BinaryIO) -> list[str]:
    start = file.read(_READ_BYTES)
    try:
        text = start.decode("utf-8-sig", "strict" if len(start) < _READ_BYTES else "ignore")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error.reason}", cure="save it as UTF-8") from None
    names = next(csv.reader(io.StringIO(text)), [])
    if not names:
        raise InvalidRows(f"{path} has no first line with names", cure="give it a header line")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRows(f"{path} has two columns {twice[0]!r}", cure="rename one of them")
    return names


def _rows_for(batches: Iterator[pa.RecordBatch]) -> int:
    """As many rows as make a chunk, by how large the first ones are in memory."""
    first = next(batches, None)
    if first is None:
        return MOST_ROWS
    sample = first.slice(0, _SAMPLED_ROWS)
    wanted: int = CHUNK_BYTES * sample.num_rows // max(1, sample.nbytes)
    return max(FEWEST_ROWS, min(MOST_ROWS, wanted))


def _first(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches()[0]


@contextlib.contextmanager
def _readable(path: str) -> Iterator[None]:
    """Translates what Arrow says of a file that it can't read."""
    try:
        yield
    except pa.ArrowException as error:
        said = str(error).splitlines()[0][:300]
        raise Damaged(f"{path} can't be read: {said}", cure="check the file") from error
