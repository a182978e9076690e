"""A program prints, warns and computes under the recorder what it does when it runs plainly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.capture.making import capture

import roadworthy_runtime

HEAD = """\
import sys
import warnings

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
df = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60), "y": rng.normal(size=60)})
factor = 3
"""
WORKERS = """\
from joblib import Parallel, delayed

class Box:
    def __init__(self, v):
        self.v = v
        self.v += 1

    def grown(self):
        self.v *= factor
        return [self.v + i for i in range(2)][::-1]

def compute(v):
    total = 0
    for i in range(v):
        total += i
    held = {"a": [1, 2]}
    held["a"][0] += 4
    del held["a"][1]
    while total > 2:
        total -= 1
    table = pd.DataFrame({"q": [1, 5]}).query("q > @factor")
    return -total * factor, Box(v).grown(), held, len(table)

print(Parallel(n_jobs=2)(delayed(compute)(i) for i in range(3)))
"""
SEARCH = """\
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

def scorer(model, X, y):
    return -float(((model.predict(X) - y) ** 2).mean())

pipeline = make_pipeline(FunctionTransformer(lambda x: x * 2), Ridge())
search = GridSearchCV(pipeline, {"ridge__alpha": [0.1, 1.0]}, scoring=scorer, n_jobs=2, cv=3)
search.fit(df[["a", "b"]], df["y"])
print(search.best_params_, round(search.best_score_, 9))
"""
PICKLED = """\
import cloudpickle

def tripled(v):
    return [x * factor for x in v]

print(cloudpickle.loads(cloudpickle.dumps(tripled))([1, 2]))
print([name for name in globals() if name.startswith("__rw")])
"""
EXPRESSIONS = """\
def between(table, low):
    high = 0.5
    return table.query("a > @low and a < @high").eval("z = a * @factor - b")

print(between(df, -1.0).round(6).to_string())
print(pd.eval("df.a + factor").sum(), df.query(expr="y > @df.y.mean()").shape)
print(df.query("a > @own", local_dict={"own": 0}).shape)
try:
    df.query("a > @nowhere")
except Exception as error:
    print(type(error).__name__, error)
"""
FORMULAS = """\
import statsmodels.formula.api as smf
from statsmodels.formula.api import ols

def squared(v):
    return v * v

def fitted(data):
    def shifted(v):
        return v + factor
    return smf.ols("y ~ squared(a) + shifted(b) + np.abs(b)", data=data).fit()

print(fitted(df).params.round(9).to_dict())
print(ols("y ~ squared(a)", df).fit().params.round(9).to_dict())
"""
WARNINGS = """\
import logging
from warnings import warn

logging.basicConfig(format="%(filename)s:%(lineno)d %(funcName)s %(message)s", stream=sys.stdout,
                    level=logging.INFO)
for turn in range(2):
    warnings.warn("the same place")
warnings.warn("another place")
warn("imported", FutureWarning)

def old():
    warnings.warn("use new", DeprecationWarning, stacklevel=2)

def older():
    warnings.warn("use old", DeprecationWarning, 3)

def between():
    older()

old()
between()
warnings.warn("nobody", stacklevel=50)

def told():
    logging.info("hello %s", "there")
    logging.getLogger("x").warning("caller", stacklevel=2)

told()

def named():
    return sys._getframe().f_code.co_name

print(named(), sys._getframe().f_code.co_name)
"""


@dataclass(frozen=True)
class Traced:
    """What came of a program under the recorder."""

    printed: str
    warned: str
    code: int
    result: dict[str, Any]


def run_plainly(program: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False
    )


def run_traced(program: Path, output: str = "df") -> Traced:
    out = program.parent / "out"
    out.mkdir(exist_ok=True)
    spec = {"program": str(program), "input": "df", "outputs": [output], "out": str(out)}
    path = program.parent / "spec.json"
    path.write_text(json.dumps(spec), "utf-8")
    environ = {**os.environ, "PYTHONPATH": str(Path(roadworthy_runtime.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "roadworthy_runtime", "record", str(path)],
        capture_output=True, text=True, check=False, env=environ,
    )  # fmt: skip
    result = json.loads((out / "result.json").read_text("utf-8"))
    return Traced(done.stdout, done.stderr, done.returncode, result)


@pytest.mark.parametrize(
    "middle",
    [WORKERS, SEARCH, PICKLED, EXPRESSIONS, FORMULAS, WARNINGS],
    ids=["workers", "search", "pickled", "expressions", "formulas", "warnings"],
)
def test_traced_run_is_the_plain_run(middle: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(HEAD + middle, "utf-8")
    plain = run_plainly(program)
    traced = run_traced(program)
    assert plain.returncode == 0, plain.stderr
    assert traced.result["status"] != "failed", traced.result["problem"]
    assert traced.printed == plain.stdout
    assert traced.warned == plain.stderr


def test_expressions_keep_their_names_in_the_flow(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        HEAD
        + 'mid = df["a"].mean()\n'
        + "low = -1\n"
        + 'kept = df.query("b > @low").eval("c = a * @factor - @mid")\n'
        + 'scores = kept["c"] + kept["a"]\n',
        "utf-8",
    )
    captured = capture(program, tmp_path / "out", "df", ("scores",))
    text = (captured.directory / "flow.py").read_text("utf-8")
    assert 'local_dict={"low": -1}' in text
    assert '"factor": 3' in text
    rows = pd.DataFrame({"a": [1.0, 2.0], "b": [0.0, 0.5]})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    asked = (
        "import sys, json, pandas as pd; sys.path.insert(0, sys.argv[1]); import flow;"
        "found = flow.predict(pd.read_csv(sys.argv[2]));"
        "print(json.dumps([float(v) for v in found]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked, str(captured.directory), str(tmp_path / "rows.csv")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    plain = subprocess.run(
        [sys.executable, "-c", program.read_text("utf-8") + "print(float(mid))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    mid = float(plain.stdout)
    assert json.loads(done.stdout) == pytest.approx([4.0 - mid, 8.0 - mid], abs=1e-12)


def test_failure_of_capture_itself_is_told_with_its_traceback(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(HEAD + 'scores = df["a"] * 2\nprint("done")\n', "utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "state").write_text("in the way", "utf-8")
    traced = run_traced(program, "scores")
    problem = traced.result["problem"]
    assert (traced.code, traced.result["status"], problem["code"]) == (3, "refused", "capture")
    assert problem["message"].startswith("capture itself failed: FileExistsError")
    assert "report it" in problem["cure"]
    assert "Traceback" in problem["details"]["traceback"]
    assert traced.printed == "done\n"


def test_value_that_cannot_be_saved_is_told_with_its_line(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    lines = [
        "import sqlite3",
        'con = sqlite3.connect(":memory:")',
        "def looked_up(value, con):",
        '    return con.execute("select ? * 2", (value,)).fetchone()[0]',
        'scores = df["a"].apply(looked_up, con=con)',
    ]
    program.write_text(HEAD + "\n".join(lines) + "\n", "utf-8")
    traced = run_traced(program, "scores")
    problem = traced.result["problem"]
    assert problem["message"].count("can't be saved") == 1
    assert "con (Connection)" in problem["message"]
    assert problem["line"] == len(HEAD.splitlines()) + 2
