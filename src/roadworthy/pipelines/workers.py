"""A worker process of one's own for a batch: asked over its socket, replaced when it dies."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from roadworthy.core.values import Document
from roadworthy.errors import WorkerFailed
from roadworthy.serving.processes import Process, base_environment, last_lines, spawn
from roadworthy_runtime import frames
from roadworthy_runtime.exits import UNFIT
from roadworthy_runtime.frames import Packed

_LOOK_SECONDS = 0.02
_RECEIVE = 1 << 20
_MOST_DEATHS_AT_START = 3

Columns = Mapping[str, tuple[str, Packed | list[Any]]]
"""Each column's type in frames, and its values: laid out already, or one by one."""


class Runnable(Document):
    """What is needed to run a release on this machine: interpreter, flow, runtime, golden frames.

    ``threads`` is how many a numeric library may use, ``seconds`` the longest that a chunk may
    take, ``memory_bytes`` the limit on a worker's memory (0: none).
    """

    release: str
    python: str
    flow: str
    runtime: str
    golden: str = ""
    threads: int = 1
    seconds: float = 600.0
    start_seconds: float = 120.0
    memory_bytes: int = 0


class Asked:
    """The answers to some rows: the frames that came, each with the number of its first row.

    ``lost`` maps rows on which the worker died, or took too long, to the reason.
    """

    def __init__(self) -> None:
        self.frames: list[tuple[int, frames.Frame]] = []
        self.lost: dict[int, str] = {}


class OwnWorker:
    """A worker process of this one, for one thread at a time, until it is closed.

    ``deaths`` counts how often it had to be replaced.
    """

    def __init__(self, runnable: Runnable) -> None:
        self.deaths = 0
        self._runnable = runnable
        self._folder = Path(tempfile.mkdtemp(prefix="rw-"))
        self._log = self._folder / "log"
        self._process: Process | None = None
        self._link: socket.socket | None = None
        self._assembler = frames.Assembler()
        self._number = 0

    def close(self) -> None:
        """End the process."""
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def ask(self, columns: Columns, n: int) -> Asked:
        """The answers to ``n`` rows. A row that kills the worker takes no other row along.

        Raises WorkerFailed where the worker can't be started at all.
        """
        asked = Asked()
        self._ask_rows(columns, 0, n, asked)
        return asked

    def _ask_rows(self, columns: Columns, start: int, n: int, asked: Asked) -> None:
        if n == 0:
            return
        try:
            asked.frames.append((start, self._exchange(columns, n)))
        except _Died as death:
            self.deaths += 1
            self._end()
            if n == 1:
                asked.lost[start] = str(death)
                return
            half = n // 2
            self._ask_rows(_part(columns, 0, half), start, half, asked)
            self._ask_rows(_part(columns, half, n), start + half, n - half, asked)

    def _exchange(self, columns: Columns, n: int) -> frames.Frame:
        self._number += 1
        link = self._connected()
        frame = frames.encode("predict", self._number, n, columns)
        until = time.monotonic() + self._runnable.seconds
        try:
            link.settimeout(self._runnable.seconds)
            link.sendall(frame)
            while True:
                link.settimeout(max(0.01, until - time.monotonic()))
                data = link.recv(_RECEIVE)
                if not data:
                    raise _Died(f"the worker died: {self._last_words()}")
                for answer in self._assembler.feed(data):
                    return self._checked(answer, n)
        except TimeoutError:
            raise _Died(f"the worker took longer than {self._runnable.seconds:g} s") from None
        except OSError as error:
            raise _Died(f"the worker died: {error.strerror or error}") from None
        except frames.FrameError as error:
            raise _Died(f"the worker sent what is no frame: {error}") from None

    def _checked(self, answer: frames.Frame, n: int) -> frames.Frame:
        if answer.kind != "answers" or answer.id != self._number or answer.n != n:
            raise _Died(f"the worker answered with {answer.kind!r} for {answer.n} rows")
        return answer

    def _connected(self) -> socket.socket:
        for left in range(_MOST_DEATHS_AT_START - 1, -1, -1):
            if self._link is not None:
                return self._link
            try:
                self._start()
            except WorkerFailed as error:
                self._end()
                if not left or error.details.get("hopeless"):
                    raise
        assert self._link is not None
        return self._link

    def _start(self) -> None:
        wanted, path = self._runnable, self._folder / "socket"
        path.unlink(missing_ok=True)
        command = [wanted.python, "-m", "roadworthy_runtime", "worker", "--flow", wanted.flow]
        command += ["--socket", str(path), "--release", wanted.release]
        command += ["--parent", str(os.getpid())]
        if wanted.golden:
            command += ["--golden", wanted.golden]
        if wanted.memory_bytes:
            command += ["--memory", str(wanted.memory_bytes)]
        environment = {**base_environment(wanted.threads), "PYTHONPATH": wanted.runtime}
        try:
            self._process = spawn(command, self._log, Path(wanted.flow), environment)
        except OSError as error:
            raise WorkerFailed(
                f"{wanted.python} can't be started: {error.strerror}", hopeless=True
            ) from None
        until = time.monotonic() + wanted.start_seconds
        while not path.exists():
            if not self._process.alive():
                raise self._not_started(self._process.code)
            if time.monotonic() > until:
                raise WorkerFailed(
                    f"a worker of {wanted.release} was not ready after {wanted.start_seconds:g} s"
                )
            time.sleep(_LOOK_SECONDS)
        link = socket.socket(socket.AF_UNIX)
        link.connect(str(path))
        self._link, self._assembler = link, frames.Assembler()

    def _not_started(self, code: int | None) -> WorkerFailed:
        said = last_lines(self._log, 0)
        if code == UNFIT:
            said = said.rpartition("can't serve: ")[2] or said
        return WorkerFailed(
            f"{self._runnable.release} can't be run here: {said or f'it ended with {code}'}",
            cure=f"roadworthy verify {self._runnable.release}",
            hopeless=code == UNFIT,
        )

    def _last_words(self) -> str:
        if self._process is None:
            return "it is gone"
        until = time.monotonic() + 2.0
        while self._process.alive() and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
        code = self._process.code
        if code is not None and code < 0:
            return f"signal {-code} ({signal.Signals(-code).name})"
        return f"exit code {code}"

    def _end(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._process is not None:
            self._process.signal(signal.SIGKILL)
            while self._process.alive():
                time.sleep(0.001)
            self._process = None


class Workers:
    """So many workers for any number of threads. Use as a context manager."""

    def __init__(self, runnable: Runnable, count: int) -> None:
        self._all = [OwnWorker(runnable) for _ in range(count)]
        self._idle: queue.LifoQueue[OwnWorker] = queue.LifoQueue()
        for worker in self._all:
            self._idle.put(worker)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End their processes."""
        for worker in self._all:
            worker.close()

    @contextlib.contextmanager
    def one(self) -> Iterator[OwnWorker]:
        """A worker for this thread alone, as soon as there is one."""
        worker = self._idle.get()
        try:
            yield worker
        finally:
            self._idle.put(worker)


class _Died(Exception):
    """The worker gave no answer; the text says why."""


def default_workers() -> int:
    """As many workers as there are processors for this process, four at most."""
    return max(1, min(4, len(os.sched_getaffinity(0))))


def _part(columns: Columns, start: int, stop: int) -> Columns:
    """Some rows of the columns. Only done after a death, so that it may take its time."""
    found: dict[str, tuple[str, Packed | list[Any]]] = {}
    for name, (wire, given) in columns.items():
        values = given.values(wire) if isinstance(given, Packed) else given
        found[name] = (wire, values[start:stop])
    return found
