"""Batches: killed at any moment each row is answered once; memory does not grow with the input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from pyarrow import parquet

from roadworthy.core.signature import Signature
from roadworthy.pipelines.batch import Batch
from roadworthy.pipelines.workers import Runnable
from roadworthy.testing.flows import SIGNATURE, tiny_rows, write_flow
from roadworthy.testing.hosts import SOURCE

pytestmark = pytest.mark.fault("1")

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))


def prepared(folder: Path, count: int, output: str, **more) -> Path:
    """A job's file: so many rows through the tiny flow."""
    write_flow(folder / "flow")
    part = tiny_rows(min(count, 50_000), **more.pop("columns", {}))
    with parquet.ParquetWriter(folder / "in.parquet", part.schema) as writer:
        for _ in range(count // part.num_rows):
            writer.write_table(part)
    runnable = Runnable(
        release="tiny@1", python=sys.executable, flow=str(folder / "flow"), runtime=str(SOURCE)
    )
    batch = Batch(
        runnable=runnable,
        digest="0" * 64,
        signature=msgspec.convert(SIGNATURE, Signature),
        input=str(folder / "in.parquet"),
        output=str(folder / output),
        **more,
    )
    job = folder / "job.json"
    job.write_bytes(msgspec.json.encode(batch))
    return job


def run(job: Path, *arguments: str, before: str = "") -> str:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{before}\nimport sys\nfrom roadworthy.testing.batching import main\nsys.exit(main())",
            str(job),
            *arguments,
        ],
        capture_output=True,
        text=True,
        # Arrow's own allocator reserves memory far ahead, which the limit would count as used.
        env={**os.environ, "PYTHONPATH": str(SOURCE), "ARROW_DEFAULT_MEMORY_POOL": "system"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(600 + 120 * ROUNDS)
@pytest.mark.parametrize("output", ["out.parquet", "out.csv"])
def test_a_batch_that_is_killed_again_and_again_answers_each_row_once(
    tmp_path: Path, output: str, tried
):
    job = prepared(tmp_path, 600, output, chunk_rows=12)
    kills = int(run(job, "11", str(10 * ROUNDS)).split()[0])
    tried(kills)
    assert kills >= 3
    if output.endswith("csv"):
        lines = (tmp_path / output).read_text().splitlines()[1:]
        ids = [int(line.split(",")[0]) for line in lines]
    else:
        found = parquet.read_table(tmp_path / output)
        ids = found["id"].to_pylist()
        assert found["scores"].null_count == 0
    assert ids == list(range(600))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"flow", "in.parquet", "job.json", output}


LIMIT = "import resource\nresource.setrlimit(resource.RLIMIT_DATA, ({0}, {0}))"


def test_a_batch_larger_than_its_memory_is_done_within_it(tmp_path: Path):
    rows, width, limit = 1_000_000, 400, 340 << 20
    texts = [f"{n:05d}".ljust(width, "x") for n in range(50_000)]
    job = prepared(tmp_path, rows, "out.parquet", keep=["id", "kind"], columns={"kind": texts})
    told = json.loads(run(job, before=LIMIT.format(limit)))
    assert told["rows"] == rows
    assert told["peak_kib"] << 10 < limit < rows * width
