"""The nursery: a process that loads a flow once, and from which workers are forked.

Workers made of it share its memory until they write to it, and are there in milliseconds. It
forks only where that is safe: while no library runs a thread of its own, and none is loaded that
does not bear it. Each worker answers the golden request once more before it listens.

It is told what to do on a Unix socket, one JSON object a line: ``{"do": "fork", "socket": …}``,
``{"do": "wait", "pid": …}``. It serves no rows itself.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

from roadworthy_runtime.exits import UNFIT, UNFORKABLE
from roadworthy_runtime.limits import limit_memory, nobody_holds
from roadworthy_runtime.worker import Server, Unfit, Worker, watch_lease

NOT_AFTER_FORK = ("tensorflow", "jax", "jaxlib", "grpc", "ray", "pyspark", "mxnet")
"""Libraries that keep threads, locks or devices which a forked process can't use."""

_LOOK_SECONDS = 0.5
_LEAST_WARM_SECONDS = 10
_WAIT_SECONDS = 2.0


def main(arguments: List[str]) -> int:
    """Fork workers as told until SIGTERM. The exit code is 0, UNFIT or UNFORKABLE."""
    options = _parse(arguments)
    if os.getpid() != os.getpgrp():
        os.setpgid(0, 0)
    golden = Path(options.golden) if options.golden else None
    began = time.monotonic()
    try:
        worker = Worker(Path(options.flow).resolve(), options.release)
        worker.golden = golden
        worker.warm_up(golden)
    except Unfit as reason:
        print(f"can't serve: {reason}", file=sys.stderr, flush=True)
        return UNFIT
    why = why_not_fork()
    if why:
        print(f"can't fork: {why}", file=sys.stderr, flush=True)
        return UNFORKABLE
    warm_seconds = max(_LEAST_WARM_SECONDS, int(10 * (time.monotonic() - began)))
    gc.collect()
    gc.freeze()
    return Nursery(options, worker, golden, warm_seconds).run()


def why_not_fork() -> str:
    """Why workers can't be forked from this process; an empty text where they can.

    >>> import types
    >>> sys.modules["mxnet"] = types.ModuleType("mxnet"); why_not_fork()
    'mxnet does not bear being forked'
    >>> del sys.modules["mxnet"]
    """
    loaded = [name for name in NOT_AFTER_FORK if name in sys.modules]
    if loaded:
        return f"{loaded[0]} does not bear being forked"
    torch = sys.modules.get("torch")
    if torch is not None and getattr(getattr(torch, "cuda", None), "is_initialized", bool)():
        return "a CUDA device is in use"
    try:
        threads = len(os.listdir("/proc/self/task"))
    except OSError:
        return "this system does not tell how many threads run"
    return f"{threads - 1} threads of its libraries run" if threads > 1 else ""


class Nursery:
    """Listens for what to do; knows its children until somebody asked how they ended."""

    def __init__(
        self, options: argparse.Namespace, worker: Worker, golden: Optional[Path], warm: int
    ) -> None:
        self._options = options
        self._worker = worker
        self._golden = golden
        self._warm_seconds = warm
        self._ended: Dict[int, int] = {}
        self._children: List[int] = []
        self._stopping = False
        self._free_since: Optional[float] = None

    def run(self) -> int:
        """Serve until SIGTERM, or until nobody holds the lease for long enough."""
        path = Path(self._options.socket)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        fresh = path.with_name(path.name + ".new")
        fresh.unlink() if fresh.exists() else None
        listener.bind(str(fresh))
        os.chmod(fresh, 0o600)
        listener.listen(16)
        listener.settimeout(_LOOK_SECONDS)
        os.replace(fresh, path)
        try:
            while not self._stopping and self._looked_after():
                self._reap()
                try:
                    connection, _ = listener.accept()
                except (socket.timeout, InterruptedError):
                    continue
                with connection:
                    self._serve(listener, connection)
        finally:
            listener.close()
            if path.exists():
                path.unlink()
        return 0

    def _serve(self, listener: socket.socket, connection: socket.socket) -> None:
        connection.settimeout(2.0)
        try:
            line = b""
            while not line.endswith(b"\n"):
                data = connection.recv(4096)
                if not data:
                    return
                line += data
            command = json.loads(line)
            if command.get("do") == "fork":
                answer: Dict[str, Any] = {"pid": self._fork(listener, connection, command)}
            elif command.get("do") == "wait":
                answer = {"code": self._code_of(int(command["pid"]))}
            else:
                answer = {"pid": os.getpid()}
            connection.sendall(json.dumps(answer).encode("ascii") + b"\n")
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"a command was not carried out: {error!r}", file=sys.stderr, flush=True)

    def _fork(
        self, listener: socket.socket, connection: socket.socket, command: Dict[str, Any]
    ) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child:
            try:
                os.setpgid(child, child)
            except OSError:
                pass  # it did so itself, and may even have ended
            self._children.append(child)
            return child
        code = 1
        try:
            os.setpgid(0, 0)
            listener.close()
            connection.close()
            code = self._be_worker(command)
        except BaseException as error:
            print(f"the worker ended: {error!r}", file=sys.stderr, flush=True)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _be_worker(self, command: Dict[str, Any]) -> int:
        """In the forked process: warm up within a limit that even a deadlock meets, then serve."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(self._warm_seconds)
        path = Path(command["socket"])
        self._worker.told = Path(command["socket"] + ".form")
        try:
            self._worker.warm_up(self._golden)
        except Unfit as reason:
            print(f"can't serve: {reason}", file=sys.stderr, flush=True)
            return UNFIT
        signal.alarm(0)
        if self._options.lease:
            watch_lease(Path(self._options.lease), self._options.lease_seconds)
        if command.get("memory"):
            limit_memory(int(command["memory"]))
        with Server(path, self._worker) as server:
            server.run()
        return 0

    def _code_of(self, pid: int) -> Optional[int]:
        """How a child ended: its exit code, or minus its signal; None where that isn't known."""
        until = time.monotonic() + _WAIT_SECONDS
        while pid in self._children and time.monotonic() < until:
            self._reap()
            if pid in self._children:
                time.sleep(0.01)
        return self._ended.pop(pid, None)

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._children.remove(pid)
                code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
                self._ended[pid] = code

    def _looked_after(self) -> bool:
        if not self._options.lease:
            return True
        if not nobody_holds(Path(self._options.lease)):
            self._free_since = None
            return True
        self._free_since = self._free_since or time.monotonic()
        free = time.monotonic() - self._free_since
        return bool(free <= self._options.lease_seconds)

    def _stop(self, *_: object) -> None:
        self._stopping = True


def _parse(arguments: List[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="roadworthy_runtime nursery", description=__doc__)
    parser.add_argument("--flow", required=True, help="the flow's directory")
    parser.add_argument("--socket", required=True, help="the Unix socket to be told on")
    parser.add_argument("--release", default="", help="the release's name")
    parser.add_argument("--golden", help="frames of the golden request and its answers")
    parser.add_argument("--lease", help="a file whose lock is held by whoever looks after this")
    parser.add_argument("--lease-seconds", type=float, default=60.0)
    return parser.parse_args(arguments)
