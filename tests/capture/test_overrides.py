"""What a program says itself of its values decides; each is needed where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.capture.making import ask, capture, standard_output_to

from roadworthy.capture import Captured
from roadworthy.errors import CaptureError, LawBroken, RoadworthyError

HEAD = """\
import numpy as np
import pandas as pd
import roadworthy as rw
from sklearn.linear_model import LinearRegression

rng = np.random.default_rng(0)
n = 120
df = pd.DataFrame({"id": np.arange(n) + 700, "x": rng.normal(size=n), "w": rng.exponential(size=n),
                   "late": rng.integers(0, 2, n), "y": rng.normal(size=n)})
"""  # 9 lines
TAIL = """\
X = df[{columns}]
model = LinearRegression().fit(X, df["y"])
scores = model.predict(X)
"""


def table() -> pd.DataFrame:
    """The creation table of HEAD, made again."""
    rng = np.random.default_rng(0)
    n = 120
    return pd.DataFrame(
        {
            "id": np.arange(n) + 700, "x": rng.normal(size=n), "w": rng.exponential(size=n),
            "late": rng.integers(0, 2, n), "y": rng.normal(size=n),
        }
    )  # fmt: skip


def fitted(features: np.ndarray, target: Any) -> tuple[np.ndarray, float]:
    """Least squares by hand: the weights and the intercept."""
    columns = np.column_stack([features, np.ones(len(features))])
    found = np.linalg.lstsq(columns, np.asarray(target, dtype=float), rcond=None)[0]
    return found[:-1], float(found[-1])


def run(
    folder: Path, source: str, input: str | None = "df", outputs: tuple[str, ...] = ("scores",)
) -> Captured:
    """The capture of a program's text."""
    (folder / "program.py").write_text(source, "utf-8")
    with standard_output_to(folder / "traced.txt"):
        return capture(folder / "program.py", folder / "out", input, outputs)


def refused(folder: Path, source: str, **how: Any) -> RoadworthyError:
    """What capturing a program's text raises."""
    with pytest.raises(RoadworthyError) as raised:
        run(folder, source, **how)
    return raised.value


def answers(folder: Path, captured: Captured, rows: Any) -> dict[str, Any]:
    """What the flow answers to rows, with those it rejects."""
    return ask(captured.directory, [("rows", rows)], folder)["rows"]


LOOKED_UP = 'known = df.groupby("id")["y"].mean()\n'
MAPPED = 'df["old"] = df["id"].map({}).fillna(0)\n'


def test_a_table_by_key_that_is_said_to_be_learned_is_looked_up(tmp_path: Path) -> None:
    tail = TAIL.format(columns='["x", "old"]')
    (tmp_path / "plain").mkdir()
    error = refused(tmp_path / "plain", HEAD + LOOKED_UP + MAPPED.format("known") + tail)
    assert isinstance(error, LawBroken)
    assert "rw.learned(" in error.cure
    captured = run(tmp_path, HEAD + LOOKED_UP + MAPPED.format("rw.learned(known)") + tail)
    frame = table()
    weights, base = fitted(frame[["x", "y"]].to_numpy(), frame["y"])
    new = pd.DataFrame({"id": [700, 5, 819], "x": [0.5, 0.5, -1.0]})
    old = np.array([frame["y"][0], 0.0, frame["y"][119]])
    expected = new["x"] * weights[0] + old * weights[1] + base
    np.testing.assert_allclose(answers(tmp_path, captured, new)["values"], expected, atol=1e-9)


def test_a_number_of_rows_that_is_said_to_be_learned_is_that_of_creation(tmp_path: Path) -> None:
    share = 'df["share"] = df["w"] / {}\n'
    tail = TAIL.format(columns='["x", "share"]')
    (tmp_path / "plain").mkdir()
    error = refused(tmp_path / "plain", HEAD + share.format("len(df)") + tail)
    assert isinstance(error, CaptureError)
    assert "rw.learned(" in error.cure
    captured = run(tmp_path, HEAD + share.format("rw.learned(len(df))") + tail)
    frame = table()
    weights, base = fitted(np.column_stack([frame["x"], frame["w"] / 120]), frame["y"])
    new = pd.DataFrame({"x": [0.1, 3.0], "w": [2.0, 0.5]})
    expected = new["x"] * weights[0] + new["w"] / 120 * weights[1] + base
    np.testing.assert_allclose(answers(tmp_path, captured, new)["values"], expected, atol=1e-9)
    (said,) = [d for d in captured.report.decisions if "rw.learned" in d.because]
    assert said.line == 10


