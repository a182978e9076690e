"""Files of rows in chunks; where they lie; what is said of those that can't be read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from roadworthy.errors import Conflict, Damaged, InvalidRows, NotFound, UsageError
from roadworthy.pipelines.files import LocalFiles, locate
from roadworthy.pipelines.journal import Job, Journal
from roadworthy.pipelines.reading import read_table


def opened(path: Path):
    return lambda: LocalFiles().open(str(path))


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize("start", [0, 1, 3, 14, 15])
def test_chunks_are_the_same_from_wherever_one_begins(tmp_path: Path, form: str, start: int):
    table = pa.table({"a": range(100), "b": [f"text {n}" for n in range(100)]})
    path = tmp_path / f"rows.{form}"
    if form == "parquet":
        parquet.write_table(table, path, row_group_size=13)
    else:
        path.write_text("a,b\n" + "".join(f"{n},text {n}\n" for n in range(100)))
    found = read_table(str(path), opened(path), chunk_rows=7)
    assert found.rows == (100 if form == "parquet" else None)
    chunks = list(found.chunks(start, ["b"]))
    assert [chunk.num_rows for chunk in chunks] == ([7] * 14 + [2])[start:]
    rows = [value for chunk in chunks for value in chunk.column("b").to_pylist()]
    assert rows == [f"text {n}" for n in range(7 * start, 100)]


def test_what_can_not_be_read_is_said(tmp_path: Path):
    bad = tmp_path / "rows.parquet"
    bad.write_bytes(b"PAR1 nothing of the kind")
    with pytest.raises(Damaged, match="can't be read"):
        read_table(str(bad), opened(bad))
    with pytest.raises(NotFound, match="there is no file"):
        read_table("none.csv", opened(tmp_path / "none.csv"))
    ragged = tmp_path / "rows.csv"
    ragged.write_text("a,b\n1,2\n3\n")
    with pytest.raises(Damaged, match="Expected 2 columns"):
        list(read_table(str(ragged), opened(ragged)).chunks(0, ["a"]))
    ragged.write_text("a,a\n1,2\n")
    with pytest.raises(InvalidRows, match="two columns 'a'"):
        read_table(str(ragged), opened(ragged))
    ragged.write_bytes(b"\xff\xfe\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_table(str(ragged), opened(ragged))
    for wrong in ("rows.xlsx", "rows"):
        with pytest.raises(UsageError, match="no form that is known"):
            read_table(wrong, opened(ragged))
    for url in ("ftp://x/y", "s3://bucket"):
        with pytest.raises(UsageError, match=r"can't be used|names no object"):
            locate(url)


def job(**more) -> Job:
    plain = {
        "release": "m@1", "digest": "d", "input": "in", "fingerprint": "1", "columns": [],
        "chunk_rows": 5,
    }  # fmt: skip
    return Job(**{**plain, **more})


def test_a_batch_is_gone_on_with_only_where_it_is_the_same(tmp_path: Path):
    journal = Journal(LocalFiles(), str(tmp_path / "out.parquet"))
    journal.begin(job())
    journal.keep(3, pa.record_batch([pa.array([1])], ["a"]))
    assert journal.begin(job(chunk_rows=99)).chunk_rows == 5
    assert journal.done() == {3}
    with pytest.raises(Conflict, match="its release was m@1, now it is m@2"):
        journal.begin(job(release="m@2"))
    with pytest.raises(Conflict, match="its input, by size and time, was 1"):
        journal.begin(job(fingerprint="2"))
    journal.begin(job(release="m@2"), overwrite=True)
    assert journal.done() == set()


def test_chunks_without_a_job_are_nobodys(tmp_path: Path):
    journal = Journal(LocalFiles(), str(tmp_path / "out.csv"))
    batch = pa.record_batch([pa.array([1, 2])], ["a"])
    journal.keep(0, batch)
    journal.begin(job())
    assert journal.done() == set()
    journal.keep(0, batch)
    journal.keep(1, batch)
    journal.finish(2, batch.schema)
    assert (tmp_path / "out.csv").read_text() == '"a"\n1\n2\n1\n2\n'
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    with pytest.raises(Conflict, match="is there already"):
        journal.begin(job())
