"""Notebooks: captured as they were run, from their file, and from a kernel that runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from tests.capture.making import ask, capture, standard_output_to
from tests.unit.capture.test_notebook import cell, written

from roadworthy.capture import Captured
from roadworthy.errors import LawBroken, ProgramFailed

IMPORTS = """\
%matplotlib inline
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression"""
ROWS = """\
rng = np.random.default_rng(0)
n = 120
df = pd.DataFrame({"x": rng.normal(size=n), "w": rng.exponential(size=n),
                   "town": rng.choice(["a", "b", "c"], n), "y": rng.normal(size=n)})
df.head()"""
DEFINED = """\
def clean(text):
    return text.strip()"""
FILLED = """\
%%time
# Only light ones.
df = df[df["w"] < 3]
df["x"] -= df["x"].mean()
df["town"] = df["town"].apply(clean)
df = pd.get_dummies(df, columns=["town"])
print("rows", len(df))"""
FITTED = """\
X = df.drop(columns="y")
model = LinearRegression().fit(X, df["y"])
scores = model.predict(X)"""
NEW = pd.DataFrame({"x": [0.1, 1.0, 0.5], "w": [0.5, 5.0, 1.0], "town": ["a", "b", "never"]})


def by_hand(new: pd.DataFrame) -> np.ndarray:
    """What the notebook answers to rows that its filter keeps."""
    rng = np.random.default_rng(0)
    n = 120
    columns = {"x": rng.normal(size=n), "w": rng.exponential(size=n)}
    df = pd.DataFrame({**columns, "town": rng.choice(["a", "b", "c"], n), "y": rng.normal(size=n)})
    df = df[df["w"] < 3]
    mean = df["x"].mean()

    def features(rows: pd.DataFrame) -> np.ndarray:
        towns = [(rows["town"] == level).astype(float) for level in "abc"]
        return np.column_stack([rows["x"] - mean, rows["w"], *towns, np.ones(len(rows))])

    weights = np.linalg.lstsq(features(df), df["y"].to_numpy(), rcond=None)[0]
    # Without an intercept of its own in the columns, an unseen town has the intercept alone: the
    # least squares of least norm are split as scikit-learn centres them.
    centre = features(df).mean(axis=0)[:-1]
    inner = np.linalg.lstsq(features(df)[:, :-1] - centre, df["y"] - df["y"].mean(), rcond=None)[0]
    assert np.allclose(
        features(df) @ weights, (features(df)[:, :-1] - centre) @ inner + df["y"].mean()
    )
    return (features(new)[:, :-1] - centre) @ inner + df["y"].mean()


def run(folder: Path, *cells: dict[str, Any]) -> Captured:
    """The capture of a notebook file."""
    path = written(folder, *cells)
    with standard_output_to(folder / "traced.txt"):
        return capture(path, folder / "out", "df", ("scores",))


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Captured, Path]:
    """A notebook whose cells stand in another order than they ran, one edited afterwards."""
    folder = tmp_path_factory.mktemp("notebook")
    stream = {"output_type": "stream", "name": "stdout", "text": "rows 3\n"}
    cells = [cell(IMPORTS, 1), cell(DEFINED, 3), cell(FITTED, 6), cell(FILLED, 5, stream),
             cell(ROWS, 2), cell("scores = None", None)]  # fmt: skip
    return run(folder, *cells), folder


def test_a_notebook_is_captured_in_the_order_in_which_it_ran(
    captured: tuple[Captured, Path],
) -> None:
    flow, folder = captured
    found = ask(flow.directory, [("new", NEW)], folder)["new"]
    kept = [0, 2]
    expected = by_hand(NEW.iloc[kept])
    np.testing.assert_allclose(np.asarray(found["values"])[kept], expected, rtol=1e-9)
    ((row, reason, line),) = found["rejected"]
    assert (row, line) == (1, None)
    assert reason == 'not df["w"] < 3 (In[5], line 3)'


def test_its_report_is_told_by_cell(captured: tuple[Captured, Path]) -> None:
    report = captured[0].report
    assert [file.path for file in report.files] == ["In[1]", "In[2]", "In[3]", "In[5]", "In[6]"]
    (filled,) = (file for file in report.files if file.path == "In[5]")
    roles = {line.number: line.role for line in filled.lines}
    assert (roles[3], roles[4], roles[7]) == ("kept", "kept", "dropped")
    places = {(each.file, each.line) for each in report.decisions}
    assert places == {("In[5]", 3), ("In[5]", 6)}
    learned = {each.name: (each.origin, each.line) for each in report.state}
    assert learned["x_mean"] == ("In[5]", 4)
    said = " / ".join(report.warnings)
    for words in ("another order", "In[4]", "never run", "%matplotlib (In[1])", "In[5] printed"):
        assert words in said
    assert report.statements == 16


def test_its_flow_reads_as_the_notebook(captured: tuple[Captured, Path]) -> None:
    flow, folder = captured
    text = (flow.directory / "flow.py").read_text("utf-8")
    assert "    # Only light ones.\n    df = rows.filter(" in text
    assert '    df["x"] -= state.x_mean\n' in text
    assert "%" not in text
    assert [path for path, _ in flow.files] == ["n.ipynb"]
    assert flow.files[0][1].read_text("utf-8") == (folder / "n.ipynb").read_text("utf-8")


def test_what_can_not_be_captured_is_refused_by_cell(tmp_path: Path) -> None:
    ranked = 'n = 3\ndf["r"] = df["x"].rank()'
    cells = [cell(IMPORTS, 1), cell(ROWS, 2), cell(ranked, 3), cell('df["town"] = 1', 4)]
    with pytest.raises(LawBroken) as raised:
        run(tmp_path, *cells, cell(FITTED, 5))
    assert str(raised.value).startswith("In[3], line 2: rank gives each row")


def test_a_cell_that_raises_is_named_with_its_own_traceback(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed) as raised:
        run(tmp_path, cell(IMPORTS, 1), cell(ROWS, 2), cell("x = 1\ny = df['none']", 4))
    assert str(raised.value).startswith("In[4], line 2: KeyError")
    text = raised.value.details["traceback"]
    assert 'File "In[4]", line 2' in text
    assert "y = df['none']" in text
    assert "roadworthy_runtime" not in text


def test_equal_lines_of_two_cells_are_two_lines(tmp_path: Path) -> None:
    """Each cell fits an imputer at its second line: they are not taken for each other."""
    start = (
        "import numpy as np\nimport pandas as pd\nfrom sklearn.impute import SimpleImputer\n"
        "df = pd.DataFrame({'a': [1.0, None, 3.0, 4.0] * 5, 'b': ['x', 'y', None, 'y'] * 5})"
    )
    texts = "words = SimpleImputer(strategy='most_frequent')\nwords.fit(df[['b']])\n"
    numbers = "means = SimpleImputer()\nmeans.fit(df[['a']])\n"
    made = run(
        tmp_path,
        cell(start, 1),
        cell(texts + "df[['b']] = words.transform(df[['b']])", 2),
        cell(numbers + "df[['a']] = means.transform(df[['a']])", 3),
        cell("scores = df['a'] + (df['b'] == 'y')", 4),
    )
    new = pd.DataFrame({"a": [None, 2.0], "b": ["y", None]})
    found = ask(made.directory, [("new", new)], tmp_path)["new"]["values"]
    np.testing.assert_allclose(found, [8 / 3 + 1, 2.0 + 1])


LOAD = "%load_ext roadworthy"
SHOWN = """\
import json, pathlib
tracer = get_ipython().roadworthy
own = tracer._traced(["--input", "df", "--output=scores"], "FOLDER")
print(json.dumps([tracer.whole, own, tracer._cells(bool(own))]))"""


def kernel(folder: Path, *cells: str) -> list[Any]:
    """What a real kernel makes of these cells: the last one's outputs."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    found: list[Any] = book.cells[-1].outputs
    return found


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore")  # the kernel's client speaks of ports and loops
def test_cells_are_traced_while_a_kernel_runs_them(tmp_path: Path) -> None:
    filled = FILLED.replace("%%time\n", "\n")
    shown = SHOWN.replace("FOLDER", str(tmp_path))
    outputs = kernel(tmp_path, LOAD, IMPORTS, ROWS, DEFINED, filled, FITTED, shown)
    (whole, own, cells) = json.loads(outputs[0]["text"])
    assert whole
    result = json.loads((tmp_path / "recorded" / "result.json").read_text("utf-8"))
    assert (result["status"], own) == ("captured", {"recorded": str(tmp_path / "recorded")})
    plan = json.loads((tmp_path / "recorded" / "plan.json").read_text("utf-8"))
    assert {(step["file"], step["line"]) for step in plan["steps"]} >= {("In[5]", 3), ("In[5]", 4)}
    assert [entry["name"] for entry in plan["definitions"]] == ["clean"]
    assert [each["number"] for each in cells][:2] == [2, 3]
    book = tmp_path / "traced.ipynb"
    document = json.loads(
        written(tmp_path, *(cell(c["source"], c["number"]) for c in cells)).read_text()
    )
    document["metadata"]["roadworthy"] = {**own, "folder": str(tmp_path)}
    book.write_text(json.dumps(document))
    captured = capture(book, tmp_path / "out", "df", ("scores",))
    found = ask(captured.directory, [("new", NEW)], tmp_path)["new"]
    expected = by_hand(NEW.iloc[[0, 2]])
    np.testing.assert_allclose(np.asarray(found["values"])[[0, 2]], expected, rtol=1e-9)


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore")
def test_loaded_last_the_history_is_run_again(tmp_path: Path) -> None:
    shown = (
        "import json\nt = get_ipython().roadworthy\nprint(json.dumps([t.whole, t._cells(False)]))"
    )
    again = "n += 1"
    outputs = kernel(tmp_path, "n = 1", again, again, LOAD, shown)
    whole, cells = json.loads(outputs[0]["text"])
    assert not whole
    assert [(each["number"], each["source"]) for each in cells] == [
        (1, "n = 1"),
        (2, again),
        (3, again),
    ]
