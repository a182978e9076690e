"""A flow's table is the one that pandas would make, each time; texts may come by their codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomli_w

from roadworthy.testing.emitted import SCORES
from roadworthy_runtime import chosen as forms
from roadworthy_runtime import frames
from roadworthy_runtime.support import Flow
from roadworthy_runtime.support.tables import Tables

SIMPLE: dict[Any, Any] = {
    "a": np.array([1.5, 2.5]),
    "b": np.array([1, 2]),
    "c": pd.array(["x", None], dtype="str"),
    "d": np.array([3.5, np.nan]),
    "e": np.array([True, False]),
    "f": np.array(["x", None], dtype=object),
    "g": pd.Categorical(["x", None], categories=["z", "x"]),
    7: np.array(["y", 1], dtype=object),
}
TIMES: dict[Any, Any] = {
    **SIMPLE,
    "t": pd.to_datetime(["2013-01-31", "2013-02-01"]).array,
    "u": pd.to_datetime(["2013-01-31", "2013-02-01"], utc=True).array,
}


def expected(columns: dict[Any, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            label: pd.Series(each, dtype=object) if each.dtype == object else each
            for label, each in columns.items()
        },
        index=pd.RangeIndex(2),
    )


@pytest.mark.parametrize("columns", [SIMPLE, TIMES, {("x", "y"): SIMPLE["a"]}])
def test_every_table_is_as_pandas_makes_it(columns: dict[Any, Any]) -> None:
    tables = Tables(list(columns))
    for _ in range(3):
        made = tables.make(list(columns.values()), 2)
        pd.testing.assert_frame_equal(made, expected(columns))
        assert type(made.columns) is type(expected(columns).columns)


def test_another_type_than_before_is_kept() -> None:
    tables = Tables(["a", "b"])
    tables.make([np.array([1.5]), np.array([2.5])], 1)
    found = tables.make([np.array([1]), np.array([2.5])], 1)
    assert [str(dtype) for dtype in found.dtypes] == ["int64", "float64"]


def test_what_the_steps_do_to_a_table_stays_there() -> None:
    tables = Tables(list(SIMPLE))
    given = {label: each.copy() for label, each in SIMPLE.items()}
    for _ in range(3):
        made = tables.make(list(given.values()), 2)
        pd.testing.assert_frame_equal(made, expected(SIMPLE))
        made["new"] = 1
        made.columns.name = "other"
        made.loc[0, "a"] = made.loc[0, "d"] = 9.0
        made.loc[0, "c"] = made.loc[0, "f"] = made.loc[1, "g"] = "z"
        made.index = [5, 6]
    for label, each in given.items():
        pd.testing.assert_series_equal(pd.Series(each), pd.Series(SIMPLE[label]))


@pytest.mark.parametrize("dtype", ["str", "object", "string", "category"])
@pytest.mark.parametrize("null", [False, True])
def test_texts_by_their_codes_are_answered_as_texts_are(
    tmp_path: Path, dtype: str, null: bool
) -> None:
    spec = {"name": "a", "type": "text", "dtype": dtype, "nullable": True, "levels": ["x", "y"]}
    signature = {
        "input": "rows", "kind": "dataframe", "columns": [spec], "outputs": [SCORES],
    }  # fmt: skip
    (tmp_path / "flow.toml").write_text(
        tomli_w.dumps({"format": 1, "flow": "tiny", "signature": signature}), "utf-8"
    )
    seen: list[Any] = []

    def steps(table: Any, rows: Any) -> Any:
        seen.append(table["a"])
        if len(table) > 1 and "y" in table["a"].tolist()[2:]:
            raise ValueError("not these together")
        return np.array([float(isinstance(text, str) and text == "y") for text in table["a"]])

    flow = forms.Flow(Flow(tmp_path / "flow.py", steps), tmp_path)
    texts = ["x", "y", None if null else "x", "y"]
    levels = ("x", "y", None)
    codes = bytes(levels.index(text) for text in texts)
    packed = frames.Packed(4, None, [codes], levels[: 3 if null else 2])
    by_codes = flow.answer(forms.read_columns({"a": ("text", packed)}, 4), 4)
    first, seen[:] = list(seen), []
    assert flow.answer(forms.read_columns({"a": ("text", texts)}, 4), 4) == by_codes
    assert list(by_codes.outputs["scores"][1]) == [0, 1, 0, 1]
    for one, other in zip(first, seen, strict=True):
        pd.testing.assert_series_equal(one, other)


def test_a_flow_is_given_texts_by_their_codes(tmp_path: Path) -> None:
    given: dict[str, Any] = {}

    class Asked:
        signature = {"outputs": [SCORES]}
        takes_codes = True

        def answer_columns(self, columns: dict[str, Any], n: int) -> Any:
            given.update(columns)
            raise ValueError

    packed = frames.Packed(1, None, [b"\1"], ("x", "y"))
    columns = forms.read_columns({"a": ("text", packed)}, 1)
    forms.Flow(Asked(), tmp_path).answer(columns, 1)
    assert (given["a"].levels, given["a"].codes.tolist()) == (("x", "y"), [1])
    assert (list(given["a"]), len(given["a"])) == (["y"], 1)
