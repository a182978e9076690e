"""The supervisor of one machine: starts control plane and agent, and starts them again.

One at a time for a home, by a lock that the kernel drops with its holder. What a killed
supervisor left running is taken over by the next one, not started a second time.
"""

from __future__ import annotations

import http.client
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from roadworthy.core.values import Document
from roadworthy.errors import Conflict, Unavailable
from roadworthy.operations.processes import (
    Process,
    describe,
    listener,
    lives,
    port_is_free,
    stop,
)
from roadworthy.settings import Settings
from roadworthy.storage.locks import FileLock

log = logging.getLogger(__name__)
T = TypeVar("T")

PARTS = ("control", "agent")
LOOK_SECONDS = 0.1
STEADY_SECONDS = 10.0
LONGEST_PAUSE = 10.0
GRACE_SECONDS = 20.0
MOST_LOG_BYTES = 5_000_000


class SupervisorRecord(Document):
    """What a supervisor leaves for others to read: itself and what it started."""

    supervisor: Process
    children: list[Process]
    format: int = 1


class ControlRecord(Document):
    """Where the system that runs can be asked; written once it is ready."""

    pid: int
    address: str
    gateway: str
    started: str
    supervisor: int = 0
    format: int = 1


def pause_before(failures: int) -> float:
    """Seconds before a part that died so often in a row is started again.

    >>> [pause_before(n) for n in (1, 2, 3, 4, 9)]
    [0.0, 0.5, 1.0, 2.0, 10.0]
    """
    return 0.0 if failures <= 1 else min(LONGEST_PAUSE, 0.25 * 2.0 ** min(failures - 1, 10))


@dataclass
class Part:
    """A process that should run."""

    name: str
    command: Sequence[str]
    process: Process | None = None
    child: subprocess.Popen[bytes] | None = None
    failures: int = 0
    restarts: int = 0
    began: float = 0.0
    again_at: float = 0.0

    def runs(self) -> bool:
        """Whether it lives; collects it where it was our child and has ended."""
        if self.child is not None:
            return self.child.poll() is None
        return lives(self.process)


