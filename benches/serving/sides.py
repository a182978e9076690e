"""Servers of the bench's flow: ours in both forms, the one written by hand, and the peers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flow_files
import httpx
import msgspec
from flow_features import rows

from roadworthy.core.deployment import WorkerSpec
from roadworthy.serving.agent_workers import prepare_golden
from roadworthy.serving.options import LogOptions
from roadworthy.testing.hosts import Host, wait_until

HERE = Path(__file__).parent
READY_SECONDS = 180.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Side:
    """A server: its name, where it takes one row and many, and how rows are sent to it."""

    def __init__(self, name: str, path: str, many: str) -> None:
        self.name = name
        self.path = path
        self.many = many
        self.port = 0
        self.roots: list[int] = []
        self.cold_seconds = 0.0

    def body(self, records: list[dict[str, Any]], single: bool) -> str:
        """A request's body."""
        return json.dumps(records[0] if single else records)

    def scores(self, answer: Any) -> list[float]:
        """The scores in an answer."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait for its first good answer; sets ``cold_seconds``."""
        began = time.perf_counter()
        self._start()
        wait_until(self._answers, READY_SECONDS, f"an answer of {self.name}")
        self.cold_seconds = time.perf_counter() - began

    def _start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """End its processes."""

    def ask(self, records: list[dict[str, Any]], single: bool) -> list[float]:
        """The scores of some rows. Raises httpx's errors."""
        path = self.path if single else self.many
        reply = httpx.post(
            f"http://127.0.0.1:{self.port}{path}",
            content=self.body(records, single),
            headers={"content-type": "application/json"},
            timeout=60,
            trust_env=False,
        )
        reply.raise_for_status()
        return self.scores(reply.json())

    def _answers(self) -> bool:
        try:
            return bool(self.port and self.ask(rows(1).to_dict("records"), True))
        except (httpx.HTTPError, KeyError):
            return False

    def pids(self) -> list[int]:
        """All its processes now."""
        found = list(self.roots)
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in _read(task).split()]
        return found

    def cpu_seconds(self) -> float:
        """User and system time of all its processes."""
        total = 0
        for pid in self.pids():
            fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
            total += sum(map(int, fields[11:13]))
        return total / _TICKS

    def memory(self) -> int:
        """Bytes that its processes hold; what several share counts once."""
        total = 0
        for pid in self.pids():
            for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
        return total

    def pin(self, cpu: int) -> None:
        """Keep all its threads on one core."""
        for pid in self.pids():
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), {cpu})


class Command(Side):
    """A server that one command starts; ``{port}`` in it is a free port."""

    def __init__(
        self, name: str, path: str, many: str, command: list[str], folder: Path, **variables: str
    ) -> None:
        super().__init__(name, path, many)
        self.command = command
        self.folder = folder
        self.variables = variables

    def _start(self) -> None:
        self.port = free_port()
        variables = {k: v.format(port=self.port) for k, v in self.variables.items()}
        self.process = subprocess.Popen(
            [part.format(port=self.port) for part in self.command],
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE), **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.roots = [self.process.pid]

    def stop(self) -> None:
        """End its whole group."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


class Hand(Command):
    """The server written by hand."""

    def __init__(self, directory: Path) -> None:
        command = [sys.executable, str(HERE / "hand_served.py"), str(directory), "{port}"]
        super().__init__("hand", "/predict", "/predict_many", command, HERE)

    def scores(self, answer: Any) -> list[float]:
        return [row["scores"] for row in (answer if isinstance(answer, list) else [answer])]


class Ours(Side):
    """Roadworthy's agent, gateway and worker, with validation, prediction log and metrics."""

    def __init__(self, name: str, kind: str, fast: bool) -> None:
        super().__init__(name, "/models/tiny/predict", "/models/tiny/predict")
        self.kind = kind
        self.fast = fast
        self.said = "as written"
        self.host = Host()
        log = LogOptions(directory=str(self.host.directory / "predictions"))
        self.host.options = msgspec.structs.replace(self.host.options, log=log)

    def _start(self) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """The flow is made, certified and routed first: that is no part of a cold start."""
        digest = ("f" if self.fast else "b") * 64
        (self.host.directory / "flows").mkdir()
        directory = flow_files.write(self.host.directory / "flows" / digest, self.kind)
        if self.fast:
            self.said = flow_files.add_fast(directory)
        prepare_golden(directory, digest, self.host.directory / "agent")  # as certifying does
        self.host.follow(1, WorkerSpec(release="tiny@1", flow=digest, python=sys.executable))
        began = time.perf_counter()
        self.host.__enter__()
        self.port = int(self.host.status().gateway_address.rpartition(":")[2])
        wait_until(self._answers, READY_SECONDS, f"an answer of {self.name}")
        self.cold_seconds = time.perf_counter() - began
        self.host.applied()
        (worker,) = self.host.status().workers
        assert self.host.process is not None
        self.roots = [self.host.process.pid]
        assert worker.form == ("fast" if self.fast else "as written"), worker

    def pids(self) -> list[int]:
        """The agent's, the gateway's and the workers'."""
        status = self.host.status()
        workers = [worker.pid for worker in status.workers if worker.pid]
        found = [*super().pids(), *workers]
        if status.gateway_pid:
            found.append(status.gateway_pid)
        return list(dict.fromkeys(found))

    def stop(self) -> None:
        """End the agent and all it owns."""
        self.host.__exit__()

    def scores(self, answer: Any) -> list[float]:
        answers = answer["answers"] if "answers" in answer else [answer["answer"]]
        return [each["scores"] for each in answers]


def _read(path: Path) -> str:
    """What the system says of a process; nothing where that has ended meanwhile."""
    try:
        return path.read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


Maker = Callable[[], Side]
