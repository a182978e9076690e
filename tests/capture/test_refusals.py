"""Programs that can't be captured are refused by name, with the line and a cure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.capture.conftest import Laboratory
from tests.capture.making import capture

from roadworthy.capture import CaptureRequest
from roadworthy.capture.program import capture_program
from roadworthy.errors import (
    CaptureError,
    EnvironmentFailed,
    LawBroken,
    NotFound,
    ProgramFailed,
    RoadworthyError,
    VerificationFailed,
)

HEAD = """\
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

rng = np.random.default_rng(0)
n = 120
df = pd.DataFrame({"id": np.arange(n) + 700, "x": rng.normal(size=n), "w": rng.exponential(size=n),
                   "town": rng.choice(["a", "b", "c"], n), "y": rng.normal(size=n)})
"""  # 8 lines
TAIL = """\
X = df.drop(columns=["id", "town", "y"])
model = LinearRegression().fit(X, df["y"])
scores = model.predict(X)
"""

# The first test of a program waits until it was captured, run and asked.
pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Refusal:
    """A program and what is said of it: the error, its line, and words of its text and cure."""

    name: str
    program: str
    error: type[RoadworthyError]
    line: int | None
    words: tuple[str, ...]
    input: str | None = "df"
    outputs: tuple[str, ...] = ("scores",)


def between(
    name: str, *middle: str, error: type[RoadworthyError], words: tuple[str, ...], line: int = 9
) -> Refusal:
    """A program whose own lines stand from line 9 between the head and the tail."""
    return Refusal(name, HEAD + "\n".join(middle) + "\n" + TAIL, error, line, words)


LAW = (
    between("rank", 'df["r"] = df["x"].rank()', error=LawBroken, words=("rank", "other rows")),
    between(
        "shift", 'df["before"] = df["x"].shift(1).fillna(0)', error=LawBroken, words=("shift",)
    ),
    between("cumsum", 'df["total"] = df["w"].cumsum()', error=LawBroken, words=("cumsum",)),
    between("diff", 'df["step"] = df["x"].diff().fillna(0)', error=LawBroken, words=("diff",)),
    between(
        "rolling",
        'df["smooth"] = df["x"].rolling(3, min_periods=1).mean()',
        error=LawBroken,
        words=("mean", "other rows"),
    ),
    between(
        "by a generator of one's own",
        "def doubled(values):",
        "    for value in values:",
        "        yield value * 2",
        'df["c"] = list(doubled(df["x"]))',
        error=LawBroken,
        words=("column c", "the input's rows"),
        line=12,
    ),
    between(
        "numpy", 'df["up"] = np.cumsum(df["w"].to_numpy())', error=LawBroken, words=("cumsum",)
    ),
    between(
        "filled from neighbours, though nothing is null",
        'df["x"] = df["x"].ffill()',
        error=LawBroken,
        words=("ffill", "other rows"),
    ),
    between(
        "counter",
        'df["turn"] = df.groupby("town").cumcount()',
        error=LawBroken,
        words=("cumcount",),
    ),
    between("position", 'df["place"] = range(len(df))', error=CaptureError, words=("row",)),
    between("arange", 'df["place"] = np.arange(len(df))', error=CaptureError, words=("row",)),
    between("index", 'df["place"] = df.index', error=CaptureError, words=("row",)),
    between(
        "seeded noise", 'df["noise"] = rng.normal(size=len(df))', error=CaptureError, words=("row",)
    ),
    between(
        "unseeded noise",
        'df["noise"] = df["x"] + np.random.normal(size=len(df))',
        error=CaptureError,
        words=("random",),
    ),
    between(
        "values from elsewhere",
        'df["luck"] = rng.normal(size=120)',
        error=LawBroken,
        words=("column luck", "the input's rows"),
    ),
    between(
        "running total in a loop",
        "total, so_far = 0, []",
        'for w in df["w"]:',
        "    total += w",
        "    so_far.append(total)",
        'df["so_far"] = so_far',
        error=LawBroken,
        words=("loop", "other rows"),
        line=10,
    ),
    between(
        "known by group of one",
        'mean = df.groupby("id")["y"].mean()',
        'df["old"] = df["id"].map(mean)',
        error=CaptureError,
        words=("mean",),
    ),
    between(
        "known by label",
        'known = df["y"].to_dict()',
        'df["old"] = [known[i] for i in df.index]',
        error=CaptureError,
        words=("row",),
        line=10,
    ),
)

LABELS = (
    Refusal(
        "labels become a column, and most rows are left out",
        HEAD.replace("df = pd", "raw = pd")
        + """\
