"""Traffic over time: what is kept of readings, and how it is drawn."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.core.traffic import Stretch
from roadworthy.serving.metrics import Metrics
from roadworthy.storage.tracks import Tracks
from roadworthy.ui.traffic import Traffic
from roadworthy.ui.views.plots import HEIGHT, WIDTH, Mark, Series, plot, share_bar, spark, ticks

NOW = datetime(2026, 3, 18, 10, 40, tzinfo=UTC)


def stretches(count: int, seconds: float = 30) -> list[Stretch]:
    starts = [NOW + timedelta(seconds=seconds * place) for place in range(count + 1)]
    return [Stretch(*each) for each in pairwise(starts)]


def test_readings_become_points_of_the_releases_that_were_asked(tmp_path: Path) -> None:
    metrics = Metrics()
    traffic = Traffic(lambda: metrics.text().decode(), Tracks(tmp_path / "traffic.db"))
    quiet = metrics.requests.labels("quiet@1", "plain", "200")
    quiet.inc(5)
    traffic.look(NOW)
    for second in range(5, 95, 5):
        metrics.requests.labels("delay@3", "plain", "200").inc()
        metrics.requests.labels("delay@3", "plain", "503").inc()
        metrics.seconds.labels("delay@3").observe(0.004)
        traffic.look(NOW + timedelta(seconds=second))
    end = NOW + timedelta(seconds=90)
    track = traffic.over("1h", {"delay@3", "quiet@1"}, end)
    assert [each.seconds for each in track.stretches] == [30, 30, 30]
    points = track.points["delay@3"]
    assert [(each.requests, each.errors) for each in points if each] == [(12, 6)] * 3
    assert "quiet@1" not in track.points
    for window in ("6h", "24h", "7d"):
        longer = traffic.over(window, {"delay@3"}, end)
        assert longer.stretches == [Stretch(NOW, end)], "grows until it is long enough"
        assert [each and each.requests for each in longer.points["delay@3"]] == [36]


def test_stretches_end_once_they_are_long_enough_and_a_release_may_pause(tmp_path: Path) -> None:
    metrics = Metrics()
    asked = metrics.requests.labels("delay@3", "plain", "200")
    asked.inc(0)
    traffic = Traffic(lambda: metrics.text().decode(), Tracks(tmp_path / "traffic.db"))
    for place in range(15):
        if place not in (7, 8, 9, 10, 11, 12):
            asked.inc(10)
        traffic.look(NOW + timedelta(seconds=30 * place))
    track = traffic.over("6h", {"delay@3"}, NOW + timedelta(minutes=7))
    assert [each.seconds for each in track.stretches] == [180, 180, 60]
    assert [each and each.requests for each in track.points["delay@3"]] == [60, None, 20]


def test_what_was_seen_outlives_the_control_plane(tmp_path: Path) -> None:
    metrics = Metrics()
    asked = metrics.requests.labels("delay@3", "plain", "200")
    later = timedelta(hours=5)
    for begin in (timedelta(0), later):
        traffic = Traffic(lambda: metrics.text().decode(), Tracks(tmp_path / "traffic.db"))
        for second in (0, 30, 60):
            asked.inc(3)
            traffic.look(NOW + begin + timedelta(seconds=second))
    after = Traffic(lambda: None, Tracks(tmp_path / "traffic.db"))
    end = NOW + later + timedelta(seconds=60)
    minute = timedelta(seconds=60)
    for window in ("6h", "24h", "7d"):
        track = after.over(window, {"delay@3"}, end)
        assert track.stretches == [Stretch(NOW, NOW + minute), Stretch(NOW + later, end)]
        assert [each and each.requests for each in track.points["delay@3"]] == [6, 6]
    assert [each.seconds for each in after.over("1h", {"delay@3"}, end).stretches] == [30, 30]


def test_what_can_not_be_kept_leaves_rates_as_they_are(tmp_path: Path) -> None:
    metrics = Metrics()
    asked = metrics.requests.labels("delay@3", "plain", "200")
    traffic = Traffic(lambda: metrics.text().decode(), Tracks(tmp_path / "no folder" / "t.db"))
    for second in (0, 30, 60):
        asked.inc(30)
        traffic.look(NOW + timedelta(seconds=second))
    flow = traffic.of("delay@3")
    assert flow is not None
    assert flow.rate == 1
    assert traffic.over("1h", {"delay@3"}, NOW).stretches == ()


def test_a_gateway_that_counts_anew_leaves_the_points_and_a_gap(tmp_path: Path) -> None:
    counts = [10, 40, 5, 25]
    moments = [NOW + timedelta(seconds=40 * place) for place in range(4)]
    texts = []
    for count in counts:
        metrics = Metrics()
        metrics.requests.labels("delay@3", "plain", "200").inc(count)
        texts.append(metrics.text().decode())
    traffic = Traffic(lambda: texts.pop(0), Tracks(tmp_path / "traffic.db"))
    for moment in moments:
        traffic.look(moment)
    track = traffic.over("1h", {"delay@3"}, moments[-1])
    assert track.stretches == [Stretch(*moments[:2]), Stretch(*moments[2:])]
    assert [each and each.requests for each in track.points["delay@3"]] == [30, 20]


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


def test_plots_of_several_days_name_them() -> None:
    for hours, axis in (
        (30, ["18 Mar, 10:40", "18 Mar, 20:40", "19 Mar, 06:40", "19 Mar, 16:40"]),
        (144, ["18 Mar", "20 Mar", "22 Mar", "24 Mar"]),
    ):
        view = plot(
            "Rate", "", stretches(hours, 3600),
            [Series(name="@3", hue="current", values=[1.0] * hours)],
            marks=[Mark(NOW + timedelta(hours=1), "@3 to production")],
        )  # fmt: skip
        assert view["x"] == axis
        assert view["legend"][-1]["text"] == "18 Mar, 11:40 @3 to production"


def test_a_small_line_stands_where_it_belongs_in_its_frame() -> None:
    end = NOW + timedelta(minutes=10)
    view = spark("t", stretches(2, 60), [1.0, 2.0], Stretch(NOW - timedelta(minutes=10), end))
    assert [each["d"] for each in view["paths"]] == ["M300 60L330 60L360 0"]
    assert spark("t", stretches(1), [0.0], Stretch(NOW, end))["paths"][0]["d"] == "M0 120L30 120"


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
