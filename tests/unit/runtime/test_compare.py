"""Strict comparison: what is the same, and how a difference is told."""

from __future__ import annotations

import copy
import datetime
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sparse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from roadworthy_runtime.compare import difference, greatest_difference, n_rows, take

ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.datetimes()
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.none()), inner),
    ),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_equals_its_deep_copy(value: Any) -> None:
    assert difference(value, copy.deepcopy(value)) is None
    assert difference(value, pickle.loads(pickle.dumps(value))) is None


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.data())
def test_a_changed_number_is_found_at_its_row(numbers: list[float], data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(numbers) - 1))
    changed = list(numbers)
    changed[row] = numbers[row] + 1.0 if abs(numbers[row]) < 1e15 else -numbers[row]
    for make in (list, np.array, pd.Series):
        found = difference(make(numbers), make(changed))
        assert found is not None
        assert found.row == row


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "a": [1, 2, 3],
            "b": ["x", None, "z"],
            "c": pd.Categorical(["u", "v", "u"]),
            "d": pd.array([1, None, 3], dtype="Int64"),
            "t": pd.to_datetime(["2020-01-01", None, "2021-01-01"], utc=True),
        }
    )


@pytest.mark.parametrize(
    ("row", "column", "value"), [(2, "a", 5), (1, "b", "y"), (2, "c", "v"), (1, "d", 2)]
)
def test_a_changed_cell_of_a_table_is_named(row: int, column: str, value: Any) -> None:
    changed = table()
    changed.loc[row, column] = value
    found = difference(table(), changed)
    assert found is not None
    assert (found.row, found.column, found.count) == (row, column, 1)
    assert repr(value) in found.right


@pytest.mark.parametrize(
    ("a", "b", "what"),
    [
        (0, False, "type differs"),
        (1, 1.0, "type differs"),
        (0.3, "0.3", "type differs"),
        (np.float32(1), np.float64(1), "type differs"),
        (np.array([1]), np.array([1.0]), "dtype differs"),
        (np.array([1]), np.array([[1]]), "shape differs"),
        ([1], [1, 2], "length differs"),
        ({"a": 1}, {"b": 1}, "key is missing on the right"),
        ({1}, {2}, "element is missing on the right"),
        (None, np.nan, "type differs"),
        (pd.Series([1.0]), pd.Series([1.0], name="x"), "type differs"),
        (pd.Series([1.0]), pd.Series([1.0], index=[1]), "value differs"),
        (pd.Series([1]), pd.Series([1], dtype="Int64"), "dtype differs"),
        (datetime.date(2020, 1, 1), datetime.date(2020, 1, 2), "value differs"),
        (pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2020"), "value differs"),
    ],
)
def test_what_looks_alike_but_is_not_the_same(a: Any, b: Any, what: str) -> None:
    found = difference(a, b)
    assert found is not None
    assert found.what == what


def test_tolerance_is_relative_and_only_between_floats() -> None:
    assert difference([1.0], [1.0 + 1e-12], tolerance=1e-9) is None
    assert difference([1e-30], [2e-30], tolerance=1e-9) is not None
    assert difference([10**12], [10**12 + 1], tolerance=1e-3) is not None
    assert difference([np.nan], [1.0], tolerance=1e9) is not None


def test_the_greatest_difference_is_over_all_rows() -> None:
    a, b = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.1, 4.4])
    found = difference(a, b)
    assert found is not None
    assert (found.row, found.count) == (1, 2)
    assert found.greatest == pytest.approx(0.4 / 4.4)
    assert greatest_difference(a, b) == pytest.approx(0.4 / 4.4)
    assert greatest_difference([1.0, "a"], [1.1, "b"]) == float("inf")
    assert greatest_difference([1.0], [1.0]) == 0.0


def test_fitted_estimators_are_compared_by_what_they_learned() -> None:
    features = np.random.default_rng(0).random((80, 3))
    target = features[:, 0] > 0.5
    for make in (
        lambda seed: RandomForestClassifier(3, random_state=seed),
        lambda seed: HistGradientBoostingClassifier(max_iter=3, max_depth=2 + seed),
    ):
        one = make(0).fit(features, target)
        assert difference(one, pickle.loads(pickle.dumps(one))) is None
        assert difference(one, make(1).fit(features, target)) is not None


def test_sparse_matrices_are_compared_by_their_cells() -> None:
    a = sparse.csr_matrix([[0, 1.0], [2.0, 0]])
    assert difference(a, sparse.csr_matrix(a.toarray())) is None
    found = difference(a, sparse.csr_matrix([[0, 1.0], [3.0, 0]]))
    assert found is not None
    assert (found.row, found.column) == (1, "0")
    found = difference(a, sparse.csr_matrix([[0, 1.0], [0, 2.0]]))
    assert found is not None
    assert found.row == 1


def test_functions_are_compared_by_their_body() -> None:
    def makes(n: int) -> Any:
        return lambda x: x + n

    assert difference(makes(1), makes(1)) is None
    assert difference(makes(1), makes(2)) is not None


def test_cycles_end() -> None:
    a: list[Any] = [1]
    a.append(a)
    b: list[Any] = [1]
    b.append(b)
    assert difference(a, b) is None


@pytest.mark.parametrize(
    "value",
    [
        table(),
        table()["b"],
        pd.Index(["a", "b", "c"]),
        table()["c"].array,
        np.arange(6).reshape(3, 2),
        ["a", "b", "c"],
        ("a", "b", "c"),
        sparse.csr_matrix(np.eye(3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rows_are_taken_by_position_and_keep_their_kind(value: Any) -> None:
    assert n_rows(value) == 3
    for positions in ([2, 0, 2], [1], []):
        taken = take(value, positions)
        assert type(taken) is type(value)
        assert n_rows(taken) == len(positions)
    assert difference(take(take(value, [2, 0, 1]), [1, 2, 0]), value) is None


@pytest.mark.parametrize("value", ["abc", b"abc", {"a": 1}, {1}, 5, np.float64(1)])
def test_what_has_no_rows_says_so(value: Any) -> None:
    with pytest.raises(TypeError):
        n_rows(value)
