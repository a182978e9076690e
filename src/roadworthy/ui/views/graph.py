"""The history of a dataset as a graph: a lane for each line of commits, drawn row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from roadworthy.core.dataset import Committed

MOST_LANES = 8
_STEP, _FIRST, _HEIGHT = 24, 16, 56
_MIDDLE = _HEIGHT // 2


class Line(NamedTuple):
    """A stroke in a row of the graph: where it goes, and whether it is of ``main``'s lane."""

    path: str
    main: bool


class GraphRow(NamedTuple):
    """A commit's row: the lane of its dot, the strokes, how many lanes the row has."""

    lane: int
    lines: list[Line]
    lanes: int


class _Lane(NamedTuple):
    """The commit that a lane leads to; ``drawn`` once something has come along it."""

    digest: str
    drawn: bool


def graph(commits: Sequence[Committed], main: str = "") -> list[GraphRow]:
    """A row for each commit, children before parents; the line of ``main`` has the first lane."""
    lanes: list[_Lane | None] = [_Lane(main, False)] if main else []
    rows: list[GraphRow] = []
    for each in commits:
        mine = [n for n, lane in enumerate(lanes) if lane and lane.digest == each.digest]
        own = mine[0] if mine else _free(lanes)
        lines = [
            _stroke(n, own if n in mine else n, upper=True, whole=n not in mine)
            for n, lane in enumerate(lanes)
            if lane and lane.drawn
        ]
        before = len(lanes)
        for n in mine:
            lanes[n] = None
        for place, parent in enumerate(each.commit.parents):
            known = next((n for n, lane in enumerate(lanes) if lane and lane.digest == parent), -1)
            to = own if place == 0 else known if known >= 0 else _free(lanes)
            lanes[to] = _Lane(parent, True)
            lines.append(_stroke(own, to, upper=False))
        while lanes and lanes[-1] is None:
            lanes.pop()
        rows.append(GraphRow(min(own, MOST_LANES - 1), lines, max(before, len(lanes), own + 1)))
    return rows


def _free(lanes: list[_Lane | None]) -> int:
    """The first lane that leads nowhere; a new one where all do."""
    if None not in lanes:
        lanes.append(None)
    return lanes.index(None)


def _stroke(start: int, end: int, *, upper: bool, whole: bool = False) -> Line:
    """From one lane to another in the upper or lower half of a row, or straight through it."""
    main = max(start, end) == 0
    x, to = _at(start), _at(end)
    if whole:
        return Line(f"M{x} 0V{_HEIGHT}", main)
    top, bottom = (0, _MIDDLE) if upper else (_MIDDLE, _HEIGHT)
    if x == to:
        return Line(f"M{x} {top}V{bottom}", main)
    bend = (top + bottom) // 2
    return Line(f"M{x} {top}C{x} {bend} {to} {bend} {to} {bottom}", main)


def _at(lane: int) -> int:
    return _FIRST + _STEP * min(lane, MOST_LANES - 1)
