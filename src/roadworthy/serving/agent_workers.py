"""A worker as its agent holds it: prepared, started, watched, stopped."""

from __future__ import annotations

import asyncio
import signal
import sys
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
from roadworthy.serving.agent_nursery import Nursery
from roadworthy.serving.agent_plan import Place
from roadworthy.serving.golden import write_golden
from roadworthy.serving.growth import Growth, LeakLimits
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
from roadworthy_runtime.exits import UNFIT
from roadworthy_runtime.frames import VERSION, FrameError

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


class FormFacts(Document):
    """What a worker says of the form that answers: which, and why the fast one was turned off."""

    form: str = ""
    off: str = ""


class Worker:
    """One worker process of a place, from before it starts until after it has ended."""

    def __init__(self, id: str, place: Place, socket: Path, log: Path, leaks: LeakLimits) -> None:
        self.id = id
        self.place = place
        self.socket = socket
        self.state: WorkerState = "starting"
        self.error = ""
        self.hopeless = False
        self.killed = False
        self.served = False
        self.settled = False
        self.signature: Signature | None = None
        self.began = time.monotonic()
        self.ready_after: float | None = None
        self.process: Process | None = None
        self.tired = ""
        self._nursery: Nursery | None = None
        self._growth = Growth(leaks)
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

    async def start(
        self,
        options: AgentOptions,
        fetch: Callable[[str], Path],
        lease: Path,
        nursery: Nursery | None = None,
    ) -> None:
        """Fetch the flow, prepare its golden request, start the process. Errors are kept.

        With a ``nursery`` the process is forked from it where that works.
        """
        try:
            directory = await asyncio.to_thread(fetch, self.place.flow)
            facts = await asyncio.to_thread(read_facts, directory)
            golden = await asyncio.to_thread(
                prepare_golden, directory, self.place.flow, Path(options.directory)
            )
            self.signature = facts.signature
            if self.state == "starting":
                await self._make(options, directory, golden, lease, nursery)
        except RoadworthyError as error:
            self._fail(error.message)
        except (OSError, ValueError, FrameError) as error:
            self._fail(f"{self.place.release} can't be started: {error}")

    async def _make(
        self,
        options: AgentOptions,
        directory: Path,
        golden: Path | None,
        lease: Path,
        nursery: Nursery | None,
    ) -> None:
        command = ["--flow", str(directory), "--release", self.place.release]
        command += ["--lease", str(lease), "--lease-seconds", str(options.lease_seconds)]
        if golden is not None:
            command += ["--golden", str(golden)]
        begin = [self.place.python, "-m", "roadworthy_runtime"]
        environment = base_environment(options.threads)
        environment["PYTHONPATH"] = options.runtime
        self._log_from = self._log.stat().st_size if self._log.exists() else 0
        if nursery is not None and not nursery.unusable:
            wanted = [*begin, "nursery", *command]
            try:
                self.process = await nursery.fork(
                    wanted,
                    environment,
                    directory,
                    options.start_seconds,
                    self.socket,
                    self.place.memory_bytes,
                )
                self._nursery = nursery
                if self.state != "starting":
                    self.process.signal(signal.SIGTERM)
                return
            except Unavailable as problem:
                print(problem.message, file=sys.stderr, flush=True)
            if self.state != "starting":
                return
        command += ["--socket", str(self.socket)]
        if self.place.memory_bytes:
            command += ["--memory", str(self.place.memory_bytes)]
        self.process = spawn([*begin, "worker", *command], self._log, directory, environment)

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
            await self._see_end(self.process)
        elif self.state == "stopping":
            if self._kill_at is not None and time.monotonic() > self._kill_at:
                self.process.signal(signal.SIGKILL)
        elif self.state == "starting" and self.socket.exists():
            await self._greet()
        elif self.state == "starting" and time.monotonic() - self.began > start_seconds:
            self.kill(f"it was not ready after {start_seconds:g} s")
        elif self.place.memory_bytes and self._rss() > self.place.memory_bytes:
            self.kill(f"it used {self._rss()} bytes of {self.place.memory_bytes} allowed")
        elif self.state == "ready" and not self.tired:
            self._look_for_leaks(self.process)

    def stop(self) -> None:
        """Have it finish what it is doing and end; it is killed after a while."""
        if self.process is None:
            self.state = "stopped"
        elif self.state in ("starting", "ready"):
            self.state = "stopping"
            self._kill_at = time.monotonic() + STOP_SECONDS
            self.process.signal(signal.SIGTERM)

    @property
    def failure(self) -> str:
        """What kind of failure its end was, as events have it."""
        if self.hopeless:
            return "unfit"
        if not self.served:
            return "not started"
        return "killed" if self.killed else "died"

    def kill(self, reason: str) -> None:
        """Kill it at once, for this reason."""
        if self.process is not None:
            self.error = self.error or reason
            self.killed = True
            self.process.signal(signal.SIGKILL)

    def status(self, restarts: int) -> WorkerStatus:
        """What is reported of it."""
        running = self.process is not None and self.state in ("starting", "ready", "stopping")
        rss, cpu = self.process.usage() if self.process and running else (0, 0.0)
        form = read_form(self.socket) if running else FormFacts()
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
            python=self.place.python,
            form=form.form,
            form_off=form.off,
        )

    def _look_for_leaks(self, process: Process) -> None:
        now = time.monotonic()
        if self._growth.due(now):
            self._growth.add(now, process.usage().rss_bytes, process.open_files())
            self.tired = self._growth.verdict()

    async def _see_end(self, process: Process) -> None:
        """Ask whoever forked it how it ended; one that did not come up ends the forking."""
        code = process.code
        if self._nursery is not None:
            code = await self._nursery.code_of(process.pid)
            if self.state == "starting" and not self.error:
                self._nursery.give_up(f"a forked worker ended with {_how(code)} while starting")
        self._ended(code)

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
        form_file(self.socket).unlink(missing_ok=True)
        if self.state == "stopping":
            self.state = "stopped"
            return
        was_ready = self.state == "ready"
        tail = last_lines(self._log, self._log_from)
        self.hopeless = code == UNFIT and not was_ready
        said = tail.rpartition("can't serve: ")[2] if self.hopeless else ""
        when = "while serving" if was_ready else "while starting"
        ended = f"it ended {when} with {_how(code)}" + (f":\n{tail}" if tail else "")
        self._fail(said or self.error or ended)

    def _fail(self, reason: str) -> None:
        self.state = "failed"
        self.error = reason[:4000]

    def _rss(self) -> int:
        return self.process.usage().rss_bytes if self.process is not None else 0


def _how(code: int | None) -> str:
    if code is None:
        return "nobody knows what"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def prepare_golden(flow: Path, digest: str, agent: Path) -> Path | None:
    """The golden frames of a flow, made once in the agent's folder; None where it has no sample.

    Raises Damaged, OSError, ValueError, FrameError.
    """
    golden = agent / "golden" / f"{digest}-v{VERSION}.frames"
    if golden.exists():
        return golden
    facts = read_facts(flow)
    return golden if write_golden(flow, facts.signature, facts.tolerance, golden) else None


def form_file(socket: Path) -> Path:
    """Where the worker that listens on ``socket`` says which form answers."""
    return socket.with_name(socket.name + ".form")


def read_form(socket: Path) -> FormFacts:
    """Which form of the flow a worker answers with; nothing where it hasn't said it."""
    try:
        return msgspec.json.decode(form_file(socket).read_bytes(), type=FormFacts)
    except (OSError, msgspec.DecodeError):
        return FormFacts()


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
