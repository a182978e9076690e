"""Traffic over time on disk: kept by window, forgotten by age, damage set aside."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from roadworthy.core.traffic import Point, Stretch, Track
from roadworthy.errors import NewerFormat, StorageError
from roadworthy.storage.tracks import FORMAT, Tracks

NOW = datetime(2026, 3, 18, 10, 40, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=365)
POINT = Point(30, 1, 0.25, 0.5, None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traffic.db"


def minute(place: int) -> Stretch:
    start = NOW + timedelta(minutes=place)
    return Stretch(start, start + timedelta(minutes=1))


def test_stretches_come_back_in_order_with_the_releases_that_were_asked(path: Path) -> None:
    Tracks(path).add({"1h": (minute(1), {"b@2": POINT}), "6h": (minute(1), {})})
    Tracks(path).add({"1h": (minute(0), {"a@1": POINT})})
    track = Tracks(path).of("1h", ["a@1", "b@2", "c@3"], LONG_AGO)
    assert track.stretches == [minute(0), minute(1)]
    assert track.points == {"a@1": [POINT, None], "b@2": [None, POINT]}
    assert Tracks(path).of("6h", ["a@1"], LONG_AGO) == Track(stretches=[minute(1)])
    assert Tracks(path).of("7d", ["a@1"], LONG_AGO) == Track()


def test_a_stretch_grows(path: Path) -> None:
    tracks, longer = Tracks(path), Stretch(NOW, NOW + timedelta(minutes=3))
    tracks.add({"1h": (minute(0), {"a@1": POINT, "b@2": POINT})})
    tracks.add({"1h": (longer, {"a@1": Point(90, 2, 0.5, 0.75, 1.0)})})
    track = tracks.of("1h", ["a@1", "b@2"], LONG_AGO)
    assert track.stretches == [longer]
    assert track.points == {"a@1": [Point(90, 2, 0.5, 0.75, 1.0)], "b@2": [POINT]}


def test_what_is_too_old_is_not_told_and_then_forgotten(path: Path) -> None:
    tracks = Tracks(path)
    for place in range(4):
        tracks.add({each: (minute(place), {f"a@{place + 1}": POINT}) for each in ("1h", "6h")})
    seen = tracks.of("1h", ["a@1", "a@4"], NOW + timedelta(minutes=2))
    assert (seen.stretches, list(seen.points)) == ([minute(2), minute(3)], ["a@4"])
    tracks.forget("1h", NOW + timedelta(minutes=2))
    assert tracks.of("1h", ["a@1", "a@4"], LONG_AGO) == seen
    assert len(tracks.of("6h", [], LONG_AGO).stretches) == 4
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM points").fetchone() == (6,)


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 500]
)
def test_a_damaged_file_is_set_aside_and_a_new_one_begins(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"(?s)can't be read.*set aside as traffic\.damaged"):
        Tracks(path).of("1h", ["a@1"], LONG_AGO)
    assert path.with_suffix(".damaged").read_bytes() == content
    Tracks(path).add({"1h": (minute(0), {"a@1": POINT})})
    assert Tracks(path).of("1h", ["a@1"], LONG_AGO).points == {"a@1": [POINT]}


def test_a_newer_form_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    content = path.read_bytes()
    with pytest.raises(NewerFormat):
        Tracks(path).add({"1h": (minute(0), {})})
    assert path.read_bytes() == content


def test_a_disk_that_refuses_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="unable to open"):
        Tracks(tmp_path / "nothing" / "traffic.db").of("1h", [], LONG_AGO)


def test_several_threads_begin_and_write_at_once(path: Path) -> None:
    barrier = threading.Barrier(4)

    def write(place: int) -> None:
        barrier.wait()
        for each in range(10):
            Tracks(path).add({"1h": (minute(place * 10 + each), {"a@1": POINT})})

    threads = [threading.Thread(target=write, args=(place,)) for place in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(Tracks(path).of("1h", ["a@1"], LONG_AGO).points["a@1"]) == 40