WIDE = 'df = df[df["w"] < 1.5]\n'
ONLY = "with rw.creation_only():\n    "


def test_rows_dropped_for_creation_only_are_answered(tmp_path: Path) -> None:
    tail = TAIL.format(columns='["x", "w"]')
    (tmp_path / "kept").mkdir()
    kept = run(tmp_path / "kept", HEAD + WIDE + tail)
    only = run(tmp_path, HEAD + ONLY + WIDE + tail)
    frame = table()[lambda t: t["w"] < 1.5]
    weights, base = fitted(frame[["x", "w"]].to_numpy(), frame["y"])
    new = pd.DataFrame({"x": [0.1, -0.4], "w": [0.2, 9.0]})
    expected = new.to_numpy() @ weights + base
    found = answers(tmp_path, only, new)
    np.testing.assert_allclose(found["values"], expected, atol=1e-9)
    assert found["rejected"] == []
    before = answers(tmp_path / "kept", kept, new)
    assert [row for row, _, _ in before["rejected"]] == [1]
    (decision,) = kept.report.decisions
    assert decision.override == "with rw.creation_only():"
    (decision,) = only.report.decisions
    assert decision.decision == "left out of production"


def test_changes_of_the_target_for_creation_only_stay_in_creation(tmp_path: Path) -> None:
    inside = """\
with rw.creation_only():
    df.loc[df["w"] > 2, "y"] = 0.0
    df.dropna(inplace=True)
    df = df.assign(y=df["y"] * 2)
    df = df[df["w"].rank() < 110]
"""
    captured = run(tmp_path, HEAD + inside + TAIL.format(columns='["x", "w"]'))
    frame = table()
    frame["y"] = frame["y"].where(frame["w"] <= 2, 0.0) * 2
    frame = frame[frame["w"].rank() < 110]
    weights, base = fitted(frame[["x", "w"]].to_numpy(), frame["y"])
    new = pd.DataFrame({"x": [0.1, -0.4], "w": [0.2, 9.0]})
    found = answers(tmp_path, captured, new)
    np.testing.assert_allclose(found["values"], new.to_numpy() @ weights + base, atol=1e-9)
    assert {column.name for column in captured.signature.columns} == {"x", "w"}


def test_a_feature_changed_for_creation_only_is_never_answered_wrongly(tmp_path: Path) -> None:
    inside = ONLY + 'df["x"] = df["x"] * 2\n'
    error = refused(tmp_path, HEAD + inside + TAIL.format(columns='["x", "w"]'))
    assert isinstance(error, CaptureError)


RECORDS = """\
import numpy as np
import roadworthy as rw
from sklearn.linear_model import LinearRegression

texts, lengths = [], []
for i in range(60):
    texts.append("word " * (i % 7) + ("good" if i % 3 else "bad"))
    lengths.append(i % 3)
{said}X = np.array([[len(t), t.count("good")] for t in texts])
model = LinearRegression().fit(X, lengths)
scores = model.predict(X)
"""


