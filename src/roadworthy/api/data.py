"""Versioned data and its sources: what there is, its history, contents, differences, provenance.

A commit is asked for by any of its names, as ``?commit=main~2``: names of branches hold slashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from roadworthy.api.bodies import answer
from roadworthy.api.context import context_of
from roadworthy.core.dataset import MAIN
from roadworthy.core.dataset_names import check_dataset_name

if TYPE_CHECKING:
    from roadworthy.data.browser import Browser

router = APIRouter(tags=["data"])
Limit = Annotated[int, Query(ge=1, le=500)]
Skip = Annotated[int, Query(ge=0, le=1_000_000)]
Commit = Annotated[str, Query(description="A branch, tag, digest or moment, as `main~2`.")]
Path = Annotated[str | None, Query(description="A path; may be left out where there is one.")]


def _browser(request: Request) -> Browser:
    return context_of(request).browser()


def _name(dataset: str, commit: str) -> str:
    return f"{check_dataset_name(dataset)}@{commit}"


@router.get("/datasets")
def datasets(request: Request, search: str = "", limit: Limit = 50, skip: Skip = 0) -> Response:
    """Datasets by name, each with the newest commit of ``main``."""
    browser = _browser(request)
    names = browser.names(search)
    shown = browser.listed(names[skip : skip + limit])
    return answer({"total": len(names), "datasets": shown})


@router.get("/datasets/{dataset}")
def dataset(request: Request, dataset: str) -> Response:
    """A dataset, its branches and tags, and what was erased of it."""
    return answer(_browser(request).about(check_dataset_name(dataset)))


@router.get("/datasets/{dataset}/commits")
def commits(
    request: Request, dataset: str, commit: str = "", limit: Limit = 50, skip: Skip = 0
) -> Response:
    """Commits, newest first: of all branches, or with ``commit`` those before it on its line."""
    browser = _browser(request)
    if commit:
        return answer(browser.log(_name(dataset, commit), limit, skip))
    return answer(browser.history(check_dataset_name(dataset), skip + limit)[skip:])


@router.get("/datasets/{dataset}/commit")
def commit(request: Request, dataset: str, commit: Commit = MAIN) -> Response:
    """A commit, with its tables and what it was made from."""
    return answer(_browser(request).find(_name(dataset, commit)))


@router.get("/datasets/{dataset}/files")
def files(
    request: Request, dataset: str, commit: Commit = MAIN, after: str = "", limit: Limit = 100
) -> Response:
    """What a commit holds, in the order of paths; go on with the last path as ``after``."""
    found, more = _browser(request).files(_name(dataset, commit), after, limit)
    return answer({"files": found, "more": more})


@router.get("/datasets/{dataset}/table")
def table(
    request: Request,
    dataset: str,
    commit: Commit = MAIN,
    path: Path = None,
    limit: Limit = 100,
    skip: Skip = 0,
) -> Response:
    """A table's columns, and statistics of some (of a large table, from some of its rows)."""
    return answer(_browser(request).table(_name(dataset, commit), path, skip, limit))


@router.get("/datasets/{dataset}/diff")
def diff(
    request: Request,
    dataset: str,
    before: Commit = f"{MAIN}~1",
    after: Commit = MAIN,
    path: Path = None,
    limit: Limit = 100,
    skip: Skip = 0,
) -> Response:
    """The paths that differ between two commits; with ``path``, how that table differs."""
    browser = _browser(request)
    pair = _name(dataset, before), _name(dataset, after)
    digests = {"before": browser.find(pair[0]).digest, "after": browser.find(pair[1]).digest}
    if path is not None:
        return answer({**digests, "table": browser.table_diff(*pair, path, skip, limit)})
    paths, more = browser.changed_paths(*pair, skip, limit)
    return answer({**digests, "paths": paths, "more": more})


@router.get("/datasets/{dataset}/provenance")
def provenance(request: Request, dataset: str, commit: Commit = MAIN) -> Response:
    """What a commit was made from, and the commits, runs, releases and jobs it reached."""
    return answer(_browser(request).walk(_name(dataset, commit)))


@router.get("/datasets/{dataset}/croissant")
def describe(request: Request, dataset: str, commit: Commit = MAIN) -> Response:
    """A commit's Croissant description."""
    return answer(_browser(request).croissant(_name(dataset, commit)))


@router.get("/sources")
def sources(request: Request, search: str = "", limit: Limit = 50, skip: Skip = 0) -> Response:
    """Sources by name: how each is, its last poll."""
    found = [each for each in _browser(request).source_lines() if search in each.source.name]
    return answer({"total": len(found), "sources": found[skip : skip + limit]})


@router.get("/sources/{name}")
def source(request: Request, name: str) -> Response:
    """A source as it is configured, its state and last poll, how many rows are set aside."""
    browser = _browser(request)
    found = browser.source(name)
    return answer({"line": found, "quarantined": browser.quarantined(found.source)})


@router.get("/sources/{name}/polls")
def polls(request: Request, name: str, limit: Limit = 50, skip: Skip = 0) -> Response:
    """A source's polls, newest first."""
    return answer(_browser(request).polls(name, limit, skip))


@router.get("/sources/{name}/deliveries")
def deliveries(request: Request, name: str, limit: Limit = 50, skip: Skip = 0) -> Response:
    """What was taken from a source, newest first."""
    return answer(_browser(request).deliveries(name, limit, skip))


@router.get("/sources/{name}/quarantine")
def quarantine(request: Request, name: str, limit: Limit = 50, skip: Skip = 0) -> Response:
    """Rows of a source that are set aside: delivery, row, reason, and the row as delivered."""
    return answer(_browser(request).quarantine(name, limit, skip))


@router.post("/sources/{name}/pause")
def pause(request: Request, name: str) -> Response:
    """Have a source no longer polled."""
    browser = _browser(request)
    browser.sources.pause(name)
    return answer(browser.source(name))


@router.post("/sources/{name}/resume")
def resume(request: Request, name: str) -> Response:
    """Have a paused or stopped source polled again."""
    browser = _browser(request)
    browser.sources.resume(name)
    return answer(browser.source(name))
