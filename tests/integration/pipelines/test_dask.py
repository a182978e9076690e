"""Batches on a Dask cluster of real processes give what one machine gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow import parquet

from roadworthy.errors import Unavailable
from roadworthy.pipelines.batch import LocalEngine, Plan, run_batch
from roadworthy.pipelines.dask import DaskEngine
from roadworthy.pipelines.workers import Workers
from roadworthy.testing.flows import tiny_rows

pytestmark = [
    pytest.mark.timeout(240),
    # Dask closes its own event loop's sockets when the garbage collector comes by.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_cluster_gives_the_same_answers(tmp_path: Path, make_batch, form: str):
    kinds = ["fine"] * 400
    kinds[7], kinds[201] = "raise", "exit"
    table = tiny_rows(400, kind=kinds, a=[float(n % 9 - 1) for n in range(400)])
    source = tmp_path / f"in.{form}"
    if form == "parquet":
        parquet.write_table(table, source)
    else:
        table.to_pandas().to_csv(source, index=False)
    outputs = [str(tmp_path / f"{name}.{form}") for name in ("local", "dask")]
    local, dask = (make_batch(str(source), output, chunk_rows=23) for output in outputs)
    run_batch(local, LocalEngine(1), lambda state: None)
    plan = Plan(dask)
    plan.begin()
    (_, rows) = next(plan.chunks(4))
    with Workers(dask.runnable, 1) as workers:
        plan.do(workers, 4, rows)
    done = run_batch(dask, DaskEngine(2), lambda state: None)
    assert (done.before, done.counts.rows, done.total) == (23, 377, 400)
    assert done.counts.failed == 2
    assert Path(outputs[0]).read_bytes() == Path(outputs[1]).read_bytes()


def test_a_scheduler_that_is_away_is_named(tmp_path: Path, make_batch):
    parquet.write_table(tiny_rows(3), tmp_path / "in.parquet")
    batch = make_batch(str(tmp_path / "in.parquet"), str(tmp_path / "out.parquet"))
    with pytest.raises(Unavailable, match=r"tcp://127\.0\.0\.1:9"):
        run_batch(batch, DaskEngine(1, "tcp://127.0.0.1:9"), lambda state: None)
