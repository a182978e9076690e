"""Datasets, their commits and differences; sources of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from roadworthy.core.dataset import MAIN
from roadworthy.core.dataset_names import check_dataset_name, parse_commit
from roadworthy.errors import InvalidName, NotFound, StorageError, UsageError
from roadworthy.ui.guard import signed_in
from roadworthy.ui.requests import whole_number
from roadworthy.ui.site import Site
from roadworthy.ui.views import commits as commit_views
from roadworthy.ui.views import datasets as dataset_views
from roadworthy.ui.views import sources as source_views

if TYPE_CHECKING:
    from roadworthy.data.browser import About
    from roadworthy.data.browsing import FileChange

MOST_PAGE = 2000
"""The last page of a history: all commits before it are read to draw the graph."""


def routes(site: Site) -> list[BaseRoute]:
    """Where the pages of data are."""
    data = _Data(site)
    return [
        Route("/datasets", data.datasets),
        Route("/datasets/{dataset}", data.dataset),
        Route("/datasets/{dataset}/compare", data.compare),
        Route("/datasets/{dataset}/commits/{commit}", data.commit),
        Route("/sources", data.sources),
        Route("/sources/{source}", data.source),
    ]


def _page(request: Request, name: str = "page") -> int:
    found = whole_number(request.query_params.get(name, ""), least=1) or 1
    return min(found, MOST_PAGE)


class _Data:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._data = site.data

    def datasets(self, request: Request) -> Response:
        browser, number = self._data.browser(), _page(request)
        search = request.query_params.get("q", "").strip().lower()[:200]
        names = browser.names(search)
        start = (number - 1) * dataset_views.PAGE
        facts = dataset_views.DatasetsFacts(
            search=search,
            page=number,
            shown=browser.listed(names[start : start + dataset_views.PAGE]),
            found=len(names),
            total=len(browser.names()) if search else len(names),
            sources=browser.source_lines(),
            now=self._data.now(),
            signed_in=signed_in(request),
        )
        return self._site.page("datasets.html", dataset_views.datasets_page(facts))

    def dataset(self, request: Request) -> Response:
        browser, number = self._data.browser(), _page(request)
        name = check_dataset_name(request.path_params["dataset"])
        branch = request.query_params.get("branch", "")[:200]
        about = browser.about(name)
        end = number * dataset_views.PAGE
        start = end - dataset_views.PAGE
        found = (
            browser.log(f"{name}@{branch}", end + 1, 0)
            if branch
            else browser.history(name, end + 1)
        )
        main = next((each.commit for each in about.branches if each.name == MAIN), "")
        sources = dataset_views.sources_of(name, browser.source_lines())
        facts = dataset_views.DatasetFacts(
            about=about,
            branch=branch,
            page=number,
            commits=found[:end],
            more=len(found) > end,
            head=browser.find(f"{name}@{main}") if main else None,
            uses=browser.uses([each.digest for each in found[start:end]]),
            sources=[(each, browser.quarantined(each.source)) for each in sources[:end]],
            deployments=self._data.deployments(),
            now=self._data.now(),
            signed_in=signed_in(request),
        )
        return self._site.page("dataset.html", dataset_views.dataset_page(facts))

    def commit(self, request: Request) -> Response:
        browser, query = self._data.browser(), request.query_params
        dataset = check_dataset_name(request.path_params["dataset"])
        walk = browser.walk(f"{dataset}@{request.path_params['commit']}")
        exact = f"{dataset}@{walk.commit.digest}"
        about = browser.about(dataset)
        columns, after = _page(request, "columns"), query.get("after", "")
        files, more = browser.files(exact, after, commit_views.FILES)
        chosen = query.get("table") or next((e.path for e in files if e.kind == "table"), "")
        table, problem = None, ""
        if chosen:
            try:
                skip = (columns - 1) * commit_views.COLUMNS
                table = browser.table(exact, chosen, skip, commit_views.COLUMNS)
            except StorageError as error:
                problem = str(error)
        facts = commit_views.CommitFacts(
            walk=walk,
            names=[name for name, at in _names(about) if at == walk.commit.digest],
            files=files,
            after=after,
            more=more,
            table=table,
            columns=columns,
            problem=problem,
            deployments=self._data.deployments(),
            now=self._data.now(),
            signed_in=signed_in(request),
        )
        return self._site.page("commit.html", commit_views.commit_page(facts))

    def compare(self, request: Request) -> Response:
        browser, query = self._data.browser(), request.query_params
        dataset = check_dataset_name(request.path_params["dataset"])
        about = browser.about(dataset)
        typed = (
            query.get("before", "").strip()[:200] or f"{MAIN}~1",
            query.get("after", "").strip()[:200] or MAIN,
        )
        found, wrong = [], ["", ""]
        for place, name in enumerate(typed):
            try:
                parse_commit(f"{dataset}@{name}")
                found.append(browser.find(f"{dataset}@{name}"))
            except (NotFound, InvalidName) as error:
                wrong[place] = str(error)
        number, columns = _page(request), _page(request, "columns")
        pair = (found[0], found[1]) if len(found) == 2 else None
        paths: Sequence[FileChange] = ()
        more, table, problem = False, None, ""
        if pair is not None:
            before, after = (f"{dataset}@{each.digest}" for each in pair)
            skip = (number - 1) * commit_views.FILES
            paths, more = browser.changed_paths(before, after, skip, commit_views.FILES)
            chosen = query.get("table") or _first_table(paths)
            if chosen:
                skip = (columns - 1) * commit_views.COLUMNS
                try:
                    table = browser.table_diff(before, after, chosen, skip, commit_views.COLUMNS)
                except (StorageError, NotFound, UsageError) as error:
                    problem = str(error)
        facts = commit_views.DiffFacts(
            dataset=dataset,
            typed=typed,
            names=[name for name, _ in _names(about)][:100],
            pair=pair,
            wrong=(wrong[0], wrong[1]),
            paths=paths,
            page=number,
            more=more,
            table=table,
            columns=columns,
            problem=problem,
            now=self._data.now(),
            signed_in=signed_in(request),
        )
        asked = "before" in query or "after" in query
        status = 404 if asked and pair is None else 200
        return self._site.page("data_compare.html", commit_views.diff_page(facts), status)

    def sources(self, request: Request) -> Response:
        browser, number = self._data.browser(), _page(request)
        search = request.query_params.get("q", "").strip().lower()[:200]
        every = browser.source_lines()
        lines = source_views.needy_first(every, search)
        start = (number - 1) * source_views.PAGE
        facts = source_views.SourcesFacts(
            search=search,
            page=number,
            shown=[
                (each, browser.quarantined(each.source))
                for each in lines[start : start + source_views.PAGE]
            ],
            found=len(lines),
            all=every,
            now=self._data.now(),
            signed_in=signed_in(request),
        )
        return self._site.page("sources.html", source_views.sources_page(facts))

    def source(self, request: Request) -> Response:
        browser, name = self._data.browser(), request.path_params["source"]
        line = browser.source(name)
        pages = {part: _page(request, part) for part in ("polls", "deliveries", "aside")}
        part = source_views.PART
        skips = {name: (number - 1) * part for name, number in pages.items()}
        aside, problem, quarantined = [], "", 0
        try:
            quarantined = browser.quarantined(line.source)
            aside = browser.quarantine(name, part + 1, skips["aside"])
        except StorageError as error:
            problem = str(error)
        facts = source_views.SourceFacts(
            line=line,
            quarantined=quarantined,
            polls=browser.polls(name, part + 1, skips["polls"]),
            deliveries=browser.deliveries(name, part + 1, skips["deliveries"]),
            aside=aside,
            pages=pages,
            problem=problem,
            now=self._data.now(),
            signed_in=signed_in(request),
        )
        return self._site.page("source.html", source_views.source_page(facts))


def _names(about: About) -> list[tuple[str, str]]:
    """The branches and tags of a dataset, each with the commit that it names."""
    branches = [(each.name, each.commit) for each in about.branches]
    return [*branches, *((each.name, each.commit) for each in about.tags)]


def _first_table(paths: Sequence[FileChange]) -> str:
    """The first path that is a table in both commits."""
    for each in paths:
        if each.before and each.after and each.before.kind == each.after.kind == "table":
            return each.path
    return ""
