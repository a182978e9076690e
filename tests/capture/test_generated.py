"""Programs that chance composes of idioms: captured as a careful person would, or refused."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.capture.generating.composing import Generated, generate
from tests.capture.generating.running import CAUGHT, REFUSED, RIGHT, Runner, running

FOUND = (
    500003,
    500034,
    500078,
    500383,
    500597,
    500637,
    500354,
    500527,
    700359,
    700369,
    700658,
    900049,
    1101349,
    900124,
    1000376,
    1000481,
    1000721,
)
"""Numbers of programs that were once captured wrongly, or whose flow could not be written."""


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with running() as made:
        yield made


def hold(program: Generated, runner: Runner, verify: bool = False) -> str:
    """What became of a program; fails unless it was captured rightly or refused."""
    outcome = runner.run(program, verify)
    told = f"{outcome.verdict}: {outcome.text}\n\n{program.source}"
    assert outcome.verdict in (RIGHT, REFUSED, CAUGHT), told
    if program.must_refuse:
        assert outcome.verdict != RIGHT, told
    return outcome.verdict


@pytest.mark.timeout(600)
@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.integers(0, 1 << 30))
def test_generated_programs_are_right_or_refused(runner: Runner, number: int) -> None:
    hold(generate(random.Random(number)), runner)


@pytest.mark.parametrize("number", FOUND)
def test_programs_that_once_went_wrong(runner: Runner, number: int) -> None:
    hold(generate(random.Random(number)), runner)
