"""Releases move to their own environment while they answer; the quarantined are not deployed."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import httpx
import pytest

from roadworthy.errors import PolicyViolation
from roadworthy.testing.environments import small_environment
from roadworthy.testing.hosts import wait_until
from roadworthy.testing.systems import System

pytestmark = pytest.mark.timeout(240)

SETUP = """
from setuptools import setup
setup(name="own-scaling", version="1.2.0", py_modules=["own_scaling"])
"""


def pythons(system: System, release: str) -> set[str]:
    status = system.control.get("/agent/status") or {"workers": []}
    return {
        each["python"]
        for each in status["workers"]
        if each["release"] == release and each["state"] == "ready"
    }


def test_a_release_moves_to_its_own_environment_and_no_request_is_lost() -> None:
    with System({"ROADWORTHY_WORKERS_SETTLE_SECONDS": "0.5"}) as system:
        system.up()
        system.deploy(2.0)
        assert pythons(system, "tiny@1") == {sys.executable}
        stop, lost = threading.Event(), []

        def ask() -> None:
            with httpx.Client(base_url=system.gateway, trust_env=False, timeout=10) as client:
                while not stop.is_set():
                    row = {"a": 3.0, "b": 1, "kind": None}
                    answer = client.post("/models/tiny/predict", json=row)
                    if answer.status_code != 200:
                        lost.append(answer.text)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            own = str(system.home / "envs")
            wait_until(
                lambda: all(each.startswith(own) for each in pythons(system, "tiny@1") or ["no"]),
                seconds=60,
                what="the move",
            )
        finally:
            stop.set()
            thread.join()
        assert lost == []
        assert system.predict()["answer"]["scores"] == 7.0


def test_a_release_that_can_not_run_in_its_own_environment_stays_and_says_so() -> None:
    refuses = "import sys\nassert '/envs/' not in sys.prefix, 'not here'"
    with System({"ROADWORTHY_WORKERS_SETTLE_SECONDS": "0.5"}) as system:
        system.up()
        system.deploy(2.0, extra=refuses)

        def noted() -> bool:
            return "stays in" in system.run("doctor").stdout

        wait_until(noted, seconds=60, what="the note")
        assert pythons(system, "tiny@1") == {sys.executable}
        assert system.predict()["answer"]["scores"] == 7.0


def test_a_package_of_ones_own_in_editable_form_is_served_from_its_wheel(tmp_path: Path) -> None:
    package = tmp_path / "own"
    package.mkdir()
    (package / "setup.py").write_text(SETUP)
    (package / "own_scaling.py").write_text("FACTOR = 2.0\n")
    python = small_environment(tmp_path / "env", [f"-e{package}"], sys.executable)
    with System() as system:
        system.up()
        system.deploy(
            2.0,
            interpreter=str(python),
            requirements="own-scaling==1.2.0\n",
            extra="import own_scaling\nFACTOR = own_scaling.FACTOR",
        )
        (package / "own_scaling.py").write_text("FACTOR = 99.0\n")
        assert system.predict()["answer"]["scores"] == 7.0
        (used,) = pythons(system, "tiny@1")
        assert used.startswith(str(system.home / "envs"))


def test_what_is_quarantined_is_not_deployed_in_any_way() -> None:
    with System() as system:
        system.up()
        system.deploy(2.0)
        system.deploy(3.0)
        system.answer("quarantine", "tiny@1", "--reason", "knots")
        (found,) = system.control.get("/deployments")
        generation = found["generation"]
        with pytest.raises(PolicyViolation, match=r"tiny@1 is quarantined: knots"):
            system.control.rollback("tiny", "production", generation)
        with pytest.raises(PolicyViolation, match="quarantined"):
            system.control.rollback("tiny", "production", generation, to=1)
        with pytest.raises(PolicyViolation, match="quarantined"):
            system.control.promote("tiny@1", "staging")
        with pytest.raises(PolicyViolation, match="quarantined"):
            system.deploy(2.0)
        with pytest.raises(PolicyViolation, match=r"other@1, as tiny@1, is quarantined"):
            system.deploy(2.0, model="other")
        assert system.live() == 2
        assert system.live("other") is None
        done = system.run("quarantine", "tiny@1", "--lift")
        assert done.returncode == 0, done.stderr
        system.control.rollback("tiny", "production", generation)
        assert system.live() == 1
