"""The control plane's application: routes, the guard before them, errors as problems."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from roadworthy.api import agents, contents, data, deployments, releases, system
from roadworthy.api.context import Context
from roadworthy.api.problems import MEDIA_TYPE, problem_bytes, status_of
from roadworthy.api.security import PREFIX, Guard
from roadworthy.errors import NotFound, RoadworthyError, UsageError

_RETRY_SECONDS = "2"


def create_app(context: Context, mount_pages: Callable[[FastAPI], None] | None = None) -> FastAPI:
    """The application for these parts; ``mount_pages`` adds the pages to it."""
    app = FastAPI(
        title="Roadworthy",
        version=context.version,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.context = context
    for part in (agents, contents, releases, deployments, data, system):
        app.include_router(part.router, prefix="/api/v1")
    if mount_pages is not None:
        mount_pages(app)
    app.add_exception_handler(RoadworthyError, _ours)
    app.add_exception_handler(RequestValidationError, _bad_query)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_middleware(Guard, token=context.settings.token)
    return app


def _problem(error: RoadworthyError) -> Response:
    status = status_of(error)
    headers = {"Retry-After": _RETRY_SECONDS} if status == 503 else {}
    return Response(problem_bytes(error), status, headers=headers, media_type=MEDIA_TYPE)


async def _ours(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RoadworthyError)
    return _problem(error)


async def _bad_query(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    return _problem(UsageError(f"{field} can't be used: {first['msg']}", cure="correct it"))


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if request.url.path.startswith(PREFIX) and error.status_code == 404:
        return _problem(
            NotFound(f"there is nothing at {request.url.path}", cure="see /api/v1/openapi.json")
        )
    wrong = UsageError(str(error.detail))
    return Response(problem_bytes(wrong), error.status_code, media_type=MEDIA_TYPE)
