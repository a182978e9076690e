"""Datasets as earlier versions stored them: all of them is read, also where the index is lost.

A home is kept as text (``metadata.sql``) and contents (``blobs/``). Add one whenever a format
changes; never change one that is there. ``packs_1`` has packs in which each piece has a check,
and columns all of whose pages are compressed; ``packs_2`` has files without one, truths and
moments that are not compressed, and a table of texts that are kept side by side.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from roadworthy.data import Datasets, PutFile
from roadworthy.errors import Damaged
from roadworthy.settings import Settings
from roadworthy.wiring import open_datasets

HOMES = sorted(path for path in (Path(__file__).parent / "datasets").iterdir() if path.is_dir())
FILES = {
    "noise": random.Random(1).randbytes(3000),
    "text": b"words, words, " * 200,
    "long": random.Random(2).randbytes(30_000),
}
WORDS = pa.table({"word": [None if n % 9 == 5 else f"word {n * n}" for n in range(600)]})


@pytest.fixture(params=HOMES, ids=lambda path: path.name)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    shutil.copytree(request.param / "blobs", tmp_path / "blobs")
    return tmp_path


@pytest.fixture(params=["as it was left", "made again from the blobs"])
def datasets(request: pytest.FixtureRequest, home: Path) -> Iterator[Datasets]:
    if request.param == "as it was left":
        kept = Path(__file__).parent / "datasets" / request.node.callspec.params["home"].name
        connection = sqlite3.connect(home / "roadworthy.db")
        connection.executescript((kept / "metadata.sql").read_text(encoding="utf-8"))
        connection.close()
    with open_datasets(Settings(home=home)) as opened:
        if not opened.all():
            assert opened.rebuild().problems == []
        yield opened


def rows(changed: bool) -> pa.Table:
    """What the table has in the first commit, and in the second, where two prices differ."""
    numbers = np.arange(600)
    price = np.sqrt(numbers)
    price[[7, 300] if changed else []] = -1.0
    return pa.table(
        {
            "id": numbers,
            "price": price,
            "state": ["planned", "landed", None] * 200,
            "at": pa.array(numbers * 1_000_000, pa.timestamp("us")),
        }
    )


def test_all_that_was_committed_is_read(datasets: Datasets) -> None:
    assert datasets.check().problems == []
    first, second = datasets.read("notes@main~1"), datasets.read("notes@main")
    assert first.to_arrow("t") == rows(False)
    assert second.to_arrow("t") == rows(True)
    for path, content in FILES.items():
        assert second.open(path).read() == content
        assert b"".join(second.whole([second.entry(path)])) == content
    if second.find("words") is not None:
        assert second.to_arrow("words") == WORDS


def test_what_is_committed_now_rests_on_what_was_there(datasets: Datasets) -> None:
    again = [PutFile(path, content) for path, content in FILES.items()]
    new = datasets.commit("notes@main", [*again, PutFile("new", b"new")], message="", author="")
    assert new.commit.added < 3000
    assert datasets.read("notes").open("noise").read() == FILES["noise"]
    assert datasets.check().problems == []


def test_each_flipped_bit_of_a_file_is_noticed(datasets: Datasets, home: Path) -> None:
    pack = next(
        path
        for path in (home / "blobs").rglob("*")
        if path.is_file() and FILES["noise"] in path.read_bytes()
    )
    whole = pack.read_bytes()
    start = whole.index(FILES["noise"]) - 1  # the byte that says the form
    entry = datasets.read("notes").entry("noise")
    for at in (start, start + 1, start + 1500, start + 3000):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << bit
            pack.write_bytes(flipped)
            with pytest.raises(Damaged):
                list(datasets.read("notes").whole([entry]))
    pack.write_bytes(whole)
    assert list(datasets.read("notes").whole([entry])) == [FILES["noise"]]
