"""Traffic over time: what is kept of readings, and how it is drawn."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.serving.metrics import Metrics
from roadworthy.ui.tracks import Point, Recorder, Stretch
from roadworthy.ui.traffic import Traffic
from roadworthy.ui.views.plots import HEIGHT, WIDTH, Mark, Series, plot, share_bar, ticks

NOW = datetime(2026, 3, 18, 10, 40, tzinfo=UTC)


def stretches(count: int, seconds: float = 30) -> list[Stretch]:
    starts = [NOW + timedelta(seconds=seconds * place) for place in range(count + 1)]
    return [Stretch(*each) for each in pairwise(starts)]


def test_readings_become_points_of_the_releases_that_were_asked() -> None:
    metrics = Metrics()
    traffic = Traffic(lambda: metrics.text().decode())
    quiet = metrics.requests.labels("quiet@1", "plain", "200")
    quiet.inc(5)
    traffic.look(NOW)
    for second in range(5, 95, 5):
        metrics.requests.labels("delay@3", "plain", "200").inc()
        metrics.requests.labels("delay@3", "plain", "503").inc()
        metrics.seconds.labels("delay@3").observe(0.004)
        traffic.look(NOW + timedelta(seconds=second))
    track = traffic.over("1h", {"delay@3", "quiet@1"})
    assert [each.seconds for each in track.stretches] == [30, 30, 30]
    points = track.points["delay@3"]
    assert [(each.requests, each.errors) for each in points if each] == [(12, 6)] * 3
    assert "quiet@1" not in track.points
    assert traffic.over("24h", {"delay@3"}).stretches == []


def test_a_gateway_that_counts_anew_leaves_the_points_and_a_gap() -> None:
    counts = [10, 40, 5, 25]
    moments = [NOW + timedelta(seconds=40 * place) for place in range(4)]
    texts = []
    for count in counts:
        metrics = Metrics()
        metrics.requests.labels("delay@3", "plain", "200").inc(count)
        texts.append(metrics.text().decode())
    traffic = Traffic(lambda: texts.pop(0))
    for moment in moments:
        traffic.look(moment)
    track = traffic.over("1h", {"delay@3"})
    assert track.stretches == [Stretch(*moments[:2]), Stretch(*moments[2:])]
    assert [each and each.requests for each in track.points["delay@3"]] == [30, 20]


def test_what_is_too_old_is_dropped_with_the_release_that_had_nothing_else() -> None:
    recorder = Recorder(step=30, kept=60)
    point = Point(1, 0, None, None, None)
    for place, stretch in enumerate(stretches(6)):
        recorder.add(stretch, {"old@1": point} if place == 0 else {"new@2": point})
    track = recorder.of(["old@1", "new@2"])
    assert len(track.stretches) == 3
    assert list(track.points) == ["new@2"]


@given(st.floats(1e-9, 1e12))
def test_ticks_are_few_evenly_apart_and_reach_above(highest: float) -> None:
    found = ticks(highest)
    assert found[0] == 0
    assert found[-1] >= highest * (1 - 1e-9)
    assert 2 <= len(found) <= 5
    assert found[-2] < highest


def test_a_plot_has_a_line_for_each_series_and_says_it_in_a_sentence() -> None:
    view = plot(
        "Requests per second",
        "8 at last",
        stretches(4),
        [
            Series(name="@3", hue="current", values=[2.0, 4.0, None, 8.0], filled=True),
            Series(name="@4", hue="candidate", values=[None] * 4),
        ],
        limit=(6.0, "as certified"),
        marks=[Mark(NOW + timedelta(minutes=1), "@3 to production"), Mark(NOW - timedelta(1), "x")],
    )
    assert view["label"] == (
        "Requests per second, from 10:40 to 10:42: @3 between 2 and 8, at last 8"
    )
    assert view["y"] == ["8", "6", "4", "2", "0"]
    assert view["x"] == ["10:40:00", "10:40:40", "10:41:20", "10:42:00"]
    assert [each["kind"] for each in view["paths"]] == ["current fill", "current"] * 2
    assert view["paths"][1]["d"] == "M0 90L150 90L300 60"
    assert view["paths"][3]["d"] == "M450 0L600 0"
    assert view["limit"] == 30.0
    assert view["marks"] == [300.0]
    assert [each["text"] for each in view["legend"]] == [
        "@3", "as certified", "10:41 @3 to production",
    ]  # fmt: skip


def test_what_has_just_happened_stands_at_the_edge() -> None:
    marks = [Mark(NOW + timedelta(hours=1), "@3 to production")]
    view = plot("Rate", "", stretches(4), [Series(name="@3", hue="current", values=[1.0] * 4)],
                marks=marks)  # fmt: skip
    assert view["marks"] == [600.0]


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1e9)), min_size=1, max_size=40),
)
def test_lines_stay_inside_of_the_frame(values: list[float | None]) -> None:
    view = plot("t", "", stretches(len(values)), [Series(name="@1", hue="current", values=values)])
    for each in view["paths"]:
        numbers = [float(text) for text in re.findall(r"-?[\d.]+(?:e[+-]?\d+)?", each["d"])]
        assert all(0 <= x <= WIDTH for x in numbers[::2])
        assert all(0 <= y <= HEIGHT for y in numbers[1::2])


@pytest.mark.parametrize(
    ("value", "whole", "width"), [(0.0, 2.0, 1.0), (1.0, 2.0, 50.0), (1, 0, 0)]
)
def test_a_bar_can_be_seen(value: float, whole: float, width: float) -> None:
    assert share_bar(value, whole) == width
