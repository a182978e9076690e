"""Iceberg: a local SQLite catalogue; given only the rows that change, through its own calls."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pyarrow import parquet
from pyiceberg.catalog.sql import SqlCatalog

ONE = pa.table({"id": [1], "text": ["x" * 100]})


class Side:
    """One table in a warehouse of its own."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder).absolute()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._catalog = SqlCatalog(
            "local",
            uri=f"sqlite:///{self._folder}/catalogue.db",
            warehouse=f"file://{self._folder}/warehouse",
        )
        self._catalog.create_namespace_if_not_exists("d")

    def first(self, file: str) -> None:
        """The first version."""
        rows = parquet.read_table(file)
        self._catalog.create_table("d.flights", schema=rows.schema).append(rows)

    def change(self, kind: str, _whole: str, part: str) -> None:
        """The next version, from the rows concerned."""
        rows = parquet.read_table(part)
        table = self._catalog.load_table("d.flights")
        if kind == "appended":
            table.append(rows)
        elif kind == "block":
            ids = rows["id"]
            table.overwrite(rows, f"id >= {ids[0].as_py()} and id <= {ids[-1].as_py()}")
        else:
            table.upsert(rows, ["id"])

    def upsert(self, part: str) -> None:
        """Rows by key."""
        self._catalog.load_table("d.flights").upsert(parquet.read_table(part), ["id"])

    def column(self, name: str) -> int:
        """One column of the first version."""
        table = self._catalog.load_table("d.flights")
        first = table.history()[0].snapshot_id
        scan = table.scan(snapshot_id=first, selected_fields=(name,))
        return int(scan.to_arrow().num_rows)

    def batches(self) -> int:
        """All rows, some at a time."""
        reader = self._catalog.load_table("d.flights").scan().to_arrow_batch_reader()
        return sum(batch.num_rows for batch in reader)

    def tiny(self) -> None:
        """A commit of one row."""
        self._catalog.create_table_if_not_exists("d.tiny", schema=ONE.schema).append(ONE)

    def log(self) -> int:
        """All versions."""
        return len(self._catalog.load_table("d.tiny").history())

    def size(self) -> int:
        """The bytes on disk."""
        return sum(each.stat().st_size for each in self._folder.rglob("*") if each.is_file())

    def close(self) -> None:
        """Nothing is held."""
