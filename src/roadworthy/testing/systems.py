"""A whole Roadworthy for tests: real processes in a directory of their own, on free ports."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from roadworthy.certification.certify import CAPTURE_CHECKS
from roadworthy.client.control import ControlPlane
from roadworthy.client.uploading import upload_flow, upload_run
from roadworthy.core.capture import CaptureReport, SourceFile, SourceLine
from roadworthy.core.certificate import Check
from roadworthy.core.ids import sortable_id
from roadworthy.core.names import Stage
from roadworthy.core.operation import Operation
from roadworthy.core.run import Run
from roadworthy.core.signature import Signature
from roadworthy.operations.processes import Process, lives
from roadworthy.operations.supervisor import SupervisorRecord
from roadworthy.testing.flows import SIGNATURE, write_flow
from roadworthy.testing.hosts import wait_until


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return ports


class System:
    """Roadworthy in a fresh directory. Use as a context manager; everything is stopped.

    ``settings`` are more variables for it (``ROADWORTHY_WORKERS_THREADS`` …).
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rw-"))
        self.home = self.directory / "home"
        control, gateway = free_ports(2)
        self.address = f"http://127.0.0.1:{control}"
        self.gateway = f"http://127.0.0.1:{gateway}"
        kept = {key: value for key, value in os.environ.items() if "ROADWORTHY" not in key}
        self.environment = {
            **kept,
            "HOME": str(self.directory),
            "ROADWORTHY_HOME": str(self.home),
            "ROADWORTHY_CONTROL_PORT": str(control),
            "ROADWORTHY_GATEWAY_PORT": str(gateway),
            "ROADWORTHY_LOG_FLUSH_SECONDS": "0.5",
            "ROADWORTHY_WORKERS_SETTLE_SECONDS": "3600",
            **(settings or {}),
        }
        self.control = ControlPlane(self.address, caller="tester")

    def __enter__(self) -> System:
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()
        self.run("down")
        self.kill_strays()
        shutil.rmtree(self.directory, ignore_errors=True)

    # The command line

    def run(
        self, *arguments: str, seconds: float = 400.0, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """``roadworthy ARGUMENTS`` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "roadworthy", *arguments],
            cwd=self.directory,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def up(self) -> None:
        """``roadworthy up``, which must succeed."""
        done = self.run("up")
        assert done.returncode == 0, done.stdout + done.stderr

    def answer(self, *arguments: str) -> Any:
        """What a command that must succeed answers with ``--json``."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    # Releases without capture

    def begin(
        self, factor: float, *, model: str = "tiny", stage: Stage = "production", **how: Any
    ) -> Operation:
        """Begin to deploy a hand-made flow that answers ``a * factor + b``."""
        return self.control.deploy(self.request(factor, model=model, stage=stage, **how))

    def deploy(self, factor: float, **how: Any) -> Operation:
        """The same, to its end, which must be good."""
        return self.control.follow(self.begin(factor, **how), lambda line: None)

    def request(
        self,
        factor: float,
        *,
        model: str = "tiny",
        stage: Stage = "production",
        interpreter: str = sys.executable,
        **how: Any,
    ) -> Any:
        """Upload a hand-made flow and its run; what to ask for to deploy it."""
        directory = Path(tempfile.mkdtemp(prefix="flow-", dir=self.directory))
        write_flow(directory, factor=factor, **how)
        (directory / "state").mkdir(exist_ok=True)
        (directory / "state" / "index.json").write_text('{"format": 1, "values": []}')
        program = directory.parent / f"{directory.name}.py"
        program.write_text(f"factor = {factor}\nscores = rows.a * factor + rows.b\n")
        run = upload_run(
            self.control, _run(factor), [("train.py", program)], _report(program.read_text())
        )
        return upload_flow(
            self.control,
            directory,
            model=model,
            stage=stage,
            run=run.id,
            signature=msgspec.convert(how.get("signature") or SIGNATURE, Signature),
            checks=[_check(each) for each in CAPTURE_CHECKS],
            interpreter=Path(interpreter),
        )

    # Asking

    def predict(self, a: float = 3.0, b: int = 1, model: str = "tiny") -> Any:
        """The gateway's answer to one row."""
        answer = httpx.post(
            f"{self.gateway}/models/{model}/predict",
            json={"a": a, "b": b, "kind": "fine"},
            trust_env=False,
            timeout=20.0,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def live(self, model: str = "tiny", stage: str = "production") -> int | None:
        """The number that the control plane says is live."""
        for each in self.control.get("/deployments"):
            if each["model"] == model and each["stage"] == stage:
                number: int | None = each["live"]
                return number
        return None

    # Processes

    def record(self) -> SupervisorRecord:
        """What the supervisor left to be read."""
        path = self.home / "run" / "supervisor.json"
        return msgspec.json.decode(path.read_bytes(), type=SupervisorRecord)

    def process(self, name: str) -> Process:
        """The supervisor, or one of its children, as recorded."""
        record = self.record()
        if name == "supervisor":
            return record.supervisor
        (found,) = [each for each in record.children if each.name == name]
        return found

    def pids(self, release: str) -> list[int]:
        """The processes of a release's ready workers, by the agent's report."""
        status = self.control.get("/agent/status") or {"workers": []}
        return [
            each["pid"]
            for each in status["workers"]
            if each["release"] == release and each["state"] == "ready"
        ]

    def gateway_pid(self) -> int | None:
        """The gateway's process, by the agent's report."""
        pid: int | None = (self.control.get("/agent/status") or {}).get("gateway_pid")
        return pid

    def kill(self, name: str) -> Process:
        """``kill -9`` of a process by name; the process that was killed."""
        if name == "gateway":
            pid = wait_until(self.gateway_pid, what="a gateway")
            assert pid is not None
            process = Process(pid=pid, born="")
        else:
            process = self.process(name)
        os.kill(process.pid, signal.SIGKILL)
        if process.born:
            wait_until(lambda: not lives(process), what=f"the end of {name}")
        return process

    def kill_strays(self) -> None:
        """Kill what still has this directory in its command line or environment: a last resort."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if str(self.directory).encode() in words and int(folder.name) != os.getpid():
                os.kill(int(folder.name), signal.SIGKILL)


def _run(factor: float) -> Run:
    milliseconds = int.from_bytes(os.urandom(5))
    return Run(
        id=sortable_id(milliseconds, os.urandom(10)),
        program="train.py",
        files=[],
        arguments=[],
        parameters={"factor": factor},
        metrics={"auc": 0.5 + factor / 1000},
        python=".".join(map(str, sys.version_info[:3])),
        packages=[],
        started="2026-03-01T12:00:00Z",
        seconds=0.1,
        status="captured",
    )


def _report(text: str) -> CaptureReport:
    lines = [
        SourceLine(number=number, text=line, role="kept")
        for number, line in enumerate(text.splitlines(), 1)
    ]
    return CaptureReport(
        files=[SourceFile(path="train.py", lines=lines)],
        decisions=[],
        state=[],
        statements=2,
        kept=1,
        frozen=1,
    )


def _check(name: str) -> Check:
    return Check(
        id=name, group="capture", title=name, outcome="passed", required="equal", measured="equal"
    )
