"""Roadworthy: whole files as tables or as bytes, and given only the rows that change."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from pyarrow import parquet

from roadworthy.cli.staging import Keys, changes_of, planned
from roadworthy.data import Append, PutFile, PutTable
from roadworthy.data.exporting import Export
from roadworthy.data.ingestion.upserting import Upsert
from roadworthy.settings import Settings
from roadworthy.wiring import open_datasets

PATH = "table.parquet"


class Side:
    """A home with one dataset. ``manner`` is whole, bytes or rows."""

    def __init__(self, folder: str, manner: str = "whole") -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._manner = manner
        self._stack = contextlib.ExitStack()
        settings = Settings(home=self._folder)
        self._datasets = self._stack.enter_context(open_datasets(settings))
        if "flights" not in [each.name for each in self._datasets.all()]:
            self._datasets.create("flights", key=["id"])

    def first(self, file: str) -> None:
        """The first version."""
        self._commit(self._put(file))

    def change(self, kind: str, whole: str, part: str) -> None:
        """The next version: the whole file, or what changed in it."""
        if self._manner != "rows":
            self._commit(self._put(whole))
        elif kind == "appended":
            self._commit(Append(PATH, Path(part), ["id"]))
        else:
            self.upsert(part)

    def upsert(self, part: str) -> None:
        """Rows by key."""
        change = Upsert(parquet.read_table(part), ["id"])
        self._commit(change.change(self._datasets.read("flights"), PATH))

    def column(self, name: str) -> int:
        """One column of the version before the newest."""
        return int(self._datasets.read("flights@main~1").to_arrow(PATH, [name]).num_rows)

    def batches(self) -> int:
        """All rows, some at a time."""
        return sum(batch.num_rows for batch in self._datasets.read("flights").batches(PATH))

    def tiny(self) -> None:
        """A commit of a file of a hundred bytes."""
        self._commit(PutFile("tiny", self._datasets.new_id().encode() * 4))

    def log(self) -> int:
        """The newest thousand versions."""
        return len(self._datasets.log("flights", limit=1000))

    def take(self, folder: str) -> None:
        """A folder of many files, as ``data commit`` does."""
        files = planned([Path(folder)], "", "auto")
        keys = Keys(asked=(), usual=())
        self._commit(*changes_of(self._datasets, "flights", files, False, keys, (), False))

    def give(self, folder: str) -> None:
        """All files out, as ``data checkout`` does."""
        export = Export(self._datasets.read("flights"), Path(folder))
        export.write_all(export.plan(), lambda _entry, _count: None)

    def size(self) -> int:
        """The bytes on disk, with the index."""
        with self._datasets.database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return sum(each.stat().st_size for each in self._folder.rglob("*") if each.is_file())

    def close(self) -> None:
        """Gives the files free."""
        self._stack.close()

    def _put(self, file: str) -> Any:
        if self._manner == "bytes":
            return PutFile(PATH, Path(file))
        return PutTable(PATH, Path(file), ["id"])

    def _commit(self, *changes: Any) -> None:
        self._datasets.commit("flights@main", changes, message="bench", author="bench")
