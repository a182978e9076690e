"""A commit: what it holds, what it came from and reached; and two commits side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from roadworthy.core.dataset import Committed, Use
from roadworthy.core.deployment import Deployment
from roadworthy.ui.formats import count, dated, plural, recent, shortened, storage
from roadworthy.ui.views.columns import column_rows, looked_at
from roadworthy.ui.views.datasets import (
    SHORT,
    commit_link,
    commit_path,
    dataset_path,
    release_plate,
    rows_word,
)
from roadworthy.ui.views.parts import RUN_SHOWN, View, page, run_path
from roadworthy.ui.views.sources import source_path

if TYPE_CHECKING:
    from roadworthy.data.browser import TableDiff, TableLook
    from roadworthy.data.browsing import FileChange, FileLine, Origin, Walk

FILES = 50
COLUMNS = 25
IN_WALK = 12


@dataclass(frozen=True, kw_only=True)
class CommitFacts:
    """What a commit's page is made from; ``problem`` says why the table can't be read."""

    walk: Walk
    names: Sequence[str]
    files: Sequence[FileLine]
    after: str
    more: bool
    table: TableLook | None
    columns: int
    problem: str
    deployments: Sequence[Deployment]
    now: datetime
    signed_in: bool = False


@dataclass(frozen=True, kw_only=True)
class DiffFacts:
    """What the comparison of two commits is made from; ``wrong`` is a reason per field."""

    dataset: str
    typed: tuple[str, str]
    names: Sequence[str]
    pair: tuple[Committed, Committed] | None
    wrong: tuple[str, str]
    paths: Sequence[FileChange]
    page: int
    more: bool
    table: TableDiff | None
    columns: int
    problem: str
    now: datetime
    signed_in: bool = False


def commit_page(facts: CommitFacts) -> View:
    """A commit's view."""
    committed = facts.walk.commit
    commit = committed.commit
    path = commit_path(committed)
    return {
        "page": page(
            committed.name,
            facts.now,
            nav="datasets",
            command=f"roadworthy data show {committed.name}",
            signed_in=facts.signed_in,
        ),
        "crumbs": [
            {"href": "/datasets", "text": "Datasets"},
            {"href": dataset_path(commit.dataset), "text": commit.dataset},
        ],
        "short": committed.digest[:SHORT],
        "name": f"{commit.dataset}@{committed.digest[:SHORT]}",
        "lead": commit.message or "no message",
        "names": facts.names,
        "facts": _commit_facts(facts),
        "parents": [commit_link(each) for each in facts.walk.parents],
        "lost_parents": len(commit.parents) - len(facts.walk.parents),
        "compare": _compare_address(commit.dataset, f"{committed.digest[:12]}~1",
                                    committed.digest[:12]) if facts.walk.parents else "",
        "files": [_file(each, path, facts.table) for each in facts.files],
        "files_word": rows_word(committed) if commit.tables else plural(commit.files, "file"),
        "first_files": f"{path}#contents" if facts.after else "",
        "more_files": f"{path}?{urlencode({'after': facts.files[-1].path})}#contents"
        if facts.more
        else "",
        "table": _table(facts, path),
        "problem": facts.problem,
        "checkout": f"roadworthy data checkout {committed.name} --to FOLDER",
        "walk": walk_view(facts),
    }  # fmt: skip


def _commit_facts(facts: CommitFacts) -> list[View]:
    committed = facts.walk.commit
    commit = committed.commit
    items: list[View] = [
        {"term": "digest", "value": f"b3:{committed.digest[:12]}", "code": True},
        {"term": "made", "moment": dated(commit.at, facts.now)},
    ]
    if commit.author:
        items.append({"term": "by", "value": shortened(commit.author, 80)})
    return [
        *items,
        {"term": "on", "value": commit.branch},
        {"term": "holds", "value": f"{plural(commit.files, 'path')}, {storage(commit.bytes)}"},
        {"term": "took on disk", "value": storage(commit.added)},
    ]


def _file(each: FileLine, path: str, table: TableLook | None) -> View:
    is_table = each.kind == "table"
    return {
        "path": each.path,
        "kind": each.kind,
        "rows": count(each.rows) if each.rows is not None else "",
        "size": storage(each.size),
        "content": f"b3:{each.content[:7]}",
        "href": f"{path}?{urlencode({'table': each.path})}#table" if is_table else "",
        "chosen": is_table and table is not None and table.table.path == each.path,
    }


