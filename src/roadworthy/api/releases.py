"""Models and releases: what there is, what is in them, how two differ."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from roadworthy.api.bodies import answer, read_json
from roadworthy.api.context import context_of
from roadworthy.core.release import Release
from roadworthy.core.values import Document
from roadworthy.errors import NotFound
from roadworthy.operations.comparing import compare
from roadworthy.registry import Registry

router = APIRouter(tags=["releases"])


class NotesBody(Document):
    """A release's notes."""

    notes: str


class QuarantineBody(Document):
    """Why a release is in quarantine; empty: it is not."""

    reason: str


@router.get("/models")
def models(request: Request) -> Response:
    """All models."""
    return answer(context_of(request).registry.models())


@router.get("/models/{model}/releases")
def releases(request: Request, model: str, limit: int = 50, before: int | None = None) -> Response:
    """A model's releases, newest first, each with whether its last certificate passed."""
    registry = context_of(request).registry
    found = registry.releases(model, min(limit, 500), before)
    return answer([_line(registry, release) for release in found])


@router.get("/releases/{name}")
def release(request: Request, name: str) -> Response:
    """A release with its run, certificate and capture report."""
    registry = context_of(request).registry
    found = registry.release(name)
    return answer(
        {
            "name": found.name,
            "release": found,
            "run": registry.run(found.run),
            "report": registry.run_report(found.run),
            "certificate": registry.latest_certificate(found.digest),
        }
    )


@router.get("/releases/{name}/certificate")
def certificate(request: Request, name: str, form: str = "json") -> Response:
    """A release's newest certificate, as JSON or (``form=junit``) as JUnit XML."""
    context = context_of(request)
    found = context.registry.release(name)
    newest = context.registry.latest_certificate(found.digest)
    if newest is None:
        raise NotFound(f"{found.name} has no certificate", cure=f"roadworthy verify {found.name}")
    if form == "junit":
        return Response(context.junit(newest), media_type="application/xml")
    return answer(newest)


@router.get("/releases/{name}/program")
def program(request: Request, name: str) -> Response:
    """The files of the program that a release came from: path, digest, size."""
    registry = context_of(request).registry
    found = registry.release(name)
    run = registry.run(found.run)
    return answer({"release": found.name, "program": run.program, "files": run.files})


@router.get("/releases/{name}/diff/{other}")
def diff(request: Request, name: str, other: str) -> Response:
    """How the second release differs from the first."""
    registry = context_of(request).registry
    return answer(compare(registry, registry.release(name), registry.release(other)))


@router.put("/releases/{name}/notes")
async def set_notes(request: Request, name: str) -> Response:
    """Replace a release's notes."""
    body = await read_json(request, NotesBody)
    registry = context_of(request).registry
    return answer(await run_in_threadpool(registry.set_notes, name, body.notes))


@router.put("/releases/{name}/quarantine")
async def quarantine(request: Request, name: str) -> Response:
    """Keep a release from being deployed again, with the reason; an empty reason lifts it."""
    body = await read_json(request, QuarantineBody)
    context = context_of(request)
    registry = context.registry
    if not body.reason.strip():
        return answer(await run_in_threadpool(registry.lift, name))
    return answer(await run_in_threadpool(registry.quarantine, name, body.reason))


def _line(registry: Registry, release: Release) -> dict[str, object]:
    newest = registry.latest_certificate(release.digest)
    return {
        "name": release.name,
        "number": release.number,
        "digest": release.digest,
        "made": release.made,
        "caller": release.caller,
        "run": release.run,
        "notes": release.notes,
        "quarantined": release.quarantined,
        "certified": None if newest is None else newest.passed,
        "depth": None if newest is None else newest.depth,
    }
