"""A worker on its own, as certification and tests of flows start it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from roadworthy.testing.flows import write_flow
from roadworthy.testing.hosts import SOURCE, wait_until
from roadworthy_runtime import frames

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-m", "roadworthy_runtime", "worker", *sys.argv[1:]])
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="rw-"))
    yield made
    shutil.rmtree(made)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE)}


def command(folder: Path) -> list[str]:
    return ["--flow", str(folder / "flow"), "--socket", str(folder / "w"), "--release", "tiny@1"]


def ask(path: Path, frame: bytes) -> frames.Frame:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(frame)
        assembler = frames.Assembler()
        while True:
            for answer in assembler.feed(connection.recv(1 << 16)):
                return answer


def test_it_answers_frames_and_ends_on_sigterm(folder):
    write_flow(folder / "flow")
    worker = subprocess.Popen(
        [sys.executable, "-m", "roadworthy_runtime", "worker", *command(folder)],
        env=environment(),
    )
    try:
        wait_until((folder / "w").exists, what="a socket")
        assert os.getpgid(worker.pid) == worker.pid
        assert ask(folder / "w", frames.encode("hello", 3)).meta["release"] == "tiny@1"
        columns = {"a": ("float", [1.0, -1.0]), "b": ("int", [1, 1]), "kind": ("text", ["", ""])}
        answer = ask(folder / "w", frames.encode("predict", 4, 2, columns))
        assert (answer.kind, answer.id, answer.n) == ("answers", 4, 2)
        assert answer.meta["rejected"] == [[1, "a is below zero", 7]]
        assert answer.columns["scores"].values()[0] == 3.0
        assert ask(folder / "w", frames.encode("dance", 5)).kind == "error"
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    assert not (folder / "w").exists()


def test_it_dies_with_its_parent(folder):
    write_flow(folder / "flow")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *command(folder)], stdout=subprocess.PIPE, env=environment()
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_until((folder / "w").exists, what="a socket")
        parent.kill()
    wait_until(lambda: not running(pid), what="its end")


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_a_flow_that_does_not_load_is_told_on_its_last_line(folder):
    write_flow(folder / "flow", extra="raise RuntimeError('not today')")
    done = subprocess.run(
        [sys.executable, "-m", "roadworthy_runtime", "worker", *command(folder)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("can't serve: the flow in flow did not load")
    assert "not today" in done.stderr
