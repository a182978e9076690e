"""Captured flows put together: asked, saved, verified, and used as state of another program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomli_w
from tests.capture.making import capture

import roadworthy as rw
from roadworthy_runtime import schema, state
from roadworthy_runtime.combining import CapturedFlow
from roadworthy_runtime.support import FlowError, Rejected, UnknownLevel

FLOW = '''"""A flow by hand."""

import numpy as np

from flow_support import Flow, Rows, load_state

state = load_state(__file__)


def steps(df, rows):
{body}


flow = Flow(__file__, steps, state)
predict, answer = flow.predict, flow.answer

if __name__ == "__main__":
    raise SystemExit(flow.main())
'''
RISK = """\
    df = rows.filter(df, df["a"] > 0, line=4, reason="not a > 0")
    return df["a"].to_numpy() * state.factor + df["town"].map(state.towns).fillna(0.5).to_numpy()
"""
PRICE = """\
    return (df["risk"] * 2 + df["b"] * state.factor).to_numpy()
"""
ROWS = pd.DataFrame(
    {"a": [1.0, 2.0, -1.0, 4.0], "town": ["x", "y", "x", "new"], "b": [10, 20, 30, 40]}
)
TOWNS = {"x": 1.0, "y": 2.0}


def write(
    folder: Path, columns: pd.DataFrame, output: str, body: str, by_hand: Any, **values: Any
) -> CapturedFlow:
    """A flow's directory with these columns, one output and this state."""
    folder.mkdir()
    (folder / "flow.py").write_text(FLOW.format(body=body), "utf-8")
    entries = [state.save(folder / "state", name, value) for name, value in values.items()]
    state.write_index(folder / "state", entries)
    signature = schema.input_signature("df", columns, list(columns.columns))
    signature["outputs"] = [schema.output_signature(output, np.asarray(by_hand))]
    document = {
        "format": 1, "flow": folder.name, "python": "3.11.0", "program": f"{folder.name}.py",
        "tolerance": 0.0, "signature": signature,
        "lines": [{"file": f"{folder.name}.py", "line": 4}],
    }  # fmt: skip
    (folder / "flow.toml").write_text(tomli_w.dumps(document), "utf-8")
    (folder / "requirements.txt").write_text(f"pandas=={pd.__version__}\n", "utf-8")
    sample = columns.assign(**{f"answer:{output}": by_hand, "rejected": False})
    sample.to_parquet(folder / "sample.parquet")
    return rw.flow(folder)


@pytest.fixture
def risk(tmp_path: Path) -> CapturedFlow:
    """``a * 3`` and what a town adds; rows with ``a <= 0`` are rejected."""
    rows = pd.DataFrame({"a": [1.0, 2.0, 3.0], "town": ["x", "y", "x"]})
    return write(tmp_path / "risk", rows, "risk", RISK, [4.0, 8.0, 10.0], factor=3.0, towns=TOWNS)


@pytest.fixture
def price(tmp_path: Path) -> CapturedFlow:
    """``risk * 2 + b * 10``."""
    rows = pd.DataFrame({"risk": [1.0, 2.0, 3.0], "b": [1, 2, 3]})
    return write(tmp_path / "price", rows, "price", PRICE, [12.0, 24.0, 36.0], factor=10.0)


BY_HAND = [2 * 4.0 + 100, 2 * 8.0 + 200, np.nan, 2 * 12.5 + 400]


def test_a_flow_is_asked_like_a_function(risk: CapturedFlow) -> None:
    np.testing.assert_array_equal(risk(ROWS), [4.0, 8.0, np.nan, 12.5])
    assert risk.predict(ROWS[:0]).shape == (0,)


def test_then_hands_answers_on_and_takes_the_rest_from_the_rows(
    risk: CapturedFlow, price: CapturedFlow
) -> None:
    both = risk.then(price, name="priced")
    assert [column["name"] for column in both.signature["columns"]] == ["a", "town", "b"]
    with pytest.warns(UnknownLevel, match="'new' was not seen"):
        values, rejected = both.flow.answer(ROWS)
    np.testing.assert_array_equal(values, BY_HAND)
    assert rejected == [Rejected(2, "risk: not a > 0", 4)]
    for place in (0, 1, 3):
        np.testing.assert_array_equal(both(ROWS.iloc[[place]]), [BY_HAND[place]])
    np.testing.assert_array_equal(both(ROWS[::-1]), BY_HAND[::-1])
    assert both(ROWS[:0]).shape == (0,)
    np.testing.assert_array_equal(both(ROWS[2:3]), [np.nan])


def test_then_goes_by_position_where_no_name_fits(risk: CapturedFlow, tmp_path: Path) -> None:
    rows = pd.DataFrame({"score": [1.0, 2.0]})
    body = '    return df["score"].to_numpy() + 1\n'
    more = write(tmp_path / "more", rows, "more", body, [2.0, 3.0])
    np.testing.assert_array_equal(risk.then(more)(ROWS[:2]), [5.0, 9.0])


def middle(answers: Any) -> Any:
    """A combination of one's own."""
    return sorted(map(list, answers))[0]


