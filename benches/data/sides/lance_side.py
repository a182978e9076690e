"""Lance: given only the rows that change, through its own calls."""

from __future__ import annotations

from pathlib import Path

import lance
import pyarrow as pa
from pyarrow import parquet

ONE = pa.table({"id": [1], "text": ["x" * 100]})


class Side:
    """One dataset in a folder."""

    def __init__(self, folder: str) -> None:
        self._folder = f"{folder}/t.lance"
        self._tiny = f"{folder}-tiny.lance"
        Path(folder).mkdir(parents=True, exist_ok=True)

    def first(self, file: str) -> None:
        """The first version, streamed."""
        with parquet.ParquetFile(file) as source:
            batches = source.iter_batches(1 << 17)
            reader = pa.RecordBatchReader.from_batches(source.schema_arrow, batches)
            lance.write_dataset(reader, self._folder)

    def change(self, kind: str, _whole: str, part: str) -> None:
        """The next version, from the rows concerned."""
        if kind == "appended":
            lance.write_dataset(parquet.read_table(part), self._folder, mode="append")
        else:
            self.upsert(part)

    def upsert(self, part: str) -> None:
        """Rows by key."""
        merging = lance.dataset(self._folder).merge_insert("id")
        merging = merging.when_matched_update_all().when_not_matched_insert_all()
        merging.execute(parquet.read_table(part))

    def column(self, name: str) -> int:
        """One column of the version before the newest."""
        newest = lance.dataset(self._folder).version
        table = lance.dataset(self._folder, version=newest - 1)
        return int(table.to_table(columns=[name]).num_rows)

    def batches(self) -> int:
        """All rows, some at a time."""
        return sum(batch.num_rows for batch in lance.dataset(self._folder).to_batches())

    def tiny(self) -> None:
        """A commit of one row."""
        there = Path(self._tiny).exists()
        lance.write_dataset(ONE, self._tiny, mode="append" if there else "create")

    def log(self) -> int:
        """All versions."""
        return len(lance.dataset(self._tiny).versions())

    def size(self) -> int:
        """The bytes on disk."""
        files = Path(self._folder).rglob("*")
        return sum(each.stat().st_size for each in files if each.is_file())

    def close(self) -> None:
        """Nothing is held."""
