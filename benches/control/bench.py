"""Measures the control plane: help, start, idle memory, and from a program's end to its answer.

Run it on a machine that does nothing else: ``python benches/control/bench.py``. Prints each figure
beside its goal.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from roadworthy.testing.programs import CHURN, write_churn
from roadworthy.testing.systems import System

HELP_GOAL = 0.2
UP_GOAL = 5.0
IDLE_GOAL = 250e6
ANSWER_GOAL = 10.0
ROLLBACK_GOAL = 1.0
ROUNDS = 5


def measured(name: str, found: float, goal: float, unit: str) -> None:
    """Print one figure beside its goal."""
    verdict = "reached" if found <= goal else "missed"
    print(f"{name:<46} {found:8.3f} {unit:<3} goal {goal:g} {unit}: {verdict}", flush=True)


def help_seconds() -> float:
    """The median time of ``roadworthy --help``, in seconds."""
    times = []
    for _ in range(ROUNDS * 2):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "roadworthy", "--help"], stdout=subprocess.DEVNULL, check=True
        )
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def resident(pid: int) -> int:
    """Resident memory of a process, in bytes; 0 where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


CHURN_ARGUMENTS = ("churn.py", "--input", "customers", "--output", "scores", "--name", "churn")
FLIGHTS = Path(__file__).parents[2] / "examples/flight_delay/train.py"
FLIGHTS_ARGUMENTS = ("flights.py", "--input", "flights", "--output", "scores", "--name", "flights")
SETTLE_SECONDS = 240.0


def answered_after(system: System, arguments: Sequence[str]) -> float:
    """Seconds from the end of a program's own run until its release answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "roadworthy", "deploy", *arguments],
        cwd=system.directory,
        env=system.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    ended = live = None
    for line in process.stderr:
        if line.startswith("✓ running"):
            ended = time.perf_counter()
        if line.startswith("✓ switching"):
            live = time.perf_counter()
    if process.wait() or ended is None or live is None:
        raise RuntimeError("the deployment failed; run it by hand")
    return live - ended


def settled(system: System) -> None:
    """Wait until the live release has moved to its own environment, as it does by itself."""
    until = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until:
        workers = (system.control.get("/agent/status") or {"workers": []})["workers"]
        moved = [each for each in workers if each["python"].startswith(str(system.home))]
        if len(workers) == len(moved) and all(each["state"] == "ready" for each in moved):
            return
        time.sleep(0.5)
    raise RuntimeError(f"the release did not move within {SETTLE_SECONDS:.0f} s")


def flights() -> None:
    """The same for a year of flights: the example, with another threshold each time."""
    source = FLIGHTS.read_text(encoding="utf-8")
    times = []
    with System({"ROADWORTHY_WORKERS_SETTLE_SECONDS": "0.5"}) as system:
        system.up()
        for number in range(ROUNDS):
            changed = source.replace("> 15", f"> {15 + number}")
            (system.directory / "flights.py").write_text(changed, encoding="utf-8")
            times.append(answered_after(system, FLIGHTS_ARGUMENTS))
            print(f"  deployment {number + 1}: {times[-1]:.1f} s after the program's end")
            if number == 0:
                settled(system)
    measured("the same for the flight example", statistics.median(times[1:]), ANSWER_GOAL, "s")


def main() -> int:
    """Measure everything once; the exit code is 0 whatever was found."""
    measured("roadworthy --help", help_seconds(), HELP_GOAL, "s")
    with System() as system:
        began = time.perf_counter()
        system.up()
        measured("roadworthy up, until ready", time.perf_counter() - began, UP_GOAL, "s")
        time.sleep(5)  # what is loaded after the start is counted as well
        pids = [system.process("control").pid, system.gateway_pid() or 0]
        sizes = [resident(pid) / 1e6 for pid in pids]
        measured("idle memory, control plane plus gateway", sum(sizes), IDLE_GOAL / 1e6, "MB")
        print(f"  control plane {sizes[0]:.0f} MB, gateway {sizes[1]:.0f} MB")
        program = write_churn(system.directory)
        times = []
        for number in range(ROUNDS):
            program.write_text(CHURN.replace("> 4", f"> {number + 2}"), encoding="utf-8")
            times.append(answered_after(system, CHURN_ARGUMENTS))
            print(f"  deployment {number + 1}: {times[-1]:.1f} s after the program's end")
        measured(
            "end of program → new release answers", statistics.median(times[1:]), ANSWER_GOAL, "s"
        )
        rollbacks = []
        for _ in range(ROUNDS):
            (found,) = system.control.get("/deployments")
            rollbacks.append(
                system.control.rollback("churn", "production", found["generation"])["seconds"]
            )
        measured("roll-back, until the gateway follows", max(rollbacks), ROLLBACK_GOAL, "s")
        row = {"age": 40.0, "plan": "pro", "calls": 5}
        httpx.post(
            f"{system.gateway}/models/churn/predict", json=row, trust_env=False
        ).raise_for_status()
    flights()
    return 0


if __name__ == "__main__":
    sys.exit(main())
