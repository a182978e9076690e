"""The HTTP server under the gateway: bounds on connections, requests' heads and slow callers."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from httptools import parse_url
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from roadworthy.serving.options import Limits
from roadworthy.serving.problems import Refused, render

SWEEP_SECONDS = 1.0
PROGRESS_BYTES = 64 * 1024
"""What a caller must have taken of a long answer each time the limit on sending is over."""
ACCEPTS = 128
"""Connections accepted in one turn of the event loop: a flood of them delays nobody for long."""
BACKLOG = 2048
NEWCOMER_SECONDS = 1.0
"""How long a gateway that ends waits for the first request of those who connected last."""
SPARE_FILES = 256
"""Descriptors that are needed for other things than connections."""

_LINES = re.compile(rb"(?:[!-9;-~]+: [\t -~\x80-\xff]*\r\n)+")
"""Headers as they are sent, without anything that would end one."""

CutOff = Callable[[str], None]


class Cycle(RequestResponseCycle):
    """uvicorn's cycle of a request and its answer, which writes a whole answer at once.

    One write is one packet, and wakes its caller up once.
    """

    _head: Any = None

    async def send(self, message: Any) -> None:
        """Send a part of the answer (ASGI); the head of one whose length is known waits for it."""
        if message["type"] == "http.response.start":
            if b"content-length" in dict(message["headers"]) and not self.response_started:
                self._head = message
                return
        elif self._head is not None:
            head, self._head = self._head, None
            if self._write_whole(head, message):
                return
            await super().send(head)
        await super().send(message)

    def _write_whole(self, head: Any, message: Any) -> bool:
        """Write head and body together; False where there is more to it, and uvicorn knows what."""
        if self.flow.write_paused or self.disconnected or not self.keep_alive:
            return False
        body = message.get("body", b"")
        headers = [*self.default_headers, *head["headers"]]
        lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
        whole = not message.get("more_body") and b"content-length: %d\r\n" % len(body) in lines
        if not whole or b"connection: " in lines or not _LINES.fullmatch(lines):
            return False
        if self.scope["method"] == "HEAD":
            return False
        self.response_started = self.response_complete = True
        self.transport.write(STATUS_LINE[head["status"]] + lines + b"\r\n" + body)
        self.message_event.set()
        self.on_response()
        return True


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with an eye on slow callers. ``limits`` and ``cut_off`` are set below."""

    limits: Limits
    cut_off: CutOff

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_since: float | None = time.monotonic()
        self._body_since: float | None = None
        self._head_bytes = 0
        self._idle_since = 0.0
        self._unsent = 0
        self._unsent_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            full = Refused("overloaded", "too many connections are open", retry_after=1)
            self._close_with(full)
            self.cut_off("too many")

    def data_received(self, data: bytes) -> None:
        if self._head_since is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_since is not None and self._head_bytes > self.limits.head_bytes:
            most = self.limits.head_bytes
            self._close_with(Refused("head-too-large", f"the head exceeds {most} bytes"))
            self.cut_off("long head")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_since = self._body_since = time.monotonic()

    def on_headers_complete(self) -> None:
        """As uvicorn does it, with our cycle; without upgrades and limits of its own."""
        self._head_since = None
        self._head_bytes = 0
        version = self.parser.get_http_version()
        url = parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        self.scope["raw_path"] = url.path
        self.scope["query_string"] = url.query or b""
        before: RequestResponseCycle | None = self.cycle
        self.cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_response_complete(self) -> None:
        """Begin with the next request that has arrived; without one the sweep sees to the rest."""
        self.server_state.total_requests += 1
        self._idle_since = time.monotonic()
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())

    def on_message_complete(self) -> None:
        self._body_since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets problem details like everything else."""
        self._close_with(Refused("bad-http", msg))

    def look(self, now: float) -> None:
        """Cut the caller off where its request, or its taking of the answer, makes no progress."""
        cycle: RequestResponseCycle | None = self.cycle
        answered = cycle is None or cycle.response_complete
        streams = not answered and cycle is not None and cycle.chunked_encoding
        if not streams and self._is_stuck(now):
            self.cut_off("does not read")
            self.transport.abort()
        elif self._head_since is not None and now - self._head_since > self.limits.head_seconds:
            silent = self._head_bytes == 0
            self.cut_off("silent" if silent else "slow head")
            self.transport.close()
        elif answered and self._body_since is not None:
            if now - self._body_since > self.limits.body_seconds:
                self.cut_off("slow body")
                self.transport.abort()
        elif cycle is not None and answered:
            if now - self._idle_since > self.limits.keep_alive_seconds:
                self.transport.close()

    def _is_stuck(self, now: float) -> bool:
        unsent = self.transport.get_write_buffer_size()
        moved = unsent < self._unsent - PROGRESS_BYTES
        if not unsent or not self._unsent or moved:
            self._unsent, self._unsent_since = unsent, now
            return False
        return now - self._unsent_since > self.limits.send_seconds

    def _close_with(self, refused: Refused) -> None:
        if self.transport.is_closing():
            return
        status, type_, body = render(refused, "plain", "")
        retry = b"retry-after: 1\r\n" if refused.retry_after else b""
        self.transport.write(
            b"HTTP/1.1 %d Refused\r\ncontent-type: %s\r\ncontent-length: %d\r\n%sconnection: close"
            b"\r\n\r\n%s" % (status, type_.encode(), len(body), retry, body)
        )
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server that looks after its connections, and ends without losing a request.

    ``on_stop`` is called when it begins to end. It goes on accepting for a while then, so that
    nobody waits for a successor that is started only once this one has ended.
    """

    def __init__(
        self,
        application: Any,
        limits: Limits,
        on_stop: Callable[[], None],
        cut_off: CutOff,
    ) -> None:
        protocol = type(
            "Bound", (Connection,), {"limits": limits, "cut_off": staticmethod(cut_off)}
        )
        super().__init__(
            uvicorn.Config(
                application,
                http=protocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                interface="asgi3",
                access_log=False,
                log_level="error",
                server_header=False,
                proxy_headers=False,
                backlog=ACCEPTS,
                timeout_graceful_shutdown=int(limits.deadline_seconds) + 1,
            )
        )
        self._limits = limits
        self._on_stop = on_stop

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self.server_state.connections)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn's handling would skip what comes after the server."""
        yield

    def stop(self) -> None:
        """Finish what is under way, then return from ``serve``."""
        self.should_exit = True

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Begin to serve; the kernel's queue is longer than what is accepted in one turn."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)

    async def main_loop(self) -> None:
        """Serve until stopped, and look at each connection every second."""
        sweeper = asyncio.create_task(self._sweep())
        try:
            await super().main_loop()
        finally:
            sweeper.cancel()

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Say goodbye on each answer for a while, then close what is idle and finish the rest.

        Whoever was accepted last has its request on the way: it is waited for. Whoever comes later
        waits in the queue of the listener, which the agent holds, for the successor.
        """
        self._on_stop()
        if self.connections:
            await asyncio.sleep(self._limits.drain_seconds)
        for listener in (each for server in self.servers for each in server.sockets):
            asyncio.get_running_loop().remove_reader(listener.fileno())
        patience = time.monotonic() + NEWCOMER_SECONDS
        await asyncio.sleep(0.01)  # what was accepted in this turn is a connection in a next one
        while self._newcomers() and time.monotonic() < patience:  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.01)
        await super().shutdown(sockets)

    def _newcomers(self) -> bool:
        """Whether a connection is open on which nothing was asked yet."""
        return any(
            isinstance(connection, Connection) and connection.cycle is None
            for connection in self.server_state.connections
        )

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.look(now)


def allow_files(connections: int) -> None:
    """Raise this process's limit on open files, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
