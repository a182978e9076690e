"""Large batches as Arrow's IPC stream: read, asked and answered in chunks, never all in memory.

Answers go out while rows still come in. A caller who sends everything before reading anything
is not waited for: what it has not taken yet is kept in a temporary file.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import zlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from typing import Any

from roadworthy.serving.answers import Answered
from roadworthy.serving.arrow_columns import (
    Chunk,
    answer_schema,
    check_schema,
    read_chunk,
    write_chunk,
)
from roadworthy.serving.arrow_messages import Messages
from roadworthy.serving.dispatch import Pool
from roadworthy.serving.headers import LONGEST_SECONDS, priority_of, seconds_of
from roadworthy.serving.inference import Exchange
from roadworthy.serving.options import Limits
from roadworthy.serving.pace import Portion
from roadworthy.serving.problems import Refused
from roadworthy.serving.replies import Receive, Send, common_headers
from roadworthy.serving.waiting import LOW, Job

ARROW_TYPE = "application/vnd.apache.arrow.stream"
END = b"\xff\xff\xff\xff\0\0\0\0"
PIECE = 1 << 18
RETRY_SECONDS = 0.05

Done = Callable[[int, Chunk, Answered | None, Any], None]
"""Told of each chunk: its first row, what was asked and answered, the record batch that says so."""


class Broken(Exception):
    """The stream can't go on, and its answer has begun: the connection is closed."""


async def answer_stream(
    exchange: Exchange, pool: Pool, receive: Receive, send: Send, limits: Limits, done: Done
) -> None:
    """Answer a stream with a stream.

    Raises Refused while nothing has been answered yet, Broken afterwards.
    """
    work = _Answering(exchange, pool, limits, done)
    outbox = Outbox(send, limits)
    sender: asyncio.Task[None] | None = None
    try:
        async with aclosing(work.answers(receive)) as pieces:
            async for piece in pieces:
                if sender is None:
                    pairs = common_headers(
                        exchange.headers, exchange.request_id, ARROW_TYPE, pool.release
                    )
                    await send({"type": "http.response.start", "status": 200, "headers": pairs})
                    sender = asyncio.create_task(outbox.run())
                outbox.put(piece)
                if sender.done():
                    break
        outbox.close()
        if sender is not None:
            await sender
    except Refused as refused:
        if sender is None:
            raise
        raise Broken(refused.detail) from None
    finally:
        work.cancel()
        outbox.discard()
        if sender is not None and not sender.done():
            sender.cancel()
            with suppress(asyncio.CancelledError):
                await sender


class _Answering:
    """The chunks of one stream that are under way, in order."""

    def __init__(self, exchange: Exchange, pool: Pool, limits: Limits, done: Done) -> None:
        self._exchange = exchange
        self._pool = pool
        self._limits = limits
        self._done = done
        self._priority = LOW if exchange.headers.priority is None else priority_of(exchange.headers)
        self._until: float | None = None
        if exchange.headers.timeout is not None:
            seconds = seconds_of(exchange.headers, LONGEST_SECONDS)
            self._until = time.monotonic() + seconds
        self._under_way: deque[tuple[int, Chunk, asyncio.Task[Answered]]] = deque()
        self._rows = 0
        self._portion = Portion(limits.batch_rows, limits.arrow_rows)
        self._answered = False

    async def answers(self, receive: Receive) -> AsyncGenerator[bytes, None]:
        """The bytes of the answer: its schema, a record batch for each chunk, its end."""
        schema = answer_schema(self._pool.signature, self._pool.release, self._exchange.request_id)
        head = schema.serialize().to_pybytes()
        messages = Messages(self._limits.arrow_bytes)
        checked = False
        async for data in _inflated(receive, self._exchange, self._limits):
            for batch in messages.feed(data):
                if not checked:
                    check_schema(self._pool.signature, messages.schema)
                    checked = True
                start = 0
                while start < batch.num_rows:
                    rows = self._portion.rows
                    self._begin(batch.slice(start, rows))
                    start += rows
                    while len(self._under_way) > len(self._pool.links) + 1:
                        piece = await self._next(schema)
                        yield head + piece
                        head = b""
        messages.end()
        check_schema(self._pool.signature, messages.schema)
        while self._under_way:
            piece = await self._next(schema)
            yield head + piece
            head = b""
        yield head + END

    def cancel(self) -> None:
        """Ask no more."""
        for _, _, task in self._under_way:
            task.cancel()
        self._under_way.clear()

    def _begin(self, batch: Any) -> None:
        chunk = read_chunk(self._pool.signature, batch)
        task = asyncio.create_task(self._ask(chunk))
        self._under_way.append((self._rows, chunk, task))
        self._rows += chunk.n

    async def _next(self, schema: Any) -> bytes:
        """The oldest chunk's answer. What goes wrong with the first chunk refuses the stream."""
        first, chunk, task = self._under_way.popleft()
        answered: Answered | None = None
        failure = ""
        try:
            answered = await task
            self._portion.observe(answered.n, (answered.times.get("worker") or 0) / 1e6)
        except Refused as refused:
            if not self._answered:
                raise
            failure = f"{refused.code}: {refused.detail}"
        self._answered = True
        batch = write_chunk(schema, chunk, answered, failure)
        self._done(first, chunk, answered, batch)
        found: bytes = batch.serialize().to_pybytes()
        return found

    async def _ask(self, chunk: Chunk) -> Answered:
        """The worker's answer for the rows that are kept. Waits while the queue is full."""
        n = chunk.n if chunk.kept is None else len(chunk.kept)
        if not n:
            return Answered(n=0, columns={}, rejected={}, failed={}, warnings=[], times={}, batch=0)
        deadline = self._until or time.monotonic() + self._limits.deadline_seconds
        while True:
            try:
                job = Job(chunk.columns, n, chunk.bytes, deadline, self._priority, columnar=True)
                return await self._pool.submit(job)
            except Refused as refused:
                if refused.code != "overloaded" or time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(RETRY_SECONDS)


