"""The process beside the control plane: there while needed, and no longer than its starter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from roadworthy.operations.beside import Beside
from roadworthy.testing.hosts import wait_until

# Says its number, and ends when its input does.
CHILD = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"


@pytest.fixture
def wanted() -> list[bool]:
    """Whether it is needed."""
    return [True]


@pytest.fixture
def beside(tmp_path: Path, wanted: list[bool]) -> Iterator[Beside]:
    """One that runs, and looks often."""
    made = Beside(
        command=[sys.executable, "-c", CHILD],
        environment=dict(os.environ),
        cwd=tmp_path,
        log=tmp_path / "log",
        needed=lambda: wanted[0],
        look_seconds=0.02,
    )
    thread = threading.Thread(target=made.run)
    thread.start()
    yield made
    made.stop()
    thread.join()


def started(beside: Beside, count: int = 1) -> int:
    """The number of the process that was started so many-th."""

    def look() -> list[str]:
        found = beside.log.read_text().split() if beside.log.exists() else []
        return found if len(found) >= count else []

    return int(wait_until(look, what="the process")[count - 1])


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_it_runs_while_it_is_needed(beside: Beside, wanted: list[bool]) -> None:
    first = started(beside)
    wanted[0] = False
    wait_until(lambda: gone(first), what="its end")
    wanted[0] = True
    assert started(beside, 2) != first


def test_it_is_started_again_when_it_is_killed(beside: Beside) -> None:
    first = started(beside)
    os.kill(first, signal.SIGKILL)
    assert started(beside, 2) != first


def test_it_ends_with_its_starter_however_that_ends(tmp_path: Path) -> None:
    program = f"""
import os, pathlib, sys
from roadworthy.operations.beside import Beside
here = pathlib.Path({str(tmp_path)!r})
command = [sys.executable, "-c", {CHILD!r}]
Beside(command, dict(os.environ), here, here / "log", lambda: True, look_seconds=0.02).run()
"""
    with subprocess.Popen([sys.executable, "-c", program]) as starter:
        log = tmp_path / "log"
        pid = int(wait_until(lambda: log.exists() and log.read_text().strip(), what="the process"))
        assert not gone(pid)
        starter.kill()
    wait_until(lambda: gone(pid), what="its end")
