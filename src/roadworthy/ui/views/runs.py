"""All runs, failed ones too: newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from roadworthy.core.deployment import Deployment
from roadworthy.core.release import Release
from roadworthy.core.run import Run
from roadworthy.ui.formats import count, plural
from roadworthy.ui.views.home import FIRST_COMMAND
from roadworthy.ui.views.parts import View, page, run_row

PAGE = 50
_MOST_CHOICES = 200


@dataclass(frozen=True, kw_only=True)
class RunsFacts:
    """What the list is made from. ``made`` maps a run's id to its releases; ``first`` says that
    this is not the newest page; ``after`` is the address of the page after.
    """

    model: str
    models: Sequence[str]
    runs: Sequence[Run]
    made: Mapping[str, Sequence[Release]]
    deployments: Sequence[Deployment]
    first: bool
    after: str
    now: datetime
    signed_in: bool = False


def runs_page(facts: RunsFacts) -> View:
    """The list's view."""
    own = f"/runs?{urlencode({'model': facts.model})}" if facts.model else "/runs"
    return {
        "page": page(
            "Runs",
            facts.now,
            nav="runs",
            command="roadworthy runs" + (f" --model {facts.model}" if facts.model else ""),
            signed_in=facts.signed_in,
        ),
        "heading": _heading(facts),
        "model": facts.model,
        "models": [
            {"value": name, "chosen": name == facts.model}
            for name in dict.fromkeys([*([facts.model] if facts.model else []), *facts.models])
        ][:_MOST_CHOICES],
        "runs": [
            run_row(run, facts.made.get(run.id, ()), facts.deployments, facts.now)
            for run in facts.runs
        ],
        "first": own if facts.first else "",
        "after": facts.after,
        "first_command": FIRST_COMMAND,
    }


def _heading(facts: RunsFacts) -> str:
    if not facts.runs:
        return "No run here." if facts.first or facts.model else "No run yet."
    failed = sum(run.status == "failed" for run in facts.runs)
    newest = "" if facts.first or not facts.after else "The newest "
    words = f", {count(failed)} of them failed" if failed else ", none of them failed"
    return f"{newest}{plural(len(facts.runs), 'run')}{words}."
