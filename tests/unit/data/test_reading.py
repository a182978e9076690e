"""Reading a table asks the store for no more than is wanted, in few strokes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from roadworthy.data import Append, Datasets, PutFile, PutTable
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.metadata import Database
from roadworthy.storage.opening import open_database

ROWS = 200_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    database = open_database(f"sqlite:///{tmp_path / 'roadworthy.db'}")
    yield database
    database.close()


class Counted(DirectoryBlobs):
    """Blobs that keep how long each stroke was."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.strokes: list[int] = []

    def read_into(self, digest: str, start: int, into: memoryview) -> int:
        """The same, counted."""
        self.strokes.append(len(into))
        return super().read_into(digest, start, into)


def test_a_column_is_read_in_few_strokes(database: Database, tmp_path: Path) -> None:
    blobs = Counted(tmp_path / "counted")
    datasets = Datasets(database, blobs, lambda: datetime.now(UTC))
    chance = np.random.default_rng(0)
    table = pa.table({"id": np.arange(ROWS)} | {f"x{n}": chance.random(ROWS) for n in range(8)})
    datasets.create("notes", key=["id"])
    datasets.commit("notes@main", [PutTable("t", table, ["id"])], message="m", author="a")
    reader = datasets.read("notes").table("t")
    runs = len(reader.runs())
    blobs.strokes.clear()
    column = pa.Table.from_batches(reader.batches(["x3"]))
    assert column == table.select(["x3"])
    assert runs > 10
    assert len(blobs.strokes) < runs / 5
    assert sum(blobs.strokes) < 1.1 * table["x3"].nbytes


def test_a_first_commit_says_what_it_has(database: Database, tmp_path: Path) -> None:
    datasets = Datasets(database, DirectoryBlobs(tmp_path), lambda: datetime.now(UTC))
    datasets.create("notes")
    rows = pa.table({"id": np.arange(9)})
    changes = [Append("b", rows), PutFile("c", b"words"), PutTable("a", rows)]
    commit = datasets.commit("notes@main", changes, message="m", author="a").commit
    found = list(datasets.read("notes").entries())
    assert [each.path for each in found] == ["a", "b", "c"]
    assert [(each.path, each.rows) for each in commit.tables] == [("a", 9), ("b", 9)]
    assert (commit.files, commit.bytes) == (3, sum(each.size for each in found))
    assert commit.append_only
