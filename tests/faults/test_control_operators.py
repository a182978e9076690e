"""Fault 15: two operators promote and roll back at once: one effect, the other told by whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from roadworthy.client.control import ControlPlane
from roadworthy.errors import Conflict
from roadworthy.testing.systems import System

pytestmark = [pytest.mark.timeout(900), pytest.mark.fault("15")]


def test_of_two_operators_at_once_one_has_an_effect() -> None:
    with System() as system:
        system.up()
        for factor in (2.0, 3.0, 4.0):
            system.deploy(factor)
        for _ in range(5):
            (before,) = system.control.get("/deployments")
            together = Barrier(2)

            def roll_back(
                caller: str, seen: int = before["generation"], together: Barrier = together
            ) -> str:
                with ControlPlane(system.address, caller=caller) as control:
                    together.wait()
                    try:
                        control.rollback("tiny", "production", seen)
                    except Conflict as error:
                        return error.message
                return ""

            with ThreadPoolExecutor(2) as pool:
                told = list(pool.map(roll_back, ["ann", "bob"]))
            assert told.count("") == 1
            winner = ("ann", "bob")[told.index("")]
            assert f"{winner} set it to" in "".join(told)
            (after,) = system.control.get("/deployments")
            assert after["live"] == before["previous"]
            assert after["generation"] == before["generation"] + 1


def test_a_roll_back_beats_a_deployment_that_is_under_way() -> None:
    with System() as system:
        system.up()
        system.deploy(2.0)
        system.deploy(3.0)
        operation = system.begin(4.0)
        (before,) = system.control.get("/deployments")
        with ControlPlane(system.address, caller="night watch") as control:
            control.rollback("tiny", "production", before["generation"], reason="calls are slow")
        with pytest.raises(Conflict, match=r"night watch set it to tiny@1 .*calls are slow"):
            system.control.follow(operation, lambda line: None)
        assert system.live() == 1
        assert system.predict(a=3.0, b=1)["answer"]["scores"] == 7.0
