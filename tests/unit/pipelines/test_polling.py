"""What is due when: intervals, cron in time zones, clocks that jump, triggers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.core.schedule import Schedule, parse_schedule
from roadworthy.core.source import Column, Source
from roadworthy.data import Datasets, PutTable
from roadworthy.data.ingestion import Sources
from roadworthy.errors import UsageError
from roadworthy.pipelines.polling import Begun, Poller, due
from roadworthy.storage.blobs import open_blobs
from roadworthy.storage.opening import open_database

START = datetime(2026, 3, 1, tzinfo=UTC)


def runs(schedule: Schedule, minutes: list[tuple[datetime, float]]) -> list[datetime]:
    """For which times a source is polled whose clocks show these, one look after the other."""
    found: list[datetime] = []
    last = Begun(wall=minutes[0][0], monotonic=minutes[0][1])
    for wall, monotonic in minutes[1:]:
        at = due(schedule, last, wall, monotonic)
        if at is not None:
            found.append(at)
            last = Begun(wall=max(at, wall), monotonic=monotonic)
    return found


def passing(start: datetime, minutes: int) -> list[tuple[datetime, float]]:
    """Clocks that pass, minute by minute."""
    return [(start + timedelta(minutes=n), n * 60.0) for n in range(minutes)]


def test_a_source_that_was_never_polled_is_due_at_once() -> None:
    assert due(parse_schedule("every day"), None, START, 0.0) == START


def test_intervals_pass_by_the_clock_that_never_jumps() -> None:
    back = [(wall - timedelta(hours=1), m) for wall, m in passing(START, 60)[30:]]
    found = runs(parse_schedule("every 10 minutes"), passing(START, 30) + back)
    assert len(found) == 5


def test_no_time_comes_twice_when_the_clock_is_put_back() -> None:
    back = [(wall - timedelta(hours=1), m) for wall, m in passing(START, 600)[90:]]
    found = runs(parse_schedule("0 * * * *"), passing(START, 90) + back)
    assert found == sorted(set(found))
    assert found == [START + timedelta(hours=n) for n in range(1, 9)]


def test_missed_times_count_once() -> None:
    last = Begun(wall=START, monotonic=0.0)
    now = START + timedelta(days=3, hours=7)
    assert due(parse_schedule("0 6 * * *"), last, now, 1e6) == START + timedelta(days=3, hours=6)


@pytest.mark.parametrize(
    ("text", "day", "hours"),
    [
        ("30 2 * * *", (2026, 3, 29), ["03:30"]),  # the clock passes over 02:30
        ("30 2 * * *", (2026, 10, 25), ["02:30"]),  # which comes twice here
        ("0 6 * * *", (2026, 3, 29), ["06:00"]),
    ],
)
def test_daylight_saving_neither_skips_nor_doubles(
    text: str, day: tuple[int, int, int], hours: list[str]
) -> None:
    zone = ZoneInfo("Europe/Vienna")
    start = datetime(*day, tzinfo=zone).astimezone(UTC) - timedelta(minutes=1)
    found = runs(parse_schedule(text, "Europe/Vienna"), passing(start, 25 * 60))
    assert [each.astimezone(zone).strftime("%H:%M") for each in found] == hours


def test_every_hour_counts_on_days_of_23_and_25_hours() -> None:
    for day, hours in (((2026, 3, 29), 23), ((2026, 10, 25), 25)):
        start = datetime(*day, tzinfo=ZoneInfo("Europe/Vienna")).astimezone(UTC)
        clocks = passing(start - timedelta(minutes=1), hours * 60)
        found = runs(parse_schedule("0 * * * *", "Europe/Vienna"), clocks)
        assert found == [start + timedelta(hours=n) for n in range(hours)]


FIELDS = st.sampled_from(["*", "*/7", "3", "1-4", "2,5", "0"])


@given(FIELDS, FIELDS, st.sampled_from(["*", "1", "1-4", "29"]), st.sampled_from(["*", "1-5", "7"]))
def test_times_are_those_of_each_field(minute: str, hour: str, day: str, weekday: str) -> None:
    schedule = parse_schedule(f"{minute} {hour} {day} * {weekday}")

    def fits(field: str, value: int, low: int) -> bool:
        for part in field.split(","):
            if part == "*" or (part == "*/7" and (value - low) % 7 == 0):
                return True
            first, _, last = part.partition("-")
            if first.isdigit() and int(first) <= value <= int(last or first):
                return True
        return False

    def on(at: datetime) -> bool:
        days = fits(day, at.day, 1)
        weekdays = fits(weekday.replace("7", "0"), at.isoweekday() % 7, 0)
        told = days or weekdays if day != "*" and weekday != "*" else days and weekdays
        return told and fits(hour, at.hour, 0) and fits(minute, at.minute, 0)

    found = schedule.after(START)
    assert on(found)
    before = [START + timedelta(minutes=n) for n in range(1, min(3000, _minutes(found)))]
    assert not any(on(each) for each in before)


def _minutes(at: datetime) -> int:
    return int((at - START).total_seconds() // 60)


@pytest.mark.parametrize("text", ["", "every", "every 0 s", "* * * *", "60 * * * *", "* * 0 * *"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no schedule"):
        parse_schedule(text)


def test_what_never_comes_and_unknown_zones_are_refused() -> None:
    with pytest.raises(UsageError, match="never due"):
        parse_schedule("0 0 30 2 *").after(START)
    with pytest.raises(UsageError, match="is no time zone"):
        parse_schedule("every day", "Europe/Wien")


class Kept:
    """Workflows that are only noted."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.busy: set[str] = set()

    def register(self, name: str, body: Callable[..., None]) -> None:
        """As the durable ones."""

    def start(self, name: str, id: str, argument: str) -> None:
        """As the durable ones: once for an id."""
        self.started.append(id)

    def running(self) -> set[str]:
        """As the durable ones."""
        return self.busy


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[Sources]:
    """No source yet."""
    database = open_database(f"sqlite:///{tmp_path / 'home' / 'roadworthy.db'}")
    datasets = Datasets(database, open_blobs(str(tmp_path / "data")), lambda: START)
    yield Sources(datasets, tmp_path / "scratch")
    database.close()


