"""What counts as a leak, and what does not."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from roadworthy.serving.growth import Growth, LeakLimits, grown

LIMITS = LeakLimits(every_seconds=1.0, window_seconds=60.0, least_bytes=1000, least_files=50)


def judged(size, files=lambda at: 10, seconds: int = 90) -> str:
    growth = Growth(LIMITS)
    for at in range(seconds):
        growth.add(float(at), int(size(at)), int(files(at)))
    return growth.verdict()


def test_steady_growth_is_a_leak_and_says_from_what_to_what():
    assert judged(lambda at: (1 << 20) * at).startswith("its memory grew from 29 to 79 MiB")
    assert "opened files from" in judged(lambda at: 5, lambda at: 3 * at)


def test_what_fills_once_or_goes_up_and_down_is_none():
    assert judged(lambda at: min(at, 45) * 1000) == ""
    assert judged(lambda at: 10_000 * (1 - math.exp(-at / 15))) == ""
    assert judged(lambda at: 5_000 * (at % 7)) == ""
    assert judged(lambda at: at) == ""


def test_too_little_is_known_at_first():
    assert judged(lambda at: (1 << 20) * at, seconds=40) == ""


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=80), st.integers(1, 10**5))
def test_growth_is_never_said_where_the_end_is_not_above_the_start(values, least):
    found = grown(list(enumerate(values)), least)
    if found is not None:
        assert found[1] - found[0] >= least
        assert min(values[: len(values) // 6 or 1]) == found[0]
