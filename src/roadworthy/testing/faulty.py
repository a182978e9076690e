"""Lower layers that fail when they are told to."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from roadworthy.storage.digests import digest_of
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import Disk


class FailingSync:
    """An ``os.fsync`` whose call number ``at`` fails once, with EIO."""

    def __init__(self, at: int = 1) -> None:
        self.at = at
        self.calls = 0

    def __call__(self, descriptor: int) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.fsync(descriptor)


class DyingAfter:
    """Kills its own process, as ``kill -9`` does, when ``point`` is reached for the n-th time."""

    def __init__(self, count: int) -> None:
        self.left = count

    def point(self) -> None:
        """One durable write has just happened."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def disk(self) -> Disk:
        """A disk each of whose syncs is a point."""

        def sync(descriptor: int) -> None:
            os.fsync(descriptor)
            self.point()

        return Disk(sync=sync)


class LateBlobs(DirectoryBlobs):
    """Blobs with a fault: each content is kept only when the next one comes.

    What promises that a content is kept is wrong then, and a campaign of kills has to find it.
    """

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        super().__init__(root, disk)
        self._late = b""

    def put(self, data: bytes | bytearray) -> str:
        """Says that the content is kept."""
        late, self._late = self._late, bytes(data)
        if late:
            super().put(late)
        return digest_of(data)


class CuttingProxy:
    """A TCP proxy before a server, which can cut connections where it hurts.

    ``lose_answer_to(words)`` arms it: the next request that contains the words is passed on,
    and when the server has answered, the connection is cut without passing the answer back.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._armed: bytes | None = None
        self._open: list[socket.socket] = []
        self._refusing = False
        self.cuts = 0
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_answer_to(self, words: bytes) -> None:
        """Cuts the connection on which the words are sent, after the server has done it."""
        self._armed = words

    def refuse(self) -> None:
        """Behaves as a server that is gone: cuts all connections and every new one."""
        self._refusing = True
        self.cut_all()

    def accept(self) -> None:
        """Behaves as a server that is back."""
        self._refusing = False

    def cut_all(self) -> None:
        """Cuts every connection now."""
        for each in self._open:
            _close(each)
        self._open.clear()

    def close(self) -> None:
        """Stops for good."""
        _close(self._listener)
        self.cut_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
            except OSError:
                return
            if self._refusing:
                _close(client)
                _close(server)
                continue
            self._open += [client, server]
            doomed = threading.Event()
            for work in (self._forward, self._back):
                threading.Thread(target=work, args=(client, server, doomed), daemon=True).start()

    def _forward(
        self, client: socket.socket, server: socket.socket, doomed: threading.Event
    ) -> None:
        def pass_on(data: bytes) -> bool:
            if self._armed is not None and self._armed in data:
                self._armed = None
                doomed.set()
            server.sendall(data)
            return True

        _pump(client, pass_on)
        _close(server)

    def _back(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        def pass_on(data: bytes) -> bool:
            if doomed.is_set():
                self.cuts += 1
                return False
            client.sendall(data)
            return True

        _pump(server, pass_on)
        _close(client)


def _pump(source: socket.socket, pass_on: Callable[[bytes], bool]) -> None:
    try:
        while data := source.recv(65536):
            if not pass_on(data):
                return
    except OSError:
        return


def _close(each: socket.socket) -> None:
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    finally:
        each.close()
