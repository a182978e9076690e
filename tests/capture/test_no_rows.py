"""A filter may leave no row, for which libraries answer in shapes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.capture.making import capture

LIBRARY = """\
import numpy as np


class Model:
    def predict(self, X):
        return np.asarray(X)[:, 0] * 2.0 if len(X) else np.empty((0, 0))
"""
PROGRAM = """\
import numpy as np
import pandas as pd
from doubling import Model

df = pd.DataFrame({"a": np.arange(60) % 7, "b": np.arange(60) % 5})
df = df[df["a"] > 0]
scores = Model().predict(df)
"""


@pytest.mark.parametrize(("rows", "answers"), [("3,1\n0,1\n", '6.0\n""\n'), ("0,1\n", '""\n')])
def test_no_row_may_be_answered_in_another_shape(
    rows: str, answers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "doubling.py").write_text(LIBRARY, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(installed))
    (tmp_path / "program.py").write_text(PROGRAM, "utf-8")
    captured = capture(tmp_path / "program.py", tmp_path / "made", "df", ("scores",))
    (tmp_path / "rows.csv").write_text("a,b\n" + rows, "utf-8")
    command = [sys.executable, "flow.py", str(tmp_path / "rows.csv")]
    done = subprocess.run(
        command, cwd=captured.directory, capture_output=True, text=True, check=True
    )
    assert done.stdout == "scores\n" + answers, done.stderr
