"""Plots over time as SVG: what a template draws, from numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from roadworthy.core.traffic import Stretch
from roadworthy.ui.formats import number
from roadworthy.ui.views.parts import View

WIDTH, HEIGHT = 600, 120
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MOST_TICKS = 4
_LEAST = 1e-9
_SHORT_SECONDS = 240
_DAY_SECONDS = 86400
_DAYS_SECONDS = 3 * _DAY_SECONDS


@dataclass(frozen=True, kw_only=True)
class Series:
    """A line: its hue (current, candidate, baseline), its dash ('', dash, dot), its values by
    stretch, None where there is nothing to draw.
    """

    name: str
    hue: str
    values: Sequence[float | None]
    dash: str = ""
    filled: bool = False

    @property
    def last(self) -> float | None:
        """The newest value there is."""
        return next((each for each in reversed(self.values) if each is not None), None)


@dataclass(frozen=True)
class Mark:
    """A moment on the axis, and what happened then."""

    at: datetime
    text: str


def ticks(highest: float) -> list[float]:
    """Round numbers from nought to above the highest value: three or four steps of them.

    >>> ticks(16), ticks(0.9), ticks(0)
    ([0.0, 5.0, 10.0, 15.0, 20.0], [0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 1.0])
    """
    if highest < _LEAST or not math.isfinite(highest):
        return [0.0, 1.0]
    unit = 10.0 ** math.floor(math.log10(highest / _MOST_TICKS))
    step = next(
        unit * each for each in (*_STEPS, 20.0) if unit * each * _MOST_TICKS >= highest * (1 - 1e-9)
    )
    steps = min(_MOST_TICKS, math.ceil(highest / step))
    return [place * step for place in range(steps + 1)]


def plot(
    title: str,
    now: str,
    stretches: Sequence[Stretch],
    series: Sequence[Series],
    *,
    limit: tuple[float, str] | None = None,
    marks: Sequence[Mark] = (),
) -> View:
    """A plot with its axes, its legend and a sentence that says the same."""
    frame = Stretch(stretches[0].start, stretches[-1].end)
    drawn = [each for each in series if each.last is not None]
    values = [value for each in drawn for value in each.values if value is not None]
    axis = ticks(max([*values, *([limit[0]] if limit else [])], default=0.0))
    top = axis[-1]
    paths = []
    for each in drawn:
        for run in _runs(stretches, each.values, top, frame):
            line = _line(run)
            if each.filled:
                fill = f"{line}L{run[-1][0]:g} {HEIGHT}L{run[0][0]:g} {HEIGHT}Z"
                paths.append({"kind": f"{each.hue} fill", "d": fill})
            paths.append({"kind": f"{each.hue} {each.dash}".strip(), "d": line})
    legend = [{"kind": f"{each.hue} {each.dash}".strip(), "text": each.name} for each in drawn]
    if limit:
        legend.append({"kind": "baseline", "text": limit[1]})
    shown = [each for each in marks if frame.start <= each.at]
    legend += [{"kind": "mark", "text": f"{clock(each.at, frame)} {each.text}"} for each in shown]
    return {
        "title": title,
        "now": now,
        "label": _sentence(title, drawn, frame),
        "y": [number(each) for each in reversed(axis)],
        "x": _axis(frame),
        "grid": [round(HEIGHT * place / (len(axis) - 1), 1) for place in range(len(axis))],
        "limit": round(HEIGHT * (1 - limit[0] / top), 1) if limit else None,
        "marks": [_x(frame, each.at) for each in shown],
        "paths": paths,
        "legend": legend,
    }


def spark(
    label: str, stretches: Sequence[Stretch], values: Sequence[float | None], frame: Stretch
) -> View:
    """A small line without axes, from nought to its highest value, over the whole frame."""
    top = max((value for value in values if value is not None), default=0.0) or 1.0
    runs = _runs(stretches, values, top, frame)
    return {"label": label, "paths": [{"kind": "current", "d": _line(run)} for run in runs]}


def _line(run: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in run)


def _x(frame: Stretch, at: datetime) -> float:
    """Where a moment stands; what is outside of the frame stands at its edge."""
    return round(WIDTH * min(1.0, max(0.0, (at - frame.start) / (frame.end - frame.start))), 1)


def _runs(
    stretches: Sequence[Stretch], values: Sequence[float | None], top: float, frame: Stretch
) -> list[list[tuple[float, float]]]:
    """The stretches that follow each other and have a value, as points; one alone is as wide as
    its stretch.
    """
    runs: list[list[tuple[float, float]]] = []
    going = False
    for place, (stretch, value) in enumerate(zip(stretches, values, strict=True)):
        if value is None:
            going = False
            continue
        broken = place > 0 and stretches[place - 1].end != stretch.start
        y = round(HEIGHT * (1 - value / top), 1)
        if not going or broken:
            runs.append([(_x(frame, stretch.start), y)])
        runs[-1].append((_x(frame, stretch.end), y))
        going = True
    return runs


def clock(at: datetime, frame: Stretch) -> str:
    """A moment as the frame's length asks for: with the day where there are several."""
    if frame.seconds > _DAY_SECONDS + _SHORT_SECONDS:
        return f"{at.day} {at:%b, %H:%M}"
    return f"{at:%H:%M}"


def _axis(frame: Stretch) -> list[str]:
    """Four moments for the axis, the first and the last among them; all different."""
    found = [frame.start + (frame.end - frame.start) * (place / 3) for place in range(4)]
    if frame.seconds >= _DAYS_SECONDS:
        return [f"{each.day} {each:%b}" for each in found]
    if frame.seconds < _SHORT_SECONDS:
        return [f"{each:%H:%M:%S}" for each in found]
    return [clock(each, frame) for each in found]


def _sentence(title: str, series: Sequence[Series], frame: Stretch) -> str:
    """What somebody hears who does not see the plot."""
    said = []
    for each in series:
        known = [value for value in each.values if value is not None]
        said.append(
            f"{each.name} between {number(min(known))} and {number(max(known))}, "
            f"at last {number(known[-1])}"
        )
    span = f"from {clock(frame.start, frame)} to {clock(frame.end, frame)}"
    return f"{title}, {span}: {'; '.join(said) or 'nothing'}"


def share_bar(value: float, whole: float) -> float:
    """The width of a bar out of 100, at least what can be seen."""
    return round(max(1.0, 100 * value / whole), 1) if whole > 0 else 0.0
