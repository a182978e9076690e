"""A check that fails names the program's line and what helps there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.capture.making import make_refusal

from roadworthy.errors import CaptureError, ProgramFailed, VerificationFailed

PROGRAM = """\
from datetime import datetime

import numpy as np
import pandas as pd

df = pd.DataFrame({{"w": np.arange(60) % 7 + 1.0, "k": np.arange(60) % 5}})


{before}

df["odd"] = df["w"].apply({row})
scores = df["odd"] * 2
"""
OWN = """\
def age(value):
    year = datetime.now().year
    return year - value
"""


@pytest.mark.parametrize(
    ("before", "row", "line", "cure"),
    [
        ("LIMIT = 3", "lambda v: datetime.now().year - v", 11, "as a column of the input"),
        (OWN, "age", 10, "as a column of the input"),
        ("LIMIT = 3", "lambda v: v + len(open('/etc/passwd').read())", 11, "read the file once"),
    ],
    ids=["clock", "clock in a function", "file"],
)
def test_effects(tmp_path: Path, before: str, row: str, line: int, cure: str) -> None:
    text = PROGRAM.format(before=before, row=row)
    raised = make_refusal(text, tmp_path / "made", "df", ("scores",))
    assert isinstance(raised, VerificationFailed), raised
    assert raised.line == line
    assert cure in raised.cure


def test_a_program_that_ends_itself_says_why(tmp_path: Path) -> None:
    text = PROGRAM.format(before="import sys", row="abs") + 'sys.exit("no data today")\n'
    raised = make_refusal(text, tmp_path / "made", "df", ("scores",))
    assert isinstance(raised, ProgramFailed), raised
    assert raised.line == 13
    assert "exit code 1: no data today" in raised.message


def test_a_table_that_is_read_twice_is_named_by_line(tmp_path: Path) -> None:
    text = PROGRAM.format(before="df = df.to_dict('list')\ndf = pd.DataFrame(df)", row="abs")
    raised = make_refusal(text, tmp_path / "made", "df", ("scores",))
    assert isinstance(raised, CaptureError), raised
    assert raised.cure.endswith("--input df:6 or --input df:9 or --input df:10")


def test_a_program_may_close_what_it_prints_to(tmp_path: Path) -> None:
    text = PROGRAM.format(before="import sys", row="abs")
    text += "sys.stdout.close()\nsys.stderr.close()\n"
    assert make_refusal(text, tmp_path / "made", "df", ("scores",)) is None


def test_an_effect_is_named_before_what_it_leads_to(tmp_path: Path) -> None:
    text = PROGRAM.format(before="import time", row="lambda v: v + time.time()")
    raised = make_refusal(text, tmp_path / "made", "df", ("scores",))
    assert isinstance(raised, VerificationFailed), raised
    assert (raised.line, raised.cure) == (11, "pass the time as a column of the input")
