"""The fast form of flows: the very answers of the flow itself, or none at all."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from roadworthy.testing.emitted import COLUMNS, SCORES, flights, signature, write_flow
from roadworthy_runtime.chosen import Chosen, Fast, Flow, choose, different, read_columns
from roadworthy_runtime.fast import Unsupported, load
from roadworthy_runtime.fast.trees import unrounded
from roadworthy_runtime.frames import pack
from roadworthy_runtime.trial import chosen_rows, compare, make, try_fast

NUMBERS = ["distance", "age", "hour"]
LABELS = {**SCORES, "columns": [{"name": "scores", "type": "text", "dtype": "object"}]}
COUNTS = {**SCORES, "columns": [{"name": "scores", "type": "int", "dtype": "int64"}]}
TRUTHS = {**SCORES, "columns": [{"name": "scores", "type": "bool", "dtype": "bool"}]}


@pytest.fixture
def flow_of(tmp_path: Path) -> Iterator[Any]:
    """Loads a flow with these steps; examples of its columns are the first row's."""
    frame = flights()
    before = list(sys.path)

    def loaded(steps: str, output: Any = SCORES, **more: Any) -> Any:
        columns = [{**c, "example": frame[c["name"]].dropna().tolist()[0]} for c in COLUMNS]
        if more.pop("when", False):
            columns.append(
                {
                    "name": "when",
                    "type": "text",
                    "dtype": "str",
                    "example": "2013-01-05T10:00:00Z",
                }
            )
        described = signature(columns=columns, outputs=[output])
        directory = write_flow(tmp_path / "flow", steps, signature=described, **more)
        sys.path.insert(0, str(directory))
        spec = importlib.util.spec_from_file_location("flow_here", directory / "flow.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.flow

    yield loaded
    sys.path[:] = before
    for name in [name for name in sys.modules if name.split(".")[0] in ("flow_support",)]:
        del sys.modules[name]


def creation(flow: Any) -> dict[str, Any]:
    """Rows of creation by column."""
    frame = flights()
    found = {c["name"]: frame[c["name"]].tolist() for c in COLUMNS}
    for name in ("distance", "age", "hour"):
        found[name] = frame[name].to_numpy()
    if any(column.name == "when" for column in flow.columns):
        days = [f"2013-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(60)]
        found["when"] = [f"{day}T{i % 24:02}:00:00Z" for i, day in enumerate(days)]
    return found


def evidence(flow: Any) -> dict[str, Any]:
    """What comparing both forms says; fails where they differ or there is no fast form."""
    candidate = Fast(make(flow), Flow(flow, flow.directory))
    found = compare(flow, candidate, creation(flow), 60)
    if len(flow.columns) == len(COLUMNS):
        columns = {
            c["name"]: (c["type"], flights()[c["name"]].astype(object).tolist()) for c in COLUMNS
        }
        expected = candidate.reference.answer(read_columns(columns, 60), 60)
        coded = read_columns(by_codes(columns), 60)
        assert different(expected, candidate.by_columns(coded, 60), 1e-9) == ""
    return found


def by_codes(columns: dict[str, tuple[str, list[Any]]]) -> dict[str, tuple[str, Any]]:
    """The same columns, texts by their levels."""
    found: dict[str, tuple[str, Any]] = {}
    for name, (type_, values) in columns.items():
        codes = {value: code for code, value in enumerate(dict.fromkeys(values))}
        found[name] = (type_, pack(type_, values, codes) if type_ == "text" else values)
    return found


STATEMENTS = {
    "arithmetic": (
        "return ((flights.distance - 3) * flights.hour / 7 + flights['age'] // 2).to_numpy()"
    ),
    "division by zero": "return (flights['distance'] / flights['hour']).to_numpy()",
    "powers and roots": (
        "return (flights['age'] ** 1.5 + flights['distance'] ** 2 + np.sqrt(flights['distance'])"
        " + np.log1p(flights['age'])).to_numpy()"
    ),
    "logarithm of what may be negative": "return np.log(flights['distance'] - 300).to_numpy()",
    "filling and clipping": (
        "flights['age'] = flights['age'].fillna(11.5).clip(2, 20)\n"
        "flights = flights.fillna({'age': 3})\nreturn flights['age'].to_numpy()"
    ),
    "choices": (
        "flights['far'] = np.where(flights['distance'] > 1000, 1, 0)\n"
        "flights.loc[flights['hour'] < 6, 'far'] = 2\n"
        "flights['x'] = flights['age'].where(flights['hour'] > 3, 0.5)\n"
        "return (flights['far'] + flights['x']).to_numpy()"
    ),
    "texts": (
        "first = flights['ticket'].str[1:3].str.len()\n"
        "code = flights['ticket'].str.split('-').str[1].astype(str).str.startswith('01')\n"
        "low = flights['carrier'].str.lower().isin(['aa', 'dl'])\n"
        "return (first + code.astype(int) + low.astype(int)).to_numpy().astype(float)"
    ),
    "tables": (
        "codes = flights['carrier'].map({'AA': 1.5, 'DL': 2}).fillna(-1)\n"
        "means = flights['carrier'].map(state.means)\n"
        "flights = flights.merge(state.table, on='carrier', how='left')\n"
        "return (codes + means + flights['seats']).to_numpy()"
    ),
    "bins": (
        "a = pd.cut(flights['distance'], [0, 500, 1000, 9000], labels=False)\n"
        "b = pd.cut(flights['hour'], [0, 6, 12, 24], labels=['n', 'm', 'd'], right=False)\n"
        "X = pd.get_dummies(pd.DataFrame({'a': a, 'b': b}), columns=['b'])\n"
        "return (X['a'] * 2 + X['b_m']).to_numpy().astype(float)"
    ),
    "functions and lambdas": (
        "late = flights['hour'].apply(lambda h: h % 5)\n"
        "return (flights['carrier'].apply(score) + late).to_numpy()"
    ),
    "loops": (
        "for name in ['distance', 'age']:\n"
        "    flights[name] = (flights[name] - state.centres[name]) / 7\n"
        "return flights[['distance', 'age']].to_numpy()[:, 1]"
    ),
}  # fmt: skip
STATE = {
    "means": pd.Series([1.0, 2.5, 4.0], index=["AA", "DL", "UA"]),
    "table": pd.DataFrame({"carrier": ["AA", "UA"], "seats": [100, 200]}),
    "centres": {"distance": 3.5, "age": 9.25},
}
HELPER = """
def score(text):
    return float(len(text)) + (text == "AA")
"""


@pytest.mark.parametrize("steps", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_statements_are_followed_to_the_last_bit(flow_of: Any, steps: str) -> None:
    found = evidence(flow_of(steps, state=STATE, before=HELPER))
    assert found["exact"]
    assert found["rows"]["creation's rows"] == 60


def prepared() -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["distance", "age"]),
            ("hours", RobustScaler(), ["hour"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
        ]
    )


def late(frame: pd.DataFrame, classes: int = 2) -> np.ndarray:
    value = frame["distance"] / 1000 + frame["age"].fillna(9) / 7 + (frame["carrier"] == "AA")
    return pd.qcut(value, classes, labels=False).to_numpy()


PREDICTORS = {
    "logistic": (make_pipeline(prepared(), LogisticRegression()), "predict_proba({})[:, 1]", 2),
    "three": (make_pipeline(prepared(), LogisticRegression()), "predict_proba({})[:, 2]", 3),
    "regression": (make_pipeline(prepared(), LinearRegression()), "predict({})", 0),
    "boosted trees": (
        make_pipeline(prepared(), HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=3)),
        "predict_proba({})[:, 1]",
        2,
    ),
    "boosted trees with nulls": (
        make_pipeline(
            ColumnTransformer([("own", "passthrough", NUMBERS)]),
            HistGradientBoostingRegressor(max_iter=15, min_samples_leaf=3),
        ),
        "predict({})",
        0,
    ),
    "forest": (
        make_pipeline(prepared(), RandomForestClassifier(12, random_state=0)),
        "predict_proba({})[:, 0]",
        3,
    ),
    "forest of values": (
        make_pipeline(prepared(), RandomForestRegressor(7, random_state=0)), "predict({})", 0
    ),
    "more trees": (
        make_pipeline(prepared(), ExtraTreesRegressor(7, random_state=0)), "predict({})", 0
    ),
    "boosted stages": (
        make_pipeline(prepared(), GradientBoostingClassifier(n_estimators=9, random_state=0)),
        "predict_proba({})[:, 1]",
        3,
    ),
    "ordinal codes": (
        make_pipeline(
            ColumnTransformer(
                [
                    (
                        "texts",
                        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                        ["carrier"],
                    ),
                    ("numbers", MinMaxScaler(), ["distance", "hour"]),
                ]
            ),
            DecisionTreeClassifier(max_depth=6),
        ),
        "predict_proba({})[:, 1]",
        2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PREDICTORS)
def test_pipelines_answer_as_scikit_learn_does(flow_of: Any, name: str) -> None:
    pipeline, asked, classes = PREDICTORS[name]
    frame = flights()
    target = late(frame, classes) if classes else frame["distance"] / 3 + frame["hour"]
    model = pipeline.fit(frame[["carrier", *NUMBERS]], target)
    rows = "flights[['carrier', *NUMBERS]]"
    steps = f"return state.model.{asked.format(rows)}"
    flow = flow_of(steps, state={"model": model}, before=f"NUMBERS = {NUMBERS}")
    found = evidence(flow)
    if "trees" in name or "forest" in name or name == "ordinal codes":
        assert found["exact"]


@pytest.mark.parametrize(
    ("model", "labels", "output"),
    [
        (LogisticRegression(max_iter=500), ["late", "on time"], LABELS),
        (RidgeClassifier(), [7, 9], COUNTS),
        (RandomForestClassifier(5, random_state=0), ["a", "b", "c"], LABELS),
        (HistGradientBoostingClassifier(max_iter=9, min_samples_leaf=3), [1, 2], COUNTS),
        (DecisionTreeClassifier(), [False, True], TRUTHS),
    ],
)
def test_classes_are_equal_exactly(flow_of: Any, model: Any, labels: Any, output: Any) -> None:
    frame = flights()
    target = np.array(labels, dtype=object if isinstance(labels[0], str) else None)[
        late(frame, len(labels))
    ]
    fitted = make_pipeline(prepared(), model).fit(frame[["carrier", *NUMBERS]], target)
    steps = "return state.model.predict(flights[['carrier', 'distance', 'age', 'hour']])"
    assert evidence(flow_of(steps, output, state={"model": fitted}))["exact"]


def test_rows_that_a_filter_drops_are_rejected_as_by_the_flow(flow_of: Any) -> None:
    flow = flow_of(
        "flights = rows.filter(flights, flights['hour'] > 5, line=3, reason='too early')\n"
        "flights = rows.dropna(flights, line=4, subset=['age'])\n"
        "return flights['age'].to_numpy()"
    )
    found = evidence(flow)
    assert 0 < found["left"] < 60
    own, n = chosen_rows(flow, creation(flow), 60)
    candidate = Fast(make(flow), Flow(flow, flow.directory))
    expected = candidate.reference.answer(own, n)
    assert different(expected, candidate.by_columns(own, n), 0.0) == ""
    assert {reason for _, reason, _ in expected.meta["rejected"]} == {"too early", "is null"}


def test_times_are_read_and_turned_to_their_zone(flow_of: Any) -> None:
    flow = flow_of(
        "when = pd.to_datetime(flights['when'], utc=True).dt.tz_convert('America/New_York')\n"
        "return (when.dt.hour * 100 + when.dt.day_of_week + when.dt.month / 100).to_numpy()",
        when=True,
    )
    assert evidence(flow)["exact"]


UNKNOWN = {
    "rank": "return flights['distance'].rank().to_numpy()",
    "a mean of rows": "return (flights['distance'] - flights['distance'].mean()).to_numpy()",
    "a decision by rows": "x = 1 if flights['hour'].max() > 3 else 2\nreturn flights['age'] * x",
    "a loop over rows": "return [row['age'] for _, row in flights.iterrows()]",
    "rows that are chosen": "flights = flights[flights['hour'] > 3]\nreturn flights['age']",
    "sorting": "return flights.sort_values('age')['age'].to_numpy()",
    "unknown levels": "return pd.get_dummies(flights['carrier'])['AA'].to_numpy()",
    "large numbers": "h = flights['hour']\nreturn (h * h * h * h * h).to_numpy()",
    "a library": "import math\nreturn math.floor(flights['age'])",
}


@pytest.mark.parametrize("steps", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_not_known_has_no_fast_form(flow_of: Any, steps: str) -> None:
    with pytest.raises(Unsupported):
        load(flow_of(steps))


def test_another_form_of_the_same_operation_that_differs_is_not_used(flow_of: Any) -> None:
    flow = flow_of("return flights['distance'].to_numpy() + ODD", before="ODD = 1.0")
    form = make(flow)
    flow._steps.__globals__["ODD"] = 2.0
    candidate = Fast(form, Flow(flow, flow.directory))
    own, n = chosen_rows(flow, creation(flow), 60)
    expected = candidate.reference.answer(own, n)
    assert "scores" in different(expected, candidate.answer(own, n), 1e-9)


class Ticks:
    """A clock that stands still for the fast form and goes on while the flow answers."""

    def __init__(self, flow: Any, quicker: bool) -> None:
        self.now = 0.0
        answer = flow.answer_columns

        def slow(*given: Any) -> Any:
            self.now += 1.0 if quicker else 0.0
            return answer(*given)

        flow.answer_columns = slow

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def test_the_quicker_form_is_used_and_the_other_says_why_not(flow_of: Any) -> None:
    flow = flow_of(STATEMENTS["arithmetic"])
    used = try_fast(flow, creation(flow), 60, Ticks(flow, quicker=True))
    assert used.choice is not None
    assert used.check["outcome"] == "passed"
    assert used.check["evidence"]["form"] == "fast"
    unused = try_fast(flow, creation(flow), 60, Ticks(flow, quicker=False))
    flow = flow_of(UNKNOWN["rank"])
    none = try_fast(flow, creation(flow), 60)
    assert none.choice is None
    assert none.check["outcome"] == "not applicable"
    assert "rank" in none.check["evidence"]["others"]["fast"]
    assert unused.check["evidence"]["form"] in ("fast", "as written")


def test_a_flow_without_its_fast_form_is_answered_as_written(flow_of: Any, tmp_path: Path) -> None:
    flow = flow_of(STATEMENTS["arithmetic"])
    chosen = choose(flow, flow.directory)
    assert (chosen.name, chosen.off) == ("as written", "")
    folder = flow.directory / "flow_fast"
    folder.mkdir()
    (folder / "fast.json").write_text("{}", "utf-8")
    chosen = choose(flow, flow.directory)
    assert chosen.name == "as written"
    assert "can't be loaded" in chosen.off


def test_a_difference_in_production_turns_the_fast_form_off(flow_of: Any) -> None:
    flow = flow_of("return flights['distance'].to_numpy() + ODD", before="ODD = 1.0")
    reference = Flow(flow, flow.directory)
    now = [0.0]
    chosen = Chosen(reference, Fast(make(flow), reference), 1e-9, lambda: now[0])
    own, n = chosen_rows(flow, creation(flow), 60)
    chosen.answer(own, n)
    assert not chosen.due
    now[0] = 100.0
    chosen.answer(own, n)
    assert chosen.due
    assert chosen.look() == ""
    assert chosen.name == "fast"
    now[0] = 200.0
    chosen.answer(own, n)
    flow._steps.__globals__["ODD"] = 2.0
    assert "scores" in chosen.look()
    assert chosen.name == "as written"
    assert "differ" in chosen.off
    answered = chosen.answer(own, n).outputs["scores"][1]
    assert answered[0] == own["distance"].values()[0] + 2.0


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False),
            st.sampled_from(["AA", "DL", "UA", "", "ZZ"]),
            st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
            st.integers(-(2**63), 2**63 - 1),
            st.text(max_size=5),
        ),
        min_size=1,
        max_size=4,
    )
)  # fmt: skip
def test_any_rows_get_the_flows_own_answers(forms: Any, rows: list[Any]) -> None:
    wire = ["float", "text", "float", "int", "text"]
    columns = {
        column["name"]: (type_, list(values))
        for column, type_, values in zip(COLUMNS, wire, zip(*rows, strict=True), strict=True)
    }
    given_rows = read_columns(columns, len(rows))
    expected = forms.reference.answer(given_rows, len(rows))
    assert different(expected, forms.by_rows(given_rows, len(rows)), 1e-9) == ""
    forms.by_row = 0
    assert different(expected, forms.answer(given_rows, len(rows)), 1e-9) == ""
    coded = read_columns(by_codes(columns), len(rows))
    assert different(expected, forms.answer(coded, len(rows)), 1e-9) == ""


@pytest.fixture
def forms(flow_of: Any) -> Fast:
    """Both forms of a flow with steps of many kinds before boosted trees."""
    frame = flights()
    frame["far"] = frame["distance"] / (frame["hour"] + 1)
    frame["age"] = frame["age"].fillna(11.0)
    model = HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=3)
    model.fit(frame[["far", "age"]].to_numpy(), late(frame))
    flow = flow_of(
        "flights['far'] = flights['distance'] / (flights['hour'] + 1)\n"
        "flights['age'] = flights['age'].fillna(11.0)\n"
        "scores = state.model.predict_proba(flights[['far', 'age']].to_numpy())[:, 1]\n"
        "return np.where(flights['carrier'] == 'AA', scores, flights['far'])",
        state={"model": model},
    )
    return Fast(make(flow), Flow(flow, flow.directory))


@given(st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
def test_thresholds_for_values_that_are_not_rounded(threshold: float, value: float) -> None:
    (found,) = unrounded(np.array([threshold]))
    for each in (value, threshold, math.nextafter(found, math.inf), found):
        assert (each <= found) == (float(np.float32(each)) <= threshold)
