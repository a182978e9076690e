"""The law of a flow, tested: a row's answer is the same alone, among others and in any order."""

from __future__ import annotations

import math
import random
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

from roadworthy_runtime.compare import short, take

Columns = Mapping[str, Any]
RELATIVE = 1e-9
"""Floats may differ by so much with the size of the batch: sums are added in another order."""
RELATIVE_SINGLE = 1e-5
"""The same for floats of 32 bits."""
_FLOOR_SINGLE = 1e-6
_FLOOR = 1e-12
"""Relative to the greatest answer of a column, what counts as zero."""


class Finding(NamedTuple):
    """A row whose answers differ: its row, the output's column, both values as text."""

    row: int
    column: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.expected} and {self.found}"


@dataclass(frozen=True)
class Asked:
    """What a flow answered to rows: by output and column, or why the whole call failed."""

    n: int
    values: dict[str, list[Any]]
    rejected: dict[int, tuple[str, Any]]
    warnings: list[Any]
    dtypes: dict[str, str]
    error: str = ""

    def row(self, i: int) -> tuple[Any, ...]:
        """Everything that was answered to one row."""
        return tuple(values[i] for values in self.values.values())


class Law:
    """Asks one flow and compares what it answers to the same rows in other company."""

    def __init__(self, flow: Any, tolerance: float = 0.0) -> None:
        self.flow = flow
        self.tolerance = tolerance
        self.types = {
            (output["name"], column["name"]): column["type"]
            for output in flow.signature["outputs"]
            for column in output["columns"]
        }

    def ask(self, columns: Columns, n: int) -> Asked:
        """The answers, with every failure of the flow's own as ``error``."""
        try:
            answers = self.flow.answer_columns(columns, n)
        except Exception as problem:
            return Asked(n, {}, {}, [], {}, error=_problem(problem))
        values: dict[str, list[Any]] = {}
        dtypes: dict[str, str] = {}
        for output, by_column in answers.values.items():
            for column, found in by_column.items():
                name = output if len(by_column) == 1 else f"{output}:{column}"
                values[name] = plain_answers(found, self.types[output, column])
                dtypes[name] = str(getattr(found, "dtype", "list"))
        rejected = {row: (reason, line) for row, reason, line in answers.rejected}
        return Asked(n, values, rejected, list(answers.warnings), dtypes)

    def compare(self, whole: Asked, positions: Sequence[int], part: Asked) -> Optional[Finding]:
        """The first row of ``part`` (rows of ``whole`` at ``positions``) that differs."""
        if whole.error or part.error:
            if whole.error == part.error:
                return None
            expected, found = whole.error or "an answer", part.error or "an answer"
            return Finding(positions[0] if len(positions) else 0, "", expected, found)
        for i, row in enumerate(positions):
            expected_reason, reason = whole.rejected.get(row), part.rejected.get(i)
            if expected_reason != reason:
                return Finding(row, "", _rejection(expected_reason), _rejection(reason))
        for name, values in whole.values.items():
            tolerance = self._tolerance(whole.dtypes[name])
            least = _FLOOR_SINGLE if whole.dtypes[name] in _SINGLE else _FLOOR
            floor = least * max((abs(v) for v in values if _is_finite(v)), default=0.0)
            others = part.values[name]
            for i, row in enumerate(positions):
                if not _same(values[row], others[i], tolerance, floor):
                    return Finding(row, name, short(values[row]), short(others[i]))
        return None

    def _tolerance(self, dtype: str) -> float:
        return max(self.tolerance, RELATIVE_SINGLE if dtype in _SINGLE else RELATIVE)

    def alone(
        self, columns: Columns, whole: Asked, rows: Sequence[int]
    ) -> tuple[Optional[Finding], dict[int, str]]:
        """The first of these rows that is answered otherwise alone; and rows that raise alone."""
        raising: dict[int, str] = {}
        for row in rows:
            one = self.ask(select(columns, [row]), 1)
            if one.error:
                raising[row] = one.error
                if whole.error:
                    continue
            finding = None if whole.error else self.compare(whole, [row], one)
            if finding is not None:
                return finding, raising
        return None, raising

    def orders(self, columns: Columns, whole: Asked) -> dict[str, Optional[Finding]]:
        """The first difference for the rows permuted, in halves and repeated."""
        n = whole.n
        shuffled = list(range(n))
        random.Random(0).shuffle(shuffled)
        repeated = [row for row in range(n - 1, -1, -1) for _ in (0, 1)]
        found: dict[str, Optional[Finding]] = {}
        for name, parts in (
            ("permuted", [shuffled]),
            ("halves", [list(range(n // 2)), list(range(n // 2, n))]),
            ("repeated", [repeated]),
        ):
            findings = [
                self.compare(whole, part, self.ask(select(columns, part), len(part)))
                for part in parts
                if part
            ]
            found[name] = next((f for f in findings if f is not None), None)
        return found


def select(columns: Columns, positions: Sequence[int]) -> dict[str, Any]:
    """The rows of columns at these positions."""
    return {name: take(values, positions) for name, values in columns.items()}


def telling_rows(columns: Columns, n: int, most: int) -> list[int]:
    """At most so many rows that are likely to show differences: nulls, each level, extremes.

    Rows are dealt out column by column, then filled up evenly.
    """
    wanted: list[list[int]] = []
    for values in columns.values():
        items = _items(values)
        first: dict[Any, int] = {}
        for row, item in enumerate(items):
            key = "null" if _is_null(item) else item if isinstance(item, (str, bool)) else None
            if key is not None:
                first.setdefault(key, row)
        numbers = [(v, i) for i, v in enumerate(items) if _is_finite(v)]
        extremes = [min(numbers)[1], max(numbers)[1]] if numbers else []
        wanted.append(extremes + list(first.values()))
    chosen: dict[int, None] = {}
    for turn in range(max(map(len, wanted), default=0)):
        for rows in wanted:
            if turn < len(rows) and len(chosen) < (most * 3) // 4:
                chosen[rows[turn]] = None
    others = [row for row in range(n) if row not in chosen]
    free = max(0, min(most - len(chosen), len(others)))
    for turn in range(free):
        chosen[others[turn * len(others) // free]] = None
    return sorted(chosen)


_SINGLE = frozenset(("float32", "float16"))


def _items(values: Any) -> list[Any]:
    items: list[Any] = values.tolist() if hasattr(values, "tolist") else list(values)
    return items


def plain_answers(values: Any, type_: str) -> list[Any]:
    """Answers as Python's own values: floats where the signature says so, times as ISO text."""
    if type_ in ("datetime", "date"):
        moments = list(values)
        return [None if _is_null(v) or v != v else _iso(v) for v in moments]
    items = _items(values)
    if type_ == "float":
        return [float(v) if type(v) is int else v for v in items]
    return items


def _iso(value: Any) -> str:
    pandas: Any = sys.modules.get("pandas")
    moment = value if pandas is None else pandas.Timestamp(value)
    return str(moment.isoformat())


def _is_null(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < float("inf")


def _same(a: Any, b: Any, tolerance: float, floor: float) -> bool:
    if _is_null(a) or _is_null(b):
        return _is_null(a) and _is_null(b)
    if type(a) is not type(b):
        return False
    if isinstance(a, float) and a != b and abs(a) < float("inf") and abs(b) < float("inf"):
        near: bool = abs(a - b) <= max(tolerance * max(abs(a), abs(b)), floor)
        return near
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(_same(x, y, tolerance, floor) for x, y in zip(a, b))
    return bool(a == b)


def _rejection(reason: Optional[tuple[str, Any]]) -> str:
    return "answered" if reason is None else f"rejected: {reason[0]}"


def _problem(problem: BaseException) -> str:
    """Kind, text and the flow's line of an exception, on one line."""
    text = f"{type(problem).__name__}: {problem}".splitlines()[0][:300]
    flow: Any = sys.modules.get("flow")
    folder = str(getattr(flow, "__file__", "")).rpartition("flow.py")[0]
    for frame in reversed(traceback.extract_tb(problem.__traceback__)):
        if folder and frame.filename.startswith(folder) and "flow_support" not in frame.filename:
            name = frame.filename[len(folder) :]
            return f"{text} (at {name} line {frame.lineno}: {frame.line})"
    return text
