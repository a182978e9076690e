"""A gateway as its agent holds it: listening sockets, a process that is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from roadworthy.core.values import Document
from roadworthy.errors import RoadworthyError, Unavailable
from roadworthy.serving.listening import listen
from roadworthy.serving.options import AgentOptions, GatewayOptions
from roadworthy.serving.processes import (
    Identity,
    Process,
    adopt,
    base_environment,
    last_lines,
    spawn,
)

ANSWER_SECONDS = 2.0
START_SECONDS = 15.0
MOST_MISSES = 5
PAUSES = (0.0, 0.1, 0.5, 1.0, 5.0)
STEADY_SECONDS = 30.0


class GatewayState(Document):
    """What the gateway says of itself on its control socket."""

    pid: int
    version: int
    revision: int
    connected: list[str] = []
    retiring: list[str] = []
    problems: list[str] = []


class GatewayRecord(Document):
    """What the ledger keeps of a gateway. ``bound`` are the further ports that it listens on."""

    process: Identity
    host: str
    port: int
    number: int = 0
    bound: list[int] = []


class GatewayKeeper:
    """Keeps one gateway running: the ``number``-th of those that share the port.

    The agent holds its listening sockets too, so that callers who connect while it is replaced
    wait instead of being refused.
    """

    def __init__(self, options: AgentOptions, sockets: Path, lease: Path, number: int = 0) -> None:
        self.options = options
        self.number = number
        self.port = options.port
        self.restarts = 0
        self.problem = ""
        self.state: GatewayState | None = None
        self._controls = [sockets / name for name in control_names(options.gateways)]
        self._lease = lease
        self._log = Path(options.directory) / "logs" / f"{control_name(number)}.log"
        self._listeners: list[socket.socket] = []
        self._process: Process | None = None
        self._failures = 0
        self._began = 0.0
        self._log_from = 0
        self._asked = 0.0
        self._misses = 0

    @property
    def pid(self) -> int | None:
        """Its process, if that runs and has answered."""
        running = self._process is not None and self.state is not None
        return self._process.pid if running and self._process is not None else None

    def record(self) -> GatewayRecord | None:
        """What the ledger keeps."""
        if self._process is None:
            return None
        return GatewayRecord(
            process=self._process.identity,
            host=self.options.host,
            port=self.port,
            number=self.number,
            bound=sorted(self.options.bound),
        )

    async def take_over(self, record: GatewayRecord) -> bool:
        """Become the keeper of a predecessor's gateway; False, and killed, if it can't be used."""
        process = adopt(record.process)
        if process is None:
            return False
        same = record.host == self.options.host and self.options.port in (0, record.port)
        same = same and record.bound == sorted(self.options.bound)
        if same:
            with contextlib.suppress(Unavailable):
                self.state = await self._ask("status")
                self._process, self.port = process, record.port
                return True
        process.signal(signal.SIGKILL)
        until = time.monotonic() + ANSWER_SECONDS
        while process.alive() and time.monotonic() < until:  # noqa: ASYNC110 - a foreign process
            await asyncio.sleep(0.01)
        return False

    def open(self) -> None:
        """Listen, unless a gateway that was taken over does. Raises UsageError."""
        if not self._listeners and self._process is None:
            shared = self.options.gateways > 1
            opened = [listen(self.options.host, self.port, shared)]
            try:
                for port in self.options.bound:
                    opened.append(listen(self.options.host, port, shared))
            except RoadworthyError:
                for listener in opened:
                    listener.close()
                raise
            self._listeners = opened
            self.port = opened[0].getsockname()[1]

    async def look(self, draining: bool = False) -> None:
        """Replace it if it died; kill it if it doesn't answer. While draining, ask each time."""
        if self._process is not None and not self._process.alive():
            code = self._process.code
            self.problem = f"the gateway ended (exit code {code}): " + last_lines(
                self._log, self._log_from, 3
            )
            self._process = self.state = None
            self._failures = 1 if self._steady() else self._failures + 1
            self.restarts += 1
        if self._process is None:
            pause = PAUSES[min(self._failures, len(PAUSES) - 1)]
            if time.monotonic() - self._began >= pause or self._failures <= 1:
                self._start()
            return
        if not draining and self.state is not None and time.monotonic() < self._asked + 1.0:
            return
        await self._check(self._process)

    async def _check(self, process: Process) -> None:
        self._asked = time.monotonic()
        try:
            self.state = await self._ask("status")
            self.problem, self._misses = "", 0
        except Unavailable as problem:
            if self.state is None and time.monotonic() - self._began < START_SECONDS:
                return
            self.problem = problem.message
            self._misses += 1
            if self._misses >= MOST_MISSES:
                self._misses = 0
                process.signal(signal.SIGKILL)

    async def swap(self) -> None:
        """Have the gateway follow the table that was written. Raises Unavailable."""
        if self._process is not None:
            self.state = await self._ask("swap")

    async def stop(self) -> None:
        """Have it finish what it is doing and end."""
        if self._process is not None:
            self._process.signal(signal.SIGTERM)
            until = time.monotonic() + self.options.limits.deadline_seconds + 5
            while self._process.alive():
                if time.monotonic() > until:
                    self._process.signal(signal.SIGKILL)
                await asyncio.sleep(0.02)
        self.close()

    def close(self) -> None:
        """Stop listening here."""
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    def _steady(self) -> bool:
        return time.monotonic() - self._began > STEADY_SECONDS

    def _start(self) -> None:
        self._began = time.monotonic()
        try:
            self.open()
        except RoadworthyError as error:
            self.problem = error.message
            self._failures += 1
            return
        descriptors = [listener.fileno() for listener in self._listeners]
        options = self._options(descriptors)
        path = Path(self.options.directory) / options_name(self.number)
        write_atomically(path, msgspec.json.encode(options), private=True)
        self._log_from = self._log.stat().st_size if self._log.exists() else 0
        command = [sys.executable, "-m", "roadworthy.serving", "gateway", str(path)]
        environment = base_environment()
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
        self._process = spawn(
            command,
            self._log,
            Path(self.options.directory),
            environment,
            pass_fds=tuple(descriptors),
        )

    def _options(self, descriptors: list[int]) -> GatewayOptions:
        log = self.options.log
        if log is not None:
            log = msgspec.structs.replace(log, retains=log.retains and self.number == 0)
        own = self._controls[self.number]
        return GatewayOptions(
            table=str(table_path(self.options)),
            control=str(own),
            log=log,
            host=self.options.host,
            port=self.port,
            bound=self.options.bound,
            sockets=descriptors,
            peers=[str(path) for path in self._controls if path != own],
            token=self.options.token,
            traces=self.options.traces,
            trace_share=self.options.trace_share,
            limits=self.options.limits,
            lease=str(self._lease),
            lease_seconds=self.options.lease_seconds,
        )

    async def _ask(self, word: str) -> GatewayState:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_unix_connection(
                    str(self._controls[self.number])
                )
                try:
                    writer.write(msgspec.json.encode({"do": word}) + b"\n")
                    answer = await reader.readline()
                finally:
                    writer.close()
            return msgspec.json.decode(answer, type=GatewayState)
        except (OSError, TimeoutError, msgspec.DecodeError, ValueError) as error:
            raise Unavailable(f"the gateway does not answer its agent: {error!r}") from None


def table_path(options: AgentOptions) -> Path:
    """The file of the table that gateways follow."""
    return Path(options.directory) / "gateway.json"


def control_name(number: int) -> str:
    """What the number-th gateway's control socket and log are called."""
    return "gateway" if number == 0 else f"gateway-{number}"


def control_names(count: int) -> list[str]:
    """The names of all of them."""
    return [control_name(number) for number in range(count)]


def options_name(number: int) -> str:
    """What the file of the number-th gateway's options is called."""
    return f"{control_name(number)}-options.json"


def write_atomically(path: Path, content: bytes, private: bool = False) -> None:
    """Replace a file as a whole, so that a reader sees the old or the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600 if private else 0o644)
    fresh.write_bytes(content)
    fresh.replace(path)


def decode_or_none(content: bytes, type_: type[Any]) -> Any:
    """What a file of ours holds; None where it can't be read any more."""
    try:
        return msgspec.json.decode(content, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
