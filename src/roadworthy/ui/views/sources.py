"""Sources in a list, and one with its polls, deliveries, mapping and what was set aside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from roadworthy.core.dataset_names import parse_commit
from roadworthy.core.source import Column, Delivery, Poll
from roadworthy.ui.formats import count, dated, duration, plural, recent, shortened
from roadworthy.ui.views.parts import View, page

if TYPE_CHECKING:
    from roadworthy.data.browser import SourceLine

PAGE = 50
PART = 20
"""How many polls, deliveries and rows of a quarantine a page shows."""
_ORDER = {"stopped": 0, "failing": 1, "late": 2, "new": 3, "paused": 4, "well": 5}
_PILLS = {
    "stopped": ("bad", "stopped"),
    "failing": ("bad", "fails"),
    "late": ("warn", "late"),
    "new": ("wait", "never polled"),
    "paused": ("na", "paused"),
    "well": ("ok", "up to date"),
}
_OUTCOMES = {
    "committed": ("ok", "committed"),
    "released": ("ok", "released"),
    "nothing": ("na", "nothing new"),
    "stopped": ("bad", "stopped"),
    "failed": ("bad", "failed"),
}


@dataclass(frozen=True, kw_only=True)
class SourcesFacts:
    """What the list is made from: ``all`` in any order; how many rows those on it set aside."""

    search: str
    page: int
    shown: Sequence[tuple[SourceLine, int]]
    found: int
    all: Sequence[SourceLine]
    now: datetime
    signed_in: bool = False


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """What a source's page is made from: each list has one more than is shown where there is more.

    ``pages`` are the numbers of the pages of ``polls``, ``deliveries`` and ``aside``; ``problem``
    says why the quarantine can't be read.
    """

    line: SourceLine
    quarantined: int
    polls: Sequence[Poll]
    deliveries: Sequence[Delivery]
    aside: Sequence[Mapping[str, Any]]
    pages: Mapping[str, int]
    problem: str
    now: datetime
    signed_in: bool = False


def source_path(name: str) -> str:
    """The address of a source's page."""
    return f"/sources/{quote(name, safe='')}"


def source_pill(line: SourceLine) -> View:
    """How a source is, as a pill."""
    sign, word = _PILLS[line.health.kind]
    return {"sign": sign, "word": word}


def needy_first(lines: Sequence[SourceLine], search: str) -> list[SourceLine]:
    """The sources whose name has a text in it; those that need somebody first."""
    found = [each for each in lines if search in each.source.name]
    return sorted(found, key=lambda each: (_ORDER[each.health.kind], each.source.name))


