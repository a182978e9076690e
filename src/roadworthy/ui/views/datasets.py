"""Datasets in a list, and one with its history as a graph, its branches, tags and sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from roadworthy.core.dataset import MAIN, Committed, Use
from roadworthy.core.dataset_names import parse_commit
from roadworthy.core.deployment import Deployment
from roadworthy.core.names import parse_release
from roadworthy.errors import InvalidName
from roadworthy.ui.formats import count, difference, plural, recent, shortened, storage
from roadworthy.ui.views.graph import graph
from roadworthy.ui.views.parts import View, page, plate
from roadworthy.ui.views.sources import source_pill

if TYPE_CHECKING:
    from roadworthy.data.browser import About, SourceLine
    from roadworthy.data.browsing import Listed

PAGE = 50
SHORT = 7
MOST_NAMES = 100
MOST_PLATES = 3


@dataclass(frozen=True, kw_only=True)
class DatasetsFacts:
    """What the list is made from: those on this page, how many fit, how many there are."""

    search: str
    page: int
    shown: Sequence[Listed]
    found: int
    total: int
    sources: Sequence[SourceLine]
    now: datetime
    signed_in: bool = False


@dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """What a dataset's page is made from.

    ``commits`` are the newest of the branch that was chosen (of all where none is), to the end of
    this page; ``more`` says that there are older ones; ``uses`` are of those on this page.
    """

    about: About
    branch: str
    page: int
    commits: Sequence[Committed]
    more: bool
    head: Committed | None
    uses: Sequence[Use]
    sources: Sequence[tuple[SourceLine, int]]
    deployments: Sequence[Deployment]
    now: datetime
    signed_in: bool = False


def dataset_path(name: str) -> str:
    """The address of a dataset's page."""
    return f"/datasets/{quote(name, safe='')}"


def commit_path(committed: Committed) -> str:
    """The address of a commit's page."""
    return f"{dataset_path(committed.commit.dataset)}/commits/{committed.digest[:12]}"


def commit_link(committed: Committed) -> View:
    """A commit as a link: ``flights@3f2a9c1`` and its address."""
    return {
        "name": f"{committed.commit.dataset}@{committed.digest[:SHORT]}",
        "href": commit_path(committed),
        "said": shortened(committed.commit.message, 80),
    }


def rows_word(committed: Committed) -> str:
    """What a commit holds, in a few words."""
    commit = committed.commit
    rows = sum(table.rows for table in commit.tables)
    if commit.tables and not commit.more_tables and commit.files == len(commit.tables):
        return plural(rows, "row")
    return plural(commit.files, "file")