raw = raw.set_index("id")
df = raw.reset_index()
df = df[df["x"] > 1]
"""
        + TAIL,
        LawBroken,
        10,
        ("reset_index", "row labels", "--input df:10"),
        input="raw:9",
    ),
)

TRAIN_AND_TEST = (
    HEAD
    + """\
df.loc[df["w"] > 1, "x"] = np.nan
train, test = df.iloc[:90].copy(), df.iloc[90:].copy()
"""
)

PROGRAMS = Path(__file__).parent / "whole" / "programs"
STACKED = (PROGRAMS / "passengers_stacked.py").read_text("utf-8")
STACKED = STACKED.replace(
    "Path(__file__).resolve().parents[2]", f"Path({str(PROGRAMS.parents[1])!r})"
)

ACROSS = (
    Refusal(
        "what each model answers stands in a row of its own",
        STACKED.replace("np.zeros((ntest, NFOLDS))", "np.empty((NFOLDS, ntest))")
        .replace("oof_test_skf[:, i] =", "oof_test_skf[i, :] =")
        .replace("oof_test_skf.mean(axis=1)", "oof_test_skf.mean(axis=0)"),
        LawBroken,
        128,
        ("second dimension", "rows first", "np.mean(answers, axis=0)"),
        input="everybody",
        outputs=("predictions",),
    ),
)

APART = (
    Refusal(
        "test side fills with its own mean before both are put together",
        TRAIN_AND_TEST
        + """\
train["x"] = train["x"].fillna(train["x"].mean())
test["x"] = test["x"].fillna(test["x"].mean())
train["is"], test["is"] = 1, 0
both = pd.concat([train, test])
train, test = both[both["is"] == 1], both[both["is"] == 0]
model = LinearRegression().fit(train[["x", "w"]], train["y"])
scores = model.predict(test[["x", "w"]])
""",
        LawBroken,
        17,
        ("column x differs", "training rows"),
    ),
    Refusal(
        "test side is scaled in another way",
        TRAIN_AND_TEST
        + """\
from sklearn.preprocessing import MinMaxScaler, StandardScaler
A = StandardScaler().fit_transform(train[["w"]])
model = LinearRegression().fit(A, train["y"])
B = MinMaxScaler().fit_transform(test[["w"]])
scores = model.predict(B)
""",
        LawBroken,
        15,
        ("prepared otherwise", "training rows"),
    ),
    Refusal(
        "test side by a condition is filled with its own mean and with another step",
        TRAIN_AND_TEST
        + """\