def sources_page(facts: SourcesFacts) -> View:
    """The list's view."""
    pages = max(1, -(-facts.found // PAGE))
    return {
        "page": page(
            "Sources",
            facts.now,
            nav="sources",
            command="roadworthy data source list",
            renew=10,
            signed_in=facts.signed_in,
        ),
        "heading": _heading(facts),
        "search": facts.search,
        "total": len(facts.all),
        "sources": [_line(each, aside, facts.now) for each, aside in facts.shown],
        "place": f"Page {count(facts.page)} of {count(pages)}" if pages > 1 else "",
        "before": _address(facts, facts.page - 1) if 1 < facts.page <= pages else "",
        "after": _address(facts, facts.page + 1) if facts.page < pages else "",
        "first": _address(facts, 1),
    }


def _heading(facts: SourcesFacts) -> str:
    total = len(facts.all)
    if not total:
        return "No data arrives by itself yet."
    if facts.search:
        return f"{count(facts.found)} of {plural(total, 'source')} fit."
    kinds = [each.health.kind for each in facts.all]
    said = [
        f"{count(kinds.count(kind))} {word}"
        for kind, word in (("stopped", "stopped"), ("failing", "failing"), ("late", "late"))
        if kind in kinds
    ]
    return f"{plural(total, 'source')}: {', '.join(said)}." if said else (
        f"{plural(total, 'source')}, none unwell."
    )  # fmt: skip


def _address(facts: SourcesFacts, number: int) -> str:
    given = {"q": facts.search, "page": str(number) if number > 1 else ""}
    query = urlencode({name: value for name, value in given.items() if value})
    return "/sources" + (f"?{query}" if query else "")


def when_polled(line: SourceLine) -> str:
    """When a source is looked at, in words."""
    source = line.source
    if source.trigger:
        return f"after each commit to {source.trigger}"
    return f"{source.schedule}, {source.zone}" if source.schedule else "by hand"


def _line(line: SourceLine, aside: int, now: datetime) -> View:
    source, last = line.source, line.last
    return {
        "name": source.name,
        "href": source_path(source.name),
        "pill": source_pill(line),
        "said": shortened(line.health.said, 160) if line.health.ill else "",
        "when": when_polled(line),
        "dataset": source.dataset,
        "dataset_href": f"/datasets/{quote(parse_commit(source.dataset).dataset, safe='')}",
        "table": source.path,
        "last": None if last is None else recent(last.at, now),
        "took": "" if last is None else _took(last),
        "aside": count(aside) if aside else "none",
    }


def _took(poll: Poll) -> str:
    if not poll.deliveries and not poll.twice:
        return _OUTCOMES[poll.outcome][1]
    return f"{plural(poll.rows, 'row')}, {count(poll.bad)} bad"


def source_page(facts: SourceFacts) -> View:
    """A source's view."""
    line, source = facts.line, facts.line.source
    dataset = parse_commit(source.dataset).dataset
    return {
        "page": page(
            source.name,
            facts.now,
            nav="sources",
            command=f"roadworthy data source show {source.name}",
            signed_in=facts.signed_in,
        ),
        "crumbs": [{"href": "/sources", "text": "Sources"}],
        "name": source.name,
        "pill": source_pill(line),
        "call": _call(line),
        "facts": [
            {"term": "From", "value": shortened(source.url, 200), "code": True},
            {"term": "Polled", "value": when_polled(line)},
            {"term": "Rows come in by", "value": source.manner},
        ],
        "dataset": source.dataset,
        "dataset_href": f"/datasets/{quote(dataset, safe='')}",
        "table": source.path,
        "marks": [
            {"name": name, "value": shortened(str(value), 200)}
            for name, value in line.state.watermark.items()
        ],
        "polls": [_poll(each, dataset, facts.now) for each in facts.polls[:PART]],
        "polls_pager": _pager(facts, "polls", len(facts.polls)),
        "deliveries": [_delivery(each, facts.now) for each in facts.deliveries[:PART]],
        "deliveries_pager": _pager(facts, "deliveries", len(facts.deliveries)),
        "aside": [_aside(each, facts.now) for each in facts.aside[:PART]],
        "aside_pager": _pager(facts, "aside", len(facts.aside)),
        "quarantined": count(facts.quarantined),
        "waiting": plural(facts.quarantined, "row waits", "rows wait"),
        "problem": facts.problem,
        "release": f"roadworthy data source release {source.name}",
        "dry_run": f"roadworthy data source poll {source.name} --dry-run",
        "learned": not source.columns,
        "columns": [
            _column(name, each) for name, each in (source.columns or line.state.columns).items()
        ],
    }


def _call(line: SourceLine) -> View | None:
    titles = {
        "stopped": "This source stopped itself; others go on",
        "failing": "The last poll failed; the next one tries again",
        "late": "A poll is late",
        "paused": "Paused: it is not polled",
    }
    title = titles.get(line.health.kind)
    if title is None:
        return None
    sign = {"late": "warn", "paused": ""}.get(line.health.kind, "bad")
    return {"sign": sign, "title": title, "text": line.health.said, "cure": line.health.cure}


def _pager(facts: SourceFacts, part: str, there: int) -> View:
    number = facts.pages[part]
    path = source_path(facts.line.source.name)

    def address(to: int) -> str:
        pages = {**facts.pages, part: to}
        query = urlencode({name: value for name, value in pages.items() if value > 1})
        return path + (f"?{query}" if query else "") + f"#{part}"

    return {
        "before": address(number - 1) if number > 1 else "",
        "after": address(number + 1) if there > PART else "",
        "place": f"Page {count(number)}",
    }


def _poll(poll: Poll, dataset: str, now: datetime) -> View:
    sign, word = _OUTCOMES[poll.outcome]
    href = f"/datasets/{quote(dataset, safe='')}/commits/{poll.commit[:12]}" if poll.commit else ""
    return {
        "at": dated(poll.at, now),
        "sign": sign,
        "word": word,
        "deliveries": count(poll.deliveries),
        "rows": count(poll.rows),
        "bad": count(poll.bad),
        "replaced": count(poll.replaced),
        "twice": count(poll.twice),
        "took": duration(poll.seconds),
        "commit": poll.commit[:7],
        "href": href,
        "said": shortened(poll.said.partition("\n")[0], 300),
    }


def _delivery(each: Delivery, now: datetime) -> View:
    return {
        "identity": shortened(each.identity, 200),
        "at": dated(each.at, now),
        "twice": each.outcome == "twice",
        "rows": count(each.rows),
        "bad": count(each.bad),
        "content": each.content[:7],
    }


def _aside(row: Mapping[str, Any], now: datetime) -> View:
    at = row.get("at")
    return {
        "delivery": shortened(str(row.get("delivery") or ""), 200),
        "row": row.get("row"),
        "reason": shortened(str(row.get("reason") or "no reason was kept"), 500),
        "raw": shortened(_pretty(str(row.get("raw") or "")), 4000),
        "at": recent(at.isoformat() if isinstance(at, datetime) else str(at or ""), now),
    }


def _pretty(raw: str) -> str:
    """A row as it was delivered, a value a line."""
    try:
        value = json.loads(raw)
    except ValueError:
        return raw
    if not isinstance(value, dict):
        return raw
    return "\n".join(f"{name}: {each}" for name, each in value.items())


def _column(name: str, column: Column) -> View:
    checks = ["required"] if column.required else []
    checks += [f"at least {column.minimum}"] if column.minimum is not None else []
    checks += [f"at most {column.maximum}"] if column.maximum is not None else []
    checks += [f"one of {', '.join(map(str, column.one_of[:10]))}"] if column.one_of else []
    checks += [f"matches {column.matches}"] if column.matches else []
    origin = f"always {column.value}" if column.value is not None else column.source or name
    return {
        "name": name,
        "origin": shortened(origin, 120),
        "type": column.type,
        "rules": ", ".join(column.rules) or "none",
        "checks": "; ".join(checks) or "none",
    }
