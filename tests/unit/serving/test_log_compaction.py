"""Small segments of the log are put together; each row is found once, whatever is killed when."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from roadworthy.serving.log_compaction import GRACE_SECONDS, SETTLED_SECONDS, compact
from roadworthy.serving.log_query import Asked, find_rows
from roadworthy.testing.hosts import SOURCE

BEGAN = 1_700_000_000
NOW = BEGAN + 10_000.0
LATER = NOW + GRACE_SECONDS
DAY = "2023-11-14"


def write(directory: Path, begun: int, count: int, release: str = "1", **more: Any) -> Path:
    path = directory / "tiny" / release / DAY / f"{begun * 1_000_000}-1-{begun}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    times = pa.array([(begun + n) * 1_000_000 for n in range(count)], pa.timestamp("us", "UTC"))
    ids = [f"{begun}-{n}" for n in range(count)]
    columns = {"time": times, "request_id": ids, "row": [0] * count, "caller": [""] * count}
    rest = {"refused": pa.nulls(count, pa.string())}
    parquet.write_table(pa.table({**columns, **rest, **more}), path)
    os.utime(path, (begun + count, begun + count))
    return path


def ids(directory: Path) -> list[str]:
    found = find_rows(directory, Asked(model="tiny", most=10_000))
    return [row["request_id"] for row in found]


def files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def test_many_small_segments_become_one_and_every_row_stays(tmp_path: Path):
    paths = [write(tmp_path, BEGAN + 10 * n, 3) for n in range(20)]
    other = write(tmp_path, BEGAN, 3, release="2")
    before = ids(tmp_path)
    assert len(before) == 63
    assert compact(tmp_path, NOW) == 20
    assert ids(tmp_path) == before
    assert compact(tmp_path, NOW) == 0
    assert set(paths) < set(files(tmp_path)), "somebody may still read them"
    assert compact(tmp_path, LATER) == 0
    assert ids(tmp_path) == before
    (together,) = set(files(tmp_path)) - {other}
    assert together not in paths
    assert parquet.read_table(together).num_rows == 60


def test_what_is_fresh_or_has_other_columns_or_is_damaged_stays(tmp_path: Path):
    fresh = write(tmp_path, int(NOW - SETTLED_SECONDS) + 1, 2)
    older = [write(tmp_path, BEGAN + 10 * n, 2) for n in range(9)]
    strange = write(tmp_path, BEGAN + 5, 2, added=[1, 2])
    older[3].write_bytes(b"no parquet")
    assert compact(tmp_path, NOW) == 8
    compact(tmp_path, LATER)
    assert {fresh, strange, older[3]} < set(files(tmp_path))
    assert len(files(tmp_path)) == 4


PEAK = """
import resource, sys
from pathlib import Path
from roadworthy.serving.log_compaction import compact
import pyarrow.parquet
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert compact(Path(sys.argv[1]), float(sys.argv[2])) == int(sys.argv[3])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10)
"""


def test_memory_is_bounded_however_small_the_rows_are_on_disk(tmp_path: Path):
    """Rows that are alike take a hundredth of their size in a file."""
    each, count = 5_000, 30
    alike = pa.array(["x" * 2000]).take(pa.array([0] * each))
    first = write(tmp_path, BEGAN, each, alike=alike)
    whole = parquet.read_table(first).nbytes * count
    for n in range(1, count):
        write(tmp_path, BEGAN + 10 * n, each, alike=alike)
    assert sum(path.stat().st_size for path in files(tmp_path)) < whole / 20
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path), str(NOW + 10 * each), str(count)],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "ARROW_DEFAULT_MEMORY_POOL": "system"},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert int(done.stdout) < whole / 2
    together = list(tmp_path.rglob("*-0.parquet"))
    assert sum(parquet.ParquetFile(path).metadata.num_rows for path in together) == each * count


KILLED_AT = """
import os, sys
from pathlib import Path
from roadworthy.serving.log_compaction import compact
import pyarrow.parquet
left = int(sys.argv[2])
def count(event, arguments):
    global left
    if event in ("os.rename", "os.remove", "os.utime") and sys.argv[1] in str(arguments[0]):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)
sys.addaudithook(count)
for turn in range(2):
    compact(Path(sys.argv[1]), float(sys.argv[3]) + 100 * turn, fewest=2)
"""


@pytest.mark.parametrize("steps", range(8))
def test_a_kill_at_any_step_neither_loses_nor_doubles_a_row(tmp_path: Path, steps: int):
    for n in range(3):
        write(tmp_path, BEGAN + 10 * n, 3)
    before = ids(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT, str(tmp_path), str(steps), str(NOW)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=False,
    )
    assert done.returncode == -9
    assert ids(tmp_path) == before
    for turn in range(2, 4):
        compact(tmp_path, NOW + 100 * turn, fewest=2)
        assert ids(tmp_path) == before
    assert len(files(tmp_path)) == 1
