"""Rows from wherever they are: Arrow, pandas, polars, or a file in a format of tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from roadworthy.errors import StorageError, UsageError

FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_ENDINGS = {*FORMATS, ".gz"}
_ROWS = 1 << 17


def format_of(path: str) -> str | None:
    """The format of tables that a file's name tells, if it does.

    >>> format_of("a/flights.parquet"), format_of("plane.jpg")
    ('parquet', None)
    """
    name = path.lower()
    if name[name.rfind(".") :] not in _ENDINGS:  # as of most of a million small files
        return None
    if name.endswith(".gz"):
        name = name[:-3]
        if FORMATS.get(_suffix(name)) not in ("csv", "jsonl"):
            return None
    return FORMATS.get(_suffix(name))


def _suffix(path: str) -> str:
    """What a file's name ends with, from its last dot on: a Path for each of a million is slow."""
    stem, dot, end = path.rpartition("/")[2].rpartition(".")
    return f"{dot}{end}" if stem else ""


@contextlib.contextmanager
def open_rows(rows: Any, kind: str | None = None) -> Iterator[pa.RecordBatchReader]:
    """A reader of rows. Raises UsageError for what has none, StorageError for what is away."""
    if isinstance(rows, (str, Path)):
        with _translated(Path(rows)), _open_file(Path(rows), kind) as reader:
            yield reader
        return
    yield _reader(rows)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StorageError(f"{path} is not there", cure="check the path") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} can't be read as a table: {str(error).strip()}",
            cure="correct it, or commit it as bytes (--as file)",
        ) from error


@contextlib.contextmanager
def _open_file(path: Path, kind: str | None) -> Iterator[pa.RecordBatchReader]:
    kind = kind or format_of(path.name)
    if kind == "parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
            batches = file.iter_batches(batch_size=_ROWS, use_threads=True)
            yield pa.RecordBatchReader.from_batches(file.schema_arrow, batches)
    elif kind == "csv":
        from pyarrow import csv

        delimiter = "\t" if ".tsv" in path.name.lower() else ","
        with csv.open_csv(path, parse_options=csv.ParseOptions(delimiter=delimiter)) as reader:
            yield reader
    elif kind == "jsonl":
        yield _json_lines(path)
    elif kind == "arrow":
        with pa.OSFile(str(path)) as source:
            try:
                file = pa.ipc.open_file(source)
            except pa.ArrowInvalid:
                source.seek(0)
                with pa.ipc.open_stream(source) as stream:
                    yield stream
                return
            batches = (file.get_batch(number) for number in range(file.num_record_batches))
            yield pa.RecordBatchReader.from_batches(file.schema, batches)
    else:
        raise UsageError(
            f"{path} is not a table that can be read by its name",
            cure="rename it to .parquet, .csv, .jsonl or .arrow, or commit it as bytes",
        )


def _json_lines(path: Path) -> pa.RecordBatchReader:
    from pyarrow import json

    table = json.read_json(path)
    return table.to_reader(max_chunksize=_ROWS)


def _reader(rows: Any) -> pa.RecordBatchReader:
    if isinstance(rows, pa.RecordBatchReader):
        return rows
    if isinstance(rows, pa.Table):
        return rows.to_reader(max_chunksize=_ROWS)
    if isinstance(rows, pa.RecordBatch):
        return pa.RecordBatchReader.from_batches(rows.schema, [rows])
    if hasattr(rows, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(rows)
    if type(rows).__module__.startswith("pandas"):
        return _reader(pa.Table.from_pandas(rows, preserve_index=False))
    if isinstance(rows, list) and rows and isinstance(rows[0], dict):
        return _reader(pa.Table.from_pylist(rows))
    if isinstance(rows, Iterable):
        return _from_iterable(iter(rows))
    raise UsageError(
        f"a {type(rows).__name__} has no rows that can be kept",
        cure="give an Arrow table or reader, a pandas or polars frame, or a file's path",
    )


def _from_iterable(batches: Iterator[Any]) -> pa.RecordBatchReader:
    first = next(batches, None)
    if not isinstance(first, pa.RecordBatch):
        raise UsageError(
            "rows without a schema: an iterable must give Arrow record batches, one at least",
            cure="give an Arrow table, or a RecordBatchReader, which has a schema without rows",
        )

    def all_batches() -> Iterator[pa.RecordBatch]:
        yield first
        yield from batches

    return pa.RecordBatchReader.from_batches(first.schema, all_batches())
