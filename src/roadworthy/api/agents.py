"""What the agent asks for and reports."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from roadworthy.api.bodies import answer, read_json
from roadworthy.api.context import context_of
from roadworthy.core.deployment import AgentStatus

router = APIRouter(prefix="/agent", tags=["agent"])
MOST_WAIT_SECONDS = 60.0


@router.get("/table")
async def table(request: Request, after: int = -1, wait: float = 0.0) -> Response:
    """The routing table, once its version is another than ``after``; 204 after the wait."""
    context = context_of(request)
    bell = context.desired.bell
    deadline = time.monotonic() + min(wait, MOST_WAIT_SECONDS)
    while True:
        count = bell.count
        snapshot = await run_in_threadpool(context.desired.snapshot)
        if snapshot.table.version != after:
            return answer(snapshot.table)
        left = deadline - time.monotonic()
        if left <= 0 or context.closing.is_set():
            return Response(status_code=204)
        await bell.heard(count, left)


@router.post("/status")
async def take_status(request: Request) -> Response:
    """The agent's report."""
    status = await read_json(request, AgentStatus)
    await run_in_threadpool(context_of(request).desired.report, status)
    return Response(status_code=204)


@router.get("/status")
def last_status(request: Request) -> Response:
    """What was reported last; null before the first report."""
    return answer(context_of(request).desired.status)
