"""Two releases side by side: what changes, in the order of its weight."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from roadworthy.core.certificate import Certificate
from roadworthy.core.deployment import AgentStatus, Deployment
from roadworthy.core.release import Release
from roadworthy.core.run import Run
from roadworthy.operations.comparing import Comparison
from roadworthy.operations.sampling import AnswerChanges, ChangedAnswer, distance
from roadworthy.ui.formats import (
    count,
    difference,
    literal,
    memory,
    number,
    percent,
    plural,
    short_digest,
    shortened,
    with_unit,
)
from roadworthy.ui.health import runs_now
from roadworthy.ui.views.parts import View, crumbs_to, model_path, page, plate
from roadworthy.ui.views.side_by_side import side_by_side

SHOWN_ANSWERS = 10
SHOWN_PACKAGES = 60
NOTHING = "no difference"


@dataclass(frozen=True, kw_only=True)
class CompareFacts:
    """What the page is made from. ``comparison`` is None where there are not two releases.

    ``changes`` is None where the answers can't be compared, with the reason in ``problem``.
    ``runs`` and ``certificates`` are those before and after.
    """

    model: str
    before: Release | None
    after: Release
    comparison: Comparison | None
    changes: AnswerChanges | None
    problem: str
    runs: tuple[Run, Run] | None
    certificates: tuple[Certificate | None, Certificate | None]
    choices: Sequence[int]
    deployments: Sequence[Deployment]
    status: AgentStatus | None
    now: datetime
    signed_in: bool = False


def compare_page(facts: CompareFacts) -> View:
    """The page's view."""
    before, after, found = facts.before, facts.after, facts.comparison
    name = before.name if before else f"{facts.model}@1"
    files = [_file(each.kind, each.path, each.diff) for each in found.files] if found else []
    return {
        "page": page(
            f"{name} and {after.name}",
            facts.now,
            nav="models",
            command=f"roadworthy diff {name} {after.name}",
            signed_in=facts.signed_in,
        ),
        "crumbs": crumbs_to(facts.model),
        "action": f"{model_path(facts.model)}/compare",
        "choices": {
            "before": _choices(facts.choices, before.number if before else None),
            "after": _choices(facts.choices, after.number),
        },
        "before": plate(facts.model, before.number, facts.deployments) if before else None,
        "after": plate(facts.model, after.number, facts.deployments),
        "alone": _alone(facts),
        "same": found.same if found else False,
        "short": _short(facts, found) if found else [],
        "answers": _answers(facts),
        "metrics": _metrics(facts),
        "files": files,
        "datasets": _datasets(facts),
        "environment": _environment(found) if found else [],
        "signature": _signature(found) if found else [],
        "state": found.state if found else [],
    }


def _choices(numbers: Sequence[int], chosen: int | None) -> list[View]:
    known = sorted({*numbers, *([chosen] if chosen else [])}, reverse=True)
    return [{"value": each, "chosen": each == chosen} for each in known]


def _alone(facts: CompareFacts) -> str:
    """Why nothing is compared."""
    if facts.before is None:
        return f"{facts.after.name} is the only release: there is nothing to compare it with."
    if facts.comparison is None:
        return "Both are the same release. Choose another."
    return ""


def _short(facts: CompareFacts, found: Comparison) -> list[View]:
    """One line a difference: where it is, in a few words, and how it is to be read."""
    added, removed = _line_counts(found)
    lines = f"{plural(added, 'line')} added, {count(removed)} removed" if added or removed else ""
    packages = plural(len(found.packages), "package") if found.packages else ""
    python = "Python" if found.python[0] != found.python[1] else ""
    data = sum(each["before"] != each["after"] for each in _datasets(facts))
    rows: list[View] = [
        _answers_in_short(facts),
        _line("signature", "Callers", ", ".join(f"{e.field} {e.change}" for e in found.breaks)
              or ", ".join(found.required + found.answered), "bad" if found.breaks else "warn",
              "breaks callers" if found.breaks else "changed"),
        _line("metrics", "Metrics", plural(len(found.metrics), "metric") if found.metrics else "",
              "na", "changed"),
        _line("code", "Code", lines, "na", "changed"),
        _line("data", "Data", plural(data, "dataset") if data else "", "na", "changed"),
        _line("state", "State", plural(len(found.state), "value") if found.state else "", "na",
              "changed"),
        _line("environment", "Environment", ", ".join(filter(None, (python, packages))), "na",
              "changed"),
    ]  # fmt: skip
    return rows


