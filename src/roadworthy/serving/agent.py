"""The agent: owns the gateway and the workers of a host, and keeps what should run running.

It compares the routing table with the processes again and again and takes the next step, so
that it makes no difference whether it, a worker or the gateway has just been killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import fcntl
import itertools
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from roadworthy.core.deployment import AgentStatus, Route, RoutingTable
from roadworthy.core.values import Document
from roadworthy.errors import Conflict, RoadworthyError, Unavailable
from roadworthy.serving.agent_control import StatusSink, TableSource
from roadworthy.serving.agent_events import Events
from roadworthy.serving.agent_gateway import (
    GatewayRecord,
    decode_or_none,
    options_name,
    write_atomically,
)
from roadworthy.serving.agent_gateways import Gateways
from roadworthy.serving.agent_nursery import Home, Nursery
from roadworthy.serving.agent_plan import (
    STEADY_SECONDS,
    Place,
    Plan,
    Seen,
    Trouble,
    next_plan,
    place_of,
)
from roadworthy.serving.agent_workers import Worker, WorkerRecord
from roadworthy.serving.options import AgentOptions
from roadworthy.serving.processes import mentioning, trim
from roadworthy.serving.table import GatewayRelease, GatewayTable, GatewayWorker, read_table

TICK_SECONDS = 0.1
STARTING_TICK_SECONDS = 0.02
STARTING_SECONDS = 10.0
"""So long after a worker began to start it is looked at more often, to serve as soon as it can."""
REPORT_SECONDS = 2.0
RETRY_SECONDS = 0.5
LOCK_SECONDS = 5.0
POLL_SECONDS = 20.0
MOST_GATEWAYS = 64


class Ledger(Document):
    """What runs under an agent, written before it matters, read by the next agent."""

    sockets: str
    workers: list[WorkerRecord] = []
    gateways: list[GatewayRecord] = []
    format: int = 2


def run_agent(
    options: AgentOptions,
    fetch: Callable[[str], Path],
    source: TableSource,
    sink: StatusSink | None = None,
) -> int:
    """Run an agent until SIGTERM or SIGINT, then stop gateway and workers. The exit code.

    ``fetch`` gives the directory of a flow by its release's digest. Raises Conflict where
    another agent has this directory, UsageError where the gateway can't listen.
    """
    return asyncio.run(_run(options, fetch, source, sink))


async def _run(
    options: AgentOptions,
    fetch: Callable[[str], Path],
    source: TableSource,
    sink: StatusSink | None,
) -> int:
    directory = Path(options.directory)
    (directory / "logs").mkdir(parents=True, exist_ok=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    lease = directory / "agent.lock"
    held = await _lock(lease)
    try:
        agent = Agent(options, fetch, lease)
        await agent.adopt()
        agent.gateways.open()
        await agent.run(source, sink, stop)
        await agent.close()
    finally:
        os.close(held)
    return 0


def home_of(place: Place) -> Home:
    """What a nursery for this place has loaded."""
    return Home(release=place.release, flow=place.flow, python=place.python)


class Agent:
    """What one agent knows and does. ``changed`` wakes it before its next tick."""

    def __init__(self, options: AgentOptions, fetch: Callable[[str], Path], lease: Path) -> None:
        self.options = options
        self.directory = Path(options.directory)
        self.fetch = fetch
        self.lease = lease
        self.changed = asyncio.Event()
        self._news = asyncio.Event()
        self.table = self._last_table()
        self.workers: dict[str, Worker] = {}
        self.nurseries: dict[Home, Nursery] = {}
        self.events = Events(self.directory / "events.jsonl")
        self._ledger = self._last_ledger()
        self.gateways = Gateways(options, Path(self._ledger.sockets), lease)
        self._troubles: dict[Place, Trouble] = {}
        self._restarts: dict[Place, int] = {}
        self._routes: list[Route] = []
        self._sent: GatewayTable | None = None
        self._starts: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(int(time.time() * 1000) % 10**9)
        self._said = b""
        self._written = (b"", 0.0)
        self._retry_at = 0.0
        self._problem = ""

    async def adopt(self) -> None:
        """Take over what a predecessor left running; kill what can't be used or isn't known."""
        known = {record.process.pid for record in self._ledger.workers}
        known |= {record.process.pid for record in self._ledger.gateways}
        names = [str(self.directory / options_name(number)) for number in range(MOST_GATEWAYS)]
        for stray in mentioning(str(self.lease), *names):
            if stray.pid not in known:
                stray.signal(signal.SIGKILL)
        for record in self._ledger.workers:
            worker = self._worker(record.id, record.place, Path(record.socket))
            try:
                directory = await asyncio.to_thread(self.fetch, record.place.flow)
                if await worker.take_over(record, directory):
                    self.workers[worker.id] = worker
            except (RoadworthyError, OSError) as error:
                print(f"worker {record.id} is not taken over: {error}", file=sys.stderr)
                worker.kill("its flow can't be read any more")
        await self.gateways.take_over(self._ledger.gateways)
        with contextlib.suppress(RoadworthyError):
            self._routes = read_table(self.gateways.table).routes

    async def run(self, source: TableSource, sink: StatusSink | None, stop: asyncio.Event) -> None:
        """Look and act until ``stop`` is set."""
        follow = asyncio.create_task(self._follow(source))
        waiter = asyncio.create_task(stop.wait())
        reporter = asyncio.create_task(self._report_to(sink)) if sink is not None else None
        try:
            while not stop.is_set():
                await self._try_step()
                waker = asyncio.create_task(self.changed.wait())
                await asyncio.wait(
                    {waiter, waker}, timeout=self._tick(), return_when=asyncio.FIRST_COMPLETED
                )
                waker.cancel()
                self.changed.clear()
        finally:
            for task in (follow, waiter, reporter):
                if task is not None:
                    task.cancel()

    def _tick(self) -> float:
        since = time.monotonic() - STARTING_SECONDS
        starts = any(w.state == "starting" and w.began > since for w in self.workers.values())
        return STARTING_TICK_SECONDS if starts else TICK_SECONDS

    async def _try_step(self) -> None:
        """A step; where the disk fails, what runs goes on and the next step tries again."""
        try:
            await self.step()
            self._problem = ""
        except OSError as error:
            if not self._problem:
                print(f"the agent could not do all it should: {error}", file=sys.stderr, flush=True)
                self._news.set()
            self._problem = f"the agent could not do all it should: {error}"

    async def step(self) -> None:
        """One look at everything, and the next steps."""
        self._tend_nurseries()
        for worker in list(self.workers.values()):
            await self._look(worker)
            if worker.state in ("failed", "stopped"):
                self._settle(worker)
        state = self.gateways.state
        await self.gateways.look(draining=bool(state and state.retiring))
        plan = next_plan(self.table, self._seen(), self._routes, self._troubles, time.monotonic())
        await self._tell_gateway(plan)
        for place in plan.start:
            self._start(place)
        for id in plan.stop:
            self.workers[id].stop()
        self._write_ledger()
        self._write_status()

    async def _look(self, worker: Worker) -> None:
        """See how a worker is doing; what happened to it is an event."""
        before, tired = worker.state, worker.tired
        await worker.look(self.options.start_seconds)
        if worker.state == "ready" and before == "starting":
            self.events.add(worker, "ready", f"after {worker.ready_after} s")
        elif worker.state == "failed" and not worker.settled:
            self.events.add(worker, worker.failure, worker.error)
        if worker.tired and not tired:
            self.events.add(worker, "tired", worker.tired)

    def _tend_nurseries(self) -> None:
        """End the nurseries of releases that have not several workers any more."""
        wanted = {home_of(place_of(spec, 0)) for spec in self.table.workers if spec.replicas > 1}
        for home in set(self.nurseries) - wanted:
            self.nurseries.pop(home).stop()

    def _nursery(self, place: Place) -> Nursery | None:
        """What a place's worker is forked from; None where its release has one worker only."""
        home = home_of(place)
        if not any(
            spec.replicas > 1 and home_of(place_of(spec, 0)) == home for spec in self.table.workers
        ):
            return None
        if home not in self.nurseries:
            path = Path(self._ledger.sockets) / f"n{next(self._numbers)}"
            self.nurseries[home] = Nursery(home, path, self._log(place))
        return self.nurseries[home]

    async def close(self) -> None:
        """Stop the gateway, which answers what is under way, then the workers."""
        await self.gateways.stop()
        for task in self._starts:
            task.cancel()
        for worker in self.workers.values():
            worker.stop()
        while any(worker.state == "stopping" for worker in self.workers.values()):
            for worker in self.workers.values():
                await worker.look(self.options.start_seconds)
            await asyncio.sleep(0.02)
        for nursery in self.nurseries.values():
            nursery.stop()
        self._write_status()
        (self.directory / "workers.json").unlink(missing_ok=True)
        shutil.rmtree(self._ledger.sockets, ignore_errors=True)

    def status(self) -> AgentStatus:
        """What runs on this host now."""
        state = self.gateways.state
        sent = self._sent
        follows = state is not None and sent is not None and state.revision == sent.revision
        settled = follows and sent is not None and sent.routes == self.table.routes
        problems = [text for text in (self.gateways.problem, self._problem) if text]
        if state is not None:
            problems += state.problems
        problems += [
            f"workers of {home.release} are not forked: {nursery.unusable}"
            for home, nursery in self.nurseries.items()
            if nursery.unusable
        ]
        shown = [w.status(self._restarts.get(w.place, 0)) for w in self.workers.values()]
        return AgentStatus(
            agent=socket.gethostname(),
            pid=os.getpid(),
            at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            applied=sent.version if settled and sent is not None else 0,
            workers=shown,
            gateway_pid=self.gateways.pid,
            gateway_address=self.gateways.address,
            gateway_restarts=self.gateways.restarts,
            problems=problems,
            events=self.events.last,
        )

    async def _follow(self, source: TableSource) -> None:
        pause = 0.2
        after = -1
        while True:
            try:
                table = await source(after, POLL_SECONDS)
                if table is not None:
                    self._take(table)
                    after = table.version
                pause = 0.2
            except (Unavailable, OSError):
                await asyncio.sleep(pause)
                pause = min(pause * 2, 3.0)

    def _take(self, table: RoutingTable) -> None:
        if table != self.table:
            write_atomically(self.directory / "routing.json", msgspec.json.encode(table))
            self.table = table
            self.changed.set()

    async def _report_to(self, sink: StatusSink) -> None:
        """Tell what changed at once, and what is the case at least every REPORT_SECONDS."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), REPORT_SECONDS)
            self._news.clear()
            try:
                await sink(self.status())
            except Unavailable:
                self._news.set()
                await asyncio.sleep(0.5)

    def _seen(self) -> list[Seen]:
        state = self.gateways.state
        used = {*state.connected, *state.retiring} if state is not None else set()
        return [
            Seen(id=w.id, place=w.place, state=w.state, in_use=w.id in used, tired=w.tired)
            for w in self.workers.values()
        ]

    def _start(self, place: Place) -> None:
        if place in self._troubles or place in self._restarts:
            self._restarts[place] = self._restarts.get(place, 0) + 1
        for id, old in list(self.workers.items()):
            if old.place == place and old.state in ("failed", "stopped"):
                del self.workers[id]
        id = f"{place.release}-{next(self._numbers)}"
        worker = self._worker(id, place, Path(self._ledger.sockets) / id.rpartition("-")[2])
        self.workers[id] = worker
        task = asyncio.create_task(
            worker.start(self.options, self.fetch, self.lease, self._nursery(place))
        )
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)
        task.add_done_callback(lambda _: self.changed.set())

    def _worker(self, id: str, place: Place, path: Path) -> Worker:
        return Worker(id, place, path, self._log(place), self.options.leaks)

    def _log(self, place: Place) -> Path:
        return self.directory / "logs" / f"{place.release}.log"

    def _settle(self, worker: Worker) -> None:
        """Keep in mind why a worker failed; forget one that was stopped."""
        wanted = {place_of(spec, n) for spec in self.table.workers for n in range(spec.replicas)}
        if worker.state == "stopped" or worker.place not in wanted:
            del self.workers[worker.id]
            self._troubles.pop(worker.place, None)
            self._restarts.pop(worker.place, None)
            return
        if worker.settled:
            return
        worker.settled = True
        before = self._troubles.get(worker.place)
        steady = worker.served and time.monotonic() - worker.began > STEADY_SECONDS
        failures = 1 if before is None or steady else before.failures + 1
        self._troubles[worker.place] = Trouble(
            failures=failures,
            at=time.monotonic(),
            error=worker.error,
            served=worker.served,
            hopeless=worker.hopeless,
        )

    async def _tell_gateway(self, plan: Plan) -> None:
        """Have the gateway follow the plan, if that differs from what it follows."""
        releases = self._releases(plan)
        routes = plan.routes
        sent = self._sent
        fresh = GatewayTable(
            version=self.table.version,
            revision=sent.revision if sent is not None else 0,
            releases=releases,
            routes=routes,
        )
        state = self.gateways.state
        behind = sent is None or (
            state is not None
            and (state.revision != sent.revision or self._unconnected(plan.use, state.connected))
        )
        if fresh == sent and not behind:
            return
        fresh = msgspec.structs.replace(fresh, revision=max(time.time_ns(), fresh.revision + 1))
        try:
            await self.gateways.swap(fresh)
        except Unavailable:
            pass
        self._sent = fresh
        self._routes = routes

    def _unconnected(self, used: list[str], connected: list[str]) -> bool:
        """Whether the gateway has not reached a worker, and should try again."""
        if set(used) <= set(connected) or time.monotonic() < self._retry_at:
            return False
        self._retry_at = time.monotonic() + RETRY_SECONDS
        return True

    def _releases(self, plan: Plan) -> list[GatewayRelease]:
        used = set(plan.use)
        specs = {spec.release: spec for spec in self.table.workers}
        by_release: dict[str, list[Worker]] = {}
        for worker in self.workers.values():
            by_release.setdefault(worker.place.release, []).append(worker)
        releases = []
        for name, workers in sorted(by_release.items()):
            signature = next((w.signature for w in workers if w.signature is not None), None)
            kept = [w for w in workers if w.id in used]
            if signature is None or not (kept or name in specs):
                continue
            spec = specs.get(name)
            releases.append(
                GatewayRelease(
                    release=name,
                    flow=workers[0].place.flow,
                    signature=signature,
                    workers=[GatewayWorker(id=w.id, socket=str(w.socket)) for w in kept],
                    batch_seconds=spec.batch_seconds if spec is not None else 30.0,
                    failed=plan.failed.get(name, ""),
                    failures=self.events.failures.get(name, {}),
                )
            )
        return releases

    def _write_ledger(self) -> None:
        records = [record for w in self.workers.values() if (record := w.record()) is not None]
        ledger = Ledger(
            sockets=self._ledger.sockets, workers=records, gateways=self.gateways.records()
        )
        if ledger != self._ledger:
            write_atomically(self.directory / "workers.json", msgspec.json.encode(ledger))
            self._ledger = ledger

    def _write_status(self) -> None:
        status = self.status()
        gist = self._gist(status)
        if gist != self._said:
            self._said = gist
            self._news.set()
        if gist != self._written[0] or time.monotonic() - self._written[1] > REPORT_SECONDS:
            write_atomically(self.directory / "status.json", msgspec.json.encode(status))
            for log in (self.directory / "logs").glob("*.log"):
                trim(log)
            self._written = (gist, time.monotonic())

    @staticmethod
    def _gist(status: AgentStatus) -> bytes:
        """The status without what changes all the time."""
        workers = [msgspec.structs.replace(w, rss_bytes=0, cpu_seconds=0.0) for w in status.workers]
        return msgspec.json.encode(msgspec.structs.replace(status, at="", workers=workers))

    def _last_table(self) -> RoutingTable:
        path = self.directory / "routing.json"
        found = decode_or_none(path.read_bytes(), RoutingTable) if path.exists() else None
        return found or RoutingTable(version=0, workers=[], routes=[])

    def _last_ledger(self) -> Ledger:
        path = self.directory / "workers.json"
        found = decode_or_none(path.read_bytes(), Ledger) if path.exists() else None
        if isinstance(found, Ledger) and Path(found.sockets).is_dir():
            return found
        fresh = Ledger(sockets=tempfile.mkdtemp(prefix="rw-"))
        write_atomically(path, msgspec.json.encode(fresh))
        return fresh


async def _lock(path: Path) -> int:
    """A file descriptor that holds the agent's lock. Raises Conflict."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(file)
                raise Conflict(
                    f"another agent runs in {path.parent}",
                    cure="stop it first: roadworthy down",
                ) from None
            await asyncio.sleep(0.05)
        else:
            return file
