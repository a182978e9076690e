"""Why a variable is a row value or state, with what was tried on it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.capture.making import standard_output_to

from roadworthy.capture import CaptureRequest, capture_program
from roadworthy.cli.reporting import print_explained
from roadworthy.errors import CaptureError, RoadworthyError

PROGRAM = """\
import numpy as np
import pandas as pd

LIMIT = 3
df = pd.DataFrame({"w": np.arange(60) % 7 + 1.0, "k": np.arange(60) % 5})
middle = df["w"].mean()
df["over"] = df["w"] - middle
df["k"] = df["k"] * LIMIT
unused = df["k"].max()
scores = df["over"] * 2
"""


@dataclasses.dataclass
class Asked:
    found: list[dict[str, Any]]
    problem: RoadworthyError | None = None


def explain(folder: Path, text: str, wanted: str) -> Asked:
    (folder / "program.py").write_text(text, "utf-8")
    request = CaptureRequest(
        program=folder / "program.py", name="p", python=Path(sys.executable), input="df",
        outputs=("scores",), explain=wanted,
    )  # fmt: skip
    try:
        with standard_output_to(folder / "printed"):
            captured = capture_program(request, folder / "out")
    except RoadworthyError as error:
        return Asked(error.details.get("explained", []), error)
    return Asked(captured.report.details["explained"])


def test_a_mean_is_state_and_fewer_rows_show_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mean = float(np.mean(np.arange(60) % 7 + 1.0))
    (entry,) = explain(tmp_path, PROGRAM, "middle").found
    assert (entry["role"], entry["line"], entry["used"]) == ("state", 6, [7])
    assert entry["source"] == 'middle = df["w"].mean()'
    assert entry["evidence"][0] == f"all 60 rows give {mean:.6g}"
    assert "of the rows give" in entry["evidence"][1]
    assert entry["frozen"] == [{"name": "middle", "summary": f"{mean:.6g}", "line": 6}]
    print_explained([entry])
    said = capsys.readouterr().out
    assert "middle is state: it is made from many rows at once" in said
    assert f"frozen: middle, {mean:.6g}, learned at line 6" in said


def test_where_capture_stops_what_was_found_before_is_told(tmp_path: Path) -> None:
    text = PROGRAM.replace('df["k"] * LIMIT', 'df["w"].rank()')
    text = text.replace('df["over"] * 2', 'df["over"] * df["k"]')
    asked = explain(tmp_path, text, "df")
    assert asked.problem is not None
    assert asked.problem.line == 8
    made, over, stopped = asked.found
    assert (made["role"], made["evidence"]) == ("input", ["60 rows in creation"])
    assert (over["role"], over["column"], over["line"]) == ("row value", "over", 7)
    assert "each row gave the same" in over["evidence"][0]
    assert (stopped["role"], stopped["line"]) == ("undecided", 8)
    assert stopped["because"] == "capture stopped at line 8"


def test_a_column_of_creation_alone_is_told(tmp_path: Path) -> None:
    text = PROGRAM.replace('df["k"] * LIMIT', 'df["w"].rank()')
    asked = explain(tmp_path, text, "df")
    assert asked.problem is None
    ranked = next(each for each in asked.found if each["line"] == 8)
    assert "requests go on without the column" in ranked["because"]


def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    problem = explain(tmp_path, PROGRAM, "midle").problem
    assert isinstance(problem, CaptureError)
    assert "midle" in problem.message
    assert "middle" in problem.cure