def test_a_list_that_is_said_to_have_rows_is_the_input(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    plain = run(tmp_path / "plain", RECORDS.format(said=""), input=None)
    assert plain.signature.kind == "array"
    source = RECORDS.format(said="texts = rw.row_wise(texts)\n")
    captured = run(tmp_path, source, input=None)
    assert (captured.signature.kind, captured.signature.input) == ("texts", "texts")
    made = ["word " * (i % 7) + ("good" if i % 3 else "bad") for i in range(60)]
    features = np.array([[len(t), t.count("good")] for t in made], dtype=float)
    weights, base = fitted(features, [i % 3 for i in range(60)])
    found = answers(tmp_path, captured, ["good good", "x"])
    expected = np.array([[9.0, 2.0], [1.0, 0.0]]) @ weights + base
    np.testing.assert_allclose(found["values"], expected, atol=1e-9)


def test_rows_said_of_what_is_none_are_refused_by_line(tmp_path: Path) -> None:
    said = 'low = rw.row_wise(df["x"].min())\ndf["x"] = df["x"] - low\n'
    error = refused(tmp_path, HEAD + said + TAIL.format(columns='["x", "w"]'))
    assert (error.line, error.code) == (10, "law-broken")
    assert "rw.row_wise" in error.message


TARGET = """\
df = df[df["late"] == 0]
model = LinearRegression().fit(df[["x", "w"]], df["y"])
scores = model.predict(df[["x", "w"]])
"""
DEPLOY = """\
rw.deploy("late", input=rows, output=scores{more})
"""


def test_deploy_in_a_program_names_target_and_filters(tmp_path: Path) -> None:
    source = HEAD.replace("df = ", "rows = ") + "df = rows.copy()\n" + TARGET
    captured = run(tmp_path, source + DEPLOY.format(more=', target="late"'), input=None, outputs=())
    assert {column.name for column in captured.signature.columns} == {"x", "w"}
    (decision,) = captured.report.decisions
    assert "bypassed" in decision.decision
    assert "keep_filters=True" in decision.override
    (tmp_path / "kept").mkdir()
    more = ", keep_filters=True"
    kept = run(tmp_path / "kept", source + DEPLOY.format(more=more), input=None, outputs=())
    assert {column.name for column in kept.signature.columns} == {"x", "w", "late"}
    new = pd.DataFrame({"x": [0.1, 0.1], "w": [0.2, 0.2], "late": [0, 1]})
    assert [row for row, _, _ in answers(tmp_path, kept, new)["rejected"]] == [1]


def test_outside_a_recording_they_give_back_what_they_are_given() -> None:
    import roadworthy as rw

    value = object()
    assert rw.learned(value) is value
    assert rw.row_wise(value) is value
    with rw.creation_only():
        pass


BAG = """\
class Bag:
    def __init__(self, items):
        self.items = list(items)

    def scaled(self, factor):
        return np.array([item * factor for item in self.items])


factor = df["w"].mean()
"""
SCALED = """\
bag = Bag(df["x"].tolist())
df["z"] = bag.scaled(factor)
low = df["z"] < 0
"""


def test_lines_that_can_not_be_followed_are_captured_whole(tmp_path: Path) -> None:
    tail = TAIL.format(columns='["z", "w"]') + "scores[low.to_numpy()] = 0.0\n"
    (tmp_path / "plain").mkdir()
    error = refused(tmp_path / "plain", HEAD + BAG + SCALED + tail)
    assert isinstance(error, CaptureError)
    inside = "".join(f"    {line}\n" for line in SCALED.splitlines())
    source = HEAD + BAG + 'with rw.captured("scale it"):\n    # By the mean.\n' + inside + tail
    captured = run(tmp_path, source)
    frame = table()
    factor = frame["w"].mean()
    weights, base = fitted(np.column_stack([frame["x"] * factor, frame["w"]]), frame["y"])
    new = pd.DataFrame({"x": [0.5, -1.0], "w": [1.0, 2.0]})
    expected = new["x"] * factor * weights[0] + new["w"] * weights[1] + base
    found = answers(tmp_path, captured, new)["values"]
    np.testing.assert_allclose(found, np.where(new["x"] < 0, 0.0, expected), atol=1e-9)
    text = (captured.directory / "flow.py").read_text("utf-8")
    assert "def scale_it(df, " in text
    assert 'df["z"] = bag.scaled(factor)' in text
    assert "roadworthy" not in text


def test_a_block_that_is_no_function_is_refused_by_line(tmp_path: Path) -> None:
    block = 'with rw.captured("step"):\n    import math\n    df["x"] = df["x"] * math.pi\n'
    error = refused(tmp_path, HEAD + block + TAIL.format(columns='["x", "w"]'))
    assert error.line == 10
    assert "rw.captured" in error.message
