"""The log keeps what it can, never waits, and counts what it could not keep."""

from __future__ import annotations

import dataclasses
import datetime
import fcntl
import threading
import time
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from roadworthy.core.signature import Signature
from roadworthy.serving.answers import Answered
from roadworthy.serving.log_compaction import GRACE_SECONDS
from roadworthy.serving.log_entries import Entry, Redaction
from roadworthy.serving.log_retention import retain
from roadworthy.serving.log_segments import write_segment
from roadworthy.serving.log_tables import plain, read_table, table_of
from roadworthy.serving.log_tidying import LOCK, TIDY_BYTES, TIDY_SECONDS, Tidier, tidy
from roadworthy.serving.options import LogOptions
from roadworthy.serving.prediction_log import PredictionLog
from roadworthy.testing.flows import SIGNATURE
from roadworthy.testing.hosts import wait_until
from roadworthy_runtime.frames import pack

TINY = msgspec.convert(SIGNATURE, Signature)


PLAIN = Redaction(LogOptions(directory=""))


def to_table(entries: list[Entry], redaction: Redaction = PLAIN) -> pa.Table:
    """What is read of a segment with these entries."""
    return plain(table_of(b"".join(write_segment(entries, redaction))))


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
        "key": "",
        "protocol": "plain",
        "refused": "",
        "times": {"decode": 3, "validate": 4, "encode": 5},
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
    (segment,) = (tmp_path / "tiny" / "1" / "2023-11-14").glob("*.rows")
    assert read_table(segment).num_rows == 5
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


def test_stages_and_facts_of_the_request_stand_in_every_row():
    (first, second) = to_table([entry(2, key="order-7", protocol="oip")]).to_pylist()
    for row in (first, second):
        assert (row["key"], row["protocol"], row["role"], row["weight"]) == (
            "order-7", "oip", "primary", 1.0,
        )  # fmt: skip
        times = [row[f"{s}_us"] for s in ("decode", "validate", "queue", "flow", "encode", "total")]
        assert times == [3, 4, 1, 2, 5, 1000]
    refused = entry(n=0, status=422, columns=None, answered=None, refused="invalid-rows")
    assert to_table([refused]).to_pylist()[0]["refused"] == "invalid-rows"


def test_a_sample_keeps_requests_whole_with_their_weight_and_all_that_went_wrong(tmp_path):
    log = Log(tmp_path, sample=0.25, samples={"every": 1.0})
    for number in range(400):
        log.log.append(entry(2, request_id=f"plain-{number}"))
    bad = entry(2).answered
    assert bad is not None
    for number in range(10):
        rejected = dataclasses.replace(bad, rejected={0: ("no", None)})
        log.log.append(entry(2, request_id=f"rejected-{number}", answered=rejected))
        log.log.append(entry(0, request_id=f"refused-{number}", status=422, answered=None))
        log.log.append(entry(1, request_id=f"every-{number}", release="every@1"))
    log.log.close()
    rows = [row for path in tmp_path.rglob("*.rows") for row in read_table(path).to_pylist()]
    plain = [row for row in rows if row["request_id"].startswith("plain")]
    assert {row["weight"] for row in plain} == {4.0}
    assert 100 < len(plain) < 300
    assert all(
        len([r for r in plain if r["request_id"] == row["request_id"]]) == 2 for row in plain
    )
    others = [row for row in rows if not row["request_id"].startswith("plain")]
    assert len(others) == 10 * (2 + 1 + 1)
    assert {row["weight"] for row in others} == {1.0}


def test_columns_are_left_out_or_replaced_before_anything_is_written():
    options = LogOptions(
        directory="", redact=["other:b", "tiny:kind"], pseudonymise=["a", "labels"],
        pseudonym_key="00ff" * 8,
    )  # fmt: skip
    rows = to_table([entry(2)], Redaction(options)).to_pylist()
    assert [row["input:b"] for row in rows] == [2, 2]
    assert [row["input:kind"] for row in rows] == [None, None]
    assert rows[0]["input:a"] == rows[1]["input:a"] != "1.0"
    assert len(rows[0]["output:labels"]) == 32
    other = msgspec.structs.replace(options, pseudonym_key="00fe" * 8)
    assert to_table([entry()], Redaction(other)).to_pylist()[0]["input:a"] != rows[0]["input:a"]


def segment(directory: Path, day: str, begun: float, size: int) -> Path:
    path = directory / "tiny" / "1" / day / f"{int(begun * 1e6)}-1-1.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def test_segments_leave_by_age_and_by_size_the_oldest_first(tmp_path):
    now = 1_700_000_000.0
    ages = [40 * 86400, 20 * 86400, 10 * 86400, 60]
    paths = [segment(tmp_path, f"day-{age}", now - age, 100) for age in ages]
    assert retain(tmp_path, now, 0, 0) == []
    assert retain(tmp_path, now, 30, 0) == paths[:1]
    assert not paths[0].parent.exists()
    assert retain(tmp_path, now, 30, 250) == paths[1:2]
    assert [path.exists() for path in paths] == [False, False, True, True]


