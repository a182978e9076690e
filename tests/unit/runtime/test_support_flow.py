"""A flow's face: every kind of input and output, creation's types, one answer per row."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.testing.emitted import SCORES
from roadworthy_runtime.support import Flow, FlowError, MissingColumn, UnknownLevel

Steps = Callable[[Any, Any], Any]
MakeFlow = Callable[..., Flow]


@pytest.fixture
def make(tmp_path: Path) -> MakeFlow:
    def make(steps: Steps, columns: list[dict[str, Any]], outputs: Any = None, **more: Any) -> Flow:
        signature = {
            "input": "rows", "kind": "dataframe", "unknown": "pass", "columns": columns,
            "outputs": outputs or [SCORES], **more,
        }  # fmt: skip
        document = {"format": 1, "flow": "tiny", "signature": signature}
        (tmp_path / "flow.toml").write_text(tomli_w.dumps(document), "utf-8")
        return Flow(tmp_path / "flow.py", steps)

    return make


def column(dtype: str, type_: str, **more: Any) -> dict[str, Any]:
    return {"name": "a", "dtype": dtype, "type": type_, **more}


def output(kind: str, dtype: str, type_: str, name: str = "scores") -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "columns": [{"name": name, "type": type_, "dtype": dtype}],
    }


DTYPES: list[tuple[dict[str, Any], pd.Series, list[Any]]] = [
    (column("int64", "int"), pd.Series([1, 2]), [1, 2]),
    (column("int8", "int"), pd.Series([1, 2], dtype="int8"), [1, 2]),
    (column("float64", "float", nullable=True), pd.Series([1.5, None]), [1.5, None]),
    (column("float32", "float"), pd.Series([1.5, 2], dtype="float32"), [1.5, 2]),
    (column("bool", "bool"), pd.Series([True, False]), [True, False]),
    (column("str", "text", nullable=True), pd.Series(["x", None], dtype="str"), ["x", None]),
    (
        column("object", "text", nullable=True),
        pd.Series(["x", np.nan], dtype=object),
        ["x", None],
    ),
    (
        column("object", "text", nullable=True, null="none"),
        pd.Series(["x", None], dtype=object),
        ["x", np.nan],
    ),
    (
        column("object", "text", nullable=True, null="NA"),
        pd.Series(["x", pd.NA], dtype=object),
        ["x", None],
    ),
    (
        column("string", "text", nullable=True),
        pd.Series(["x", None], dtype="string"),
        ["x", None],
    ),
    (
        column("category", "text", nullable=True, levels=["z", "x"]),
        pd.Series(pd.Categorical(["x", None], categories=["z", "x"])),
        ["x", None],
    ),
    (
        column("category", "int", categories=[3, 1], ordered=True),
        pd.Series(pd.Categorical([1, 3], categories=[3, 1], ordered=True)),
        [1, 3],
    ),
    (
        column("datetime64[us]", "datetime", nullable=True),
        pd.Series(pd.to_datetime(["2020-01-01 05:00", None])).astype("datetime64[us]"),
        ["2020-01-01T05:00:00", None],
    ),
    (
        column("datetime64[ns, Europe/Berlin]", "datetime"),
        pd.Series(
            pd.to_datetime(["2020-01-01T05:00Z", "2020-07-01T05:00Z"]).tz_convert("Europe/Berlin")
        ).astype("datetime64[ns, Europe/Berlin]"),
        ["2020-01-01T05:00:00Z", "2020-07-01T07:00:00+02:00"],
    ),
    (
        column("timedelta64[ns]", "timedelta"),
        pd.Series(pd.to_timedelta([1, 2], unit="h")).astype("timedelta64[ns]"),
        [datetime.timedelta(hours=1), datetime.timedelta(hours=2)],
    ),
    (column("Int64", "int", nullable=True), pd.Series([1, None], dtype="Int64"), [1, None]),
    (
        column("boolean", "bool", nullable=True),
        pd.Series([True, None], dtype="boolean"),
        [True, None],
    ),
    (
        column("object", "date"),
        pd.Series([datetime.date(2020, 1, 1)] * 2, dtype=object),
        ["2020-01-01", datetime.date(2020, 1, 1)],
    ),
    (column("object", "object"), pd.Series([[1], {"a": 2}], dtype=object), [[1], {"a": 2}]),
]


@pytest.mark.parametrize(
    ("spec", "creation", "sent"), DTYPES, ids=[f"{d[0]['dtype']}-{d[0]['type']}" for d in DTYPES]
)
def test_steps_see_creations_own_types(
    make: MakeFlow, spec: dict[str, Any], creation: pd.Series, sent: list[Any]
) -> None:
    seen: list[pd.DataFrame] = []

    def steps(rows_: Any, rows: Any) -> Any:
        seen.append(rows_)
        return np.zeros(len(rows_))

    flow = make(steps, [spec])
    flow.answer_columns({"a": sent}, 2)
    flow.predict(pd.DataFrame({"a": creation.array}, index=["p", "q"]))
    flow.answer_columns({"a": sent[:1]}, 1)
    expected = pd.DataFrame({"a": creation})
    for frame in seen[:2]:
        pd.testing.assert_frame_equal(frame, expected)
        assert [type(x) for x in frame["a"]] == [type(x) for x in expected["a"]]
    pd.testing.assert_frame_equal(seen[2], expected.iloc[:1])


@pytest.mark.parametrize(
    ("spec", "sent", "text"),
    [
        (column("int64", "int"), ["5"], "'5' is not a number"),
        (column("int64", "int"), [1.5], "1.5 does not fit int64"),
        (column("int8", "int"), [300], "300 does not fit int8"),
        (column("float64", "float"), ["1.5"], "'1.5' is not a number"),
        (column("float64", "float"), [[1.0]], "is not a number"),
        (column("str", "text"), [5], "5 is not text"),
        (column("object", "text"), [5], "5 is not text"),
        (column("Int64", "int"), ["5"], "'5' is not a number"),
        (column("datetime64[us]", "datetime"), [5], "a time is text"),
        (column("datetime64[us]", "datetime"), ["soon"], "can't be read as datetime64"),
        (column("datetime64[us]", "datetime"), ["2020-01-01T00:00Z"], "without a zone"),
    ],
)
def test_a_value_of_another_type_is_an_error_that_names_it(
    make: MakeFlow, spec: dict[str, Any], sent: list[Any], text: str
) -> None:
    flow = make(lambda table, rows: np.zeros(len(table)), [spec])
    with pytest.raises(FlowError, match="column a") as caught:
        flow.answer_columns({"a": sent}, 1)
    assert text in str(caught.value)


AB = [
    {"name": "a", "type": "float", "dtype": "float64"},
    {"name": "b", "type": "int", "dtype": "int64"},
]


def positive(table: Any, rows: Any) -> Any:
    table = rows.filter(table, table["a"] > 0, line=3, reason="a > 0")
    return (table["a"] * table["b"]).to_numpy()


def test_rejected_rows_are_null_with_reason_and_line(make: MakeFlow) -> None:
    flow = make(positive, AB)
    values, rejected = flow.answer(pd.DataFrame({"b": [1, 2, 3], "a": [1.0, -1.0, 2.0], "c": 0}))
    np.testing.assert_array_equal(values, [1.0, np.nan, 6.0])
    assert rejected == [(1, "a > 0", 3)]
    answers = flow.answer_columns({"a": np.array([-1.0]), "b": [2]}, 1)
    np.testing.assert_array_equal(answers.values["scores"]["scores"], [np.nan])


def test_a_missing_column_is_named_and_no_rows_get_typed_answers(make: MakeFlow) -> None:
    def never(table: Any, rows: Any) -> Any:
        raise AssertionError

    flow = make(never, AB)
    with pytest.raises(MissingColumn, match="column b missing; the flow needs a, b"):
        flow.predict(pd.DataFrame({"a": [1.0]}))
    empty = flow.predict(pd.DataFrame({"a": [], "b": []}))
    assert empty.dtype == np.float64
    assert empty.shape == (0,)


def test_null_where_creation_saw_none_is_rejected_not_guessed(make: MakeFlow) -> None:
    flow = make(positive, AB)
    answers = flow.answer_columns({"a": [None, 1.0, 2.0], "b": [1, None, 3]}, 3)
    assert [r.row for r in answers.rejected] == [0, 1]
    assert answers.rejected[1].reason == "b is null, which creation never saw"
    np.testing.assert_array_equal(answers.values["scores"]["scores"], [np.nan, np.nan, 6.0])


OUTPUTS: list[tuple[Any, dict[str, Any], Any]] = [
    (
        lambda t: t["b"].to_numpy(),
        output("array", "int64", "int"),
        np.array([1, None], dtype=object),
    ),
    (
        lambda t: t["b"] > 0,
        output("series", "bool", "bool"),
        pd.Series([True, None], dtype="boolean", index=["p", "q"], name="b"),
    ),
    (
        lambda t: t["b"],
        output("series", "int64", "int"),
        pd.Series([1, None], dtype="Int64", index=["p", "q"], name="b"),
    ),
    (lambda t: ["x"] * len(t), output("list", "object", "text"), ["x", None]),
    (
        lambda t: t[["a", "b"]],
        {
            "name": "scores",
            "kind": "dataframe",
            "columns": [
                {"name": "a", "type": "float", "dtype": "float64"},
                {"name": "b", "type": "int", "dtype": "int64"},
            ],
        },
        pd.DataFrame(
            {"a": [1.0, np.nan], "b": pd.array([1, None], dtype="Int64")}, index=["p", "q"]
        ),
    ),
    (
        lambda t: t[["a", "a"]].to_numpy(),
        {
            "name": "scores",
            "kind": "array",
            "columns": [
                {"name": "0", "type": "float", "dtype": "float64"},
                {"name": "1", "type": "float", "dtype": "float64"},
            ],
        },
        np.array([[1.0, 1.0], [np.nan, np.nan]]),
    ),
]


@pytest.mark.parametrize(("result", "spec", "expected"), OUTPUTS)
def test_outputs_keep_their_kind_with_null_where_rejected(
    make: MakeFlow, result: Any, spec: dict[str, Any], expected: Any
) -> None:
    def steps(table: Any, rows: Any) -> Any:
        return result(rows.filter(table, table["a"] > 0, line=1, reason="a > 0"))

    flow = make(steps, AB, [spec])
    rows = pd.DataFrame({"a": [1.0, -1.0], "b": [1, 2]}, index=["p", "q"])
    found = flow.predict(rows)
    assert type(found) is type(expected)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected)
    else:
        np.testing.assert_array_equal(np.array(found), np.array(expected))
    for none_left in (rows.iloc[1:], rows.iloc[:0]):
        assert len(flow.predict(none_left)) == len(none_left)
    by_column = flow.answer_columns({"a": [1.0, -1.0], "b": [1, 2]}, 2).values["scores"]
    assert all(len(values) == 2 for values in by_column.values())


def test_several_outputs_are_a_dictionary(make: MakeFlow) -> None:
    flow = make(
        lambda table, rows: {"scores": table["a"].to_numpy(), "labels": ["x"] * len(table)},
        AB,
        [SCORES, output("list", "object", "text", "labels")],
    )
    found = flow.predict({"a": [1.5], "b": [1]})
    assert list(found) == ["scores", "labels"]
    assert found["labels"] == ["x"]


@pytest.mark.parametrize(
    ("more", "columns", "given"),
    [
        ({"kind": "series"}, AB[:1], pd.Series([1.0, 2.0], index=[5, 4])),
        ({"kind": "array"}, AB[:1], np.array([1.0, 2.0])),
        (
            {"kind": "array"},
            [AB[0], {**AB[0], "name": "b"}],
            np.array([[1.0, 0.0], [2.0, 0.0]]),
        ),
        ({"kind": "records"}, AB, [{"a": 1.0, "b": 1}, {"a": 2.0, "b": 3, "c": 4}]),
        ({"kind": "texts"}, [column("object", "text")], ["x", "yy"]),
    ],
    ids=["series", "array", "matrix", "records", "texts"],
)
def test_inputs_of_every_kind_reach_the_steps_as_they_are(
    make: MakeFlow, more: dict[str, Any], columns: list[dict[str, Any]], given: Any
) -> None:
    seen: list[Any] = []

    def steps(value: Any, rows: Any) -> Any:
        seen.append(value)
        return np.arange(len(value)) * 1.0

    flow = make(steps, columns, **more)
    np.testing.assert_array_equal(flow.predict(given), [0.0, 1.0])
    assert type(seen[0]) is type(given)
    if isinstance(given, np.ndarray):
        np.testing.assert_array_equal(seen[0], given)
    elif isinstance(given, list) and isinstance(given[0], str):
        assert seen[0] == given
    elif isinstance(given, list):
        assert seen[0] == [{"a": 1.0, "b": 1}, {"a": 2.0, "b": 3}]


@pytest.mark.parametrize(
    ("type_", "item"), [("text", 5), ("int", 1.5), ("int", True), ("float", "1"), ("bool", 1)]
)
def test_a_record_of_another_type_is_refused(make: MakeFlow, type_: str, item: Any) -> None:
    flow = make(lambda records, rows: [0.0], [column("object", type_)], kind="records")
    with pytest.raises(FlowError, match=f"column a, row 0: .* is no {type_}"):
        flow.predict([{"a": item}])


def test_a_record_without_a_key_stays_without_it(make: MakeFlow) -> None:
    columns = [AB[0], {**AB[0], "name": "b", "nullable": True, "null": "missing"}]
    flow = make(
        lambda records, rows: np.array([len(r) * 1.0 for r in records]), columns, kind="records"
    )
    np.testing.assert_array_equal(flow.predict([{"a": 1.0}, {"a": 1.0, "b": 2.0}]), [1.0, 2.0])
    with pytest.raises(MissingColumn, match="row 0 has no 'a'"):
        flow.predict([{"b": 1.0}])


LEVELS = [column("str", "text", nullable=True, levels=["x", "y"])]


def test_unknown_levels_are_told_row_by_row(make: MakeFlow) -> None:
    flow = make(lambda table, rows: np.zeros(len(table)), LEVELS)
    answers = flow.answer_columns({"a": ["x", "q", None]}, 3)
    assert answers.rejected == []
    assert answers.warnings == [(1, "a", "'q' was not seen in creation")]
    with pytest.warns(UnknownLevel, match="a: 'q' was not seen"):
        flow.predict({"a": ["q"]})


def test_unknown_levels_are_rejected_where_the_signature_says_so(make: MakeFlow) -> None:
    flow = make(lambda table, rows: np.ones(len(table)), LEVELS, unknown="reject")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values, rejected = flow.answer({"a": ["x", "q"]})
    np.testing.assert_array_equal(values, [1.0, np.nan])
    assert rejected == [(1, "a: 'q' was not seen in creation", None)]


def test_steps_may_change_their_table_and_never_the_callers(make: MakeFlow) -> None:
    def steps(table: Any, rows: Any) -> Any:
        table.loc[table["a"] > 1, "a"] = 100.0
        table["b"] += 1
        return table["a"].to_numpy()

    flow = make(steps, AB)
    given = pd.DataFrame({"a": [1.0, 2.0], "b": [1, 2]})
    before = given.copy()
    np.testing.assert_array_equal(flow.predict(given), [1.0, 100.0])
    pd.testing.assert_frame_equal(given, before)
    frozen = np.frombuffer(np.array([2.0]).tobytes(), dtype="f8")
    answers = flow.answer_columns({"a": frozen, "b": [1]}, 1)
    np.testing.assert_array_equal(answers.values["scores"]["scores"], [100.0])


def test_a_filter_beside_the_way_to_the_answers_rejects_nobody(make: MakeFlow) -> None:
    def steps(table: Any, rows: Any) -> Any:
        rows.filter(table, table["a"] > 0, line=3, reason="a > 0")
        return table["a"].to_numpy()

    values, rejected = make(steps, AB).answer({"a": [1.0, -1.0], "b": [1, 2]})
    np.testing.assert_array_equal(values, [1.0, -1.0])
    assert rejected == []


def test_steps_that_lose_rows_without_saying_are_an_error(make: MakeFlow) -> None:
    flow = make(lambda table, rows: np.zeros(1), AB)
    with pytest.raises(FlowError, match="1 rows where the flow has 2"):
        flow.predict({"a": [1.0, 2.0], "b": [1, 2]})


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(-9, 9)), min_size=1, max_size=12))
def test_each_row_is_answered_as_if_it_were_alone(rows: list[tuple[float, int]]) -> None:
    flow = _FLOWS[0]
    a, b = [row[0] for row in rows], [row[1] for row in rows]
    whole = flow.predict({"a": a, "b": b})
    single = [flow.predict({"a": [x], "b": [y]})[0] for x, y in rows]
    np.testing.assert_array_equal(whole, single)


_FLOWS: list[Flow] = []


@pytest.fixture(scope="module", autouse=True)
def _flow(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("flow")
    signature = {"input": "r", "kind": "dataframe", "columns": AB, "outputs": [SCORES]}
    text = tomli_w.dumps({"format": 1, "signature": signature})
    (folder / "flow.toml").write_text(text, "utf-8")
    _FLOWS[:] = [Flow(folder / "flow.py", positive)]
    yield
    _FLOWS.clear()
