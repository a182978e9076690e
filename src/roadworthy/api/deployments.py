"""Operations, deployments, roll-back, why and history."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Literal

import msgspec
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse

from roadworthy.api.bodies import answer, caller_of, read_json
from roadworthy.api.context import Context, context_of
from roadworthy.core.operation import DeployRequest, Operation
from roadworthy.core.values import Document
from roadworthy.errors import UsageError
from roadworthy.operations import asking
from roadworthy.operations.answers import history, why
from roadworthy.storage.queries import operations as stored

router = APIRouter(tags=["deployments"])
MOST_WAIT_SECONDS = 60.0


class OperationBody(Document):
    """What is asked for: ``deploy`` with its request, or a release and what to do with it."""

    kind: Literal["deploy", "promote", "verify"]
    deploy: DeployRequest | None = None
    release: str = ""
    stage: str = "production"
    reason: str = ""


class RollbackBody(Document):
    """``generation`` is the deployment's as the caller saw it; ``to`` a release's number."""

    generation: int
    to: int | None = None
    reason: str = ""


@router.post("/operations")
async def begin(request: Request) -> Response:
    """Begin an operation; 202 with its id, to be followed at /operations/{id}."""
    body = await read_json(request, OperationBody)
    context, caller = context_of(request), caller_of(request)
    return answer(await run_in_threadpool(_begin, context, body, caller), 202)


def _begin(context: Context, body: OperationBody, caller: str) -> Operation:
    desired, registry = context.desired, context.registry
    if body.kind == "deploy":
        if body.deploy is None:
            raise UsageError("`deploy` is missing from the body")
        return asking.begin_deploy(desired, registry, body.deploy, caller, body.reason)
    if body.kind == "promote":
        return asking.begin_promote(
            desired, registry, body.release, body.stage, caller, body.reason
        )
    return asking.begin_verify(desired, registry, body.release, caller)


@router.get("/operations")
def operations(request: Request, model: str | None = None, limit: int = 50) -> Response:
    """The latest operations, newest first."""
    with context_of(request).desired.database.reading() as connection:
        return answer(stored.operations_of(connection, model, limit=min(limit, 500)))


@router.get("/operations/{identity}")
async def operation(
    request: Request, identity: str, after: int | None = None, wait: float = 0.0
) -> Response:
    """An operation; with ``after`` (lines of progress known), once there is more or it ended."""
    context = context_of(request)
    return answer(await _more(context, identity, after, min(wait, MOST_WAIT_SECONDS)))


@router.get("/operations/{identity}/progress")
async def progress(request: Request, identity: str) -> Response:
    """The lines of progress as they come, one JSON value a line, the operation itself last."""
    context = context_of(request)
    first = await _more(context, identity, None, 0.0)

    async def lines() -> AsyncIterator[bytes]:
        found, told = first, 0
        while True:
            for line in found.progress[told:]:
                yield msgspec.json.encode(line) + b"\n"
            told = len(found.progress)
            if found.state != "running" or context.closing.is_set():
                yield msgspec.json.encode(found) + b"\n"
                return
            found = await _more(context, identity, told, 10.0)

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def _more(context: Context, identity: str, after: int | None, wait: float) -> Operation:
    deadline = time.monotonic() + wait
    while True:
        count = context.desired.bell.count
        found = await run_in_threadpool(_find, context, identity)
        left = deadline - time.monotonic()
        news = after is None or len(found.progress) > after or found.state != "running"
        if news or left <= 0 or context.closing.is_set():
            return found
        await context.desired.bell.heard(count, left)


def _find(context: Context, identity: str) -> Operation:
    with context.desired.database.reading() as connection:
        return stored.operation(connection, identity)


@router.get("/deployments")
def deployments(request: Request) -> Response:
    """What is wanted of every model at every stage."""
    return answer(context_of(request).desired.snapshot().deployments)


@router.post("/deployments/{model}/{stage}/rollback")
async def roll_back(request: Request, model: str, stage: str, wait: float = 5.0) -> Response:
    """Go back; answers once the gateway routes so, with how long it took in seconds."""
    body = await read_json(request, RollbackBody)
    context, caller = context_of(request), caller_of(request)
    began = time.monotonic()
    deployment, table = await run_in_threadpool(
        asking.roll_back,
        context.desired,
        context.registry,
        model,
        stage,
        body.generation,
        caller,
        body.to,
        body.reason,
    )
    applied = await _applied(context, table.version, min(wait, MOST_WAIT_SECONDS))
    return answer(
        {
            "deployment": deployment,
            "applied": applied and deployment.live == deployment.release,
            "seconds": round(time.monotonic() - began, 3),
        }
    )


async def _applied(context: Context, version: int, wait: float) -> bool:
    """Whether the gateway follows this version of the table, or a newer one, in time."""
    deadline = time.monotonic() + wait
    while True:
        count = context.desired.bell.count
        if context.desired.observed().applied >= version:
            return True
        left = deadline - time.monotonic()
        if left <= 0 or context.closing.is_set():
            return False
        await context.desired.bell.heard(count, left)


@router.get("/models/{model}/why")
def tell_why(request: Request, model: str) -> Response:
    """Which release is live in each stage, since when, by whom, and on what evidence."""
    context = context_of(request)
    return answer(why(context.desired, context.registry, model))


@router.get("/models/{model}/history")
def tell_history(request: Request, model: str, stage: str | None = None, at: str = "") -> Response:
    """What was asked of a model's deployments, newest first; with ``at``: what held then."""
    context = context_of(request)
    return answer(history(context.desired, context.registry, model, stage, at))
