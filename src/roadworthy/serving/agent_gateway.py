"""The gateway as its agent holds it: a listening socket, a process that is replaced."""

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
from roadworthy.serving.gateway_process import listen
from roadworthy.serving.options import AgentOptions, GatewayOptions, LogOptions
from roadworthy.serving.processes import (
    Identity,
    Process,
    adopt,
    base_environment,
    last_lines,
    spawn,
)
from roadworthy.serving.table import GatewayTable

ANSWER_SECONDS = 2.0
START_SECONDS = 15.0
MOST_MISSES = 3
OPTIONS_FILE = "gateway-options.json"
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
    """What the ledger keeps of the gateway."""

    process: Identity
    host: str
    port: int


class GatewayKeeper:
    """Keeps one gateway running. The agent holds its listening socket too, so that callers who
    connect while it is replaced wait instead of being refused.
    """

    def __init__(self, options: AgentOptions, sockets: Path, lease: Path) -> None:
        self.options = options
        self.table = Path(options.directory) / "gateway.json"
        self.port = options.port
        self.restarts = 0
        self.problem = ""
        self.state: GatewayState | None = None
        self._control = sockets / "gateway"
        self._lease = lease
        self._log = Path(options.directory) / "logs" / "gateway.log"
        self._listener: socket.socket | None = None
        self._process: Process | None = None
        self._failures = 0
        self._began = 0.0
        self._log_from = 0
        self._asked = 0.0
        self._misses = 0

    @property
    def address(self) -> str:
        """Host and port that it listens on."""
        host = f"[{self.options.host}]" if ":" in self.options.host else self.options.host
        return f"{host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process, if that runs and has answered."""
        running = self._process is not None and self.state is not None
        return self._process.pid if running and self._process is not None else None

    def record(self) -> GatewayRecord | None:
        """What the ledger keeps."""
        if self._process is None:
            return None
        return GatewayRecord(process=self._process.identity, host=self.options.host, port=self.port)

    async def take_over(self, record: GatewayRecord) -> bool:
        """Become the keeper of a predecessor's gateway; False, and killed, if it can't be used."""
        process = adopt(record.process)
        if process is None:
            return False
        same = record.host == self.options.host and self.options.port in (0, record.port)
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
        if self._listener is None and self._process is None:
            self._listener = listen(self.options.host, self.port)
            self.port = self._listener.getsockname()[1]

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

    async def swap(self, table: GatewayTable) -> None:
        """Write the table and have the gateway follow it. Raises Unavailable."""
        write_atomically(self.table, msgspec.json.encode(table))
        if self._process is None:
            return
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
        if self._listener is not None:
            self._listener.close()
            self._listener = None

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
        assert self._listener is not None
        options = self._options(self._listener.fileno())
        path = Path(self.options.directory) / OPTIONS_FILE
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
            pass_fds=(self._listener.fileno(),),
        )

    def _options(self, fd: int) -> GatewayOptions:
        log = None
        if self.options.predictions:
            log = LogOptions(
                directory=self.options.predictions, flush_seconds=self.options.flush_seconds
            )
        return GatewayOptions(
            table=str(self.table),
            control=str(self._control),
            log=log,
            host=self.options.host,
            port=self.port,
            socket_fd=fd,
            token=self.options.token,
            limits=self.options.limits,
            lease=str(self._lease),
            lease_seconds=self.options.lease_seconds,
        )

    async def _ask(self, word: str) -> GatewayState:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(self._control))
                try:
                    writer.write(msgspec.json.encode({"do": word}) + b"\n")
                    answer = await reader.readline()
                finally:
                    writer.close()
            return msgspec.json.decode(answer, type=GatewayState)
        except (OSError, TimeoutError, msgspec.DecodeError, ValueError) as error:
            raise Unavailable(f"the gateway does not answer its agent: {error!r}") from None


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
