"""The prediction log of a model: who asked what, what was answered, by which release, how fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from roadworthy.core.deployment import Deployment
from roadworthy.serving.log_entries import CHECK
from roadworthy.serving.log_query import Found
from roadworthy.ui.formats import dated, literal, number, plural, shortened, with_unit
from roadworthy.ui.views.parts import View, crumbs_to, model_path, page, plate

PAGE = 50
FIELDS = ("since", "until", "release", "request", "caller", "key", "only", "checks", "beyond")
_STAGES = ("decode", "validate", "queue", "batch", "worker", "flow", "encode")
_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class LogFacts:
    """What the page is made from: what was typed, what is wrong with it, what was found.

    ``found`` is None where nothing was looked for, or the log has nothing of this model.
    """

    model: str
    typed: Mapping[str, str]
    errors: Mapping[str, str]
    found: Found | None
    after: str
    deployments: Sequence[Deployment]
    now: datetime
    signed_in: bool = False


def log_page(facts: LogFacts) -> View:
    """The page's view."""
    rows = facts.found.rows if facts.found else []
    looked = facts.found.looked_to if facts.found else None
    narrowed = any(value for name, value in facts.typed.items() if name != "beyond")
    return {
        "page": page(
            f"Log of {facts.model}",
            facts.now,
            nav="models",
            command="" if facts.errors else _command(facts),
            signed_in=facts.signed_in,
        ),
        "crumbs": crumbs_to(facts.model),
        "model": facts.model,
        "action": f"{model_path(facts.model)}/log",
        "heading": _heading(facts, narrowed),
        "fields": [_field(*each, facts) for each in _FIELDS],
        "only": facts.typed["only"] == "unanswered",
        "checks": facts.typed["checks"] == "too",
        "rows": [_row(row, facts) for row in rows],
        "wrong": bool(facts.errors),
        "nothing": not facts.errors
        and (facts.found is None or not (rows or looked or narrowed or facts.typed["beyond"])),
        "narrowed": narrowed,
        "looked": dated(looked.isoformat(), facts.now, seconds=True) if looked else None,
        "further": _further(facts, looked) if looked else "",
        "after": facts.after,
        "first": f"{model_path(facts.model)}/log" if facts.typed["beyond"] else "",
    }


_FIELDS = (
    ("since", "From", "2h, 3d or 2026-03-01T12:00"),
    ("until", "Before", "a moment as well"),
    ("release", "Release", "its number"),
    ("request", "Request id", "the whole of it"),
    ("caller", "Caller", "as it named itself"),
    ("key", "Key", "what came as x-request-key"),
)


def _field(name: str, label: str, hint: str, facts: LogFacts) -> View:
    return {
        "id": name,
        "name": name,
        "label": label,
        "unit": "",
        "control": "input",
        "choices": [],
        "value": facts.typed[name],
        "mode": "text",
        "hint": hint,
        "error": facts.errors.get(name, ""),
        "note": "",
        "focus": name == next(iter(facts.errors), ""),
    }


def _heading(facts: LogFacts, narrowed: bool) -> str:
    if facts.errors:
        return "Nothing was looked for yet."
    if facts.found is None:
        return f"Nothing of {facts.model} is logged yet."
    rows = facts.found.rows
    if not rows:
        if facts.found.looked_to is not None:
            return "Nothing found so far."
        if narrowed or facts.typed["beyond"]:
            return "Nothing fits."
        return f"Nothing of {facts.model} is logged yet."
    without = sum(bool(_reason(row)) for row in rows)
    more = len(rows) >= PAGE or facts.found.looked_to is not None
    newest = "The newest " if more and not facts.typed["beyond"] and not narrowed else ""
    answered = f", {without} of them without an answer" if without else ", all answered"
    return f"{newest}{plural(len(rows), 'row')}{answered}."


def _command(facts: LogFacts) -> str:
    """The command that asks the same; what a shell would read otherwise is left out."""
    options = "".join(
        f" --{name} {facts.typed[name].strip()}"
        for name in ("since", "until", "release", "request", "caller", "key")
        if facts.typed[name].strip().replace("-", "").replace(":", "").isalnum()
    )
    rejected = " --rejected" if facts.typed["only"] == "unanswered" else ""
    rejected += " --checks" if facts.typed["checks"] == "too" else ""
    return f"roadworthy logs {facts.model}{options}{rejected}"


def _further(facts: LogFacts, looked: datetime) -> str:
    """The address that looks on from where the search ended."""
    given = {name: value for name, value in facts.typed.items() if value}
    given["until"] = looked.isoformat(timespec="microseconds")
    return f"{model_path(facts.model)}/log?{urlencode(given)}"


def _row(row: Mapping[str, Any], facts: LogFacts) -> View:
    release = str(row["release"])
    numbered = release.partition("@")[2]
    return {
        "moment": dated(row["time"].isoformat(), facts.now, seconds=True),
        "request": row["request_id"],
        "place": row["row"],
        "caller": row["caller"] or "",
        "check": row.get("role") == CHECK,
        "key": row["key"] or "",
        "plate": plate(facts.model, int(numbered), facts.deployments)
        if numbered.isdigit()
        else None,
        "release": release,
        "status": row["status"],
        "took": with_unit((row["total_us"] or 0) / 1000, "ms"),
        "reason": _reason(row),
        "outputs": _values(row, "output:"),
        "inputs": _values(row, "input:"),
        "warnings": [shortened(str(each), _SHOWN) for each in row["warnings"] or ()],
        "stages": [
            {"name": stage, "value": with_unit(row[f"{stage}_us"] / 1000, "ms")}
            for stage in _STAGES
            if row.get(f"{stage}_us") is not None
        ],
    }


def _reason(row: Mapping[str, Any]) -> str:
    """Why a row has no answer; empty where it has one."""
    for name, word in (("refused", "refused"), ("rejected", "rejected"), ("error", "failed")):
        if row[name] is not None:
            line = f" (line {row['line']})" if name == "rejected" and row["line"] else ""
            return f"{word}: {shortened(str(row[name]), _SHOWN)}{line}"
    return ""


def _values(row: Mapping[str, Any], prefix: str) -> list[View]:
    return [
        {"name": name.removeprefix(prefix), "value": shortened(_text(value), _SHOWN)}
        for name, value in row.items()
        if name.startswith(prefix)
    ]


def _text(value: Any) -> str:
    return number(value, 6) if isinstance(value, float) else literal(value)
