"""Rows: which input rows a value carries after filters, and why others were rejected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy_runtime.support import FlowError, Rejected, Rows
from roadworthy_runtime.support.rows import NothingLeft


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"a": [1, 2, 3]}, index=["x", "x", "y"]),
        pd.Series([1, 2, 3]),
        np.array([1, 2, 3]),
        [1, 2, 3],
        (1, 2, 3),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize(
    "mask",
    [
        [True, False, True],
        np.array([True, False, True]),
        pd.array([True, None, True], dtype="boolean"),
        pd.Series([True, False, True]),
    ],
    ids=lambda mask: type(mask).__name__,
)
def test_a_mask_keeps_rows_of_any_kind(value: Any, mask: Any) -> None:
    if hasattr(value, "iloc") and hasattr(mask, "iloc"):
        mask.index = value.index if value.index.is_unique else mask.index
    if hasattr(value, "index") and not isinstance(value, (list, tuple)):
        value = value.reset_index(drop=True)
    rows = Rows(3)
    kept = rows.filter(value, mask, line=4, reason="a != 2")
    assert type(kept) is type(value)
    assert len(kept) == 2
    assert rows.rejected == [Rejected(1, "a != 2", 4)]
    assert rows.carried(kept) == [0, 2]


def test_filters_compose_by_position_whatever_the_labels() -> None:
    rows = Rows(5)
    frame = pd.DataFrame({"a": [5, 4, 3, 2, 1], "b": [1, None, 3, 4, 5]})
    frame = rows.filter(frame, frame.a < 5, line=1, reason="a < 5")
    frame = frame.reset_index(drop=True)
    frame = rows.dropna(frame, subset=["b"], line=2)
    frame = frame.set_axis(["p", "p", "q"])
    numbers = rows.filter(frame.a.to_numpy(), frame.a.to_numpy() != 2, line=3, reason="a != 2")
    assert rows.carried(numbers) == [2, 4]
    assert rows.rejected == [
        Rejected(0, "a < 5", 1),
        Rejected(1, "is null", 2),
        Rejected(3, "a != 2", 3),
    ]


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=8))
def test_any_chain_of_filters_keeps_what_an_index_would_say(masks: list[tuple[bool, ...]]) -> None:
    rows, numbers = Rows(len(masks)), np.arange(len(masks))
    try:
        for turn in range(3):
            keep = np.array([masks[i][turn] for i in numbers], dtype=bool)
            numbers = rows.filter(numbers * 1, keep, line=turn, reason=str(turn))
    except NothingLeft:
        assert len(rows.rejected) == len(masks)
        return
    assert rows.carried(numbers * 1) == list(numbers)
    assert {r.row for r in rows.rejected} == set(range(len(masks))) - set(numbers)
    assert all(r.line == list(masks[r.row]).index(False) for r in rows.rejected)


def test_a_selection_may_be_any_function_of_a_table() -> None:
    rows = Rows(4)
    frame = pd.DataFrame({"a": [1, 2, 3, 4]}, index=[9, 9, 8, 8])
    kept = rows.filter(frame, lambda f: f.query("a > 1"), line=1, reason="a > 1")
    assert list(kept.index) == [9, 8, 8]
    kept = rows.filter(kept, lambda f: f.drop(f[f.a == 3].index), line=2, reason="a == 3")
    assert list(kept.a) == [2, 4]
    kept = rows.filter(kept, lambda f: f.a > 2, line=3, reason="a > 2")
    assert [r.line for r in rows.rejected] == [1, 3, 2]
    assert rows.carried(kept) == [3]


def test_a_mask_with_other_labels_is_brought_into_order() -> None:
    rows = Rows(3)
    frame = pd.DataFrame({"a": [1, 2, 3]})
    kept = rows.filter(frame, pd.Series([True, False, False], index=[2, 1, 0]), line=1)
    assert list(kept.a) == [3]


def test_one_mask_on_two_values_counts_once() -> None:
    rows = Rows(3)
    features, target = np.arange(6).reshape(3, 2), [1, 2, 3]
    mask = np.array([True, False, True])
    features = rows.filter(features, mask, line=1, reason="first")
    target = rows.filter(target, mask, line=2, reason="second")
    assert rows.rejected == [Rejected(1, "first", 1)]
    assert rows.carried(target) == rows.carried(features + 1) == [0, 2]


def test_two_filters_that_keep_other_rows_of_equal_number_are_never_mixed_up() -> None:
    rows = Rows(3)
    one = rows.filter(np.arange(3), np.array([True, True, False]), line=1)
    other = rows.filter(np.arange(3), np.array([True, False, True]), line=2)
    assert rows.carried(one) == [0, 1]
    assert rows.carried(other) == [0, 2]
    with pytest.raises(FlowError, match="not the same"):
        rows.carried(one + other)


def test_a_join_rejects_rows_without_partner() -> None:
    rows = Rows(3)
    frame = pd.DataFrame({"k": ["a", "b", "c"]})
    planes = pd.DataFrame({"k": ["c", "a"], "year": [1, 2]})
    joined = rows.merge(frame, planes, on="k", line=5)
    assert list(joined.year) == [2, 1]
    assert rows.rejected == [Rejected(1, "has no partner", 5)]
    assert rows.carried(joined) == [0, 2]
    with pytest.raises(FlowError, match="unique"):
        Rows(3).merge(frame, pd.concat([planes, planes]), on="k", line=5)


def test_a_mask_of_another_length_is_refused() -> None:
    with pytest.raises(FlowError, match="2 truth values for 3 rows"):
        Rows(3).filter([1, 2, 3], [True, False], line=9)
    with pytest.raises(FlowError, match="has 2 rows where the flow has 3"):
        Rows(3).filter([1, 2], [True, False], line=9)
