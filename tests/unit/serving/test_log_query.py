"""What is asked of the prediction log is found, in whichever segment it stands."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pyarrow.parquet as parquet
import pytest

from roadworthy.core.signature import Signature
from roadworthy.errors import NotFound
from roadworthy.serving.answers import Answered
from roadworthy.serving.log_compaction import GRACE_SECONDS, compact
from roadworthy.serving.log_entries import Entry
from roadworthy.serving.log_query import Asked, find_rows, logged_models, search_rows
from roadworthy.serving.options import LogOptions
from roadworthy.serving.prediction_log import PredictionLog
from roadworthy.testing.flows import SIGNATURE

TINY = msgspec.convert(SIGNATURE, Signature)
NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def entry(minute: float, n: int = 1, rejected: int | None = None, **more) -> Entry:
    at = NOON + datetime.timedelta(minutes=minute)
    answered = Answered(
        n=n,
        columns={"scores": [float(minute)] * n, "labels": ["low"] * n},
        rejected={} if rejected is None else {rejected: ("too low", 7)},
        failed={},
        warnings=[],
        times={"queue": 1},
        batch=n,
    )
    columns = {"a": ("float", [1.0] * n), "b": ("int", [2] * n), "kind": ("text", [None] * n)}
    fields = {
        "at": int(at.timestamp()) * 1_000_000_000,
        "seconds": 0.0015,
        "request_id": f"r{minute:g}",
        "trace": "",
        "caller": "",
        "key": "",
        "protocol": "plain",
        "release": "tiny@1",
        "stage": "production",
        "status": 200,
        "refused": "",
        "times": {},
        "signature": TINY,
        "n": n,
        "bytes": 1,
        "columns": columns,
        "answered": answered,
    }
    return Entry(**{**fields, **more})


def write(directory: Path) -> None:
    """Segments of two releases, written out of order, one of a refused request."""
    for group in (
        [entry(30), entry(10, n=2, rejected=1), entry(20, caller="ada")],
        [entry(5, release="tiny@2"), entry(25, release="tiny@2", key="order-7")],
        [entry(15, n=0, status=422, refused="invalid-rows", columns=None, answered=None)],
        [entry(60 * 24)],
    ):
        writer = PredictionLog(LogOptions(directory=str(directory), flush_seconds=60.0))
        for each in group:
            writer.append(each)
        writer.close()


@pytest.fixture(params=["as written", "made Parquet", "both there"])
def log(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Such segments as a gateway left them, and as they are later."""
    directory = tmp_path / "predictions"
    write(directory)
    if request.param != "as written":
        assert compact(directory, NOON.timestamp()) == 4
        assert len(list(directory.rglob("*.rows"))) == 4
    if request.param == "made Parquet":
        compact(directory, NOON.timestamp() + GRACE_SECONDS)
        assert not list(directory.rglob("*.rows"))
    return directory


def ids(rows: list[dict]) -> list[str]:
    return [row["request_id"] for row in rows]


def test_rows_come_newest_first_from_all_segments(log):
    assert ids(find_rows(log, Asked(model="tiny"))) == [
        "r1440", "r30", "r25", "r20", "r15", "r10", "r10", "r5",
    ]  # fmt: skip
    assert ids(find_rows(log, Asked(model="tiny", most=3))) == ["r1440", "r30", "r25"]
    assert find_rows(log, Asked(model="tiny", most=0)) == []


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ({"release": "2"}, ["r25", "r5"]),
        ({"request_id": "r10"}, ["r10", "r10"]),
        ({"caller": "ada"}, ["r20"]),
        ({"key": "order-7"}, ["r25"]),
        ({"unanswered": True}, ["r15", "r10"]),
        ({"since": NOON + datetime.timedelta(minutes=25)}, ["r1440", "r30", "r25"]),
        ({"until": NOON + datetime.timedelta(minutes=15)}, ["r10", "r10", "r5"]),
        ({"release": "3"}, []),
    ],
)
def test_questions_narrow_it_down(log, question, found):
    assert ids(find_rows(log, Asked(model="tiny", **question))) == found


def test_a_row_tells_inputs_outputs_and_reasons(log):
    first, second = find_rows(log, Asked(model="tiny", request_id="r10"))
    assert (first["row"], first["output:scores"], first["input:b"]) == (0, 10.0, 2)
    assert (second["row"], second["rejected"], second["line"]) == (1, "too low", 7)


