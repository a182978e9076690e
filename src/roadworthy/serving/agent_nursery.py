"""A nursery as its agent holds it: the process that a release's replicas are forked from.

A release with several workers has one. Where forking is not possible, or a forked worker did not
come up, its workers are processes of their own; ``unusable`` says why.
"""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import msgspec

from roadworthy.core.values import Value
from roadworthy.errors import Unavailable
from roadworthy.serving.processes import Process, adopt, identify, last_lines, spawn
from roadworthy_runtime.exits import UNFORKABLE

ANSWER_SECONDS = 5.0
MOST_FAILURES = 3


class Home(Value):
    """What a nursery has loaded: workers of the same home can be forked from the same one."""

    release: str
    flow: str
    python: str


class Nursery:
    """One nursery process, started when it is first needed and again when it has died."""

    def __init__(self, home: Home, socket: Path, log: Path) -> None:
        self.home = home
        self.unusable = ""
        self._socket = socket
        self._log = log
        self._log_from = 0
        self._process: Process | None = None
        self._began = 0.0
        self._failures = 0
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Its process, if there is one."""
        return self._process.pid if self._process is not None else None

    async def fork(
        self, command: list[str], environment: dict[str, str], flow: Path, seconds: float,
        worker: Path, memory_bytes: int | None,
    ) -> Process:  # fmt: skip
        """A new worker that will listen on ``worker``. Raises Unavailable where none can be made.

        ``command`` starts a nursery where none runs; it has ``seconds`` to be ready.
        """
        async with self._starting:
            if not self._runs():
                await self._start(command, environment, flow, seconds)
        told = {"do": "fork", "socket": str(worker), "memory": memory_bytes or 0}
        answer = await self._ask(told)
        identity = identify(int(answer["pid"]))
        process = adopt(identity) if identity is not None else None
        if process is None:
            raise self._given_up("a forked worker ended at once")
        return process

    async def code_of(self, pid: int) -> int | None:
        """How a worker that was forked here ended; None where that is not known."""
        try:
            code = (await self._ask({"do": "wait", "pid": pid})).get("code")
        except Unavailable:
            return None
        return code if isinstance(code, int) else None

    def give_up(self, reason: str) -> None:
        """Fork no more workers: one of them did not come up."""
        self.unusable = reason
        self.stop()

    def stop(self) -> None:
        """End it; workers that were forked go on."""
        if self._process is not None:
            self._process.signal(signal.SIGTERM)
            self._process = None

    def _runs(self) -> bool:
        return self._process is not None and self._process.alive() and self._socket.exists()

    async def _start(
        self, command: list[str], environment: dict[str, str], flow: Path, seconds: float
    ) -> None:
        if self.unusable:
            raise Unavailable(self.unusable)
        self._socket.unlink(missing_ok=True)
        self._log_from = self._log.stat().st_size if self._log.exists() else 0
        wanted = [*command, "--socket", str(self._socket)]
        self._process = process = spawn(wanted, self._log, flow, environment)
        until = time.monotonic() + seconds
        while not self._socket.exists():
            if not process.alive():
                raise self._not_started(process.code)
            if time.monotonic() > until:
                process.signal(signal.SIGKILL)
                raise self._given_up(f"it was not ready after {seconds:g} s")
            await asyncio.sleep(0.02)

    def _not_started(self, code: int | None) -> Unavailable:
        said = last_lines(self._log, self._log_from)
        if code == UNFORKABLE:
            return self._given_up(said.rpartition("can't fork: ")[2])
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            return self._given_up(f"it ended with exit code {code}")
        return Unavailable(f"the nursery of {self.home.release} ended with exit code {code}")

    def _given_up(self, reason: str) -> Unavailable:
        self.give_up(reason)
        return Unavailable(f"no workers of {self.home.release} are forked: {reason}")

    async def _ask(self, told: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
                try:
                    writer.write(msgspec.json.encode(told) + b"\n")
                    answer = await reader.readline()
                finally:
                    writer.close()
            return msgspec.json.decode(answer, type=dict)
        except (OSError, TimeoutError, msgspec.DecodeError, ValueError) as error:
            raise Unavailable(
                f"the nursery of {self.home.release} does not answer: {error!r}"
            ) from None
