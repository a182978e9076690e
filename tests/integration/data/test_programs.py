"""Programs that read datasets: through Roadworthy's own process, recorded, in little memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from roadworthy.core.run import DatasetRead
from roadworthy.data import Datasets, PutFile, PutTable
from roadworthy.registry import Registry
from roadworthy.settings import load_settings
from roadworthy.storage.blobs import open_blobs
from roadworthy.testing.datasets import some_rows
from roadworthy.testing.values import a_draft, a_run, ticking_clock
from roadworthy.wiring import open_datasets

LIMIT = 400 << 20
"""Bytes of memory of its own that a program, and Roadworthy's process beside it, may have."""

SUMMING = f"""
import resource
resource.setrlimit(resource.RLIMIT_DATA, ({LIMIT}, {LIMIT}))
import roadworthy as rw
total = rows = size = 0
for batch in rw.dataset("big").batches():
    rows += batch.num_rows
    size += batch.nbytes
    total += int(batch.column("value").to_numpy().sum())
print(rows, total, size > 10 * {LIMIT})
"""

READING = """
import roadworthy as rw
trips = rw.dataset("trips@main~1")
print(trips.paths, trips.columns(), trips.commit == rw.dataset("trips@" + trips.commit).commit)
print(len(trips.to_pandas(columns=["id"])), trips.to_arrow().num_rows, trips.reader().schema.names)
with trips.open("notes/a.bin") as file:
    file.seek(1000)
    print(file.read(4))
for name, path in (("tripz", None), ("trips", "away")):
    try:
        rw.dataset(name).to_arrow(path)
    except RuntimeError as error:
        print(str(error).splitlines()[0])
"""


@pytest.fixture
def datasets(tmp_path: Path) -> Iterator[Datasets]:
    """The datasets of a home."""
    (tmp_path / "roadworthy.toml").touch()
    with open_datasets(load_settings(tmp_path, {})) as opened:
        yield opened


def run(program: str, folder: Path) -> str:
    """What a program prints that runs in a folder."""
    file = folder / "program.py"
    file.write_text(program)
    done = subprocess.run(
        [sys.executable, str(file)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_a_program_reads_tables_and_files(datasets: Datasets, tmp_path: Path) -> None:
    datasets.create("trips")
    data = bytes(range(256)) * 100
    changes = [PutTable("t", some_rows(1000)), PutFile("notes/a.bin", data)]
    datasets.commit("trips", changes, message="first")
    datasets.commit("trips", [PutFile("b", b"b")], message="second")
    assert run(READING, tmp_path).splitlines() == [
        "['notes/a.bin', 't'] ['id', 'price', 'city'] True",
        "1000 1000 ['id', 'price', 'city']",
        str(data[1000:1004]),
        "there is no dataset tripz",
        "trips has no 'away': it has t",
    ]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_data_ten_times_larger_than_memory_is_read_in_batches(
    datasets: Datasets, tmp_path: Path
) -> None:
    datasets.create("big")
    part = pa.record_batch({"value": np.arange(1 << 20), "other": np.arange(1 << 20) % 7})
    times = 10 * LIMIT // part.nbytes + 1
    datasets.commit("big", [PutTable("t", iter([part] * times))], message="big")
    rows, total, larger = run(SUMMING, tmp_path).split()
    assert int(rows) == times << 20
    assert int(total) == times * ((1 << 20) * ((1 << 20) - 1) // 2)
    assert larger == "True"


def test_runs_and_releases_rest_on_the_commits_that_were_read(
    datasets: Datasets, tmp_path: Path
) -> None:
    datasets.create("trips")
    made = datasets.commit("trips", [PutTable("t", some_rows(10))], message="first")
    blobs = open_blobs(str(tmp_path / "releases"))
    registry = Registry(datasets.database, blobs, ticking_clock())
    read = DatasetRead(name=f"trips@{made.digest}", asked="trips@main")
    registry.record_run(a_run("run-1", datasets=[read]), None, {"train.py": b"print(1)"})
    release = registry.record_release(a_draft("run-1"))
    assert [(use.kind, use.name) for use in datasets.impact("trips")] == [
        ("release", release.name),
        ("run", "run-1"),
    ]
    assert datasets.upstream("release", release.name) == [made.digest]