def _table(facts: CommitFacts, path: str) -> View | None:
    table = facts.table
    if table is None:
        return None
    key = table.key
    return {
        "path": table.table.path,
        "said": f"{plural(table.table.rows or 0, 'row')}, {plural(len(table.fields), 'column')}"
        + (f", told apart by {', '.join(key)}" if key else ""),
        "looked": looked_at(table.statistics),
        "columns": column_rows(table.statistics),
        **_column_pager(facts.columns, len(table.fields), path, {"table": table.table.path}),
    }


def _column_pager(number: int, total: int, path: str, query: dict[str, str]) -> View:
    pages = max(1, -(-total // COLUMNS))

    def address(to: int) -> str:
        given = {**query, **({"columns": str(to)} if to > 1 else {})}
        return f"{path}?{urlencode(given)}#table"

    return {
        "place": f"Columns, page {count(number)} of {count(pages)}" if pages > 1 else "",
        "before": address(number - 1) if 1 < number <= pages else "",
        "after": address(number + 1) if number < pages else "",
    }


# Provenance


def walk_view(facts: CommitFacts) -> list[View]:
    """Where a commit came from and where it went, from left to right; each step is a link."""
    walk = facts.walk
    here = walk.commit
    uses = {kind: [use for use in walk.uses if use.kind == kind] for kind in ("commit", "run")}
    releases = [use for use in walk.uses if use.kind == "release"]
    jobs = [use for use in walk.uses if use.kind not in ("commit", "run", "release")]
    columns = [
        _column("Made from", [_origin(each, facts) for each in walk.origins], "nothing recorded"),
        {
            "kind": "This commit",
            "now": True,
            "items": [_item(f"{here.commit.dataset}@{here.digest[:SHORT]}", rows_word(here))],
            "more": "",
            "none": "",
        },
    ]
    after = [
        ("Commits made from it", [_made(use, facts) for use in uses["commit"]]),
        ("Runs that read it", [_run(use) for use in uses["run"]]),
        ("Releases", [_release(use, facts) for use in releases]),
        ("Jobs", [_item(f"{use.kind} {use.name}", use.detail) for use in jobs]),
    ]
    found = [_column(kind, items) for kind, items in after if items]
    return columns + (found or [_column("What came of it", [], "nothing has read it yet")])


def _column(kind: str, items: Sequence[View], none: str = "") -> View:
    rest = len(items) - IN_WALK
    return {
        "kind": kind,
        "now": False,
        "items": items[:IN_WALK],
        "more": f"and {count(rest)} more" if rest > 0 else "",
        "none": none,
    }


def _item(text: str, said: str, href: str = "", plate: View | None = None) -> View:
    return {"text": text, "said": said, "href": href, "plate": plate}


def _origin(each: Origin, facts: CommitFacts) -> View:
    what = each.provenance
    if each.commit is not None:
        link = commit_link(each.commit)
        return _item(link["name"], what.detail or link["said"], link["href"])
    said = shortened(what.detail, 120)
    if what.kind == "source":
        return _item(f"source {what.name}", said, source_path(what.name))
    if what.kind == "run":
        return _item(f"run {what.name[:RUN_SHOWN]}", said, run_path(what.name))
    if what.kind == "release":
        shown = release_plate(what.name, facts.deployments)
        return _item(what.name, said, plate=shown)
    return _item(f"{what.kind} {shortened(what.name, 80)}", said)


def _made(use: Use, facts: CommitFacts) -> View:
    made = facts.walk.made.get(use.name)
    if made is None:
        return _item(f"commit b3:{use.name[:SHORT]}", "no longer kept")
    link = commit_link(made)
    return _item(link["name"], use.detail or link["said"], link["href"])


def _run(use: Use) -> View:
    return _item(use.name[:RUN_SHOWN], use.detail, run_path(use.name))


def _release(use: Use, facts: CommitFacts) -> View:
    at = recent(use.at, facts.now)
    shown = release_plate(use.name, facts.deployments)
    return _item(use.name, f"read it {at.text}", plate=shown)


# Differences


def _compare_address(dataset: str, before: str, after: str) -> str:
    query = urlencode({"before": before, "after": after})
    return f"{dataset_path(dataset)}/compare?{query}"


def diff_page(facts: DiffFacts) -> View:
    """The view of two commits side by side."""
    before, after = facts.typed
    path = f"{dataset_path(facts.dataset)}/compare"
    query = {"before": before, "after": after}
    return {
        "page": page(
            f"{facts.dataset}: difference",
            facts.now,
            nav="datasets",
            command=f"roadworthy data diff {facts.dataset}@{before} {facts.dataset}@{after}",
            signed_in=facts.signed_in,
        ),
        "crumbs": [
            {"href": "/datasets", "text": "Datasets"},
            {"href": dataset_path(facts.dataset), "text": facts.dataset},
        ],
        "heading": _diff_heading(facts),
        "dataset": facts.dataset,
        "action": path,
        "fields": [
            {"id": "before", "label": "Before", "value": before, "wrong": facts.wrong[0]},
            {"id": "after", "label": "After", "value": after, "wrong": facts.wrong[1]},
        ],
        "names": facts.names,
        "pair": None
        if facts.pair is None
        else [{**commit_link(each), "at": dated(each.commit.at, facts.now)} for each in facts.pair],
        "paths": [_change(each, path, query, facts.table) for each in facts.paths],
        "place": f"Page {count(facts.page)}",
        "older": _diff_page_address(path, query, facts.page - 1) if facts.page > 1 else "",
        "newer": _diff_page_address(path, query, facts.page + 1) if facts.more else "",
        "table": _table_diff(facts, path, query),
        "problem": facts.problem,
    }


def _diff_heading(facts: DiffFacts) -> str:
    if facts.pair is None:
        return f"Two commits of {facts.dataset} side by side."
    if not facts.paths and facts.page == 1:
        return "Nothing differs."
    more = "more than " if facts.more or facts.page > 1 else ""
    shown = len(facts.paths) + (facts.page - 1) * FILES
    return f"{more.capitalize()}{plural(shown, 'path')} {'differs' if shown == 1 else 'differ'}."


def _diff_page_address(path: str, query: dict[str, str], number: int) -> str:
    given = {**query, **({"page": str(number)} if number > 1 else {})}
    return f"{path}?{urlencode(given)}#paths"


def _change(each: FileChange, path: str, query: dict[str, str], table: TableDiff | None) -> View:
    both = each.before is not None and each.after is not None
    tables = both and each.before.kind == each.after.kind == "table"  # type: ignore[union-attr]
    signs = {"added": "ok", "removed": "bad", "changed": "run"}
    return {
        "path": each.path,
        "kind": each.kind,
        "sign": signs[each.kind],
        "before": "none" if each.before is None else _size(each.before),
        "after": "none" if each.after is None else _size(each.after),
        "href": f"{path}?{urlencode({**query, 'table': each.path})}#table" if tables else "",
        "chosen": table is not None and table.path == each.path,
    }


def _size(each: FileLine) -> str:
    return storage(each.size) if each.rows is None else plural(each.rows, "row")


def _table_diff(facts: DiffFacts, path: str, query: dict[str, str]) -> View | None:
    table = facts.table
    if table is None:
        return None
    rows = table.rows
    figures: list[View] = [
        {"term": "Columns that differ", "value": count(len(table.changed)),
         "note": f"of {count(len(table.columns))}"}
    ]  # fmt: skip
    if rows is not None:
        figures = [
            {"term": "Rows added", "value": count(rows.added),
             "note": f"{count(rows.after)} after"},
            {"term": "Rows removed", "value": count(rows.removed),
             "note": f"{count(rows.before)} before"},
            {"term": "Rows changed",
             "value": "not known" if rows.changed is None else count(rows.changed),
             "note": "no key tells rows apart" if rows.changed is None else "by their key"},
            *figures,
        ]  # fmt: skip
    before, after = facts.typed
    name = facts.dataset
    return {
        "path": table.path,
        "figures": figures,
        "large": "" if rows is not None else f"roadworthy data diff {name}@{before} {name}@{after}",
        "looked": looked_at(table.statistics),
        "columns": column_rows(table.statistics, table.changed),
        **_column_pager(facts.columns, len(table.columns), path, {**query, "table": table.path}),
    }
