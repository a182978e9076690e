"""Journey 3, roll back: one command, under a second; the program comes back on request."""

from __future__ import annotations

import httpx
import pytest

from roadworthy.testing.programs import CHURN, write_churn
from roadworthy.testing.systems import System

DEPLOY = ("deploy", "churn.py", "--input", "customers", "--output", "scores", "--name", "churn")
pytestmark = pytest.mark.timeout(300)


def test_roll_back() -> None:
    with System() as system:
        program = write_churn(system.directory)
        assert system.run(*DEPLOY).returncode == 0
        program.write_text(CHURN.replace("> 4", "> 5"))
        assert system.run(*DEPLOY).returncode == 0

        gone_back = system.answer("rollback", "churn", "--reason", "too many calls at night")
        assert gone_back["applied"]
        assert gone_back["seconds"] < 1.0
        row = {"age": 40.0, "plan": "pro", "calls": 5}
        answer = httpx.post(f"{system.gateway}/models/churn/predict", json=row, trust_env=False)
        assert answer.json()["release"] == "churn@1"

        (why,) = system.answer("why", "churn")
        assert (why["live"], why["action"], why["back"]) == ("churn@1", "rollback", "churn@2")
        assert why["reason"] == "too many calls at night"
        history = system.answer("history", "churn")
        assert [(each["action"], each["release"]) for each in history] == [
            ("rollback", 1),
            ("deploy", 2),
            ("deploy", 1),
        ]

        assert system.run("checkout", "churn@1", "--to", "before").returncode == 0
        assert (system.directory / "before" / "churn.py").read_text() == CHURN
