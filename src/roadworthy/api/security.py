"""Who may call the API: the token where one is set, and no page of another site ever."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from roadworthy.api.problems import MEDIA_TYPE, problem_bytes, status_of
from roadworthy.errors import NotAllowed

PREFIX = "/api/"
OPEN_PATHS = frozenset({"/api/v1/health"})
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def refusal(method: str, path: str, headers: Headers, token: str, scheme: str) -> str:
    """Why a request to the API is not answered; an empty text where it may be.

    With a token, it must be shown. Without one only this machine can reach us, and the name
    that was asked for must be this machine's: another name that leads here is a page of
    another site (DNS rebinding). What changes something must not come from another origin.
    """
    host = headers.get("host", "")
    if not token and host_name(host) not in LOOPBACK_NAMES:
        return f"the host name {host!r} is not one of this machine"
    if method not in _SAFE:
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"{scheme}://{host}".lower():
            return f"requests from {origin!r} may not change anything here"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return "requests from another site may not change anything here"
    if token and path not in OPEN_PATHS:
        shown = headers.get("authorization", "")
        if not secrets.compare_digest(shown.encode(), f"Bearer {token}".encode()):
            return "the token is missing or wrong"
    return ""


def host_name(host: str) -> str:
    """The name in a Host header, without its port.

    >>> host_name("[::1]:8400"), host_name("localhost:8400"), host_name("evil.example")
    ('::1', 'localhost', 'evil.example')
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class Guard:
    """Refuses, before any route is looked for, what ``refusal`` names; pages guard themselves."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        reason = refusal(
            scope["method"], scope["path"], headers, self._token, scope.get("scheme", "http")
        )
        if not reason:
            await self._app(scope, receive, send)
            return
        token_wanted = "token" in reason
        error = NotAllowed(
            reason,
            cure="set ROADWORTHY_TOKEN to the token that Roadworthy was started with"
            if token_wanted
            else "call it as http://127.0.0.1 from this machine",
        )
        response = Response(
            problem_bytes(error),
            status_code=401 if token_wanted else status_of(error),
            media_type=MEDIA_TYPE,
            headers={"WWW-Authenticate": "Bearer"} if token_wanted else {},
        )
        await response(scope, receive, send)