def test_what_is_written_is_made_parquet_and_what_is_old_goes(tmp_path):
    old = segment(tmp_path, "2000-01-01", 946_684_800.0, 10)
    log = Log(tmp_path)
    log.log.append(entry(3, at=time.time_ns()))
    log.log.close()
    before = [read_table(path).to_pylist() for path in tmp_path.rglob("*.rows")]
    assert tidy(tmp_path, time.time(), 1.0, 0)
    assert not old.exists()
    assert tidy(tmp_path, time.time() + GRACE_SECONDS + 1, 1.0, 0)
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file() and path.name[0] != ".")
    assert path.suffix == ".parquet"
    assert [parquet.read_table(path).to_pylist()] == before
    assert not any(pa.types.is_dictionary(field.type) for field in parquet.read_schema(path))


def test_one_process_tidies_at_a_time(tmp_path):
    with (tmp_path / LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not tidy(tmp_path, time.time(), 0, 0)
    assert tidy(tmp_path, time.time(), 0, 0)


def test_a_process_of_its_own_tidies_when_there_is_something_to_do(tmp_path):
    log = Log(tmp_path, retains=False)
    log.log.append(entry(3))
    log.log.close()
    begun = time.monotonic()
    tidier = Tidier(LogOptions(directory=str(tmp_path)))
    tidier.look(begun + TIDY_SECONDS + 1)
    assert not tidier.runs, "nothing was written"
    tidier.wrote(1)
    tidier.look(begun)
    assert not tidier.runs, "it is too early"
    tidier.wrote(TIDY_BYTES)
    tidier.look(begun)
    assert tidier.runs
    wait_until(lambda: not tidier.runs, what="the end of the process")
    (made,) = tmp_path.rglob("*.parquet")
    assert parquet.read_table(made).num_rows == 3
    tidier.stop()


def test_columns_that_are_laid_out_already_make_the_same_rows():
    values = {
        "a": ("float", [1.5, 2.5, None]),
        "b": ("int", [1, None, 3]),
        "kind": ("text", ["é", None, ""]),
    }
    packed = {name: (wire, pack(wire, each)) for name, (wire, each) in values.items()}
    entries = [entry(3, columns=values), entry(1), entry(3, columns=packed)]
    rows = to_table(entries).to_pylist()
    assert len(rows) == 7
    (first, second) = [row for row in rows if row["input:kind"] == "é"]
    assert first == second
    options = LogOptions(directory="", redact=["a"], pseudonymise=["kind"], pseudonym_key="ab" * 16)
    hidden = to_table(entries, Redaction(options)).to_pylist()
    assert [row["input:a"] for row in hidden] == [None] * 7
    assert sorted(str(row["input:kind"]) for row in hidden[:3]) == sorted(
        str(row["input:kind"]) for row in hidden[3:6]
    )
    assert {row["input:b"] for row in hidden} == {1, 2, 3, None}


@pytest.mark.parametrize("others", [0, 1])
def test_texts_by_their_codes_are_logged_as_texts(others):
    texts = ["é", "x", "é"]
    values = {"a": ("float", [1.5, 2.5, 3.5]), "b": ("int", [1, 2, 3]), "kind": ("text", texts)}
    coded = {
        name: (wire, pack(wire, each, {"x": 0, "é": 1} if wire == "text" else None))
        for name, (wire, each) in values.items()
    }
    entries = [entry(3, columns=coded), *[entry(1)] * others, entry(3, columns=coded)]
    table = to_table(entries)
    assert not any(pa.types.is_dictionary(field.type) for field in table.schema)
    kinds = table["input:kind"].to_pylist()
    assert [kind for kind in kinds if kind in texts] == texts * 2


def test_times_and_durations_are_read_back_as_such(tmp_path):
    facts = msgspec.to_builtins(TINY)
    facts["columns"][0] |= {"type": "timedelta", "dtype": "timedelta64[us]"}
    facts["columns"][1] |= {"type": "datetime", "dtype": "datetime64[us]"}
    columns = {
        "a": ("timedelta", [1, None]), "b": ("datetime", [0, 86_400_000_000]),
        "kind": ("text", ["x", "y"]),
    }  # fmt: skip
    log = Log(tmp_path)
    log.log.append(entry(2, columns=columns, signature=msgspec.convert(facts, Signature)))
    log.log.close()
    tidy(tmp_path, time.time(), 0, 0)
    for path in (*tmp_path.rglob("*.rows"), *tmp_path.rglob("*.parquet")):
        found = read_table(path)
        assert found["input:a"].to_pylist() == [datetime.timedelta(microseconds=1), None]
        assert [str(value) for value in found["input:b"].to_pylist()] == [
            "1970-01-01 00:00:00", "1970-01-02 00:00:00",
        ]  # fmt: skip
        assert found["release"].to_pylist() == ["tiny@1"] * 2
