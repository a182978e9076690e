"""Journey 1, first success: a program is run, captured, certified, deployed, and answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest

from roadworthy.testing.programs import write_churn
from roadworthy.testing.systems import System

ROOT = Path(__file__).parents[2]
DEPLOY = ("deploy", "churn.py", "--input", "customers", "--output", "scores", "--name", "churn")
pytestmark = pytest.mark.timeout(300)


def test_first_success() -> None:
    with System() as system:
        write_churn(system.directory)
        done = system.run(*DEPLOY)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "accuracy" in done.stdout
        assert "churn@1 is live in production" in done.stdout
        assert f"{system.gateway}/models/churn/predict" in done.stdout
        assert "statements" in done.stdout

        row = {"age": None, "plan": "pro", "calls": 7}
        answer = httpx.post(f"{system.gateway}/models/churn/predict", json=row, trust_env=False)
        assert answer.status_code == 200
        assert 0.5 < answer.json()["answer"]["scores"] < 1

        shown = system.answer("show", "churn@1")
        replay = next(each for each in shown["certificate"]["checks"] if each["id"] == "replay")
        assert replay["outcome"] == "passed"
        assert shown["certificate"]["profile"]["p95_ms"] > 0
        page = httpx.get(f"{system.address}/models/churn/releases/1", trust_env=False)
        assert page.status_code == 200
        for text in ("churn", "kept", "frozen", "dropped"):
            assert text in page.text


def test_a_program_that_fails_is_told_with_its_line_and_kept_as_a_failed_run() -> None:
    with System() as system:
        program = write_churn(system.directory)
        program.write_text(program.read_text() + "print(1 / 0)\n")
        done = system.run(*DEPLOY)
        assert done.returncode == 6, done.stdout + done.stderr
        said = done.stderr[done.stderr.index("line 17") :]
        assert "ZeroDivisionError" in said
        (run,) = system.answer("runs")
        assert run["status"] == "failed"
        assert f"page: {system.address}/runs/{run['id']}\n" in done.stderr
        assert "ZeroDivisionError" in system.run("runs", run["id"]).stdout
        assert system.answer("releases") == []


def test_an_unknown_output_is_answered_with_the_nearest_name() -> None:
    with System() as system:
        write_churn(system.directory)
        done = system.run(*DEPLOY[:5], "scroes", *DEPLOY[6:])
        assert done.returncode == 7, done.stdout + done.stderr
        assert "scores" in done.stderr
        assert system.answer("status")["deployments"] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_first_success_with_a_year_of_flights() -> None:
    with System() as system:
        shutil.copytree(ROOT / "examples" / "flight_delay", system.directory / "flight_delay")
        done = system.run(
            "deploy",
            "flight_delay/train.py",
            *("--input", "flights", "--output", "scores", "--name", "flight-delay"),
            seconds=400,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        answers = json.loads(
            system.run("predict", "flight-delay", "flight_delay/rows.csv", "--json").stdout
        )
        assert answers["release"] == "flight-delay@1"
        assert all(0 <= each["scores"] <= 1 for each in answers["answers"] if each)
