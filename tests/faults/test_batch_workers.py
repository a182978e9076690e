"""A batch that is killed takes its worker processes along, whatever they do at that moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from roadworthy.serving.processes import identify
from roadworthy.testing.flows import write_flow
from roadworthy.testing.hosts import SOURCE, wait_until

pytestmark = pytest.mark.fault("1")

START = """
import sys, time
from roadworthy.pipelines.workers import OwnWorker, Runnable
flow, runtime, kind = sys.argv[1:]
tiny = Runnable(release="tiny@1", python=sys.executable, flow=flow, runtime=runtime)
rows = {"a": ("float", [1.0]), "b": ("int", [2]), "kind": ("text", [kind])}
worker = OwnWorker(tiny)
worker.ask(rows, 1)
time.sleep(600)
"""
SLOW = "import time\ntime.sleep(600)"


@pytest.mark.parametrize(
    ("kind", "extra", "until"),
    [
        ("fine", "", "a listening one"),
        ("loop", "", "an answering one"),
        ("fine", SLOW, "a loading one"),
    ],
)
def test_workers_end_with_the_batch_that_started_them(
    tmp_path: Path, kind: str, extra: str, until: str, tried
):
    write_flow(tmp_path / "flow", extra=extra)
    batch = subprocess.Popen(
        [sys.executable, "-c", START, str(tmp_path / "flow"), str(SOURCE), kind],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(tmp_path)},
    )
    try:
        wait_until(lambda: _children(batch.pid), 60, "a worker")
        (worker,) = _children(batch.pid)
        if until != "a loading one":
            wait_until(lambda: list(tmp_path.glob("rw-*/socket")), 60, until)
        identity = identify(worker)
    finally:
        batch.kill()
        batch.wait(10)
    tried(1)
    wait_until(lambda: identify(worker) != identity, what="the worker's end")


def test_a_worker_whose_batch_is_dead_when_it_begins_does_not_go_on(tmp_path: Path):
    write_flow(tmp_path / "flow", extra=SLOW)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(20)
    command = [
        sys.executable,
        "-m",
        "roadworthy_runtime",
        "worker",
        "--flow",
        str(tmp_path / "flow"),
    ]
    command += ["--socket", str(tmp_path / "socket"), "--parent", str(gone.pid)]
    worker = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(SOURCE)})
    try:
        assert worker.wait(60) == 1
    finally:
        worker.send_signal(signal.SIGKILL)


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return [int(child) for child in found]
