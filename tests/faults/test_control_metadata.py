"""Fault 4: the metadata database is gone for a while, then back.

The gateway answers throughout; the control plane answers 503, and recovers without a restart.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import httpx
import pytest
import sqlalchemy as sa

from roadworthy.errors import RoadworthyError
from roadworthy.testing.hosts import wait_until
from roadworthy.testing.servers import postgres_database
from roadworthy.testing.systems import System

pytestmark = [pytest.mark.timeout(240), pytest.mark.fault("4")]


class Wire:
    """A TCP connection to a server that can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse new connections and break those there are."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        opened, self._open = self._open, []
        for each in opened:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def mend(self) -> None:
        """Accept connections again, on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._server)
            self._open += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                target.sendall(part)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


def health(system: System) -> int:
    """The status that the control plane's health is answered with; 0: no answer."""
    try:
        return httpx.get(f"{system.address}/api/v1/health", trust_env=False, timeout=20).status_code
    except httpx.HTTPError:
        return 0


def test_the_gateway_answers_while_the_metadata_is_away() -> None:
    with postgres_database() as url, System() as system:
        parsed = sa.make_url(url)
        wire = Wire(parsed.host or "127.0.0.1", parsed.port or 5432)
        system.environment["ROADWORTHY_METADATA"] = parsed.set(
            host="127.0.0.1", port=wire.port
        ).render_as_string(hide_password=False)
        system.up()
        system.deploy(2.0)
        control = system.process("control")

        wire.cut()
        wait_until(lambda: health(system) == 503, what="a 503")
        with pytest.raises(RoadworthyError) as caught:
            system.control.get("/models")
        assert caught.value.code == "unavailable"
        for _ in range(50):
            assert system.predict()["release"] == "tiny@1"

        wire.mend()
        began = time.monotonic()
        wait_until(lambda: health(system) == 200, what="recovery")
        assert time.monotonic() - began < 5
        assert system.process("control") == control
        system.deploy(3.0)
        assert system.predict()["release"] == "tiny@2"
