"""A gateway's connection to one worker: one batch at a time, and the way to kill the worker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import sys
from typing import Protocol

from roadworthy.errors import Unavailable
from roadworthy_runtime import frames


class Receiver(Protocol):
    """Who is told what a worker said, and that it is gone."""

    def answered(self, link: Link, frame: frames.Frame) -> None:
        """A frame has arrived on the link."""

    def lost(self, link: Link, reason: str) -> None:
        """The link is closed; nothing more will arrive."""


class Link(asyncio.Protocol):
    """A connection to the worker ``id``. ``peer`` is the process at its other end, if known.

    ``failures`` counts the batches in a row of which the worker answered no row; ``takes_codes`` is
    whether it reads texts by their codes, ``takes_listed`` whether it reads frames that are listed:
    workers of earlier versions don't.
    """

    def __init__(self, id: str) -> None:
        self.id = id
        self.peer: int | None = None
        self.receiver: Receiver | None = None
        self.closed = False
        self.killed = ""
        self.failures = 0
        self.takes_codes = False
        self.takes_listed = False
        self._transport: asyncio.Transport | None = None
        self._assembler = frames.Assembler()
        self._pidfd: int | None = None
        self._hello: asyncio.Future[frames.Frame] | None = None

    def send(self, frame: bytes) -> None:
        """Write a frame."""
        if self._transport is not None:
            self._transport.write(frame)

    def close(self) -> None:
        """Close the connection; the worker is left to whoever owns it."""
        if self._transport is not None:
            self._transport.close()

    def kill(self, reason: str) -> None:
        """Kill the worker at once. The receiver is told once the connection is gone."""
        self.killed = reason
        with contextlib.suppress(ProcessLookupError):
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            elif self.peer is not None:
                os.kill(self.peer, signal.SIGKILL)
        if self._transport is not None:
            self._transport.abort()

    async def hello(self, seconds: float) -> None:
        """Have the worker say that it is there. Raises Unavailable."""
        self._hello = asyncio.get_running_loop().create_future()
        self.send(frames.encode("hello"))
        try:
            async with asyncio.timeout(seconds):
                answer = await self._hello
        except TimeoutError:
            raise Unavailable(f"worker {self.id} did not answer within {seconds} s") from None
        finally:
            self._hello = None
        if answer.kind != "hello":
            raise Unavailable(f"worker {self.id} answered with {answer.kind!r}")
        self.takes_codes = bool(answer.meta.get("codes"))
        self.takes_listed = bool(answer.meta.get("listed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.peer = peer_pid(transport.get_extra_info("socket"))
        if self.peer is not None and hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(self.peer)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._assembler.feed(data):
                if self._hello is not None:
                    if not self._hello.done():
                        self._hello.set_result(frame)
                elif self.receiver is not None:
                    self.receiver.answered(self, frame)
        except frames.FrameError as error:
            self.kill(f"what worker {self.id} sent is no frame: {error}")

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        if self._hello is not None and not self._hello.done():
            self._hello.set_exception(Unavailable(f"worker {self.id} is gone"))
        if self.receiver is not None:
            self.receiver.lost(self, self.killed or f"worker {self.id} died")


def peer_pid(connection: socket.socket) -> int | None:
    """The process that listens at the other end of a Unix socket, where the system tells."""
    if not sys.platform.startswith("linux"):
        return None
    size = struct.calcsize("3i")
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid: int = struct.unpack("3i", found)[0]
    return pid or None


async def connect(id: str, path: str, seconds: float = 2.0) -> Link:
    """A link to the worker that listens on ``path``, once it has said hello. Raises Unavailable."""
    loop = asyncio.get_running_loop()
    link = Link(id)
    try:
        async with asyncio.timeout(seconds):
            await loop.create_unix_connection(lambda: link, path)
        await link.hello(seconds)
    except (OSError, TimeoutError, Unavailable) as error:
        link.close()
        raise Unavailable(f"worker {id} can't be reached: {error}") from None
    return link
