"""Faults 1 and 4b: ``kill -9`` of each process while something is deployed or rolled back.

After it the state is the one before or the one after, what was live stays live, and a stream
of requests meets no wrong answer.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from roadworthy.core.operation import Operation, Progress
from roadworthy.errors import RoadworthyError, Unavailable
from roadworthy.operations.processes import lives
from roadworthy.testing.hosts import wait_until
from roadworthy.testing.systems import System

pytestmark = [pytest.mark.timeout(900), pytest.mark.fault("1")]
STEPS = ("record", "start", "certify", "switch", "route")


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System() as running:
        running.up()
        running.deploy(2.0)
        yield running


class Stream:
    """Requests one after the other, with what came back."""

    def __init__(self) -> None:
        self.scores: list[float] = []
        self.failures: list[str] = []


@contextmanager
def steady_stream(system: System) -> Iterator[Stream]:
    """Ask all the while."""
    stop, stream = threading.Event(), Stream()

    def ask() -> None:
        while not stop.is_set():
            try:
                stream.scores.append(system.predict(a=3.0, b=1)["answer"]["scores"])
            except (httpx.HTTPError, AssertionError) as error:
                stream.failures.append(repr(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield stream
    finally:
        stop.set()
        thread.join()


def settled(system: System) -> None:
    """Wait until nothing is under way and the gateway follows the newest table."""

    def look() -> bool:
        try:
            found = system.control.get("/status")
        except RoadworthyError:
            return False
        wanted = all(each["live"] == each["release"] for each in found["deployments"])
        return bool(not found["operations"] and found["table"] == found["applied"] and wanted)

    wait_until(look, seconds=60, what="rest")


def deploy_and_kill(system: System, factor: float, step: str, name: str) -> Operation | None:
    """Deploy, and kill a process as soon as this step is told; None where it ended badly."""
    killed = []

    def tell(line: Progress) -> None:
        if line.step == step and not killed:
            killed.append(system.kill(name))

    operation = system.begin(factor)
    try:
        ended = system.control.follow(operation, tell, patience=60)
    except RoadworthyError:
        ended = None
    assert killed
    return ended


@pytest.mark.parametrize("step", STEPS)
def test_a_control_plane_killed_while_deploying_goes_on(system: System, step: str) -> None:
    before = system.live()
    factor = 10.0 + STEPS.index(step)
    with steady_stream(system) as stream:
        ended = deploy_and_kill(system, factor, step, "control")
        settled(system)
    assert stream.failures == []
    assert ended is not None
    assert ended.release == f"tiny@{system.live()}"
    assert system.live() != before
    assert system.predict(a=3.0, b=1)["answer"]["scores"] == 3.0 * factor + 1
    assert {each["release"] for each in system.answer("history", "tiny")[:1]} == {system.live()}


def test_kills_at_random_times_leave_the_state_before_or_after(system: System) -> None:
    for number in range(4):
        before, factor = system.live(), 30.0 + number
        operation = system.begin(factor)
        time.sleep(0.15 + 0.7 * number)  # the moment of the kill is what is varied
        system.kill("control")
        with contextlib.suppress(RoadworthyError):  # ended without its effect: the state tells
            system.control.follow(operation, lambda line: None, patience=60)
        settled(system)
        after = system.live()
        score = system.predict(a=3.0, b=1)["answer"]["scores"]
        assert score == 3.0 * factor + 1 if after != before else score != 3.0 * factor + 1


@pytest.mark.parametrize("step", ["start", "certify"])
def test_an_agent_killed_while_deploying_loses_no_request(system: System, step: str) -> None:
    factor = 40.0 + STEPS.index(step)
    before = system.live()
    with steady_stream(system) as stream:
        ended = deploy_and_kill(system, factor, step, "agent")
        settled(system)
    assert stream.failures == []
    assert (system.live() != before) == (ended is not None)


@pytest.mark.fault("4b")
def test_a_killed_gateway_is_back_with_the_same_release(system: System) -> None:
    live = system.live()
    old = system.gateway_pid()
    system.kill("gateway")
    began = time.monotonic()

    def answers() -> bool:
        try:
            return bool(system.predict()["release"] == f"tiny@{live}")
        except (httpx.HTTPError, AssertionError):
            return False

    wait_until(answers, what="the gateway")
    assert time.monotonic() - began < 10
    wait_until(lambda: system.gateway_pid() not in (None, old), what="the report of it")
    settled(system)


@pytest.mark.fault("8")
def test_a_killed_worker_is_replaced_and_others_answer(system: System) -> None:
    live = f"tiny@{system.live()}"
    (pid,) = system.pids(live)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: system.pids(live) not in ([], [pid]), what="another worker")
    assert system.predict()["release"] == live


def test_a_control_plane_killed_while_rolling_back(system: System) -> None:
    system.deploy(50.0)
    before = system.live()
    (found,) = system.control.get("/deployments")
    with steady_stream(system) as stream:
        thread = threading.Timer(0.01, lambda: system.kill("control"))
        thread.start()
        with contextlib.suppress(Unavailable):
            system.control.rollback("tiny", "production", found["generation"], reason="fault")
        thread.join()
        settled(system)
    assert stream.failures == []
    assert system.live() in (before, found["previous"])


def test_a_killed_supervisor_leaves_everything_running_for_the_next(system: System) -> None:
    parts = {name: system.process(name) for name in ("control", "agent")}
    with steady_stream(system) as stream:
        system.kill("supervisor")
        assert all(lives(process) for process in parts.values())
        system.up()
        wait_until(lambda: system.record().supervisor.pid, what="a record")
    assert stream.failures == []
    assert lives(parts["control"])
    assert lives(parts["agent"])
    system.kill("control")
    settled(system)


def test_down_finds_what_a_killed_supervisor_left() -> None:
    with System() as other:
        other.up()
        parts = [other.process(name) for name in ("control", "agent")]
        gateway = wait_until(other.gateway_pid, what="a gateway")
        other.kill("supervisor")
        done = other.run("down")
        assert done.returncode == 0
        assert "agent" in done.stdout
        assert not any(lives(process) for process in parts)
        assert gateway is not None
        wait_until(lambda: not Path(f"/proc/{gateway}").exists(), what="its end")


def test_after_everything_was_killed_up_brings_back_what_was_live(system: System) -> None:
    live = system.live()
    victims = [system.process(name) for name in ("supervisor", "control", "agent")]
    pids = [*system.pids(f"tiny@{live}"), system.gateway_pid()]
    for pid in [*(each.pid for each in victims), *(pid for pid in pids if pid)]:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(lives(each) for each in victims), what="their end")
    system.up()
    settled(system)
    assert system.live() == live
    wait_until(lambda: system.pids(f"tiny@{live}"), what="a worker")
    assert system.predict()["release"] == f"tiny@{live}"
    system.deploy(60.0)
    assert system.predict(a=3.0, b=1)["answer"]["scores"] == 181.0
