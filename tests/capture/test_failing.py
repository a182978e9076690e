"""A check that fails names the program's line and what helps there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.capture.making import make_refusal

from roadworthy.errors import VerificationFailed

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
