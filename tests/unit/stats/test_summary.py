"""Percentiles against NumPy, and what happens without numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.stats.summary import percentile, summarise

numbers = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50)


@given(numbers, st.floats(0, 1))
def test_percentiles_are_those_of_numpy(values: list[float], share: float) -> None:
    expected = np.percentile(values, share * 100)
    assert percentile(sorted(values), share) == pytest.approx(expected, rel=1e-9, abs=1e-3)


@given(numbers)
def test_a_summary_is_ordered(values: list[float]) -> None:
    found = summarise(values)
    assert found.count == len(values)
    ordered = [found.minimum, found.p50, found.p95, found.p99, found.maximum]
    assert ordered == sorted(ordered)


def test_no_numbers_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no numbers"):
        summarise([])
    with pytest.raises(ValueError, match="between 0 and 1"):
        percentile([1.0], 1.5)
