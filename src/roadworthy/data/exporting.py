"""Writing what a commit holds to ordinary files and streams."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from roadworthy.core.dataset import Entry
from roadworthy.data.snapshot import Snapshot
from roadworthy.data.sources import FORMATS, format_of
from roadworthy.errors import UsageError
from roadworthy.storage.disk import translated, unsynced_disk, write_small

_SUFFIX = {"parquet": ".parquet", "csv": ".csv", "jsonl": ".jsonl", "arrow": ".arrow"}
_SMALL, _TOGETHER = 16 << 10, 256


class Export:
    """Writes entries of a commit under a folder. ``tables`` is a format; empty: as named."""

    def __init__(self, snapshot: Snapshot, folder: Path, tables: str = "") -> None:
        if tables and tables not in _SUFFIX:
            raise UsageError(
                f"tables can't be written as {tables!r}", cure="one of " + ", ".join(_SUFFIX)
            )
        self.folder = folder
        self._snapshot = snapshot
        self._tables = tables
        self._disk = unsynced_disk()

    def plan(self, below: str = "") -> list[tuple[Entry, str]]:
        """The entries and the path of the file that each goes to."""
        return [(entry, self._target(entry)) for entry in self._snapshot.entries(below)]

    def write_all(
        self, planned: Sequence[tuple[Entry, str]], told: Callable[[Entry, int], None]
    ) -> None:
        """Writes entries to their files; small ones are read together. Raises StorageError."""
        for small, some in itertools.groupby(planned, lambda each: _is_small(each[0])):
            if not small:
                for entry, target in some:
                    self.write(entry, Path(target), functools.partial(told, entry))
                continue
            while group := list(itertools.islice(some, _TOGETHER)):
                contents = self._snapshot.whole([entry for entry, _ in group])
                for (entry, target), data in zip(group, contents, strict=True):
                    write_small(target, data, executable=entry.executable)
                    told(entry, len(data))

    def write(
        self, entry: Entry, target: Path, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """Writes an entry to a file that takes the place of what is there. Raises StorageError."""
        told = on_bytes or (lambda _count: None)
        with self._disk.replacing(target) as file:
            if entry.kind == "file":
                for part in self._snapshot.parts(entry):
                    file.write(part)
                    told(len(part))
            else:
                reader = self._snapshot.table_of(entry)

                def batches() -> Iterable[pa.RecordBatch]:
                    for batch in reader.batches():
                        yield batch
                        told(batch.nbytes)

                form = format_of(target.name) or "parquet"
                write_rows(reader.schema, batches(), form, file)
        if entry.executable:
            with translated(f"making {target} executable"):
                target.chmod(0o755)

    def _target(self, entry: Entry) -> str:
        path = entry.path
        if entry.kind == "table":
            wanted = self._tables or format_of(path) or "parquet"
            known = next((each for each in FORMATS if path.lower().endswith(each)), "")
            zipped = path.lower().endswith(".gz")
            if zipped or FORMATS.get(known) != wanted:
                stem = path[: -len(known)] if known and not zipped else path
                path = stem + _SUFFIX[wanted]
        return f"{self.folder}/{path}"


def _is_small(entry: Entry) -> bool:
    return entry.kind == "file" and not entry.indirect and entry.size <= _SMALL


def write_rows(schema: pa.Schema, batches: Iterable[pa.RecordBatch], form: str, file: Any) -> None:
    """Writes rows in a format, batch by batch. Raises UsageError for one that is not known."""
    if form == "parquet":
        from pyarrow import parquet

        with parquet.ParquetWriter(
            file, schema, compression="zstd", write_page_checksum=True
        ) as writer:
            for batch in batches:
                writer.write_batch(batch)
    elif form == "csv":
        from pyarrow import csv

        with csv.CSVWriter(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    elif form == "arrow":
        with pa.ipc.new_stream(file, schema) as stream:
            for batch in batches:
                stream.write_batch(batch)
    elif form == "jsonl":
        _write_json(batches, file)
    else:
        raise UsageError(f"rows can't be written as {form!r}", cure="parquet, csv, jsonl, arrow")


def _write_json(batches: Iterable[pa.RecordBatch], file: Any) -> None:
    import msgspec

    encoder = msgspec.json.Encoder(enc_hook=str)
    for batch in batches:
        file.write(encoder.encode_lines(batch.to_pylist()))
