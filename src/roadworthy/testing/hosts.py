"""A host for tests: a real agent process with its gateway and workers, led by a file.

``python -m roadworthy.testing.hosts DIRECTORY`` runs the agent; `Host` starts it, gives it
tables, and waits for what it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from roadworthy.core.deployment import AgentStatus, Route, RoutingTable, WorkerSpec
from roadworthy.errors import NotFound, RoadworthyError, Unavailable
from roadworthy.serving.agent import run_agent
from roadworthy.serving.options import AgentOptions, Limits, LogOptions
from roadworthy.testing.flows import write_flow

if TYPE_CHECKING:
    import httpx

SOURCE = Path(__file__).resolve().parents[2]
T = TypeVar("T")


def wait_until(look: Callable[[], T], seconds: float = 120.0, what: str = "it") -> T:
    """What ``look`` returns once that is true; AssertionError after ``seconds``.

    A machine that is busy gets to everything within the default.
    """
    until = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.02)


class Host:
    """An agent on its own directory. Use as a context manager.

    Further ``options`` are those of `AgentOptions`.
    """

    def __init__(
        self, limits: Limits | None = None, lease_seconds: float = 5.0, **options: Any
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rw-host-"))
        self.options = AgentOptions(
            directory=str(self.directory / "agent"),
            runtime=str(SOURCE),
            log=LogOptions(directory=str(self.directory / "predictions"), flush_seconds=0.5),
            port=0,
            start_seconds=20.0,
            lease_seconds=lease_seconds,
            limits=limits or Limits(),
        )
        self.options = msgspec.structs.replace(self.options, **options)
        self.process: subprocess.Popen[bytes] | None = None
        self.table = RoutingTable(version=0, workers=[], routes=[])
        self.specs: dict[str, WorkerSpec] = {}

    def __enter__(self) -> Host:
        (self.directory / "flows").mkdir(exist_ok=True)
        (self.directory / "options.json").write_bytes(msgspec.json.encode(self.options))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        """Start the agent and wait until it says where its gateway listens."""
        (self.directory / "agent" / "status.json").unlink(missing_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        with (self.directory / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "roadworthy.testing.hosts", str(self.directory)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        wait_until(lambda: self._known() and self._known().gateway_pid, what="a gateway")  # type: ignore[union-attr]
        if self.options.port == 0:
            port = int(self.status().gateway_address.rpartition(":")[2])
            self.options = msgspec.structs.replace(self.options, port=port)
            (self.directory / "options.json").write_bytes(msgspec.json.encode(self.options))

    def stop(self) -> int:
        """Stop the agent and all it owns; its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """``kill -9`` of the agent alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def add_flow(self, number: int, **how: Any) -> WorkerSpec:
        """Write a tiny flow as release ``tiny@number``; options as ``write_flow`` has them."""
        digest = f"{number:064x}"
        write_flow(self.directory / "flows" / digest, **how)
        spec = WorkerSpec(release=f"tiny@{number}", flow=digest, python=sys.executable)
        self.specs[spec.release] = spec
        return spec

    def follow(self, live: int | None, *specs: WorkerSpec) -> RoutingTable:
        """Hand out the next table: these workers, and the route to release ``live``."""
        routes = []
        if live is not None:
            routes = [Route(model="tiny", release=f"tiny@{live}", stage="production")]
        self.table = RoutingTable(
            version=self.table.version + 1, workers=list(specs), routes=routes
        )
        fresh = self.directory / "table.json.new"
        fresh.write_bytes(msgspec.json.encode(self.table))
        fresh.replace(self.directory / "table.json")
        return self.table

    def applied(self) -> None:
        """Wait until the gateway follows the last table, and all its workers are ready."""

        def look() -> bool:
            status = self.status()
            ready = {w.release for w in status.workers if w.state == "ready"}
            wanted = {spec.release for spec in self.table.workers}
            return status.applied == self.table.version and wanted <= ready

        wait_until(look, what=f"table {self.table.version} with ready workers")

    def status(self) -> AgentStatus:
        """What the agent last wrote."""
        found = wait_until(self._known, what="a status")
        assert found is not None
        return found

    def client(self, **options: Any) -> httpx.Client:
        """A client of the gateway."""
        import httpx

        address = f"http://{self.status().gateway_address}"
        return httpx.Client(base_url=address, timeout=30.0, trust_env=False, **options)

    def logged(self, **asked: Any) -> list[dict[str, Any]]:
        """The rows of ``tiny`` in the prediction log; options as `Asked` has them."""
        from roadworthy.serving.log_query import Asked, find_rows

        try:
            return find_rows(
                self.directory / "predictions", Asked(model="tiny", most=100_000, **asked)
            )
        except NotFound:
            return []

    def workers(self, release: str) -> list[int]:
        """The pids of a release's ready workers."""
        return [
            w.pid
            for w in self.status().workers
            if w.release == release and w.state == "ready" and w.pid is not None
        ]

    def _known(self) -> AgentStatus | None:
        try:
            content = (self.directory / "agent" / "status.json").read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(content, type=AgentStatus)


def main(arguments: list[str]) -> int:
    """Run an agent on a directory that a `Host` made."""
    directory = Path(arguments[0])
    options = msgspec.json.decode((directory / "options.json").read_bytes(), type=AgentOptions)

    def fetch(digest: str) -> Path:
        return directory / "flows" / digest

    async def source(after: int, wait: float) -> RoutingTable | None:
        if (directory / "away").exists():
            raise Unavailable("the control plane is away")
        until = time.monotonic() + min(wait, 2.0)
        path, seen = directory / "table.json", None
        while time.monotonic() < until:
            with contextlib.suppress(FileNotFoundError):
                is_ = path.stat()
                if seen != (is_.st_ino, is_.st_mtime_ns):
                    seen = (is_.st_ino, is_.st_mtime_ns)
                    found = msgspec.json.decode(path.read_bytes(), type=RoutingTable)
                    if found.version != after:
                        return found
            await asyncio.sleep(0.02)
        return None

    try:
        return run_agent(options, fetch, source)
    except RoadworthyError as error:
        print(json.dumps(error.problem()), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
