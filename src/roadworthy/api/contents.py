"""Blobs by digest, and runs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from msgspec.structs import replace

from roadworthy.api.bodies import answer, caller_of, read_json
from roadworthy.api.context import Context, context_of
from roadworthy.core.capture import CaptureReport
from roadworthy.core.run import Run
from roadworthy.core.values import Document
from roadworthy.errors import NotFound, StorageError, UsageError
from roadworthy.storage.digests import check_digest, short

router = APIRouter(tags=["contents"])


class RunBody(Document):
    """A run with what capture found; the files of its program are uploaded already."""

    run: Run
    report: CaptureReport | None = None


@router.head("/blobs/{digest}")
def has_blob(request: Request, digest: str) -> Response:
    """200 where the content is there, 404 where not."""
    there = context_of(request).blobs.exists(check_digest(digest))
    return Response(status_code=200 if there else 404)


@router.get("/blobs/{digest}")
def blob(request: Request, digest: str) -> Response:
    """A content, checked by its digest."""
    blobs = context_of(request).blobs
    if not blobs.exists(check_digest(digest)):
        raise NotFound(f"there is no content {short(digest)}", cure="upload it first")
    return Response(
        blobs.get(digest),
        media_type="application/octet-stream",
        headers={"Content-Disposition": "attachment"},
    )


@router.put("/blobs/{digest}")
async def put_blob(request: Request, digest: str) -> Response:
    """Keep a content; refused where it is not what its digest says."""
    context = context_of(request)
    check_digest(digest)
    kind = request.headers.get("content-type", "")
    if kind != "application/octet-stream":
        raise UsageError(
            f"the body must be application/octet-stream, not {kind or 'without a type'}",
            cure="set the Content-Type",
        )
    descriptor, name = tempfile.mkstemp(prefix="upload-", dir=_incoming(context))
    path = Path(name)
    try:
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for part in request.stream():
                    await run_in_threadpool(file.write, part)
        except OSError as error:
            raise StorageError(
                f"the upload can't be written: {error.strerror}", cure="free some space"
            ) from error
        kept, size = await run_in_threadpool(context.blobs.put_file, path)
    finally:
        await run_in_threadpool(path.unlink, True)
    if kept != digest:
        raise UsageError(
            f"the body is not the content {short(digest)}: its digest is {short(kept)}",
            cure="send the bytes whose digest is in the address",
        )
    return answer({"digest": kept, "bytes": size}, 201)


@router.put("/runs/{identity}")
async def record_run(request: Request, identity: str) -> Response:
    """Keep a run, captured or failed."""
    context = context_of(request)
    body = await read_json(request, RunBody)
    if body.run.id != identity:
        raise UsageError(f"the run is {body.run.id}, the address says {identity}")
    caller = caller_of(request)

    def record() -> Run:
        files = {file.path: context.blobs.get(file.digest) for file in body.run.files}
        run = body.run if body.run.caller else replace(body.run, caller=caller)
        return context.registry.record_run(run, body.report, files)

    return answer(await run_in_threadpool(record), 201)


@router.get("/runs")
def runs(
    request: Request, model: str | None = None, limit: int = 50, before: str | None = None
) -> Response:
    """Runs, newest first."""
    return answer(context_of(request).registry.runs(model, min(limit, 500), before))


@router.get("/runs/{identity}")
def run(request: Request, identity: str) -> Response:
    """A run, with the names of the releases that came from it."""
    registry = context_of(request).registry
    found = registry.run(identity)
    names = [release.name for release in registry.releases_of_run(identity)]
    return answer({"run": found, "releases": names})


@router.get("/runs/{identity}/report")
def run_report(request: Request, identity: str) -> Response:
    """What capture found in a run; null where it failed before."""
    return answer(context_of(request).registry.run_report(identity))


def _incoming(context: Context) -> Path:
    folder = context.settings.run / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
