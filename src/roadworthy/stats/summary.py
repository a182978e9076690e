"""Percentiles and summaries of measured times and sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from roadworthy.core.values import Value


class Summary(Value, frozen=True):
    """A distribution in a few numbers, in the unit of what was measured."""

    count: int
    mean: float
    minimum: float
    p50: float
    p95: float
    p99: float
    maximum: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which this share (0 to 1) of sorted numbers lies.

    Linear between the two nearest order statistics (Hyndman and Fan 1996, definition 7).
    Raises ValueError without numbers, or for a share outside 0 to 1.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.5
    """
    if not ordered:
        raise ValueError("no numbers to take a percentile of")
    if not 0 <= share <= 1:
        raise ValueError(f"a percentile's share is between 0 and 1, not {share}")
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    low, high = ordered[below], ordered[above]
    return low if low == high else low + (place - below) * (high - low)


def summarise(numbers: Iterable[float]) -> Summary:
    """Count, mean, extremes and percentiles. Raises ValueError without numbers.

    >>> summarise([3.0, 1.0, 2.0]).p50
    2.0
    """
    ordered = sorted(numbers)
    return Summary(
        count=len(ordered),
        mean=math.fsum(ordered) / len(ordered) if ordered else math.nan,
        minimum=percentile(ordered, 0),
        p50=percentile(ordered, 0.5),
        p95=percentile(ordered, 0.95),
        p99=percentile(ordered, 0.99),
        maximum=percentile(ordered, 1),
    )
