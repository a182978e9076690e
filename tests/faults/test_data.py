"""Rows 1, 2, 3, 4c, 5 and 14 for datasets: kills, full disk, flipped bits, failed syncs, races.

``FAULT_ROUNDS`` in the environment multiplies the kills, for campaigns.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from roadworthy.data import Append, Datasets, PutFile, PutTable
from roadworthy.errors import Conflict, Damaged, StorageError
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import PARTIAL, Disk, unsynced_disk
from roadworthy.storage.metadata import Database
from roadworthy.storage.opening import open_database
from roadworthy.testing.dataset_kills import opened, problems_of
from roadworthy.testing.datasets import some_rows
from roadworthy.testing.faulty import CuttingProxy, FailingSync
from roadworthy.testing.servers import postgres_database
from roadworthy.testing.values import ticking_clock

pytestmark = pytest.mark.fault("1")

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
FLIPS = 150


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path / "data", unsynced_disk())


@pytest.fixture
def datasets(database: Database, blobs: DirectoryBlobs) -> Datasets:
    made = Datasets(database, blobs, ticking_clock())
    made.create("d")
    return made


@pytest.mark.timeout(300 * ROUNDS)
def test_kills_after_durable_writes_and_at_random_times(tmp_path: Path, tried) -> None:
    tried(20 * ROUNDS)
    kills = str(20 * ROUNDS)
    done = subprocess.run(
        [sys.executable, "-m", "roadworthy.testing.dataset_kills", str(tmp_path), "7", kills],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def test_the_campaign_finds_a_fault_that_is_planted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "roadworthy.testing.dataset_kills", str(tmp_path), "7", "40"]
    done = subprocess.run([*command, "planted"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, ""), done.stdout + done.stderr
    assert "is missing" in done.stdout


def test_the_judge_finds_what_is_lost(tmp_path: Path) -> None:
    with opened(tmp_path) as datasets:
        datasets.create("d")
        rows = Append("rows", some_rows(3))
        made = datasets.commit("d", [rows, PutFile("f", bytes(99))], message="3", write="w")
        digests = sorted(datasets.blobs.digests(), key=lambda each: datasets.blobs.size(each) or 0)
    heard = [["begun", "w", "3"], ["done", "w", made.digest]]
    assert problems_of(tmp_path, heard) == []
    assert problems_of(tmp_path, [*heard, ["done", "x", "y"]]) == ["x is lost"]
    assert "w was never begun" in problems_of(tmp_path, heard[1:])
    (tmp_path / "data" / made.digest[:2] / made.digest[2:]).unlink()
    assert any("is missing" in problem for problem in problems_of(tmp_path, heard))
    assert digests


@pytest.mark.fault("3")
def test_no_flipped_bit_comes_out_as_data(datasets: Datasets, blobs: DirectoryBlobs) -> None:
    table, data = some_rows(60_000), random.Random(3).randbytes(400_000)
    edited = _edited(table, 17)
    datasets.commit("d", [PutTable("t", table, key=["id"]), PutFile("f", data)], message="m")
    datasets.commit("d", [PutTable("t", edited, key=["id"])], message="m")
    packs = [each for each in blobs.digests() if blobs.read(each, 0, 6) == b"RWPACK"]
    chance = random.Random(11)
    wrong = found = harmless = 0
    for number in range(FLIPS):
        path = blobs.path(packs[number % len(packs)])
        whole = path.read_bytes()
        bit = chance.randrange(len(whole) * 8)
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        reader = Datasets(datasets.database, blobs, ticking_clock())
        try:
            old, new = reader.read("d@main~1"), reader.read("d")
            same = old.to_arrow("t").equals(table) and new.to_arrow("t").equals(edited)
            same = same and old.open("f").read() == data
        except Damaged:
            found += 1
        else:
            wrong += not same
            harmless += same  # in the list at the end of a pack, which rebuilding reads
        path.write_bytes(whole)
    assert (wrong, found + harmless) == (0, FLIPS)
    assert found > FLIPS * 0.9
    assert datasets.check().problems == []


@pytest.mark.fault("3")
def test_fsck_finds_flips_and_the_rest_stays_usable(
    datasets: Datasets, blobs: DirectoryBlobs
) -> None:
    chance = random.Random(4)
    files = {f"f{number}": chance.randbytes(50_000) for number in range(10)}
    changes = [PutFile(path, data) for path, data in files.items()]
    datasets.commit("d", changes, message="m")
    pack = max(blobs.digests(), key=lambda each: blobs.size(each) or 0)
    data = bytearray(blobs.path(pack).read_bytes())
    at = data.index(files["f3"][1000:1100])
    data[at] ^= 1
    blobs.path(pack).write_bytes(data)
    problems = datasets.check().problems
    assert {each.path for each in problems if each.path} == {"f3"}
    assert {name for each in problems for name in each.commits} == {datasets.find("d").name}
    reader = Datasets(datasets.database, blobs, ticking_clock()).read("d")
    for path, content in files.items():
        if path != "f3":
            assert reader.open(path).read() == content
    with pytest.raises(Damaged):
        reader.open("f3").read()


@pytest.mark.fault("2")
def test_a_full_disk_leaves_nothing_half_visible(
    datasets: Datasets, database: Database, tmp_path: Path
) -> None:
    datasets.commit("d", [PutFile("a", b"before")], message="m")
    big = random.Random(1).randbytes(3_000_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(StorageError, match=r"(?i)file.*large|space|limit") as raised:
            datasets.commit("d", [PutFile("b", big)], message="big")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.cure
    assert [each.commit.message for each in datasets.log("d")] == ["m"]
    assert list((tmp_path / "data").rglob(f"{PARTIAL}*")) == []
    datasets.commit("d", [PutFile("b", b"after")], message="after")
    assert datasets.check().problems == []


@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.fault("4c")
def test_after_a_failed_sync_nothing_more_is_written(
    database: Database, tmp_path: Path, at: int
) -> None:
    healthy = Datasets(database, DirectoryBlobs(tmp_path / "data"), ticking_clock())
    healthy.create("d")
    first = healthy.commit("d", [PutFile("a", b"1")], message="m")
    sync = FailingSync(at)
    broken = Datasets(database, DirectoryBlobs(tmp_path / "data", Disk(sync=sync)), ticking_clock())
    with pytest.raises(StorageError, match="sync"):
        broken.commit("d", [PutFile("b", b"2")], message="m")
    calls = sync.calls
    with pytest.raises(StorageError, match="nothing more is written"):
        broken.commit("d", [PutFile("c", b"3")], message="m")
    assert sync.calls == calls
    assert broken.find("d") == first
    assert broken.read("d").open("a").read() == b"1"
    assert healthy.check().problems == []


@pytest.mark.fault("5")
def test_a_lost_answer_to_the_committing_statement_has_one_effect(tmp_path: Path) -> None:
    with postgres_database() as url:
        open_database(url).close()
        proxy = CuttingProxy("127.0.0.1", 5432)
        database = open_database(url.replace(":5432", f":{proxy.port}"))
        blobs = DirectoryBlobs(tmp_path / "data", unsynced_disk())
        datasets = Datasets(database, blobs, ticking_clock())
        datasets.create("d")
        for number in range(3):
            if number:
                proxy.lose_answer_to(b"COMMIT")
            datasets.commit("d", [PutFile("a", b"%d" % number)], message=str(number))
        assert proxy.cuts == 2
        assert [each.commit.message for each in datasets.log("d")] == ["2", "1", "0"]
        database.close()
        proxy.close()


class Beside:
    """Writers that commit, drop and commit again a few contents, and gc with hardly any grace."""

    def __init__(self, datasets: Datasets) -> None:
        self.datasets = datasets
        self.contents = [random.Random(number).randbytes(30_000) for number in range(6)]
        self.made: dict[str, bytes] = {}
        self.ended: list[str] = []
        self.refused = 0
        self.stop = threading.Event()

    def write(self, number: int) -> None:
        """Eight commits to a branch."""
        chance, branch = random.Random(number), f"w{number}"
        self.repeat(lambda: self.datasets.create_branch("d", branch))
        for _ in range(8):
            data = chance.choice(self.contents)
            files = [PutFile("f", data)]
            self.repeat(partial(self.datasets.commit, f"d@{branch}", files, message="m"))
            self.made[branch] = data
            assert self.datasets.read(f"d@{branch}").open("f").read() == data
            if chance.random() < 0.4:
                self.repeat(lambda: self.datasets.delete_branch("d", branch))
                self.repeat(lambda: self.datasets.create_branch("d", branch))
                self.made.pop(branch)
        self.ended.append(branch)

    def repeat(self, work: Callable[[], object]) -> None:
        """What gc, which has hardly any patience here, was quicker than is done again."""
        while True:
            try:
                work()
                return
            except Conflict:
                self.refused += 1

    def collect(self) -> None:
        """gc again and again; it says so where a branch was changed while it looked."""
        while not self.stop.is_set():
            try:
                self.datasets.collect(grace=timedelta(seconds=9), dry_run=False)
            except Conflict:
                self.refused += 1
        self.ended.append("gc")


def test_gc_beside_writers_loses_nothing(datasets: Datasets) -> None:
    work = Beside(datasets)
    collector = threading.Thread(target=work.collect)
    writers = [threading.Thread(target=work.write, args=[number]) for number in range(2)]
    for each in (*writers, collector):
        each.start()
    for each in writers:
        each.join()
    work.stop.set()
    collector.join()
    assert sorted(work.ended) == ["gc", "w0", "w1"]
    for branch, data in work.made.items():
        assert datasets.read(f"d@{branch}").open("f").read() == data
    assert datasets.check().problems == []


@pytest.mark.fault("14")
def test_a_clock_that_jumps_back_keeps_the_order_of_commits(
    database: Database, blobs: DirectoryBlobs
) -> None:
    times = iter(
        datetime(2026, 3, 29, hour, 30, tzinfo=UTC) for hour in [5, 5, 5, 4, 4, 4, 4, 4, 4, 6, 6, 6]
    )
    last = [datetime(2026, 3, 29, 7, tzinfo=UTC)]

    def clock() -> datetime:
        return next(times, last[0])

    datasets = Datasets(database, blobs, clock)
    datasets.create("d")
    made = [
        datasets.commit("d", [PutFile("a", b"%d" % n)], message=str(n), write=f"w{n}")
        for n in range(4)
    ]
    assert [each.commit.at for each in made] == sorted(each.commit.at for each in made)
    assert [each.commit.message for each in datasets.log("d")] == ["3", "2", "1", "0"]
    assert datasets.find("d@2026-03-29") == made[3]


def _edited(table: pa.Table, seed: int) -> pa.Table:
    values = table["price"].to_pylist()
    for row in random.Random(seed).sample(range(len(values)), len(values) // 100):
        values[row] = -1.0
    return table.set_column(1, "price", pa.array(values, pa.float64()))
