"""Boosted trees and networks: captured in their own environment, answering as by hand."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.capture import rows
from tests.capture.making import ASKING, at

from roadworthy.capture import Captured, CaptureRequest, capture_program

pytestmark = pytest.mark.timeout(900)
PYTHON = Path(os.environ["HEAVY_PYTHON"])
FOLDER = Path(__file__).parent
SINGLE = 2e-5
"""Networks compute with floats of 32 bits; by hand it is done with 64."""


@dataclass(frozen=True)
class Case:
    """A program, its new rows, the columns that it needs and the formats of its state."""

    program: str
    new: pd.DataFrame
    needed: str
    formats: dict[str, str]


CASES = [
    Case(
        "boosted",
        rows.orders(),
        "amount items channel city",
        {"first": "xgboost", "second": "skops", "third": "xgboost", "fourth": "lightgbm"},
    ),
    Case(
        "torched",
        rows.passengers(),
        "sex age pclass fare",
        {"net": "safetensors+pickle", "scaler": "skops"},
    ),
    Case("layered", rows.passengers(), "age pclass fare", {"model": "keras"}),
]


@dataclass(frozen=True)
class Outcome:
    """What came of a program."""

    case: Case
    captured: Captured
    by_hand: dict[str, Any]
    answers: dict[str, Any]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.program)
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Captures the program, runs it plainly, and asks its flow in a fresh process."""
    case: Case = request.param
    folder = tmp_path_factory.mktemp(case.program)
    program = FOLDER / "programs" / f"{case.program}.py"
    captured = capture_program(
        CaptureRequest(
            program=program, name=case.program, python=PYTHON, input="df", outputs=("scores",)
        ),
        folder / "out",
    )
    (folder / "rows").write_bytes(pickle.dumps(case.new))
    _run(FOLDER / "by_hand.py", program, folder / "rows", folder / "by_hand")
    sample = pd.read_parquet(captured.directory / "sample.parquet")
    questions = [("new", case.new), ("none", at(case.new, [])), ("sample", sample)]
    questions += [(f"alone {place}", at(case.new, [place])) for place in range(len(case.new))]
    (folder / "questions").write_bytes(pickle.dumps(questions))
    _run("-I", ASKING, "flow", captured.directory, folder / "questions", folder / "answers")
    return Outcome(
        case,
        captured,
        pickle.loads((folder / "by_hand").read_bytes()),
        pickle.loads((folder / "answers").read_bytes()),
    )


def _run(*arguments: Any) -> None:
    command = [str(PYTHON), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_new_rows_are_answered_as_by_hand(outcome: Outcome) -> None:
    found = outcome.answers["new"]["values"]
    np.testing.assert_allclose(found, outcome.by_hand["new"], rtol=SINGLE, atol=1e-6)


def test_a_row_alone_is_answered_as_among_others(outcome: Outcome) -> None:
    whole = outcome.answers["new"]["values"]
    for place in range(len(outcome.case.new)):
        alone = outcome.answers[f"alone {place}"]["values"]
        np.testing.assert_allclose(alone, whole[place : place + 1], rtol=SINGLE)


def test_the_programs_own_answers_come_again(outcome: Outcome) -> None:
    sample = pd.read_parquet(outcome.captured.directory / "sample.parquet")
    found = outcome.answers["sample"]["values"]
    np.testing.assert_allclose(found, sample["answer:scores"], rtol=1e-5)


def test_no_row_has_no_answer(outcome: Outcome) -> None:
    assert np.shape(outcome.answers["none"]["values"]) == (0,)


def test_the_signature_has_the_columns_that_are_needed(outcome: Outcome) -> None:
    found = {column.name for column in outcome.captured.signature.columns}
    assert found == set(outcome.case.needed.split())


def test_state_is_in_the_libraries_own_formats(outcome: Outcome) -> None:
    text = (outcome.captured.directory / "state" / "index.json").read_text("utf-8")
    found = {entry["name"]: entry["format"] for entry in json.loads(text)["values"]}
    assert {name: found[name] for name in outcome.case.formats} == outcome.case.formats
