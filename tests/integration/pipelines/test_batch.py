"""Batches with real workers: the answers, what is turned away, going on, other places."""

from __future__ import annotations

from pathlib import Path

import obstore
import pyarrow as pa
import pytest
from pyarrow import parquet

from roadworthy.errors import Conflict, InvalidRows, NotFound, Unavailable, UsageError, WorkerFailed
from roadworthy.pipelines.batch import LocalEngine, Progress, run_batch
from roadworthy.storage.objects import open_object_store
from roadworthy.testing.flows import tiny_rows as rows
from roadworthy.testing.flows import write_flow
from roadworthy.testing.servers import s3_server


def run(batch, workers: int = 1, told=lambda state: None) -> Progress:
    return run_batch(batch, LocalEngine(workers), told)


def test_every_row_is_answered_once_and_in_its_place(tmp_path: Path, make_batch):
    table = rows(1000)
    parquet.write_table(table, tmp_path / "in.parquet", row_group_size=77)
    out = tmp_path / "out.parquet"
    told: list[Progress] = []
    batch = make_batch(str(tmp_path / "in.parquet"), str(out), chunk_rows=64)
    done = run(batch, workers=2, told=told.append)
    found = parquet.read_table(out)
    assert found.column_names == ["id", "a", "b", "kind", "scores", "labels", "rejected", "error"]
    assert found["id"].to_pylist() == list(range(1000))
    pairs = zip(table["a"].to_pylist(), table["b"].to_pylist(), strict=True)
    assert found["scores"].to_pylist() == [a * 2 + b for a, b in pairs]
    assert found["rejected"].null_count == found["error"].null_count == 1000
    assert (done.counts.rows, done.total, done.before) == (1000, 1000, 0)
    assert [state.counts.rows for state in told] == sorted(state.counts.rows for state in told)
    assert told[-1].total == 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flow", "in.parquet", "out.parquet"]


def test_rows_that_get_no_answer_say_why_and_take_no_other_along(tmp_path: Path, make_batch):
    kinds = ["fine"] * 40
    kinds[3], kinds[11], kinds[17], kinds[30] = "raise", "segfault", "exit", "loop"
    a = [1.0] * 40
    a[5], a[6], a[7] = -1.0, float("inf"), None
    table = rows(40, a=a, kind=kinds)
    parquet.write_table(table, tmp_path / "in.parquet")
    out = tmp_path / "out.parquet"
    batch = make_batch(
        str(tmp_path / "in.parquet"), str(out), keep=["id"], seconds=1.5, chunk_rows=40
    )
    done = run(batch)
    found = parquet.read_table(out).to_pylist()
    answered = [row for row in found if row["scores"] is not None]
    assert {row["id"] for row in found} - {row["id"] for row in answered} == {
        3, 5, 6, 7, 11, 17, 30,
    }  # fmt: skip
    assert found[5]["rejected"] == "a is below zero (line 7)"
    assert found[6]["rejected"] == "a: expected a number, got Infinity"
    assert found[7]["rejected"] == "a: expected a number, got null"
    assert "poisonous" in found[3]["error"]
    assert found[11]["error"] == "the worker died: signal 11 (SIGSEGV)"
    assert found[17]["error"] == "the worker died: exit code 7"
    assert found[30]["error"] == "the worker took longer than 1.5 s"
    assert (done.counts.rejected, done.counts.failed) == (3, 4)
    assert done.counts.deaths > 3


def test_csv_in_and_out(tmp_path: Path, make_batch):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(
        'name,a,b,kind\n"one, two",1.5,2,fine\nthree,x,2,fine\n"four\nlines",-1,1,\n,12,3,odd\n'
    )
    run(make_batch(str(source), str(out), keep=["name"]))
    assert out.read_text().splitlines() == [
        '"name","scores","labels","rejected","error"',
        '"one, two",5,"low",,',
        '"three",,,"a: expected a number, got text ""x""",',
        '"four',
        'lines",,,"a is below zero (line 7)",',
        '"",27,"high",,',
    ]


def test_an_input_without_rows_gives_an_output_without_rows(tmp_path: Path, make_batch):
    parquet.write_table(rows(0), tmp_path / "in.parquet")
    out = tmp_path / "out.parquet"
    assert run(make_batch(str(tmp_path / "in.parquet"), str(out))).total == 0
    assert parquet.read_table(out).num_rows == 0
    assert "scores" in parquet.read_schema(out).names


def test_what_can_not_be_done_is_said_before_anything_is_written(tmp_path: Path, make_batch):
    source = tmp_path / "in.parquet"
    parquet.write_table(rows(3).drop_columns(["b"]), source)
    with pytest.raises(InvalidRows, match="no column 'b'"):
        run(make_batch(str(source), str(tmp_path / "out.parquet")))
    parquet.write_table(rows(3, scores=[1, 2, 3]), source)
    with pytest.raises(UsageError, match="two columns 'scores'"):
        run(make_batch(str(source), str(tmp_path / "out.parquet")))
    with pytest.raises(UsageError, match="no column 'c'"):
        run(make_batch(str(source), str(tmp_path / "out.parquet"), keep=["c"]))
    parquet.write_table(rows(1, lists=pa.array([[1]])), source)
    with pytest.raises(UsageError, match="'lists' holds lists"):
        run(make_batch(str(source), str(tmp_path / "out.csv")))
    with pytest.raises(NotFound, match="there is no file"):
        run(make_batch(str(tmp_path / "none.csv"), str(tmp_path / "out.csv")))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == []
    (tmp_path / "out.parquet").write_bytes(b"mine")
    parquet.write_table(rows(3), source)
    with pytest.raises(Conflict, match="is there already"):
        run(make_batch(str(source), str(tmp_path / "out.parquet")))
    assert (tmp_path / "out.parquet").read_bytes() == b"mine"


def test_a_release_that_can_not_be_run_ends_the_batch_with_its_reason(tmp_path: Path, make_batch):
    write_flow(tmp_path / "flow", extra="raise RuntimeError('not today')")
    parquet.write_table(rows(3), tmp_path / "in.parquet")
    with pytest.raises(WorkerFailed, match="not today"):
        run(make_batch(str(tmp_path / "in.parquet"), str(tmp_path / "out.parquet")))


def test_object_stores_are_read_and_written(tmp_path: Path, make_batch):
    with s3_server() as options:
        store = open_object_store("s3://data", options)
        parquet.write_table(rows(500), tmp_path / "in.parquet", row_group_size=50)
        obstore.put(store, "in.parquet", tmp_path / "in.parquet")
        batch = make_batch(
            "s3://data/in.parquet", "s3://data/out/answers.csv", chunk_rows=100,
            keep=["id"], options=dict(options),
        )  # fmt: skip
        assert run(batch, workers=2).total == 500
        text = bytes(obstore.get(store, "out/answers.csv").bytes()).decode()
        assert [int(line.split(",")[0]) for line in text.splitlines()[1:]] == list(range(500))
        assert [page["path"] for pages in obstore.list(store) for page in pages] == [
            "in.parquet", "out/answers.csv",
        ]  # fmt: skip
        with pytest.raises(NotFound, match=r"s3://data/none\.csv"):
            run(make_batch("s3://data/none.csv", "s3://data/x.csv", options=dict(options)))
    away = {**options, "endpoint": "http://127.0.0.1:9"}
    with pytest.raises(Unavailable, match=r"s3://data/in\.parquet"):
        run(make_batch("s3://data/in.parquet", "s3://data/x.csv", options=away))
