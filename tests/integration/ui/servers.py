"""A gateway that stands in for the real one, apps on ports of their own, and what pages say."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Mapping
from html import unescape
from typing import Any

import msgspec
import uvicorn
from httpx import Response as Answer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.integration.ui.day import SIGNATURE

from roadworthy.serving.answers import Answered
from roadworthy.serving.codec_plain import read_plain, write_plain
from roadworthy.serving.problems import Refused, render
from roadworthy.serving.validation import check_rows


class Gateway:
    """A gateway for one model: the real codecs and checks, and a flow of one line.

    ``requests`` and ``errors`` are what its ``/metrics`` tell; ``rows`` what it was asked.
    """

    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []
        self.asked: list[str] = []
        self.requests = 0

    async def predict(self, request: Request) -> Response:
        name, number = request.path_params["model"], request.path_params.get("number")
        self.asked.append(f"{name}@{number}" if number else name)
        release = f"{name}@{number or 3}"
        body = msgspec.json.decode(await request.body())
        try:
            sent = read_plain(SIGNATURE, body, 1000)
            checked = check_rows(SIGNATURE, sent)
        except Refused as refused:
            status, kind, content = render(refused, "plain", "01JQ8-7T4K")
            return Response(content, status, media_type=kind)
        self.rows += body if isinstance(body, list) else [body]
        winds = checked.columns["wind_speed"][1]
        answered = Answered(
            n=checked.n,
            columns={"scores": [0.341234 if wind else None for wind in winds]},
            rejected={
                row: ("dropna: wind_speed is null", 14)
                for row, wind in enumerate(winds)
                if not wind
            },
            failed={},
            warnings=checked.warnings,
            times={},
            batch=checked.n,
        )
        status, content = write_plain(SIGNATURE, sent, answered, release, "01JQ8-7T4K")
        return Response(content, status, media_type="application/json")

    async def metrics(self, _: Request) -> Response:
        return PlainTextResponse("")

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route(
                    "/models/{model}/versions/{number:int}/predict", self.predict, methods=["POST"]
                ),
                Route("/models/{model}/predict", self.predict, methods=["POST"]),
                Route("/metrics", self.metrics),
            ]
        )


class Server:
    """An ASGI app on a port of its own, in a thread."""

    def __init__(self, app: Any) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def __enter__(self) -> Server:
        self._socket.listen()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


def text_of(response: Answer) -> str:
    """What a person reads, without tags and with plain spaces."""
    bare = re.sub(r"<[^>]+>", " ", response.text)
    return re.sub(r"\s+", " ", unescape(bare).replace("\u00a0", " "))
