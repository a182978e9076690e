"""Delta: given only the rows that change, through its own calls."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from pyarrow import parquet

ONE = pa.table({"id": [1], "text": ["x" * 100]})


class Side:
    """One table in a folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._tiny = f"{folder}-tiny"
        Path(folder).mkdir(parents=True, exist_ok=True)

    def first(self, file: str) -> None:
        """The first version, streamed."""
        with parquet.ParquetFile(file) as source:
            batches = source.iter_batches(1 << 17)
            write_deltalake(
                self._folder, pa.RecordBatchReader.from_batches(source.schema_arrow, batches)
            )

    def change(self, kind: str, _whole: str, part: str) -> None:
        """The next version, from the rows concerned."""
        if kind == "appended":
            write_deltalake(self._folder, parquet.read_table(part), mode="append")
        else:
            self.upsert(part)

    def upsert(self, part: str) -> None:
        """Rows by key."""
        merging = DeltaTable(self._folder).merge(
            parquet.read_table(part), "t.id = s.id", source_alias="s", target_alias="t"
        )
        merging.when_matched_update_all().when_not_matched_insert_all().execute()

    def column(self, name: str) -> int:
        """One column of the version before the newest."""
        newest = DeltaTable(self._folder).version()
        table = DeltaTable(self._folder, version=newest - 1)
        return int(table.to_pyarrow_dataset().to_table(columns=[name]).num_rows)

    def batches(self) -> int:
        """All rows, some at a time."""
        table = DeltaTable(self._folder).to_pyarrow_dataset()
        return sum(batch.num_rows for batch in table.to_batches())

    def tiny(self) -> None:
        """A commit of one row."""
        write_deltalake(self._tiny, ONE, mode="append")

    def log(self) -> int:
        """The newest thousand versions."""
        return len(DeltaTable(self._tiny).history(1000))

    def size(self) -> int:
        """The bytes on disk."""
        files = Path(self._folder).rglob("*")
        return sum(each.stat().st_size for each in files if each.is_file())

    def close(self) -> None:
        """Nothing is held."""
