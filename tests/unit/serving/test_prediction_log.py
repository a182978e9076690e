"""The log keeps what it can, never waits, and counts what it could not keep."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pyarrow.parquet as parquet
import pytest

from roadworthy.core.signature import Signature
from roadworthy.serving.answers import Answered
from roadworthy.serving.options import LogOptions
from roadworthy.serving.prediction_log import Entry, PredictionLog, to_table
from roadworthy.testing.flows import SIGNATURE

TINY = msgspec.convert(SIGNATURE, Signature)


def entry(n: int = 1, **more) -> Entry:
    answered = Answered(
        n=n,
        columns={"scores": [1.0] * n, "labels": ["low"] * n},
        rejected={},
        failed={},
        warnings=[],
        times={"queue": 1, "flow": 2},
        batch=n,
    )
    fields = {
        "at": 1_700_000_000_000_000_000,
        "seconds": 0.001,
        "request_id": "r",
        "trace": "t",
        "caller": "",
        "release": "tiny@1",
        "stage": "production",
        "status": 200,
        "signature": TINY,
        "n": n,
        "bytes": 10,
        "columns": {
            "a": ("float", [1.0] * n),
            "b": ("int", [2] * n),
            "kind": ("text", [None] * n),
        },
        "answered": answered,
    }
    return Entry(**{**fields, **more})


class Log:
    """A log with what it told."""

    def __init__(self, directory: Path, **options) -> None:
        self.written: list[int] = []
        self.dropped: list[tuple[int, str]] = []
        self.told = threading.Event()
        options = LogOptions(directory=str(directory), **{"flush_seconds": 60.0, **options})
        self.log = PredictionLog(options, self._write, self._drop)

    def _write(self, rows: int) -> None:
        self.written.append(rows)
        self.told.set()

    def _drop(self, rows: int, reason: str) -> None:
        self.dropped.append((rows, reason))
        self.told.set()


def test_closing_writes_what_waits_one_segment_a_release(tmp_path):
    log = Log(tmp_path)
    log.log.append(entry(3))
    log.log.append(entry(1, release="tiny@2"))
    log.log.append(entry(2))
    log.log.close()
    assert sorted(log.written) == [1, 5]
    (segment,) = (tmp_path / "tiny" / "1" / "2023-11-14").glob("*.parquet")
    assert parquet.read_table(segment).num_rows == 5
    assert not list(tmp_path.rglob("*.new"))


def test_many_rows_are_written_before_the_interval_ends(tmp_path):
    log = Log(tmp_path, flush_rows=10)
    log.log.append(entry(10))
    assert log.told.wait(20)
    assert log.written == [10]
    log.log.close()


def test_what_does_not_fit_is_dropped_and_counted(tmp_path):
    log = Log(tmp_path, most_rows=10, flush_rows=1000)
    log.log.append(entry(8))
    log.log.append(entry(8))
    assert log.dropped == [(8, "full")]
    log.log.close()
    assert log.written == [8]


def test_bytes_are_bounded_too(tmp_path):
    log = Log(tmp_path, most_bytes=15)
    log.log.append(entry())
    log.log.append(entry())
    assert log.dropped == [(1, "full")]
    log.log.close()


def test_a_disk_that_takes_nothing_is_counted_and_survived(tmp_path, capsys):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    log = Log(blocked, flush_rows=1)
    log.log.append(entry(4))
    assert log.told.wait(20)
    assert log.dropped == [(4, "write failed")]
    blocked.unlink()
    log.log.append(entry(2))
    log.log.close()
    assert log.written == [2]
    assert "prediction log of tiny@1" in capsys.readouterr().err


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_refused_request_is_a_row_without_inputs(n):
    refused = entry(n=0, status=422, columns=None, answered=None)
    rows = to_table([entry(n), refused] if n else [refused]).to_pylist()
    assert len(rows) == n + 1
    assert (rows[-1]["status"], rows[-1]["input:a"], rows[-1]["output:scores"]) == (422, None, None)
    assert [row["row"] for row in rows[:n]] == list(range(n))


def test_reasons_and_warnings_stand_with_their_rows():
    answered = Answered(
        n=3,
        columns={"scores": [1.0, float("nan"), None], "labels": ["low", None, None]},
        rejected={1: ("too low", 7)},
        failed={2: "ValueError"},
        warnings=[(0, "kind", "odd"), (None, "kind", "all odd")],
        times={},
        batch=9,
    )
    rows = to_table([entry(3, answered=answered)]).to_pylist()
    assert [(r["rejected"], r["line"], r["error"]) for r in rows] == [
        (None, None, None),
        ("too low", 7, None),
        (None, None, "ValueError"),
    ]
    assert [r["warnings"] for r in rows] == [["odd", "all odd"], ["all odd"], ["all odd"]]
    assert [r["output:scores"] for r in rows] == [1.0, None, None]