def _line(anchor: str, what: str, text: str, sign: str, word: str) -> View:
    changed = bool(text)
    return {
        "href": f"#{anchor}",
        "what": what,
        "text": shortened(text, 200) or NOTHING,
        "sign": sign if changed else "ok",
        "word": word if changed else "the same",
    }


def _answers_in_short(facts: CompareFacts) -> View:
    changes = facts.changes
    row: View = {"href": "#answers", "what": "Answers"}
    if changes is None or not changes.rows:
        return {**row, "text": "not compared yet", "sign": "wait", "word": "not known"}
    share = percent(len(changes.changed) / changes.rows)
    text = f"{count(len(changes.changed))} of {plural(changes.rows, 'row')} ({share}) change"
    changed = bool(changes.changed)
    return {
        **row,
        "text": text if changed else f"all {plural(changes.rows, 'row')} answered alike",
        "sign": "warn" if changed else "ok",
        "word": "read this" if changed else "the same",
    }


def _line_counts(found: Comparison) -> tuple[int, int]:
    kinds = {each.kind for each in found.files}
    kind = "program" if "program" in kinds else "flow"
    added = removed = 0
    for each in found.files:
        if each.kind == kind:
            for line in each.diff.splitlines()[2:]:
                added += line.startswith("+")
                removed += line.startswith("-")
    return added, removed


def _answers(facts: CompareFacts) -> View:
    """The rows whose answers change most, or why they are not known and what would tell."""
    before, after, changes = facts.before, facts.after, facts.changes
    runs = [
        runs_now(facts.status, each.name, facts.now) is True for each in (before, after) if each
    ]
    ask = (
        f"{model_path(facts.model)}/compare?before={before.number}&after={after.number}&ask=1"
        "#answers"
        if before and len(runs) == 2 and all(runs)
        else ""
    )
    words = facts.problem
    if changes is None and not words:
        words = "One of the two came without rows of creation."
    if changes is not None and not changes.rows:
        words = "The two were recorded on different rows, so nothing can be compared."
    return {
        "words": words,
        "ask": ask if changes is None or changes.source == "recorded" else "",
        "source": ""
        if changes is None
        else "Rows of creation that both releases answered when they were made."
        if changes.source == "recorded"
        else "Rows of creation, asked of both releases now.",
        "figures": _figures(changes) if changes is not None and changes.rows else [],
        "rows": [_answer_row(each, place) for place, each in enumerate(changes.changed)][
            :SHOWN_ANSWERS
        ]
        if changes is not None
        else [],
        "more": max(0, len(changes.changed) - SHOWN_ANSWERS) if changes is not None else 0,
    }


def _figures(changes: AnswerChanges) -> list[View]:
    figures: list[View] = [
        {
            "term": "Answers that change",
            "value": count(len(changes.changed)),
            "note": f"of {plural(changes.rows, 'row')}",
        }
    ]
    sizes = [distance(each.before, each.after) for each in changes.changed]
    finite = [size for size in sizes if math.isfinite(size)]
    if finite:
        figures.append(
            {"term": "Largest change", "value": number(max(finite)), "note": "of a number"}
        )
        mean = sum(finite) / changes.rows
        figures.append({"term": "Mean change", "value": number(mean), "note": "over all rows"})
    return figures


