"""A run: how it ended, with what, and where it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from roadworthy.core.capture import CaptureReport
from roadworthy.core.deployment import Deployment
from roadworthy.core.release import Release
from roadworthy.core.run import Run
from roadworthy.ui.formats import dated, duration, plural, short_digest, shortened, storage
from roadworthy.ui.views.capture import capture_view
from roadworthy.ui.views.parts import RUN_SHOWN, View, metrics_rows, page, plate, problem_line

_AROUND = 4
"""Lines of source shown before and after the one that failed."""

_WORDS = {
    "program-failed": "failed",
    "capture": "can't be captured",
    "law-broken": "breaks the law of a flow",
    "verification": "was captured, but the flow answers differently",
}


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a run's page is made from; ``source`` is the text of the program that failed."""

    run: Run
    releases: Sequence[Release]
    deployments: Sequence[Deployment]
    source: str | None
    now: datetime
    signed_in: bool = False
    report: CaptureReport | None = None
    commits: Sequence[View] = ()


def run_page(facts: RunFacts) -> View:
    """The run's view."""
    run = facts.run
    failed = run.status == "failed"
    return {
        "page": page(
            f"{run.program}, run {run.id[:RUN_SHOWN]}",
            facts.now,
            nav="runs",
            command=f"roadworthy runs {run.id}",
            signed_in=facts.signed_in,
        ),
        "crumbs": [{"href": "/runs", "text": "Runs"}],
        "id": run.id,
        "short": run.id[:RUN_SHOWN],
        "heading": heading(run),
        "lead": _lead(facts),
        "failed": failed,
        "problem": problem_line(run.problem) if failed else None,
        "excerpt": excerpt(facts.source, _line(run)) if failed else [],
        "program": run.program,
        "commits": facts.commits,
        "traceback": _traceback(run),
        "plates": [plate(each.model, each.number, facts.deployments) for each in facts.releases],
        "started": dated(run.started, facts.now, seconds=True),
        "took": duration(run.seconds),
        "caller": run.caller,
        "python": run.python,
        "arguments": " ".join(run.arguments),
        "parameters": [
            {"name": name, "value": shortened(str(value), 200)}
            for name, value in run.parameters.items()
        ],
        "metrics": metrics_rows(run.metrics),
        "files": [
            {"path": each.path, "size": storage(each.bytes), "digest": short_digest(each.digest)}
            for each in run.files
        ],
        "packages": [f"{each.name}=={each.version}" for each in run.packages],
        "package_word": plural(len(run.packages), "package"),
        "capture": capture_view(facts.report),
    }


def heading(run: Run) -> str:
    """How the run ended, in a sentence."""
    if run.status == "captured":
        return f"{run.program} was captured."
    problem = run.problem or {}
    line = problem.get("line")
    word = _WORDS.get(str(problem.get("code")), "failed")
    return f"{run.program} {word}" + (f" at line {line}." if line else ".")


def _lead(facts: RunFacts) -> str:
    if facts.run.status == "failed":
        return "No release was made: what was live stays live."
    if not facts.releases:
        return "No release was made from it."
    return "Its flow was verified and recorded."


def _line(run: Run) -> int | None:
    line = (run.problem or {}).get("line")
    return line if isinstance(line, int) else None


def _traceback(run: Run) -> str:
    details: Any = (run.problem or {}).get("details")
    text = details.get("traceback") if isinstance(details, dict) else None
    return text.rstrip() if isinstance(text, str) else ""


def excerpt(source: str | None, line: int | None) -> list[View]:
    """The lines around the one that failed, as the code component takes them."""
    lines = (source or "").splitlines()
    if line is None or not 1 <= line <= len(lines):
        return []
    first = max(1, line - _AROUND)
    return [
        {
            "number": number,
            "role": "failed" if number == line else "plain",
            "word": "failed" if number == line else "",
            "parts": [{"text": text, "marked": False}] if text.strip() else [],
            "why": "",
            "note": "",
            "note_word": "",
        }
        for number, text in enumerate(lines[first - 1 : line + _AROUND], start=first)
    ]
