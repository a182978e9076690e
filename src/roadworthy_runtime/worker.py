"""The worker: loads one flow in its own environment and answers frames on a Unix socket.

It listens only once it has answered its golden request, so that whoever can connect may
send rows. It needs nothing but the standard library, the flow and what the flow imports.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.metadata
import json
import os
import re
import selectors
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from roadworthy_runtime import frames
from roadworthy_runtime.chosen import choose
from roadworthy_runtime.exits import UNFIT
from roadworthy_runtime.golden import GoldenDiffers, check_golden
from roadworthy_runtime.limits import die_with_parent, limit_memory, nobody_holds

SEND_SECONDS = 30
_PIN = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*([^\s;\\#]+)")


class Unfit(Exception):
    """This flow can't be served in this environment; the text says why."""


def main(arguments: list[str]) -> int:
    """Serve a flow until told to stop. The exit code is 0, or UNFIT with the reason on stderr."""
    options = _parse(arguments)
    if os.getpid() != os.getpgrp():
        os.setpgid(0, 0)
    if options.lease:
        watch_lease(Path(options.lease), options.lease_seconds)
    else:
        die_with_parent(options.parent or os.getppid())
    try:
        told = Path(options.socket + ".form")
        worker = Worker(Path(options.flow).resolve(), options.release, told)
        worker.golden = Path(options.golden) if options.golden else None
        worker.warm_up(worker.golden)
    except Unfit as reason:
        print(f"can't serve: {reason}", file=sys.stderr, flush=True)
        return UNFIT
    if options.memory:
        limit_memory(options.memory)
    with Server(Path(options.socket), worker) as server:
        gc.collect()
        gc.freeze()
        server.run()
    return 0


class Worker:
    """A loaded flow that answers frames. Raises Unfit where it can't be loaded.

    ``told`` is a file that says which form answers: whoever looks after the worker reads it.
    """

    golden: Optional[Path] = None

    def __init__(self, directory: Path, release: str = "", told: Optional[Path] = None) -> None:
        self.directory = directory
        self.release = release
        check_requirements(directory)
        self.flow = load_flow(directory)
        self.chosen = choose(self.flow, directory)
        self.told = told

    def warm_up(self, golden: Optional[Path]) -> None:
        """Answer the golden request by both forms and compare. Raises Unfit on a difference.

        A fast form that doesn't repeat it is turned off; the flow itself has to.
        """
        if golden is not None:
            try:
                self._golden(golden)
            except (GoldenDiffers, OSError, frames.FrameError) as error:
                raise Unfit(f"the golden request of {self.directory.name}: {error}") from None
        if self.told is not None:
            self._tell(self.told)

    def look(self) -> None:
        """Ask both forms for rows that were kept; a difference turns the fast form off."""
        if self.chosen.look() and self.told is not None:
            self._tell(self.told)

    def _golden(self, path: Path) -> None:
        fast, self.chosen.fast = self.chosen.fast, None
        check_golden(self.reply, path)
        if fast is None:
            return
        self.chosen.fast = fast
        try:
            check_golden(self.reply, path)
        except (GoldenDiffers, frames.FrameError) as error:
            self.chosen.turn_off(f"the golden request: {error}")
            return
        request = next(iter(frames.Assembler().feed(path.read_bytes())))
        fast.measure(request.columns, request.n, time.perf_counter)

    def _tell(self, path: Path) -> None:
        """Say which form answers, and why the fast one doesn't where it should."""
        if self.chosen.off:
            print(f"the fast form is off: {self.chosen.off}", file=sys.stderr, flush=True)
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(json.dumps({"form": self.chosen.name, "off": self.chosen.off}), "utf-8")
        fresh.replace(path)

    def problem(self) -> str:
        """Why the golden request is not answered any more as it was; '' where it is."""
        try:
            self.warm_up(self.golden)
        except Unfit as reason:
            return str(reason)
        return ""

    def reply(self, frame: frames.Frame) -> bytes:
        """The frame that answers ``frame``; a kind that isn't known is answered by an error."""
        if frame.kind == "predict":
            return self._predict(frame)
        if frame.kind == "hello":
            meta = {
                "release": self.release,
                "pid": os.getpid(),
                "python": sys.version.split()[0],
                "codes": True,
                "listed": True,
            }
            return frames.encode("hello", frame.id, meta=meta)
        if frame.kind == "check":
            return frames.encode("checked", frame.id, meta={"problem": self.problem()})
        reason = f"frames of kind {frame.kind!r} are not known here"
        return frames.encode("error", frame.id, meta={"message": reason})

    def _predict(self, frame: frames.Frame) -> bytes:
        begin = time.perf_counter()
        outputs, meta = self.chosen.answer(frame.columns, frame.n)
        meta["times"] = {"flow": int((time.perf_counter() - begin) * 1e6)}
        return frames.encode("answers", frame.id, frame.n, outputs, meta, listed=frame.listed)


