"""The control plane's process: HTTP server and controller, until SIGTERM."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from roadworthy.api.context import Context
from roadworthy.errors import Conflict
from roadworthy.operations.controller import Controller
from roadworthy.operations.supervisor import check_port

SHUTDOWN_SECONDS = 3


class _Server(uvicorn.Server):
    """Ends waiting requests at once when it is told to stop."""

    def __init__(self, config: uvicorn.Config, context: Context) -> None:
        super().__init__(config)
        self._context = context

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._context.closing.set()
        self._context.desired.bell.ring()
        super().handle_exit(sig, frame)


def run_control(app: FastAPI, context: Context, controller: Controller) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises Conflict where the port is in use."""
    settings = context.settings
    with _listening(settings.control.host, settings.control.port) as listener:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            server_header=False,
            lifespan="off",
        )
        loop = threading.Thread(target=controller.run, name="controller", daemon=True)
        loop.start()
        try:
            _Server(config, context).run(sockets=[listener])
        finally:
            controller.stop()
            loop.join(timeout=5.0)
    return 0


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        try:
            listener.bind((host, port))
        except OSError as error:
            check_port(host, port, "--port")
            raise Conflict(
                f"{host}:{port} can't be listened on: {error.strerror}",
                cure="choose another: roadworthy up --host 127.0.0.1 --port 8410",
            ) from error
        listener.set_inheritable(False)
        yield listener
    finally:
        listener.close()