def datasets_page(facts: DatasetsFacts) -> View:
    """The list's view."""
    pages = max(1, -(-facts.found // PAGE))
    return {
        "page": page(
            "Datasets",
            facts.now,
            nav="datasets",
            command="roadworthy data list",
            signed_in=facts.signed_in,
        ),
        "heading": _list_heading(facts),
        "search": facts.search,
        "total": facts.total,
        "datasets": [_line(each, facts) for each in facts.shown],
        "place": f"Page {count(facts.page)} of {count(pages)}" if pages > 1 else "",
        "before": _list_address(facts, facts.page - 1) if 1 < facts.page <= pages else "",
        "after": _list_address(facts, facts.page + 1) if facts.page < pages else "",
        "first": _list_address(facts, 1),
    }


def _list_heading(facts: DatasetsFacts) -> str:
    if not facts.total:
        return "No dataset yet."
    if facts.search:
        return f"{count(facts.found)} of {plural(facts.total, 'dataset')} fit."
    ill = sum(each.health.ill for each in facts.sources)
    text = plural(facts.total, "dataset")
    if ill:
        return f"{text}; {plural(ill, 'source')} of {count(len(facts.sources))} not well."
    return f"{text}."


def _list_address(facts: DatasetsFacts, number: int) -> str:
    given = {"q": facts.search, "page": str(number) if number > 1 else ""}
    query = urlencode({name: value for name, value in given.items() if value})
    return "/datasets" + (f"?{query}" if query else "")


def _line(each: Listed, facts: DatasetsFacts) -> View:
    name, head = each.dataset.name, each.head
    own = sources_of(name, facts.sources)
    return {
        "name": name,
        "href": dataset_path(name),
        "description": shortened(each.dataset.description, 160),
        "head": None if head is None else commit_link(head),
        "at": None if head is None else recent(head.commit.at, facts.now),
        "holds": "empty" if head is None else rows_word(head),
        "size": "" if head is None else storage(head.commit.bytes),
        "branches": plural(each.branches, "branch", "branches"),
        "pill": sources_pill(own),
    }


def sources_of(name: str, sources: Sequence[SourceLine]) -> list[SourceLine]:
    """The sources that deliver to a dataset."""
    return [each for each in sources if parse_commit(each.source.dataset).dataset == name]


def sources_pill(own: Sequence[SourceLine]) -> View:
    """How the sources of a dataset are, in one word."""
    ill = [each for each in own if each.health.ill]
    if not own:
        return {"sign": "na", "word": "no source"}
    if len(own) == 1:
        return source_pill(own[0])
    if ill:
        return {"sign": "bad", "word": f"{len(ill)} of {len(own)} sources not well"}
    return {"sign": "ok", "word": f"{len(own)} sources, none unwell"}


def dataset_page(facts: DatasetFacts) -> View:
    """A dataset's view."""
    about, head = facts.about, facts.head
    name = about.dataset.name
    path = dataset_path(name)
    return {
        "page": page(
            name,
            facts.now,
            nav="datasets",
            command=f"roadworthy data log {name}" + (f"@{facts.branch}" if facts.branch else ""),
            signed_in=facts.signed_in,
        ),
        "crumbs": [{"href": "/datasets", "text": "Datasets"}],
        "name": name,
        "lead": about.dataset.description,
        "pill": sources_pill([each for each, _ in facts.sources]),
        "facts": _dataset_facts(facts),
        "head": None if head is None else commit_link(head),
        "compare": f"{path}/compare",
        "branch": facts.branch,
        "all": path,
        "branches": _branches(facts),
        "tags": [
            {
                "name": each.name,
                "href": f"{path}/commits/{each.commit[:12]}",
                "said": shortened(each.message, 120),
                "at": recent(each.at, facts.now),
            }
            for each in sorted(about.tags, key=lambda each: each.at, reverse=True)[:MOST_NAMES]
        ],
        "commits": _commit_rows(facts),
        "before": _dataset_address(facts, facts.page - 1) if facts.page > 1 else "",
        "after": _dataset_address(facts, facts.page + 1) if facts.more else "",
        "place": f"Page {count(facts.page)}",
        "sources": [
            {
                "name": each.source.name,
                "href": f"/sources/{quote(each.source.name, safe='')}",
                "pill": source_pill(each),
                "last": None if each.last is None else recent(each.last.at, facts.now),
                "aside": plural(aside, "row") if aside else "",
                "said": shortened(each.health.said, 160),
            }
            for each, aside in facts.sources
        ],
        "erasures": [
            {
                "path": each.path,
                "reason": each.reason,
                "by": each.author,
                "at": recent(each.at, facts.now),
            }
            for each in about.erasures[:MOST_NAMES]
        ],
    }


def _dataset_facts(facts: DatasetFacts) -> list[View]:
    head = facts.head
    key = ", ".join(facts.about.dataset.key)
    items: list[View] = []
    if head is not None:
        items += [
            {"term": "main holds", "value": f"{rows_word(head)}, {storage(head.commit.bytes)}"},
            {"term": "newest", "moment": recent(head.commit.at, facts.now)},
        ]
    if key:
        items.append({"term": "key", "value": key})
    return [*items, {"term": "made", "moment": recent(facts.about.dataset.created, facts.now)}]


def _branches(facts: DatasetFacts) -> list[View]:
    path = dataset_path(facts.about.dataset.name)
    shown = sorted(facts.about.branches, key=lambda each: (each.name != MAIN, each.name))
    return [
        {
            "name": each.name,
            "href": f"{path}?{urlencode({'branch': each.name})}",
            "chosen": each.name == facts.branch,
            "commit": each.commit[:SHORT],
            "commit_href": f"{path}/commits/{each.commit[:12]}" if each.commit else "",
            "at": recent(each.at, facts.now),
            "kept": _kept(each.retention.last, each.retention.days),
        }
        for each in shown[:MOST_NAMES]
    ]


def _kept(last: int | None, days: float | None) -> str:
    """A rule of retention in words."""
    said = [f"the newest {count(last)}"] if last is not None else []
    said += [f"those of {days:g} days"] if days is not None else []
    return " and ".join(said) or "all"


def _dataset_address(facts: DatasetFacts, number: int) -> str:
    given = {"branch": facts.branch, "page": str(number) if number > 1 else ""}
    query = urlencode({name: value for name, value in given.items() if value})
    return dataset_path(facts.about.dataset.name) + (f"?{query}" if query else "") + "#commits"


def _commit_rows(facts: DatasetFacts) -> list[View]:
    main = next((each.commit for each in facts.about.branches if each.name == MAIN), "")
    start = (facts.page - 1) * PAGE
    drawn = graph(facts.commits, "" if facts.branch else main)[start:]
    labels = _labels(facts)
    by_digest = {each.digest: each for each in facts.commits}
    uses: dict[str, list[Use]] = {}
    for use in facts.uses:
        uses.setdefault(use.commit, []).append(use)
    lanes = min(max((row.lanes for row in drawn), default=1), 8)
    return [
        {
            "graph": row,
            "width": lanes,
            "short": each.digest[:SHORT],
            "href": commit_path(each),
            "labels": labels.get(each.digest, []),
            "message": shortened(each.commit.message or "no message", 200),
            "author": shortened(each.commit.author, 60),
            "at": recent(each.commit.at, facts.now),
            "rows": _growth(each, by_digest),
            "added": storage(each.commit.added),
            "readers": readers(uses.get(each.digest, []), facts.deployments),
        }
        for each, row in zip(facts.commits[start:], drawn, strict=True)
    ]


def _labels(facts: DatasetFacts) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for branch in facts.about.branches:
        found.setdefault(branch.commit, []).append(branch.name)
    for tag in facts.about.tags:
        found.setdefault(tag.commit, []).append(tag.name)
    return found


def _growth(each: Committed, known: Mapping[str, Committed]) -> str:
    """By how many rows it differs from its parent, else how many it holds."""
    parent = known.get(each.commit.parents[0]) if each.commit.parents else None
    if parent is None or not (each.commit.tables and parent.commit.tables):
        return rows_word(each)
    change = sum(table.rows for table in each.commit.tables)
    change -= sum(table.rows for table in parent.commit.tables)
    return difference(change) if abs(change) < 1000 else ("+" if change > 0 else "") + count(change)


def readers(uses: Sequence[Use], deployments: Sequence[Deployment]) -> View:
    """The releases that read a commit as plates, the rest counted."""
    plates: list[Any] = []
    others: dict[str, int] = {}
    for use in uses:
        shown = release_plate(use.name, deployments) if use.kind == "release" else None
        if shown is not None and len(plates) < MOST_PLATES:
            plates.append(shown)
        elif use.kind != "run":
            others[use.kind] = others.get(use.kind, 0) + 1
    return {
        "plates": plates,
        "others": ", ".join(plural(number, f"more {kind}" if kind == "release" else kind)
                            for kind, number in others.items()),
    }  # fmt: skip


def release_plate(name: str, deployments: Sequence[Deployment]) -> View | None:
    """The plate of a release by its name; None where it is none."""
    try:
        found = parse_release(name)
    except InvalidName:
        return None
    return None if found.number is None else plate(found.model, found.number, deployments)