class Server:
    """Answers frames on a Unix socket, one after the other, until SIGTERM or SIGINT."""

    def __init__(self, path: Path, worker: Worker) -> None:
        self._path = path
        self._worker = worker
        self._selector = selectors.DefaultSelector()
        self._readers: dict[socket.socket, frames.Assembler] = {}
        self._stopping = False
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)

    def __enter__(self) -> Server:
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.unlink() if fresh.exists() else None
        self._listener.bind(str(fresh))
        os.chmod(fresh, 0o600)
        self._listener.listen(64)
        os.replace(fresh, self._path)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for connection in list(self._readers):
            self._drop(connection)
        for opened in (self._listener, self._wake, self._woken):
            opened.close()
        self._selector.close()
        if self._path.exists():
            self._path.unlink()

    def run(self) -> None:
        """Answer until stopped; what was read before is answered first."""
        while not self._stopping:
            ready = self._selector.select(0 if self._worker.chosen.due else None)
            if not ready:
                self._worker.look()  # nobody waits for an answer now
            for key, _ in ready:
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._woken:
                    self._woken.recv(64)
                else:
                    self._serve(key.fileobj)  # type: ignore[arg-type]

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(True)
        # A bound on sends in the kernel: a timeout of Python's own costs a poll for each call.
        bound = struct.pack("ll", SEND_SECONDS, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, bound)
        self._readers[connection] = frames.Assembler()
        self._selector.register(connection, selectors.EVENT_READ)

    def _serve(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(1 << 18)
            if not data:
                self._drop(connection)
                return
            for frame in self._readers[connection].feed(data):
                connection.sendall(self._worker.reply(frame))
        except (OSError, frames.FrameError) as error:
            print(f"a connection was closed: {error}", file=sys.stderr, flush=True)
            self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        self._readers.pop(connection, None)
        self._selector.unregister(connection)
        connection.close()


def check_requirements(directory: Path) -> None:
    """Raise Unfit where a package isn't here in the version that the flow pins."""
    path = directory / "requirements.txt"
    if not path.exists():
        return
    wrong = []
    for name, wanted in pins(path.read_text("utf-8")):
        try:
            here = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{name} {wanted} is needed and is not installed")
            continue
        if here != wanted:
            wrong.append(f"{name} {wanted} is needed, {here} is installed")
    if wrong:
        raise Unfit("; ".join(wrong))


def pins(text: str) -> Iterator[tuple[str, str]]:
    """The names and versions that a requirements file pins.

    >>> list(pins("numpy==2.4.6 --hash=x\\n# a comment\\npandas == 3.1.1\\n"))
    [('numpy', '2.4.6'), ('pandas', '3.1.1')]
    """
    for line in text.splitlines():
        found = _PIN.match(line)
        if found:
            yield found.group(1), found.group(2)


def load_flow(directory: Path) -> Any:
    """The attribute ``flow`` of the directory's module ``flow``. Raises Unfit."""
    sys.path.insert(0, str(directory))
    try:
        flow = importlib.import_module("flow").flow
        flow.signature["outputs"]
    except Exception as error:
        traceback.print_exc()
        raise Unfit(f"the flow in {directory.name} did not load: {error!r}") from None
    return flow


def watch_lease(path: Path, seconds: float) -> None:
    """End this process once nobody has held the lock on ``path`` for ``seconds``."""

    def watch() -> None:
        free_since: Optional[float] = None
        pause = threading.Event()
        while not pause.wait(min(1.0, seconds / 4)):
            if not nobody_holds(path):
                free_since = None
                continue
            free_since = free_since or time.monotonic()
            if time.monotonic() - free_since > seconds:
                print("nobody looks after this worker any more: it ends", file=sys.stderr)
                os._exit(0)

    threading.Thread(target=watch, name="lease", daemon=True).start()


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="roadworthy_runtime worker", description=__doc__)
    parser.add_argument("--flow", required=True, help="the flow's directory")
    parser.add_argument("--socket", required=True, help="the Unix socket to listen on")
    parser.add_argument("--release", default="", help="the release's name, reported to callers")
    parser.add_argument("--golden", help="frames of the golden request and its answers")
    parser.add_argument("--memory", type=int, help="limit in bytes on what it may allocate")
    parser.add_argument("--parent", type=int, help="the pid of the process that it ends with")
    parser.add_argument("--lease", help="a file whose lock is held by whoever looks after this")
    parser.add_argument("--lease-seconds", type=float, default=60.0)
    return parser.parse_args(arguments)
