"""In front of every page: which names it answers to, who may see it, which headers it carries."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roadworthy.errors import NotAllowed, RoadworthyError
from roadworthy.ui.data import PageData
from roadworthy.ui.security import (
    HEADERS,
    SESSION_COOKIE,
    host_allowed,
    same_token,
    session_holds,
)

_OPEN = ("/sign-in", "/static/")

ShowProblem = Callable[[Request, RoadworthyError, int | None], Response]


def signed_in(request: Request) -> bool:
    """Whether the reader signed in with a token (never so where none is set)."""
    return bool(request.scope.get("roadworthy_signed_in", False))


class Guard:
    """ASGI middleware of the pages."""

    def __init__(self, app: ASGIApp, data: PageData, show_problem: ShowProblem) -> None:
        self._app = app
        self._data = data
        self._show_problem = show_problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "private, no-cache"
            await send(message)

        request = Request(scope)
        refusal = self._refusal(request)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        token = self._data.token
        if token is None:
            host = request.headers.get("host", "")
            if host_allowed(host, self._data.hosts):
                return None
            error = NotAllowed(
                f"these pages do not answer to the name {host}",
                cure=f"open them at {self._data.hosts[0]}",
            )
            return self._show_problem(request, error, 421)
        authorization = request.headers.get("authorization", "")
        if same_token(authorization.removeprefix("Bearer "), token):
            return None
        if session_holds(request.cookies.get(SESSION_COOKIE, ""), token):
            request.scope["roadworthy_signed_in"] = True
            return None
        path = request.url.path
        if path.startswith(_OPEN):
            return None
        if request.method in ("GET", "HEAD"):
            return RedirectResponse(f"/sign-in?next={quote(path, safe='/')}", status_code=303)
        error = NotAllowed("you are not signed in, so nothing was done", cure="sign in again")
        return self._show_problem(request, error, 401)