def a_source(name: str, **more: Any) -> Source:
    """Files of nowhere."""
    return Source(name=name, url="/nowhere/*.csv", dataset="d", columns={"id": Column()}, **more)


def test_who_is_due_is_polled_once_unless_paused_or_busy(sources: Sources) -> None:
    for name in ("a", "b", "c", "hand"):
        schedule = "" if name == "hand" else "every 5 minutes"
        sources.add(a_source(name, schedule=schedule))
    sources.pause("c")
    kept: Any = Kept()
    passed = [0.0]
    poller = Poller(sources, kept, lambda: START, lambda: passed[0])
    kept.busy = {"b 2026"}
    assert poller.turn() == ["a"]
    kept.busy = set()
    assert poller.turn() == ["b"]
    assert poller.turn() == []
    passed[0] = 301.0
    assert poller.turn() == ["a", "b"]


def test_not_too_many_are_polled_at_once(sources: Sources) -> None:
    for number in range(6):
        sources.add(a_source(f"s{number}", schedule="every day"))
    kept: Any = Kept()
    poller = Poller(sources, kept, lambda: START, lambda: 0.0)
    assert poller.turn() == ["s0", "s1", "s2", "s3"]
    assert poller.turn() == ["s4", "s5"]


def test_a_trigger_polls_once_for_each_commit(sources: Sources) -> None:
    sources.add(a_source("a", trigger="raw@main"))
    kept: Any = Kept()
    poller = Poller(sources, kept, lambda: START, lambda: 0.0)
    assert poller.turn() == []
    sources.datasets.create("raw")
    assert poller.turn() == []
    made = sources.datasets.commit("raw@main", [PutTable("t", [{"x": 1}])], message="")
    assert (poller.turn(), poller.turn()) == (["a"], [])
    assert kept.started == [f"a {made.digest}"]
