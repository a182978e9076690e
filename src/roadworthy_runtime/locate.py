"""Finds the line of a flow at which a row's values in one batch part from those in another."""

from __future__ import annotations

import copy
import linecache
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from roadworthy_runtime.compare import difference, n_rows, take
from roadworthy_runtime.law import RELATIVE, select

_MOST_LINES = 400


@dataclass
class _Step:
    """What the variables were after a line of the flow had run."""

    file: str
    line: int
    rows: dict[str, tuple[Any, list[int]]] = field(default_factory=dict)


def locate(
    flow: Any, columns: Mapping[str, Any], n: int, positions: Sequence[int], tolerance: float = 0.0
) -> Optional[dict[str, Any]]:
    """Where the rows at ``positions`` first differ from the same rows asked among all ``n``.

    The file, line and source in the flow, the variable, and both values as text; None where no
    variable shows it.
    """
    whole = _record(flow, lambda: flow.answer_columns(columns, n))
    part = _record(flow, lambda: flow.answer_columns(select(columns, positions), len(positions)))
    tolerance = max(tolerance, RELATIVE)
    for one, other in zip(whole, part):
        if (one.file, one.line) != (other.file, other.line):
            return _place(one, "", "goes on here", f"goes on at line {other.line}")
        for name, (value, carried) in one.rows.items():
            if name not in other.rows:
                continue
            value_alone, carried_alone = other.rows[name]
            rows = [positions[i] for i in carried_alone]
            try:
                at = [carried.index(row) for row in rows]
            except ValueError:
                return _place(one, name, f"carries rows {carried[:5]}", f"carries rows {rows[:5]}")
            found = difference(_plain(take(value, at)), _plain(value_alone), tolerance)
            if found is not None:
                where = f"{name}.{found.column}" if found.column else name
                return _place(one, where, found.left, found.right)
    return None


def _place(step: _Step, name: str, left: str, right: str) -> dict[str, Any]:
    return {
        "file": Path(step.file).name,
        "line": step.line,
        "source": linecache.getline(step.file, step.line).strip(),
        "variable": name,
        "among others": left,
        "alone": right,
    }


def _record(flow: Any, call: Callable[[], Any]) -> list[_Step]:
    """Run a call and note the row values in the flow's own frames after each line."""
    folder = str(flow.directory)
    steps: list[_Step] = []
    follower: list[Any] = []

    def note(frame: types.FrameType, line: int) -> None:
        step = _Step(frame.f_code.co_filename, line)
        for name, value in frame.f_locals.items():
            try:
                n_rows(value)
                carried = follower[0].carried(value)
                step.rows[name] = (copy.deepcopy(value), list(carried))
            except Exception:  # no row value, or none that can be followed
                continue
        steps.append(step)

    def trace(frame: types.FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(folder) or "flow_support" in name[len(folder) :]:
            return None
        rows = [v for v in frame.f_locals.values() if type(v).__name__ == "Rows"]
        follower.extend(rows)
        last = frame.f_lineno

        def line(frame: types.FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            if follower and len(steps) < _MOST_LINES and event in ("line", "return"):
                note(frame, last)
            last = frame.f_lineno
            return line

        return line

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except Exception:  # how far it came is what is wanted
        pass
    finally:
        sys.settrace(before)
    return steps


def _plain(value: Any) -> Any:
    """Without labels: position is what rows are told by."""
    if hasattr(value, "iloc"):
        value = value.copy(deep=False)
        value.index = range(len(value))
    return value