def test_a_model_without_a_log_is_told_with_the_nearest_name(log):
    assert logged_models(log) == ["tiny"]
    with pytest.raises(NotFound) as error:
        find_rows(log, Asked(model="tinny"))
    assert error.value.cure == "did you mean tiny?"
    with pytest.raises(NotFound):
        find_rows(log, Asked(model=".."))


def test_a_damaged_segment_is_told_and_the_others_are_read(tmp_path, capsys):
    log = tmp_path / "predictions"
    write(log)
    torn = next(log.rglob("2026-03-02/*.rows"))
    whole = torn.read_bytes()
    flipped = whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]
    for damaged in (whole[:-100], flipped, b"RWL1", b""):
        torn.write_bytes(damaged)
        found = ids(find_rows(log, Asked(model="tiny")))
        assert ("r30" in found, "r1440" in found) == (True, False)
        assert torn.name in capsys.readouterr().err
    torn.write_bytes(whole)
    compact(log, NOON.timestamp())
    (torn,) = log.rglob("2026-03-02/*.parquet")
    torn.write_bytes(torn.read_bytes()[:-100])
    assert "r30" in ids(find_rows(log, Asked(model="tiny")))
    assert torn.name in capsys.readouterr().err


def test_segments_without_the_later_columns_are_read(tmp_path):
    log = tmp_path / "predictions"
    write(log)
    compact(log, NOON.timestamp())
    compact(log, NOON.timestamp() + GRACE_SECONDS)
    for path in log.rglob("*.parquet"):
        table = parquet.read_table(path)
        parquet.write_table(table.drop_columns(["key", "refused", "protocol", "weight"]), path)
    rows = find_rows(log, Asked(model="tiny", unanswered=True))
    assert (ids(rows), rows[0]["refused"]) == (["r10"], None)
    assert find_rows(log, Asked(model="tiny", key="order-7")) == []


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ROADWORTHY_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "roadworthy", "logs", *arguments],
        capture_output=True, text=True, env=environment, timeout=110, check=False,
    )  # fmt: skip


def test_the_command_prints_a_table_or_json(log):
    home = log.parent
    told = command(home, "tiny@1", "--until", "2026-03-01T13:00", "--rejected")
    assert told.returncode == 0, told.stderr
    assert "r10" in told.stdout
    assert "rejected: too low" in told.stdout
    assert "refused: invalid-rows" in told.stdout
    rows = json.loads(command(home, "tiny", "--key", "order-7", "--json").stdout)["rows"]
    assert [row["release"] for row in rows] == ["tiny@2"]
    assert rows[0]["time"] == "2026-03-01T12:25:00Z"


def test_the_command_refuses_what_it_can_not_look_up(log):
    assert command(log.parent, "tinny").returncode == 3


@pytest.mark.parametrize("most", [1, 2, 3, 50])
def test_page_after_page_gives_every_row_once_in_the_same_order(log, most):
    whole = [(row["request_id"], row["row"]) for row in find_rows(log, Asked(model="tiny"))]
    paged, beyond = [], None
    while rows := find_rows(log, Asked(model="tiny", most=most, beyond=beyond)):
        paged += [(row["request_id"], row["row"]) for row in rows]
        beyond = (rows[-1]["time"], rows[-1]["request_id"], rows[-1]["row"])
    assert paged == whole
    assert len(whole) == len(set(whole))


def test_a_search_that_is_cut_short_says_how_far_it_looked(log):
    found = search_rows(log, Asked(model="tiny", request_id="r5"), go_on=lambda: False)
    assert found.rows == []
    assert found.looked_to is not None
    whole = search_rows(log, Asked(model="tiny", request_id="r5"))
    assert ids(whole.rows) == ["r5"]
    assert whole.looked_to is None


def test_segments_that_can_not_matter_are_not_opened(log):
    """What was written before the rows that are found is left alone."""
    for path in (log / "tiny").glob("*/2026-03-01/[0-9]*"):
        os.utime(path, (NOON.timestamp() + 3600,) * 2)
    opened = []
    found = search_rows(
        log, Asked(model="tiny", most=1), go_on=lambda: bool(opened.append(1)) or True
    )
    assert ids(found.rows) == ["r1440"]
    assert opened == []
