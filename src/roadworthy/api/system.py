"""The system itself: health, status, logs, doctor."""

from __future__ import annotations

import os

from fastapi import APIRouter, Request
from fastapi.responses import Response

from roadworthy.api.bodies import answer
from roadworthy.api.context import context_of
from roadworthy.operations.data_doctor import examine_data
from roadworthy.operations.doctor import examine_machine, examine_system
from roadworthy.operations.logs import log_files, read_log

router = APIRouter(tags=["system"])
MOST_LINES = 10_000


@router.get("/health")
def health(request: Request) -> Response:
    """Whether the control plane can work: 503 while its metadata is away."""
    context = context_of(request)
    context.desired.snapshot()
    return answer({"status": "ok", "version": context.version, "pid": os.getpid()})


@router.get("/status")
def status(request: Request) -> Response:
    """What is wanted, what runs, and what is being done, in one document."""
    context = context_of(request)
    now, observed = context.desired.snapshot(), context.desired.observed()
    return answer(
        {
            "version": context.version,
            "pid": os.getpid(),
            "home": str(context.settings.home),
            "control": context.settings.control_address,
            "gateway": context.settings.gateway_address,
            "agent_present": observed.present,
            "agent": context.desired.status,
            "table": now.table.version,
            "applied": observed.applied,
            "deployments": now.deployments,
            "operations": now.operations,
        }
    )


@router.get("/logs")
def logs(request: Request) -> Response:
    """The names of the logs."""
    return answer(sorted(log_files(context_of(request).settings)))


@router.get("/logs/{name}")
def log(request: Request, name: str, lines: int = 100) -> Response:
    """How a log ends."""
    count = max(0, min(lines, MOST_LINES))
    return answer(read_log(context_of(request).settings, name, count))


@router.get("/doctor")
def doctor(request: Request) -> Response:
    """What is wrong, with the cure."""
    context = context_of(request)
    return answer(
        [
            *examine_machine(context.settings),
            *examine_system(context.desired, context.registry),
            *examine_data(context.browser),
        ]
    )