def _answer_row(each: ChangedAnswer, place: int) -> View:
    size = distance(each.before, each.after)
    return {
        "place": count(place + 1),
        "before": _said(each.before),
        "after": _said(each.after),
        "change": _signed(each) if math.isfinite(size) else "",
        "inputs": [
            {"name": name, "value": shortened(literal(value), 80)}
            for name, value in each.row.items()
        ],
    }


def _said(answer: Any) -> str:
    if isinstance(answer, str):
        return shortened(f"no answer: {answer}", 120)
    values = list(answer.items())
    if len(values) == 1:
        return shortened(_value(values[0][1]), 80)
    return shortened(", ".join(f"{name} {_value(value)}" for name, value in values), 120)


def _value(value: Any) -> str:
    return number(value) if isinstance(value, float) else literal(value)


def _signed(each: ChangedAnswer) -> str:
    """The largest difference of a number, with its sign."""
    assert isinstance(each.before, dict)
    assert isinstance(each.after, dict)
    differences = [
        float(each.after[name]) - float(value)
        for name, value in each.before.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return difference(max(differences, key=abs)) if differences else ""


def _metrics(facts: CompareFacts) -> list[View]:
    """Logged metrics and the measured profile, before and after."""
    if facts.runs is None or facts.comparison is None:
        return []
    old, new = (run.metrics for run in facts.runs)
    rows = [
        _metric(name, old.get(name), new.get(name), number) for name in sorted(old.keys() | new)
    ]
    profiles = [each.profile if each else None for each in facts.certificates]
    if all(profiles):
        first, second = profiles
        assert first is not None
        assert second is not None
        rows += [
            _metric("p95, certified", first.p95_ms, second.p95_ms, lambda v: with_unit(v, "ms")),
            _metric("Memory at load", first.load_bytes, second.load_bytes, _memory),
            _metric(
                "Requests/s, certified", first.requests_per_second, second.requests_per_second,
                number,
            ),
        ]  # fmt: skip
    return rows


def _memory(value: float) -> str:
    sign = "−" if value < 0 else ""
    return sign + memory(abs(int(value)))


def _metric(name: str, old: float | None, new: float | None, text: Callable[[float], str]) -> View:
    change = ""
    if old is not None and new is not None:
        sign = "+" if new > old else ""
        change = "no change" if new == old else sign + text(new - old)
    return {
        "name": name,
        "before": text(old) if old is not None else "not logged",
        "after": text(new) if new is not None else "not logged",
        "change": change,
    }


def _file(kind: str, path: str, diff: str) -> View:
    rows, more = side_by_side(diff)
    return {
        "path": path,
        "kind": "the part that runs in production" if kind == "flow" else "the program",
        "rows": rows,
        "more": more,
    }


def _datasets(facts: CompareFacts) -> list[View]:
    """Each dataset that either run read, with its commits."""
    if facts.runs is None:
        return []
    old, new = (
        {each.name.partition("@")[0]: each.commit for each in run.datasets} for run in facts.runs
    )
    return [
        {
            "name": name,
            "before": short_digest(old[name]) if name in old else "not read",
            "after": short_digest(new[name]) if name in new else "not read",
            "same": old.get(name) == new.get(name),
        }
        for name in sorted(old.keys() | new.keys())
    ]


def _environment(found: Comparison) -> list[View]:
    rows = [
        {"name": each.package, "before": each.before or "none", "after": each.after or "none"}
        for each in found.packages[:SHOWN_PACKAGES]
    ]
    if found.python[0] != found.python[1]:
        rows.insert(0, {"name": "Python", "before": found.python[0], "after": found.python[1]})
    return rows


def _signature(found: Comparison) -> list[View]:
    words = {"+": "new", "-": "gone"}
    return [
        {"sign": "bad", "word": "breaks callers", "text": f"{each.field} {each.change}"}
        for each in found.breaks
    ] + [
        {"sign": "na", "word": words[each[0]], "text": f"{kind} {each[1:]}"}
        for kind, names in (("input", found.required), ("output", found.answered))
        for each in names
    ]
