"""How long so many rows take, as learned from batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roadworthy.serving.pace import FEWEST_ROWS, KNOWN_AFTER, QUICK_SECONDS, Pace, Portion


def after(*batches: tuple[int, float]) -> Pace:
    pace = Pace()
    for rows, seconds in batches:
        pace.observe(rows, seconds)
    return pace


def test_nothing_is_said_before_enough_was_seen():
    assert after(*[(1, 1.0)] * (KNOWN_AFTER - 1)).seconds(1000) == 0.0


def test_batches_of_one_size_say_nothing_of_larger_ones():
    assert after(*[(1, 0.002)] * 30).seconds(1000) == 0.002


@given(st.floats(0.0, 0.1), st.floats(0.0, 0.01), st.integers(0, 5000))
def test_a_line_is_found(base: float, each: float, rows: int):
    pace = after(*[(n, base + each * n) for n in (1, 8, 64, 16, 2) * 10])
    assert abs(pace.seconds(rows) - (base + each * rows)) <= 1e-6 + 1e-3 * each * rows


@given(st.lists(st.tuples(st.integers(1, 4096), st.floats(0, 30)), min_size=20), st.integers(1))
def test_more_rows_never_take_less_and_nothing_is_negative(batches, rows: int):
    pace = after(*batches)
    assert 0.0 <= pace.seconds(rows) <= pace.seconds(rows + 1)


def test_what_is_long_ago_is_forgotten():
    pace = after(*[(n, 0.1 * n) for n in (1, 10) * 50], *[(n, 0.001 * n) for n in (1, 10) * 200])
    assert pace.seconds(10) < 0.011


@given(st.floats(0.0, 0.5), st.floats(1e-7, 1.0), st.integers(100, 5000), st.integers(5000, 70_000))
def test_a_portion_takes_about_the_time_that_others_may_wait(
    base: float, each: float, first: int, most: int
):
    portion = Portion(first, most)
    for _ in range(20):
        portion.observe(portion.rows, base + each * portion.rows)
    seconds = base + each * portion.rows
    assert portion.rows == most or seconds >= QUICK_SECONDS
    assert portion.rows == FEWEST_ROWS or seconds <= 4 * QUICK_SECONDS


def test_the_last_few_rows_of_a_batch_are_no_reason_to_ask_for_more():
    portion = Portion(1000, 4000)
    portion.observe(10, 0.001)
    assert portion.rows == 1000
