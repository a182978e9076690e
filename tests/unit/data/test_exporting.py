"""What a commit holds comes out as files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from roadworthy.core.dataset import Entry
from roadworthy.data import Datasets, PutFile
from roadworthy.data.exporting import Export
from roadworthy.errors import Damaged
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import unsynced_disk
from roadworthy.storage.opening import open_database

SIZES = [0, 1, 63, 5000, 16 << 10, (16 << 10) + 1, 300_000, 2_000_000, *[700] * 600]


@pytest.fixture
def datasets(tmp_path: Path) -> Iterator[Datasets]:
    """Datasets with one that is empty."""
    database = open_database(f"sqlite:///{tmp_path / 'roadworthy.db'}")
    blobs = DirectoryBlobs(tmp_path / "data", unsynced_disk())
    made = Datasets(database, blobs, lambda: datetime.now(UTC))
    made.create("d")
    yield made
    database.close()


def files() -> dict[str, bytes]:
    """Contents of many sizes, by path; the last two have the same."""
    chance = random.Random(1)
    made = {f"{n % 7}/{n:04}": chance.randbytes(size) for n, size in enumerate(SIZES)}
    return {**made, "run": b"#!/bin/sh\n", "zz": b"#!/bin/sh\n"}


def test_files_of_all_sizes_come_out_as_they_went_in(datasets: Datasets, tmp_path: Path) -> None:
    contents = files()
    program = tmp_path / "program"
    program.write_bytes(contents["run"])
    program.chmod(0o755)
    changes = [PutFile(path, data) for path, data in contents.items() if path != "run"]
    datasets.commit("d", [*changes, PutFile("run", program)], message="all")
    export = Export(datasets.read("d"), tmp_path / "out")
    told: dict[str, int] = {}

    def tell(entry: Entry, count: int) -> None:
        told[entry.path] = told.get(entry.path, 0) + count

    export.write_all(export.plan(), tell)
    out = tmp_path / "out"
    found = {
        each.relative_to(out).as_posix(): each.read_bytes()
        for each in out.rglob("*")
        if each.is_file()
    }
    assert found == contents
    assert {path: size for path, size in told.items() if size} == {
        path: len(data) for path, data in contents.items() if data
    }
    assert (out / "run").stat().st_mode & 0o111
    assert not (out / "zz").stat().st_mode & 0o111


def test_a_flipped_bit_is_never_written_out(datasets: Datasets, tmp_path: Path) -> None:
    contents = files()
    datasets.commit("d", [PutFile(path, data) for path, data in contents.items()], message="all")
    pack = max((tmp_path / "data").rglob("*"), key=lambda each: each.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[5000] ^= 4
    pack.write_bytes(data)
    export = Export(datasets.read("d"), tmp_path / "out")
    with pytest.raises(Damaged):
        export.write_all(export.plan(), lambda _entry, _count: None)
    for each in (tmp_path / "out").rglob("*"):
        if each.is_file():
            assert each.read_bytes() == contents[each.relative_to(tmp_path / "out").as_posix()]