@dataclass
class Supervisor:
    """Runs the parts of ``settings.home`` until it is told to stop.

    ``commands`` start each part, ``environment`` is theirs.
    """

    settings: Settings
    commands: Mapping[str, Sequence[str]]
    environment: Mapping[str, str]
    started: str
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> int:
        """Start what does not run, watch, and stop everything at SIGTERM. The exit code.

        Raises Conflict where another supervisor has the home, or a port is in use.
        """
        self.settings.run.mkdir(parents=True, exist_ok=True)
        with FileLock(self.settings.supervisor_lock, f"Roadworthy in {self.settings.home}"):
            parts = self._take_over()
            for name, port, flag in (
                ("control", self.settings.control.port, "--port"),
                ("agent", self.settings.gateway.port, "--gateway-port"),
            ):
                if not parts[name].runs():
                    host = (
                        self.settings.control.host
                        if name == "control"
                        else self.settings.gateway.host
                    )
                    check_port(host, port, flag, own=self._own_gateway_may_listen(name))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._asked_to_stop)
            self._record(parts)
            try:
                self._watch(parts)
            finally:
                self._stop(parts)
        return 0

    def _own_gateway_may_listen(self, name: str) -> bool:
        """A gateway that outlived a killed agent is the next agent's to take over."""
        return name == "agent" and self.settings.status_file.exists()

    def _take_over(self) -> dict[str, Part]:
        parts = {name: Part(name=name, command=self.commands[name]) for name in PARTS}
        record = read_record(self.settings)
        for process in record.children if record else []:
            if process.name in parts and lives(process):
                log.info("taking over %s, process %d", process.name, process.pid)
                parts[process.name].process = process
                parts[process.name].began = time.monotonic()
        return parts

    def _watch(self, parts: Mapping[str, Part]) -> None:
        ready = False
        while not self._stopping.is_set():
            for part in parts.values():
                if not part.runs():
                    self._revive(part, parts)
                elif part.failures and time.monotonic() - part.began > STEADY_SECONDS:
                    part.failures = 0
            if not ready and self._answers():
                ready = True
                self._say_ready(parts)
            self._stopping.wait(LOOK_SECONDS)

    def _revive(self, part: Part, parts: Mapping[str, Part]) -> None:
        now = time.monotonic()
        if part.process is not None:
            code = part.child.returncode if part.child is not None else None
            part.failures += 1
            part.again_at = now + pause_before(part.failures)
            log.warning(
                "%s, process %d, ended (%s); starting it again in %.1f s",
                part.name,
                part.process.pid,
                "killed or lost" if code is None else f"exit code {code}",
                pause_before(part.failures),
            )
            part.process = part.child = None
            part.restarts += 1
        if now < part.again_at:
            return
        part.child = self._start(part)
        part.process = describe(part.child.pid, part.name)
        part.began = now
        self._record(parts)
        if part.name == "control" and self.settings.control_file.exists():
            self._say_ready(parts)

    def _start(self, part: Part) -> subprocess.Popen[bytes]:
        path = self.settings.run / f"{part.name}.log"
        if path.exists() and path.stat().st_size > MOST_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as output:
            return subprocess.Popen(
                list(part.command),
                env=dict(self.environment),
                cwd=self.settings.file.parent if self.settings.file else self.settings.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _record(self, parts: Mapping[str, Part]) -> None:

        record = SupervisorRecord(
            supervisor=describe(os.getpid(), "supervisor"),
            children=[part.process for part in parts.values() if part.process is not None],
        )
        write_document(self.settings.run / "supervisor.json", record)

    def _say_ready(self, parts: Mapping[str, Part]) -> None:

        control = parts["control"].process
        record = ControlRecord(
            pid=control.pid if control else 0,
            address=self.settings.control_address,
            gateway=self.settings.gateway_address,
            started=self.started,
            supervisor=os.getpid(),
        )
        write_document(self.settings.control_file, record)
        log.info("ready at %s", self.settings.control_address)

    def _answers(self) -> bool:
        return answers(self.settings.control_address, "/api/v1/health") and answers(
            self.settings.gateway_address, "/health"
        )

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()

    def _stop(self, parts: Mapping[str, Part]) -> None:
        self.settings.control_file.unlink(missing_ok=True)
        for name in reversed(PARTS):
            part = parts[name]
            if part.process is None:
                continue
            if part.child is not None:
                part.child.terminate()
                try:
                    part.child.wait(GRACE_SECONDS)
                except subprocess.TimeoutExpired:
                    log.warning("%s does not stop; it is killed", name)
                    part.child.kill()
                    part.child.wait()
            elif not stop(part.process, GRACE_SECONDS):
                log.warning("%s did not stop; it was killed", name)
        (self.settings.run / "supervisor.json").unlink(missing_ok=True)


def answers(address: str, path: str, seconds: float = 2.0) -> bool:
    """Whether an address answers a GET with success."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def check_port(host: str, port: int, flag: str, own: bool = False) -> None:
    """Raises Conflict, naming who listens and how to choose another, where a port is taken.

    ``own``: what listens there may be ours to take over, where it answers as a gateway.
    """
    if port_is_free(host, port):
        return
    if own and answers(f"http://{host}:{port}", "/health"):
        return
    who = listener(port)
    by = f" by process {who[0]} ({who[1]})" if who else ""
    stopping = f"stop it (kill {who[0]})" if who else "stop what listens there"
    raise Conflict(
        f"port {port} is in use{by}",
        cure=f"{stopping}, or choose another: roadworthy up {flag} {port + 10}",
        port=port,
        pid=who[0] if who else None,
    )


def read_record(settings: Settings) -> SupervisorRecord | None:
    """What the last supervisor recorded, if it left anything that can be read."""
    return _read(settings.run / "supervisor.json", SupervisorRecord)


def read_control(settings: Settings) -> ControlRecord | None:
    """Where the system that runs says to be, if one does and its supervisor lives."""
    return _read(settings.control_file, ControlRecord)


def supervisor_of(settings: Settings) -> Process | None:
    """The supervisor that runs now, if one does."""
    record = read_record(settings)
    return record.supervisor if record is not None and lives(record.supervisor) else None


def leftovers(settings: Settings) -> list[Process]:
    """What a killed supervisor left running, agent first."""
    record = read_record(settings)
    if record is None or lives(record.supervisor):
        return []
    return [each for each in reversed(record.children) if lives(each)]


def stop_everything(settings: Settings, grace: float = 45.0) -> list[str]:
    """Stop the supervisor, or what one left behind; names of what was stopped, in order.

    Raises Unavailable where something does not end.
    """
    stopped: list[str] = []
    supervisor = supervisor_of(settings)
    if supervisor is not None:
        stop(supervisor, grace)
        stopped.append(f"supervisor (process {supervisor.pid})")
    for process in leftovers(settings):
        stop(process, GRACE_SECONDS)
        stopped.append(f"{process.name} (process {process.pid})")
        if lives(process):
            raise Unavailable(
                f"{process.name}, process {process.pid}, does not end",
                cure=f"kill -9 {process.pid}",
            )
    settings.control_file.unlink(missing_ok=True)
    (settings.run / "supervisor.json").unlink(missing_ok=True)
    return stopped


def write_document(path: Path, document: Document) -> None:
    """Replace a file by a document, so that readers see the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    partial.replace(path)


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None