@pytest.mark.parametrize(
    ("combine", "expected"),
    [
        ("mean", [3.0, 6.0]),
        ("max", [4.0, 8.0]),
        ([3, 1], [3.5, 7.0]),
        ("vote", [4.0, 8.0]),
        (middle, [2.0, 4.0]),
    ],
    ids=["mean", "max", "weights", "vote", "function"],
)
def test_an_ensemble_puts_answers_together(
    risk: CapturedFlow, tmp_path: Path, combine: Any, expected: list[float]
) -> None:
    rows = pd.DataFrame({"a": [1.0, 2.0], "b": [1, 2]})
    body = '    df = rows.filter(df, df["b"] < 30, line=9, reason="b")\n'
    body += '    return df["a"].to_numpy() * 2\n'
    other = write(tmp_path / "other", rows, "risk", body, [2.0, 4.0])
    made = rw.ensemble([risk, other], combine=combine)
    values, rejected = made.flow.answer(ROWS[:2])
    np.testing.assert_array_equal(values, expected)
    assert rejected == []
    values, rejected = made.flow.answer(ROWS.assign(town="x"))
    assert [(item.row, item.line) for item in rejected] == [(2, 4), (3, 9)]
    assert all(pd.isna(value) for value in values[2:])
    np.testing.assert_array_equal(values[:2], made(ROWS[:2].assign(town="x")))


def test_what_does_not_fit_is_told(risk: CapturedFlow, price: CapturedFlow, tmp_path: Path) -> None:
    def refuses(words: str, make: Callable[[], object], error: type[Exception] = FlowError) -> None:
        with pytest.raises(error, match=words):
            make()

    refuses("'sum' is not known; it is one of mean", lambda: rw.ensemble([risk], "sum"))
    refuses("write a def", lambda: rw.ensemble([risk], lambda answers: answers[0]))
    refuses("2 weights are wanted", lambda: rw.ensemble([risk, risk], [1.0]))
    refuses("at least one", lambda: rw.ensemble([]))
    refuses("capture PROGRAM --to", lambda: rw.flow(tmp_path), FileNotFoundError)
    refuses("is not empty", lambda: risk.save(tmp_path), FileExistsError)
    text = pd.DataFrame({"a": ["word"], "b": [1]})
    words = write(tmp_path / "words", text, "n", '    return df["b"].to_numpy()\n', [1])
    refuses("column a is float for risk and text", lambda: rw.ensemble([risk, words]))


def test_a_saved_combination_is_verified_and_runs_alone(
    risk: CapturedFlow, price: CapturedFlow, tmp_path: Path
) -> None:
    folder = risk.then(price, name="priced").save(tmp_path / "saved")
    again = rw.flow(folder)
    assert again.data == risk.then(price, name="priced").data
    made_from = again.document["made_from"]
    assert [part["program"] for part in made_from] == ["risk.py", "price.py"]
    report = tmp_path / "checks.json"
    command = [sys.executable, "-m", "roadworthy_runtime", "verify", str(folder)]
    subprocess.run([*command, "--json", str(report)], check=True, timeout=300)
    assert json.loads(report.read_text("utf-8"))["passed"]
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    alone = [sys.executable, str(folder / "flow.py"), "rows.csv", "-o", "answers.csv"]
    subprocess.run(alone, cwd=tmp_path, check=True, timeout=300, capture_output=True)
    answers = pd.read_csv(tmp_path / "answers.csv")
    np.testing.assert_array_equal(answers["price"], BY_HAND)


def test_a_flow_is_state_of_another_program(
    risk: CapturedFlow, price: CapturedFlow, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        f"""\
import pandas as pd
import roadworthy as rw

both = rw.flow({str(tmp_path / "risk")!r}).then(rw.flow({str(tmp_path / "price")!r}))
df = pd.DataFrame({{"a": [1.0, 2.0, 3.5] * 10, "town": ["x", "y", "y"] * 10, "b": range(30)}})
df["unused"] = df["b"] * 2
df["half"] = both(df) / 2
scores = df["half"] + df["a"]
""",
        "utf-8",
    )
    made = capture(program, tmp_path / "out", "df", ("scores",))
    assert {column.name for column in made.signature.columns} == {"a", "town", "b"}
    index = json.loads((made.directory / "state" / "index.json").read_text("utf-8"))
    (entry,) = index["values"]
    assert (entry["name"], entry["format"]) == ("both", "flow")
    assert entry["summary"] == "flow risk_then_price, captured from risk.py, price.py"
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    alone = [sys.executable, str(made.directory / "flow.py"), "rows.csv", "-o", "answers.csv"]
    done = subprocess.run(
        alone, cwd=tmp_path, check=True, timeout=300, capture_output=True, text=True
    )
    answers = pd.read_csv(tmp_path / "answers.csv")["scores"]
    assert "rejected by risk_then_price: risk: not a > 0 (line 4)" in done.stderr
    np.testing.assert_allclose(answers, np.array(BY_HAND) / 2 + ROWS["a"])
