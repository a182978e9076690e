"""The golden request: rows of creation with their answers, which a worker must repeat."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from roadworthy_runtime import frames

RELATIVE = 1e-9
"""Differences that the number of rows in a batch may cause in the last digits of a float."""


class GoldenDiffers(Exception):
    """The answers are not those of creation."""


def check_golden(reply: Callable[[frames.Frame], bytes], path: Path) -> None:
    """Have ``reply`` answer the request in ``path`` and compare with the answers in it.

    The file holds two frames: the request and what must come back; the request's meta may
    name a relative ``tolerance``. Raises GoldenDiffers, OSError or frames.FrameError.
    """
    found = list(frames.Assembler().feed(path.read_bytes()))
    if [frame.kind for frame in found] != ["predict", "answers"]:
        raise frames.FrameError(f"{path.name} does not hold a request and its answers")
    request, wanted = found
    got = next(iter(frames.Assembler().feed(reply(request))))
    if got.meta.get("failed"):
        row, message = got.meta["failed"][0]
        raise GoldenDiffers(f"row {row} failed: {message}")
    rejected = {row for row, _, _ in got.meta.get("rejected", [])}
    if rejected != set(wanted.meta.get("rejected", [])):
        raise GoldenDiffers(
            f"rows {sorted(wanted.meta.get('rejected', []))} were rejected at creation, "
            f"rows {sorted(rejected)} are now"
        )
    tolerance = max(RELATIVE, float(request.meta.get("tolerance", 0.0)))
    for name, column in wanted.columns.items():
        if name not in got.columns:
            raise GoldenDiffers(f"output {name!r} is missing")
        pairs = zip(column.values(), got.columns[name].values())
        for row, (before, now) in enumerate(pairs):
            if row not in rejected and not same(before, now, tolerance):
                raise GoldenDiffers(f"row {row}, {name!r}: was {before!r}, is {now!r}")


def same(before: Any, now: Any, tolerance: float) -> bool:
    """Whether two answers are equal; floats within the relative tolerance, null equals NaN.

    >>> same(1.0, 1.0 + 1e-12, 1e-9), same(None, float("nan"), 0.0), same("a", "b", 0.0)
    (True, True, False)
    """
    if _missing(before) or _missing(now):
        return _missing(before) and _missing(now)
    if isinstance(before, (int, float)) and isinstance(now, (int, float)):
        return before == now or math.isclose(before, now, rel_tol=tolerance, abs_tol=tolerance)
    return bool(before == now)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
