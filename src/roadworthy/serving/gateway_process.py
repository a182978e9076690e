"""The gateway as a process: HTTP server, control socket, prediction log, until SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec

from roadworthy.errors import Damaged, NewerFormat, NotFound
from roadworthy.serving.gateway import Gateway
from roadworthy.serving.http_server import Server, allow_files
from roadworthy.serving.information import Information
from roadworthy.serving.listening import listen
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.options import GatewayOptions
from roadworthy.serving.prediction_log import PredictionLog
from roadworthy.serving.routing import Routing
from roadworthy.serving.spans import open_spans
from roadworthy.serving.table import read_table
from roadworthy_runtime.limits import nobody_holds

MOST_COMMAND = 64 * 1024
GARBAGE_OBJECTS = 10_000
"""New objects between two collections: requests make many and no cycles."""


def run_gateway(options: GatewayOptions) -> int:
    """Run a gateway until SIGTERM or SIGINT; requests under way are finished. The exit code.

    Raises UsageError where its address can't be listened on.
    """
    with _listening(options) as listeners:
        return asyncio.run(_run(options, listeners))


async def _run(options: GatewayOptions, listeners: list[socket.socket]) -> int:
    metrics = Metrics()
    log = None
    if options.log is not None:
        log = PredictionLog(
            options.log,
            on_written=metrics.log_written.inc,
            on_dropped=lambda rows, reason: metrics.log_dropped.labels(reason).inc(rows),
        )
    spans = open_spans(options.traces) if options.traces else None
    routing = Routing(options.limits, metrics.watch)
    path = Path(options.table)
    if path.exists():
        await routing.apply(read_table(path))
    application = Gateway(
        routing,
        metrics,
        options.limits,
        log,
        options.token,
        bound=options.bound,
        spans=spans,
        trace_share=options.trace_share,
    )
    information = application.information
    information.peers = [Path(peer) for peer in options.peers]
    allow_files(options.limits.connections)
    server = Server(
        application,
        options.limits,
        on_stop=information.leave,
        cut_off=lambda reason: metrics.cut_off.labels(reason).inc(),
    )
    metrics.connections.set_function(lambda: server.connections)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    watch = asyncio.create_task(_watch_lease(options, server))
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 20, 50)
    try:
        async with _control(Path(options.control), routing, path, information):
            await server.serve(sockets=listeners)
    finally:
        watch.cancel()
        if log is not None:
            await asyncio.to_thread(log.close)
        if spans is not None:
            await asyncio.to_thread(spans.close)
    return 0


@contextlib.contextmanager
def _listening(options: GatewayOptions) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        if options.sockets:
            found = [socket.socket(fileno=number) for number in options.sockets]
        else:
            found = [listen(options.host, port) for port in (options.port, *options.bound)]
        for each in found:
            stack.enter_context(each)
        yield found


@contextlib.asynccontextmanager
async def _control(
    path: Path, routing: Routing, table: Path, information: Information
) -> AsyncIterator[None]:
    """Answer ``swap``, ``status`` and ``metrics``, one JSON object a line, on a Unix socket."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.LimitOverrunError, ValueError):
            while line := await reader.readline():
                writer.write(
                    msgspec.json.encode(await _obey(line, routing, table, information)) + b"\n"
                )
                await writer.drain()
        writer.close()

    path.unlink(missing_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(serve, str(fresh), limit=MOST_COMMAND)
    fresh.chmod(0o600)
    fresh.replace(path)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def _obey(
    line: bytes, routing: Routing, table: Path, information: Information
) -> dict[str, Any]:
    problems: list[str] = []
    try:
        command = msgspec.json.decode(line)
        word = command.get("do") if isinstance(command, dict) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        word = None
    if word == "swap":
        try:
            problems = await routing.apply(read_table(table))
        except (NotFound, Damaged, NewerFormat) as error:
            problems = [error.message]
    elif word == "metrics":
        return {"metrics": information.own_metrics()}
    elif word != "status":
        problems = ["say swap, status or metrics"]
    return {
        "pid": os.getpid(),
        "version": routing.version,
        "revision": routing.revision,
        "connected": routing.connected(),
        "retiring": sorted(routing.retiring_workers()),
        "problems": problems,
    }


async def _watch_lease(options: GatewayOptions, server: Server) -> None:
    if not options.lease:
        return
    loop = asyncio.get_running_loop()
    held = loop.time()
    while loop.time() - held < options.lease_seconds:
        await asyncio.sleep(1.0)
        if not nobody_holds(Path(options.lease)):
            held = loop.time()
    print("nobody looks after this gateway any more: it ends", file=sys.stderr, flush=True)
    server.stop()
