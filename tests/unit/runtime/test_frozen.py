"""What applies once it is frozen gives what pandas gave, and tells of what was not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from sklearn import preprocessing

from roadworthy_runtime import frozen
from roadworthy_runtime.support.unseen import Unseen, listening

COLUMNS: dict[str, list[Any]] = {
    "text": ["b", "a", None, "c", "b"],
    "whole": [3, 1, 2, 1, 3],
    "float": [0.5, np.nan, 2.0, 0.5, 1e-7],
    "bool": [True, False, True, True, False],
    "day": list(pd.to_datetime(["2026-01-02", "2026-01-01", None, "2026-01-02", "2026-03-01"])),
    "kind": list(pd.Categorical(["x", "y", "x", "y", "x"])),
}


def levels_of(rows: pd.DataFrame, names: list[Any]) -> dict[Any, list[Any]]:
    """What creation had, sorted as pandas sorts."""
    return {name: sorted(rows[name].dropna().unique()) for name in names}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("many", [0, 1000])
def test_dummies_are_those_of_pandas(monkeypatch: pytest.MonkeyPatch, name: str, many: int) -> None:
    monkeypatch.setattr(frozen, "_MANY", many)
    rows = pd.DataFrame({"first": range(5), name: COLUMNS[name], "last": 1.5}, index=list("vwxyz"))
    expected = pd.get_dummies(rows, columns=[name])
    found = frozen.get_dummies(
        rows, levels_of(rows, [name]), list(expected.columns), columns=[name]
    )
    assert_frame_equal(found, expected)
    for place in range(5):
        alone = rows.iloc[[place]]
        found = frozen.get_dummies(
            alone, levels_of(rows, [name]), list(expected.columns), columns=[name]
        )
        assert_frame_equal(found, expected.iloc[[place]])


def test_dummies_of_several_columns_keep_creations_order_and_tell_what_is_new() -> None:
    rows = pd.DataFrame({"a": ["x", "y"], 0: [1, 2], "b": ["p", "q"]})
    expected = pd.get_dummies(rows, columns=["b", "a"])
    new = pd.DataFrame({"a": ["y", "z", None], 0: [3, 4, 5], "b": ["q", "p", "r"], "more": 1})
    told: list[Any] = []
    with listening(lambda count, messages, column: told.append((count, messages, column))):
        found = frozen.get_dummies(
            new, levels_of(rows, ["b", "a"]), list(expected.columns), columns=["b", "a"]
        )
    assert list(found.columns) == list(expected.columns)
    assert found[0].tolist() == [3, 4, 5]
    assert found[["b_p", "b_q"]].to_numpy().tolist() == [[0, 1], [1, 0], [0, 0]]
    assert found[["a_x", "a_y"]].to_numpy().tolist() == [[0, 1], [0, 0], [0, 0]]
    assert told == [
        (3, {2: "'r' was not seen in creation"}, "b"),
        (3, {1: "'z' was not seen in creation"}, "a"),
    ]


@pytest.mark.parametrize("how", [{"drop_first": True}, {"dummy_na": True}, {"prefix": "p"}])
def test_dummies_in_other_manners_are_those_of_pandas_too(how: dict[str, Any]) -> None:
    rows = pd.DataFrame({"a": ["x", "y", None, "x"], "n": range(4)})
    expected = pd.get_dummies(rows, columns=["a"], **how)
    names = list(expected.columns)
    found = frozen.get_dummies(rows, levels_of(rows, ["a"]), names, columns=["a"], **how)
    assert_frame_equal(found, expected)


VALUES = st.one_of(
    st.lists(st.sampled_from(["a", "b", "", "ä", None]), max_size=12),
    st.lists(st.sampled_from([0, 1, -1, 2**60]), max_size=12),
    st.lists(st.sampled_from([0.0, 1.5, float("nan")]), max_size=12),
    st.lists(st.sampled_from([1, "1", 1.5, None]), max_size=12),
)


@given(VALUES, VALUES)
def test_a_place_is_found_alike_in_few_and_in_many_rows(values: Any, levels: Any) -> None:
    known = pd.Index(levels).unique()
    items = pd.Index(values)
    assert frozen._looked_up(items, known).tolist() == known.get_indexer(items).tolist()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(frozen, "_MANY", 0)
        assert frozen._looked_up(items, known).tolist() == known.get_indexer(items).tolist()


def test_columns_that_production_lacks_are_left_out_of_the_dummies() -> None:
    rows = pd.DataFrame({"kind": ["a", "b"], "kept": [1, 2]})
    names = ["kept", "gone", "kind_a", "kind_b"]
    found = frozen.get_dummies(rows, {"kind": ["a", "b"]}, names, columns=["kind"])
    assert list(found.columns) == ["kept", "kind_a", "kind_b"]


def test_an_encoder_tells_which_rows_have_a_word_that_it_does_not_know() -> None:
    words = pd.Series(["b", "x", "a", "x"], name="town")
    known = preprocessing.LabelEncoder().fit(["a", "b"])
    assert frozen.encoded(known, words[[0, 2]]).tolist() == [1, 0]
    with pytest.raises(ValueError, match="previously unseen"):
        frozen.encoded(known, words)  # nobody listens
    with listening(lambda *_: None), pytest.raises(Unseen) as raised:
        frozen.encoded(known, words, line=7)
    told = "town: 'x' was not seen in creation"
    assert (raised.value.count, raised.value.line) == (4, 7)
    assert raised.value.reasons == {1: told, 3: told}


def test_an_encoder_of_several_columns_is_asked_for_each_different_row() -> None:
    table = pd.DataFrame({"a": ["p", "q", "p"], "b": ["s", "s", "t"]})
    known = preprocessing.OneHotEncoder().fit(table)
    asked = pd.DataFrame({"a": ["q", "z", "p", "z"], "b": ["t", "s", "s", "s"]})
    with listening(lambda *_: None), pytest.raises(Unseen) as raised:
        frozen.encoded(known, asked)
    assert list(raised.value.reasons) == [1, 3]
    assert "'z'" in raised.value.reasons[1]


def test_texts_have_as_many_parts_as_creation_had() -> None:
    texts = pd.Series(["a/b/c", "a", None, "x/y"])
    found = frozen.split_parts(texts, 3, "/")
    assert found.shape == (4, 3)
    assert found.iloc[[0, 3]].fillna("").to_numpy().tolist() == [["a", "b", "c"], ["x", "y", ""]]
    assert frozen.split_parts(texts[[1]], 3, "/").shape == (1, 3)
    assert frozen.split_parts(texts[[0]], 2, "/", n=1, right=True).iloc[0].tolist() == ["a/b", "c"]


def test_a_text_with_more_parts_than_creation_knew_is_rejected() -> None:
    texts = pd.Series(["a/b", "a/b/c", "d"])
    assert frozen.split_parts(texts, 2, "/").shape == (3, 2)  # nobody listens
    with listening(lambda *_: None), pytest.raises(Unseen) as raised:
        frozen.split_parts(texts, 2, "/", line=4)
    told = "'a/b/c' has more than 2 parts, and no row of creation had"
    assert (raised.value.reasons, raised.value.line) == ({1: told}, 4)


def test_each_column_is_encoded_by_what_it_knew() -> None:
    table = pd.DataFrame({"a": ["p", "q"], "b": ["q", "z"]}, index=[5, 9])
    known = {name: preprocessing.LabelEncoder().fit(table[name]) for name in table}
    found = frozen.encoded_columns(table[::-1], known)
    assert found.to_dict() == {"a": {9: 1, 5: 0}, "b": {9: 1, 5: 0}}
    with listening(lambda *_: None), pytest.raises(Unseen) as raised:
        frozen.encoded_columns(pd.DataFrame({"a": ["p", "z"], "b": ["z", "z"]}), known)
    assert raised.value.reasons == {1: "a: 'z' was not seen in creation"}
