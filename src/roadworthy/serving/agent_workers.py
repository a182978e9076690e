"""A worker as its agent holds it: prepared, started, watched, stopped."""

from __future__ import annotations

import asyncio
import signal
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from roadworthy.core.deployment import WorkerState, WorkerStatus
from roadworthy.core.signature import Signature
from roadworthy.core.values import Document
from roadworthy.errors import Damaged, RoadworthyError, Unavailable
from roadworthy.serving.agent_plan import Place
from roadworthy.serving.golden import write_golden
from roadworthy.serving.link import connect
from roadworthy.serving.options import AgentOptions
from roadworthy.serving.processes import (
    Identity,
    Process,
    adopt,
    base_environment,
    last_lines,
    spawn,
)
from roadworthy_runtime.frames import VERSION, FrameError
from roadworthy_runtime.worker import UNFIT

STOP_SECONDS = 10.0


class WorkerRecord(Document):
    """What the ledger keeps of a worker, so that a later agent can take it over."""

    id: str
    place: Place
    process: Identity
    socket: str


class FlowFacts(Document):
    """What the agent reads of a flow's directory."""

    signature: Signature
    tolerance: float = 0.0


class Worker:
    """One worker process of a place, from before it starts until after it has ended."""

    def __init__(self, id: str, place: Place, socket: Path, log: Path) -> None:
        self.id = id
        self.place = place
        self.socket = socket
        self.state: WorkerState = "starting"
        self.error = ""
        self.hopeless = False
        self.served = False
        self.settled = False
        self.signature: Signature | None = None
        self.began = time.monotonic()
        self.ready_after: float | None = None
        self.process: Process | None = None
        self._log = log
        self._log_from = 0
        self._kill_at: float | None = None

    def record(self) -> WorkerRecord | None:
        """What the ledger keeps, once there is a process."""
        if self.process is None or self.state in ("failed", "stopped"):
            return None
        return WorkerRecord(
            id=self.id,
            place=self.place,
            process=self.process.identity,
            socket=str(self.socket),
        )

    async def start(self, options: AgentOptions, fetch: Callable[[str], Path], lease: Path) -> None:
        """Fetch the flow, prepare its golden request, start the process. Errors are kept."""
        try:
            directory = await asyncio.to_thread(fetch, self.place.flow)
            facts = await asyncio.to_thread(read_facts, directory)
            golden = Path(options.directory) / "golden" / f"{self.place.flow}-v{VERSION}.frames"
            if not golden.exists():
                await asyncio.to_thread(
                    write_golden, directory, facts.signature, facts.tolerance, golden
                )
            self.signature = facts.signature
            if self.state == "starting":
                self._spawn(options, directory, golden, lease)
        except RoadworthyError as error:
            self._fail(error.message)
        except (OSError, ValueError, FrameError) as error:
            self._fail(f"{self.place.release} can't be started: {error}")

    def _spawn(self, options: AgentOptions, directory: Path, golden: Path, lease: Path) -> None:
        command = [self.place.python, "-m", "roadworthy_runtime", "worker"]
        command += ["--flow", str(directory), "--socket", str(self.socket)]
        command += ["--release", self.place.release, "--lease", str(lease)]
        command += ["--lease-seconds", str(options.lease_seconds)]
        if golden.exists():
            command += ["--golden", str(golden)]
        if self.place.memory_bytes:
            command += ["--memory", str(self.place.memory_bytes)]
        environment = base_environment(options.threads)
        environment["PYTHONPATH"] = options.runtime
        self._log_from = self._log.stat().st_size if self._log.exists() else 0
        self.process = spawn(command, self._log, directory, environment)

    async def take_over(self, record: WorkerRecord, directory: Path) -> bool:
        """Become the keeper of a predecessor's worker; False, and killed, if it doesn't answer."""
        self.process = adopt(record.process)
        if self.process is None:
            return False
        try:
            self.signature = (await asyncio.to_thread(read_facts, directory)).signature
            link = await connect(self.id, str(self.socket))
        except (RoadworthyError, OSError):
            self.process.signal(signal.SIGKILL)
            return False
        link.close()
        self.state = "ready"
        self.served = True
        return True

    async def look(self, start_seconds: float) -> None:
        """See how the process is doing, and set ``state`` accordingly."""
        if self.process is None or self.state in ("failed", "stopped"):
            return
        if not self.process.alive():
            self._ended(self.process.code)
        elif self.state == "stopping":
            if self._kill_at is not None and time.monotonic() > self._kill_at:
                self.process.signal(signal.SIGKILL)
        elif self.state == "starting" and self.socket.exists():
            await self._greet()
        elif self.state == "starting" and time.monotonic() - self.began > start_seconds:
            self.kill(f"it was not ready after {start_seconds:g} s")
        elif self.place.memory_bytes and self._rss() > self.place.memory_bytes:
            self.kill(f"it used {self._rss()} bytes of {self.place.memory_bytes} allowed")

    def stop(self) -> None:
        """Have it finish what it is doing and end; it is killed after a while."""
        if self.process is None:
            self.state = "stopped"
        elif self.state in ("starting", "ready"):
            self.state = "stopping"
            self._kill_at = time.monotonic() + STOP_SECONDS
            self.process.signal(signal.SIGTERM)

    def kill(self, reason: str) -> None:
        """Kill it at once, for this reason."""
        if self.process is not None:
            self.error = self.error or reason
            self.process.signal(signal.SIGKILL)

    def status(self, restarts: int) -> WorkerStatus:
        """What is reported of it."""
        running = self.process is not None and self.state in ("starting", "ready", "stopping")
        rss, cpu = self.process.usage() if self.process and running else (0, 0.0)
        return WorkerStatus(
            id=self.id,
            release=self.place.release,
            flow=self.place.flow,
            state=self.state,
            pid=self.process.pid if self.process and running else None,
            rss_bytes=rss,
            cpu_seconds=cpu,
            restarts=restarts,
            error=self.error,
            start_seconds=self.ready_after,
        )

    async def _greet(self) -> None:
        try:
            link = await connect(self.id, str(self.socket))
        except Unavailable:
            return
        link.close()
        if self.state == "starting":
            self.state = "ready"
            self.served = True
            self.ready_after = round(time.monotonic() - self.began, 3)

    def _ended(self, code: int | None) -> None:
        self.socket.unlink(missing_ok=True)
        if self.state == "stopping":
            self.state = "stopped"
            return
        was_ready = self.state == "ready"
        tail = last_lines(self._log, self._log_from)
        self.hopeless = code == UNFIT and not was_ready
        said = tail.rpartition("can't serve: ")[2] if self.hopeless else ""
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        when = "while serving" if was_ready else "while starting"
        ended = f"it ended {when} with {how}" + (f":\n{tail}" if tail else "")
        self._fail(said or self.error or ended)

    def _fail(self, reason: str) -> None:
        self.state = "failed"
        self.error = reason[:4000]

    def _rss(self) -> int:
        return self.process.usage().rss_bytes if self.process is not None else 0


def read_facts(directory: Path) -> FlowFacts:
    """The signature and tolerance in ``flow.toml``. Raises Damaged."""
    try:
        found: dict[str, Any] = tomllib.loads((directory / "flow.toml").read_text("utf-8"))
        return msgspec.convert(found, FlowFacts)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeError) as error:
        raise Damaged(
            f"flow.toml in {directory.name} can't be read: {error}",
            cure="capture and deploy the program once more",
        ) from None
