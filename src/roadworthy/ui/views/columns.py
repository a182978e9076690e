"""Columns of a table with their statistics: nulls, middle, range, and a small plot of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from roadworthy.ui.formats import count, literal, number, percent, plural
from roadworthy.ui.views.parts import View

if TYPE_CHECKING:
    from roadworthy.data.profiling import ColumnProfile, Profile, Side

_WIDTH, _HEIGHT, _TOP = 600.0, 120.0, 10.0
NO_VALUE = "none"


def column_rows(profile: Profile, changed: Sequence[str] = ()) -> list[View]:
    """A row for each column; what is of one version only has one side."""
    return [_row(each, each.name in changed) for each in profile.columns]


def looked_at(profile: Profile) -> str:
    """Of how many rows the statistics are, where not of all."""
    said = [
        f"{count(looked)} of {plural(rows, 'row')}"
        for rows, looked in zip(profile.rows, profile.looked, strict=True)
        if rows > looked > 0
    ]
    return f"From {' and '.join(said)}, spread evenly over the table." if said else ""


def _row(column: ColumnProfile, changed: bool) -> View:
    return {
        "name": column.name,
        "changed": changed,
        "kind": _both(column, lambda side: side.type),
        "nulls": _both(column, _nulls),
        "middle": _both(column, _middle),
        "range": _both(column, _range),
        "plot": _plot(column),
    }


def _both(column: ColumnProfile, said: Callable[[Side], str]) -> str:
    """What is said of one side, or of two with an arrow between where they differ."""
    words = [said(side) for side in (column.before, column.after) if side is not None]
    return " → ".join(dict.fromkeys(words)) or NO_VALUE


def _nulls(side: Side) -> str:
    return percent(side.nulls / side.rows) if side.rows else "no rows"


def _middle(side: Side) -> str:
    if side.levels is not None:
        return plural(side.levels, "level")
    return NO_VALUE if side.middle is None else _value(side.middle)


def _range(side: Side) -> str:
    if side.minimum is None:
        return NO_VALUE
    return f"{_value(side.minimum)} to {_value(side.maximum)}"


def _value(value: Any) -> str:
    return number(value, 4) if isinstance(value, float) else literal(value)


def _plot(column: ColumnProfile) -> View | None:
    """The shapes of both sides on one scale, as paths or bars; None where there is nothing."""
    sides = [side for side in (column.before, column.after) if side is not None]
    shares = [share for side in sides for share in side.shares]
    if not shares:
        return None
    scale = (_HEIGHT - _TOP) / (max(shares) or 1.0)
    draw = _bars if column.names else _curve
    both = len(sides) == 2
    return {
        "label": _label(column, both),
        "bars": bool(column.names),
        "before": draw(sides[0].shares, scale) if both else None,
        "after": draw(sides[-1].shares, scale),
    }


def _label(column: ColumnProfile, both: bool) -> str:
    what = f"Spread of {column.name}" + (", before dashed" if both else "")
    if column.names:
        shown = ", ".join(column.names[:5]) + (" …" if len(column.names) > 5 else "")
        return f"{what}: shares of {shown}"
    return f"{what}: {plural(len(column.edges) - 1, 'bin')} over the middle 99 % of values"


def _curve(shares: Sequence[float], scale: float) -> View:
    """A line through the bins' middles, and the area below it."""
    wide = _WIDTH / max(1, len(shares))
    points = [(wide * (place + 0.5), _HEIGHT - share * scale) for place, share in enumerate(shares)]
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    if not points:
        return {"line": "", "area": ""}
    area = f"{line}L{points[-1][0]:.1f} {_HEIGHT:.0f}L{points[0][0]:.1f} {_HEIGHT:.0f}Z"
    return {"line": line, "area": area}


def _bars(shares: Sequence[float], scale: float) -> list[View]:
    wide = _WIDTH / max(1, len(shares))
    return [
        {
            "x": f"{wide * place + wide * 0.1:.1f}",
            "y": f"{_HEIGHT - share * scale:.1f}",
            "width": f"{wide * 0.8:.1f}",
            "height": f"{share * scale:.1f}",
        }
        for place, share in enumerate(shares)
    ]
