"""Rows as they were delivered, out of a file or a message: texts stay texts until mapped."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
from pyarrow import csv as arrow_csv

from roadworthy.core.source import Source
from roadworthy.data.ingestion.records import Bad, Must, Raw
from roadworthy.data.sources import FORMATS, open_rows
from roadworthy.errors import SchemaBroken, UsageError

_ROWS = 50_000
_BLOCK = 8 << 20
_CURE = "set `format`, `delimiter`, `encoding` or `records` of the source"


def format_of(source: Source, name: str) -> str:
    """The format of a delivery: as configured, else by its name."""
    if source.format:
        return source.format
    bare = name.lower().removesuffix(".gz")
    suffix = Path(bare).suffix
    if suffix in (".tsv", ".json"):
        return suffix[1:]
    known = FORMATS.get(suffix)
    if known is None:
        raise SchemaBroken(f"{name}: its name tells no format", cure=_CURE)
    return known


def rows_of_file(source: Source, name: str, path: Path, kind: str = "") -> Iterator[Raw | Bad]:
    """The rows of a delivered file, some at a time. Raises SchemaBroken where it can't be read."""
    kind = kind or format_of(source, name)
    try:
        if kind in ("csv", "tsv"):
            yield from _csv(source, name, path, kind)
        elif kind == "jsonl":
            with _opened(source, path) as lines:
                yield from _objects(name, _json_lines(name, lines))
        elif kind == "json":
            with _opened(source, path) as file:
                found = _records(source, file.read())
            yield from _objects(name, enumerate(found, 1))
        else:
            yield from _typed(name, path, kind)
    except (pa.ArrowException, UnicodeError, EOFError, OSError, UsageError, csv.Error) as error:
        reason = str(error).strip().splitlines()[0]
        raise SchemaBroken(f"it can't be read as {kind}: {reason}", cure=_CURE) from error


def rows_of_messages(source: Source, messages: Iterable[tuple[str, bytes]]) -> Iterator[Raw | Bad]:
    """The rows of messages (identity, body): an object, or a list of them, each.

    A message that is neither is a bad row.
    """
    pending: list[tuple[str, int, dict[str, Any]]] = []
    for name, body in messages:
        try:
            found = _records(source, body)
        except SchemaBroken as error:
            yield Bad(name, 1, f"poison: {error.message}", _text(body))
            continue
        pending += [(name, row, each) for row, each in enumerate(found, 1)]
        if len(pending) >= _ROWS:
            yield _of_objects(pending)
            pending = []
    if pending:
        yield _of_objects(pending)


def rows_of_objects(found: list[tuple[str, int, dict[str, Any]]]) -> Raw:
    """Rows that were kept as they had been delivered: delivery, number, values."""
    return _of_objects(found)


def _csv(source: Source, name: str, path: Path, kind: str) -> Iterator[Raw | Bad]:
    delimiter = source.delimiter or ("\t" if kind == "tsv" else ",")
    names = _header(source, path, delimiter)
    if not names:
        return
    if len(set(names)) < len(names):
        twice = next(each for each in names if names.count(each) > 1)
        raise SchemaBroken(f"two columns are called {twice!r}", cure=_CURE)
    broken: list[tuple[int | None, int, str]] = []

    def set_aside(row: Any) -> str:
        broken.append((row.number, row.actual_columns, row.text))
        return "skip"

    with _opened(source, path) as file:
        reader = arrow_csv.open_csv(
            file,
            read_options=arrow_csv.ReadOptions(
                block_size=_BLOCK, encoding=source.encoding, use_threads=False
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=set_aside
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={each: pa.string() for each in names},
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
        before = 0
        for batch in reader:
            yield Raw(batch, _counted(name, before))
            before += batch.num_rows
    for place, (number, columns, text) in enumerate(broken):
        row = number - 1 if number is not None else before + place + 1
        reason = f"it has {columns} values where there are {len(names)} columns"
        yield Bad(name, row, reason, text)


def _header(source: Source, path: Path, delimiter: str) -> list[str]:
    with _opened(source, path) as file:
        text = io.TextIOWrapper(file, source.encoding.replace("utf8", "utf-8-sig"), newline="")
        return next(csv.reader(text, delimiter=delimiter), [])


def _counted(name: str, before: int) -> Any:
    return lambda row: (name, before + row + 1)


def _opened(source: Source, path: Path) -> BinaryIO:
    """A file's bytes, unpacked where it is gzip; not more of them than the source may send."""
    file = path.open("rb")
    if file.read(2) != b"\x1f\x8b":
        file.seek(0)
        return file
    file.seek(0)
    return _Bounded(file, source.most_bytes)  # type: ignore[return-value]


class _Bounded(io.RawIOBase):
    """Unpacked bytes, up to a bound."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._packed = gzip.GzipFile(fileobj=file)
        self._left = most

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found = self._packed.read(min(size if size >= 0 else self._left + 1, self._left + 1))
        self._left -= len(found)
        if self._left < 0:
            raise SchemaBroken("it unpacks to more than `most_bytes`", cure="raise most_bytes")
        return found

    def readinto(self, buffer: Any) -> int:
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        self._packed.close()
        self._file.close()
        super().close()


def _typed(name: str, path: Path, kind: str) -> Iterator[Raw]:
    before = 0
    with open_rows(path, kind) as reader:
        for batch in reader:
            yield Raw(batch, _counted(name, before))
            before += batch.num_rows


def _json_lines(name: str, lines: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield number, msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            yield number, Bad(name, number, f"it is no JSON: {error}", _text(line))


def _objects(name: str, found: Iterable[tuple[int, Any]]) -> Iterator[Raw | Bad]:
    pending: list[tuple[str, int, dict[str, Any]]] = []
    for number, value in found:
        if isinstance(value, Bad):
            yield value
        elif not isinstance(value, dict):
            text = msgspec.json.encode(value).decode()
            yield Bad(name, number, "it is no object with columns", text)
        else:
            pending.append((name, number, value))
        if len(pending) >= _ROWS:
            yield _of_objects(pending, "required")
            pending = []
    if pending:
        yield _of_objects(pending, "required")


def _records(source: Source, body: bytes) -> list[Any]:
    """The objects in a JSON document: itself, a list, or what ``records`` points to."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SchemaBroken(f"it is no JSON: {error}", cure=_CURE) from error
    for step in filter(None, source.records.split(".")):
        if not isinstance(found, dict) or step not in found:
            raise SchemaBroken(f"it has no {source.records!r}", cure=_CURE)
        found = found[step]
    if isinstance(found, dict):
        return [found]
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise SchemaBroken("it is neither an object nor a list of objects", cure=_CURE)
    return found


def _of_objects(found: list[tuple[str, int, dict[str, Any]]], must: Must = "none") -> Raw:
    names = list(dict.fromkeys(name for _, _, each in found for name in each))
    arrays = [_array([each.get(name) for _, _, each in found]) for name in names]
    batch = pa.RecordBatch.from_arrays(arrays, names=names)
    return Raw(batch, lambda row: found[row][:2], must)


def _array(values: list[Any]) -> pa.Array:
    """Values of one kind as they are; of several, or of objects and lists, as texts."""
    kinds = {type(each) for each in values if each is not None}
    if kinds <= {str} or kinds == {bool} or kinds == {int} or kinds == {float}:
        try:
            return pa.array(values, pa.string() if not kinds else None)
        except (pa.ArrowException, OverflowError):
            pass
    return pa.array([None if each is None else _word(each) for each in values], pa.string())


def _word(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace").rstrip("\n")