train, test = df[df["id"] % 4 > 0].copy(), df[df["id"] % 4 == 0].copy()
train["x"] = train["x"].fillna(train["x"].mean()).clip(-1, 1)
test["x"] = test["x"].fillna(test["x"].mean())
model = LinearRegression().fit(train[["x", "w"]], train["y"])
scores = model.predict(test[["x", "w"]])
""",
        LawBroken,
        15,
        ("column x differs", "training rows"),
    ),
    between(
        "known by key, with nulls taken",
        "from sklearn.ensemble import HistGradientBoostingRegressor as LinearRegression",
        'known = dict(zip(df["id"], df["y"]))',
        'df["old"] = df["id"].map(known)',
        error=LawBroken,
        words=("other rows",),
        line=11,
    ),
    between(
        "known by being there",
        'seen = set(df["id"])',
        'df["seen"] = df["id"].isin(seen).astype(int)',
        error=LawBroken,
        words=("isin",),
        line=10,
    ),
)

OUTPUTS = (
    Refusal(
        "aggregated",
        HEAD + TAIL + "answer = scores.mean()\n",
        CaptureError,
        12,
        ("answer", "row"),
        outputs=("answer",),
    ),
    Refusal(
        "per group",
        HEAD + TAIL + 'answer = df.assign(s=scores).groupby("town")["s"].mean()\n',
        CaptureError,
        12,
        ("answer", "row"),
        outputs=("answer",),
    ),
    Refusal(
        "out of fold",
        HEAD + "from sklearn.model_selection import KFold\n"
        'X = df[["x", "w"]]\n'
        "oof = np.zeros(len(X))\n"
        "for inside, outside in KFold(3).split(X):\n"
        '    model = LinearRegression().fit(X.iloc[inside], df["y"].iloc[inside])\n'
        "    oof[outside] = model.predict(X.iloc[outside])\n",
        LawBroken,
        14,
        ("out of fold", "in no fold"),
        outputs=("oof",),
    ),
    Refusal(
        "of no input",
        HEAD + TAIL + "answer = np.zeros(3)\n",
        CaptureError,
        12,
        ("answer", "does not depend on the input"),
        outputs=("answer",),
    ),
    Refusal(
        "an array that nothing leads to is no input of itself",
        "from sklearn.neighbors import KNeighborsClassifier\n"
        "x = [(i, i % 7) for i in range(40)]\n"
        "model = KNeighborsClassifier(3).fit(x, [i % 2 for i in range(40)])\n"
        "answer = model.predict(x)\n",
        CaptureError,
        None,
        ("no table", "--input"),
        input=None,
        outputs=("answer",),
    ),
    Refusal(
        "input never used",
        HEAD + 'other = pd.DataFrame({"a": [1, 2]})\n' + TAIL,
        CaptureError,
        12,
        ("scores", "does not depend on the input other"),
        input="other",
    ),
    Refusal(
        "unknown output",
        HEAD + TAIL,
        CaptureError,
        None,
        ("score", "did you mean scores"),
        outputs=("score",),
    ),
    Refusal(
        "unknown input",
        HEAD + "frame = df\n" + TAIL,
        CaptureError,
        None,
        ("frames", "did you mean frame"),
        input="frames",
    ),
    Refusal("input of no rows", HEAD + TAIL, CaptureError, 6, ("n has no rows",), input="n"),
    Refusal(
        "no output", HEAD + 'print(df["x"].mean())\n', CaptureError, None, ("--output",), outputs=()
    ),
    Refusal(
        "expression",
        HEAD + TAIL,
        CaptureError,
        None,
        ("model.forecast(X)", "AttributeError"),
        outputs=("model.forecast(X)",),
    ),
)

UNSAFE = APART


@pytest.mark.parametrize(
    "refusal", [*LAW, *LABELS, *ACROSS, *OUTPUTS, *UNSAFE], ids=lambda refusal: refusal.name
)
def test_refused_by_name_with_line_and_cure(refusal: Refusal, laboratory: Laboratory) -> None:
    error = laboratory.refusal(refusal)
    assert isinstance(error, refusal.error)
    text = f"{error}\n{error.details}"
    for word in refusal.words:
        assert word in text
    assert error.cure
    assert error.line == refusal.line
    assert error.details["run"]["status"] == "failed"


def test_a_program_that_raises_shows_its_own_traceback(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    own = "def half(table):\n    return table['z'] / 2\nhalf(df)\n"
    program.write_text(HEAD + own + TAIL, "utf-8")
    with pytest.raises(ProgramFailed, match="KeyError: 'z'") as raised:
        capture(program, tmp_path / "out", "df", ("scores",))
    shown = raised.value.details["traceback"]
    assert raised.value.line == 10
    assert f'File "{program}", line 11, in <module>' in shown
    assert "return table['z'] / 2" in shown
    assert "roadworthy" not in shown
    assert not (tmp_path / "out" / "flow").exists()


def test_a_program_that_is_no_python_names_its_line(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(HEAD + "for in df:\n    pass\n", "utf-8")
    with pytest.raises(ProgramFailed, match="SyntaxError") as raised:
        capture(program, tmp_path / "out", "df", ("scores",))
    assert raised.value.line == 9
    assert "for in df:" in raised.value.details["traceback"]


def test_a_program_that_ends_with_an_error_code_has_failed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(HEAD + TAIL + "raise SystemExit(3)\n", "utf-8")
    with pytest.raises(ProgramFailed, match="exit code 3"):
        capture(program, tmp_path / "out", "df", ("scores",))


def test_a_program_that_ends_its_own_process_is_told_so(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(HEAD + "import os\nos._exit(0)\n" + TAIL, "utf-8")
    with pytest.raises(ProgramFailed, match=r"without a result \(exit code 0\)") as raised:
        capture(program, tmp_path / "out", "df", ("scores",))
    assert "os._exit" in raised.value.cure
    assert not (tmp_path / "out" / "flow").exists()


def test_program_and_interpreter_have_to_exist(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"missing\.py does not exist"):
        capture(tmp_path / "missing.py", tmp_path / "out", None, ())
    program = tmp_path / "program.py"
    program.write_text("x = 1\n", "utf-8")
    request = CaptureRequest(program=program, name="x", python=tmp_path / "python")
    with pytest.raises(EnvironmentFailed, match="can't be started"):
        capture_program(request, tmp_path / "out")


def test_what_verification_finds_is_told_with_all_failed_checks() -> None:
    assert issubclass(VerificationFailed, CaptureError)
