"""Captured flows against what a careful person computes by hand for rows never seen."""

from __future__ import annotations

import ast
import tomllib
from typing import Any

import numpy as np
import pytest
from tests.capture.cases import CASES, Case
from tests.capture.conftest import Laboratory
from tests.capture.making import Outcome, same

# The first test of a program waits until it was captured, run and asked.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(params=CASES, ids=lambda case: case.program)
def case(request: pytest.FixtureRequest) -> Case:
    """One program after the other."""
    asked: Case = request.param
    return asked


@pytest.fixture
def outcome(case: Case, laboratory: Laboratory) -> Outcome:
    """What came of it."""
    return laboratory.outcome(case.program)


def answered(outcome: Outcome, question: str) -> Any:
    """The values that the flow answered; fails where it raised."""
    found = outcome.answers[question]
    assert "error" not in found, f"{question}: {found.get('error')}"
    return found["values"]


def expected(case: Case) -> Any:
    """By hand, for the new rows."""
    return case.oracle(case.creation(), case.wrap(case.fresh()))


def part(values: Any, places: list[int]) -> Any:
    """The answers at these rows."""
    if isinstance(values, dict):
        return {name: part(value, places) for name, value in values.items()}
    return np.asarray(values)[places]


def test_recording_changes_nothing_that_the_program_does(outcome: Outcome) -> None:
    assert outcome.traced == outcome.plain
    assert outcome.plain_code == 0
    assert outcome.captured.run.status == "captured"


def test_the_programs_own_answers_are_equal_exactly(case: Case, outcome: Outcome) -> None:
    own = outcome.own[case.expression]
    if isinstance(own, dict) and len(own) == 1:
        (own,) = own.values()
    declared = tomllib.loads((outcome.captured.directory / "flow.toml").read_text("utf-8"))
    same(answered(outcome, "creation"), own, relative=declared["tolerance"])
    assert outcome.answers["creation"]["rejected"] == []


def test_new_rows_are_answered_as_by_hand(case: Case, outcome: Outcome) -> None:
    same(answered(outcome, "new"), expected(case))


def test_rows_are_rejected_with_the_programs_line(case: Case, outcome: Outcome) -> None:
    found = {row: line for row, reason, line in outcome.answers["new"]["rejected"] if reason}
    assert found == case.rejected


def test_a_row_alone_is_answered_as_among_others(case: Case, outcome: Outcome) -> None:
    whole = answered(outcome, "new")
    for place in range(len(case.fresh())):
        same(answered(outcome, f"alone {place}"), part(whole, [place]))


def test_rows_in_another_order_keep_their_answers(case: Case, outcome: Outcome) -> None:
    count = len(case.fresh())
    backwards = list(range(count))[::-1]
    same(answered(outcome, "backwards"), part(answered(outcome, "new"), backwards))


def test_no_row_has_no_answer_of_the_same_kind(outcome: Outcome) -> None:
    none, some = answered(outcome, "none"), answered(outcome, "new")
    for empty, full in zip(*map(_listed, (none, some)), strict=True):
        assert type(empty) is type(full)
        assert np.asarray(empty).shape == (0, *np.asarray(full).shape[1:])


def test_neither_order_nor_further_columns_nor_labels_matter(outcome: Outcome) -> None:
    if "columns turned" in outcome.answers:
        same(answered(outcome, "columns turned"), answered(outcome, "new"), relative=0)
        same(answered(outcome, "labels"), answered(outcome, "new"), relative=0)


def test_rows_that_the_program_could_not_answer_raise_or_are_rejected_for_a_word(
    case: Case, outcome: Outcome
) -> None:
    for place in case.failing:
        found = outcome.answers[f"failing {place}"]
        rejected = [reason for _, reason, line in found.get("rejected", ()) if line]
        assert "error" in found or "was not seen in creation" in rejected[0]


def test_the_signature_has_the_columns_that_are_needed(case: Case, outcome: Outcome) -> None:
    found = {column.name for column in outcome.captured.signature.columns}
    wanted = case.needed.split() if isinstance(case.needed, str) else case.needed
    assert found == set(wanted)


def test_a_test_side_that_learned_by_itself_is_warned_of(case: Case, outcome: Outcome) -> None:
    said = outcome.captured.report.warnings
    found = [text for text in said if "test side" in text or "own answers" in text]
    assert len(found) == len(case.warned)
    assert all(part in text for part, text in zip(case.warned, found, strict=True))


def test_the_flow_is_plain_python_that_names_no_tool(outcome: Outcome) -> None:
    text = (outcome.captured.directory / "flow.py").read_text("utf-8")
    tree = ast.parse(text)
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
    }
    assert not imported & {"roadworthy", "roadworthy_runtime"}
    assert max(map(len, text.splitlines())) <= 100
    assert ast.get_docstring(tree)


def _listed(values: Any) -> list[Any]:
    return list(values.values()) if isinstance(values, dict) else [values]