class Outbox:
    """Bytes on their way to the caller: in memory while few, in a temporary file while many."""

    def __init__(self, send: Send, limits: Limits) -> None:
        self._send = send
        self._limits = limits
        self._file: Any = tempfile.SpooledTemporaryFile(max_size=1 << 20)  # noqa: SIM115
        self._written = self._read = 0
        self._closed = False
        self._more = asyncio.Event()

    def put(self, data: bytes) -> None:
        """Have bytes sent after those before. Raises Refused where too many wait."""
        if self._written - self._read + len(data) > self._limits.spool_bytes:
            raise Refused("too-slow", "too much of the answer waits to be read")
        self._file.seek(self._written)
        self._file.write(data)
        self._written += len(data)
        self._more.set()

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._more.set()

    def discard(self) -> None:
        """Forget what was not sent."""
        self._file.close()

    async def run(self) -> None:
        """Send until closed and empty. Raises Broken where the caller takes nothing any more."""
        while True:
            while self._read < self._written:
                self._file.seek(self._read)
                piece = self._file.read(PIECE)
                self._read += len(piece)
                if self._read == self._written:
                    self._read = self._written = 0
                    self._file.seek(0)
                    self._file.truncate()
                await self._send_piece(piece)
            if self._closed:
                break
            self._more.clear()
            await self._more.wait()
        await self._send({"type": "http.response.body", "body": b""})

    async def _send_piece(self, piece: bytes) -> None:
        message = {"type": "http.response.body", "body": piece, "more_body": True}
        sending = asyncio.ensure_future(self._send(message))
        # While rows still come in, the caller may have reasons not to read.
        while not (await asyncio.wait({sending}, timeout=self._limits.send_seconds))[0]:
            if self._closed:
                sending.cancel()
                raise Broken("the caller does not read the answer")
        await sending


async def _inflated(receive: Receive, exchange: Exchange, limits: Limits) -> AsyncIterator[bytes]:
    """The body as it arrives, in pieces, without its content encoding."""
    encoding = exchange.headers.encoding
    machine: Any = None
    if encoding in ("gzip", "deflate"):
        machine = zlib.decompressobj(zlib.MAX_WBITS | 32)
    elif encoding not in ("", "identity"):
        raise Refused(
            "content-encoding",
            f"the content encoding {encoding[:40]!r} is not supported",
            cure="send gzip, deflate or none",
        )
    more = True
    while more:
        try:
            async with asyncio.timeout(limits.body_seconds):
                message = await receive()
        except TimeoutError:
            raise Refused(
                "too-slow", f"nothing of the body arrived for {limits.body_seconds:g} s"
            ) from None
        if message["type"] == "http.disconnect":
            raise Broken("the caller went away")
        more = message.get("more_body", False)
        body = message.get("body", b"")
        exchange.bytes += len(body)
        for piece in _inflate(machine, body) if machine is not None else (body,):
            yield piece
    if machine is not None and not machine.eof:
        raise Refused("bad-request", f"the {encoding} body ends early")


def _inflate(machine: Any, body: bytes) -> Iterator[bytes]:
    while body:
        try:
            yield machine.decompress(body, 4 * PIECE)
        except zlib.error as error:
            raise Refused("bad-request", f"the body can't be decompressed: {error}") from None
        body = machine.unconsumed_tail
