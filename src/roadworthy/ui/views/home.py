"""The overview: is all well, what is live, what happened last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from roadworthy.core.deployment import AgentStatus, Deployment
from roadworthy.core.operation import Operation
from roadworthy.core.release import Release
from roadworthy.core.run import Run
from roadworthy.core.traffic import Track
from roadworthy.ui.formats import count, duration, number, plural, shortened
from roadworthy.ui.health import Healths, silence
from roadworthy.ui.traffic import Flow
from roadworthy.ui.views.models import by_model, model_row
from roadworthy.ui.views.parts import View, model_path, page, problem_line, run_path, run_row
from roadworthy.ui.views.sources import source_path

if TYPE_CHECKING:
    from roadworthy.data.browser import SourceLine

FIRST_COMMAND = "roadworthy deploy train.py --input flights --output scores --name flight-delay"
MOST_NEEDS = 12
RUNS_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class HomeFacts:
    """What the overview is made from.

    ``models`` are all of them, ``shown`` those with a row of their own; ``newest`` maps these to
    their newest release, ``flows`` a release's name to what passed to it, ``made`` a run's id to
    its releases; ``sources`` are all sources of data, ``day`` what passed in 24 hours.
    """

    models: Sequence[str]
    shown: Sequence[str]
    healths: Healths
    newest: Mapping[str, Release]
    deployments: Sequence[Deployment]
    operations: Sequence[Operation]
    status: AgentStatus | None
    flows: Mapping[str, Flow]
    runs: Sequence[Run]
    made: Mapping[str, Sequence[Release]]
    now: datetime
    signed_in: bool = False
    sources: Sequence[SourceLine] = ()
    day: Track = field(default_factory=Track)


def home(facts: HomeFacts) -> View:
    """The overview's view."""
    healths = facts.healths
    own = by_model(facts.deployments)
    needs = _needs(facts, healths)
    rows = [
        model_row(
            model,
            own.get(model, {}),
            facts.newest.get(model),
            healths,
            facts.flows,
            facts.now,
            facts.day,
        )
        for model in facts.shown
    ]
    stretch = max((flow.seconds for flow in facts.flows.values()), default=None)
    return {
        "page": page(
            "Overview",
            facts.now,
            nav="overview",
            command="roadworthy status",
            renew=5,
            signed_in=facts.signed_in,
        ),
        "heading": heading(facts, healths),
        "lead": _lead(facts),
        "needs": needs[:MOST_NEEDS],
        "more_needs": plural(len(needs) - MOST_NEEDS, "more such line")
        if len(needs) > MOST_NEEDS
        else "",
        "models": rows,
        "all_models": f"All {count(len(facts.models))} models"
        if len(facts.models) > len(rows)
        else "",
        "stretch": f"the last {duration(stretch)}" if stretch else "",
        "runs": [
            run_row(run, facts.made.get(run.id, ()), facts.deployments, facts.now)
            for run in facts.runs
        ],
        "more_runs": len(facts.runs) >= RUNS_SHOWN,
        "first_command": FIRST_COMMAND,
    }


def heading(facts: HomeFacts, healths: Healths) -> str:
    """The answer to: is all well?"""
    if not facts.models:
        return "Nothing runs here yet."
    there = {(each.model, each.stage) for each in facts.deployments if each.live is not None}
    live = {key: health for key, health in healths.items() if key in there}
    if not live:
        coming = [
            f"{model} {health.word}"
            for (model, _), health in healths.items()
            if health.sign == "run"
        ]
        return f"No model is live yet: {coming[0]}." if coming else "No model is live."
    silent = sorted({model for (model, _), health in live.items() if health.sign == "bad"})
    if len(silent) == 1:
        return f"{silent[0]} does not answer."
    if silent:
        return f"{len(silent)} of {len({model for model, _ in live})} live models do not answer."
    why = silence(facts.status, facts.now)
    if why:
        return f"It is not known whether everything answers: {why}."
    warned = sorted({model for (model, _), health in live.items() if health.sign == "warn"})
    if warned:
        return f"Everything answers, {_listed(warned)} with fewer workers than wanted."
    moving = [
        f"{model} {health.word}" for (model, _), health in healths.items() if health.sign == "run"
    ]
    return f"Everything answers. {_listed(moving)}." if moving else "Everything answers."


def _listed(words: Sequence[str]) -> str:
    shown = list(words[:3]) + ([f"{len(words) - 3} more"] if len(words) > 3 else [])
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]


def _lead(facts: HomeFacts) -> str:
    if not facts.models:
        return (
            "Here you will see each model with the release that answers, whether it is well, "
            "and what it was certified for."
        )
    live = sum(each.live is not None for each in facts.deployments)
    text = f"{plural(len(facts.models), 'model')}, {plural(live, 'live deployment')}."
    requests = sum(flow.rate for flow in facts.flows.values())
    if requests:
        text += f" {number(requests)} requests a second."
    if facts.runs and facts.runs[0].status == "failed":
        text += f" The newest run of {facts.runs[0].program} failed."
    return text


def _needs(facts: HomeFacts, healths: Healths) -> list[View]:
    """What a person should look at, before what is fine."""
    found: list[View] = []
    for (model, stage), health in sorted(healths.items()):
        if health.sign in ("bad", "warn") and health.cure != "roadworthy status":
            found.append(
                {
                    "sign": health.sign,
                    "title": f"{model} in {stage}: {health.word}",
                    "text": health.sentence,
                    "cure": health.cure,
                    "href": model_path(model),
                }
            )
    found += [
        {"sign": "warn", "title": problem, "text": "", "cure": "roadworthy doctor", "href": ""}
        for problem in (facts.status.problems if facts.status else ())
    ]
    for operation in _failed_newest(facts.operations):
        problem_ = problem_line(operation.problem)
        what = operation.release or f"the new release of {operation.model}"
        found.append(
            {
                "sign": "bad",
                "title": f"{what} did not go to {operation.stage}",
                "text": problem_["message"],
                "cure": problem_["cure"],
                "href": model_path(operation.model),
            }
        )
    found += [
        {
            "sign": "warn" if each.health.kind == "late" else "bad",
            "title": f"Source {each.source.name}: {each.health.kind}",
            "text": shortened(each.health.said, 300),
            "cure": each.health.cure,
            "href": source_path(each.source.name),
        }
        for each in facts.sources
        if each.health.ill
    ]
    if facts.runs and facts.runs[0].status == "failed":
        run = facts.runs[0]
        problem_ = problem_line(run.problem)
        found.append(
            {
                "sign": "bad",
                "title": f"The newest run of {run.program} failed",
                "text": problem_["brief"],
                "cure": problem_["cure"],
                "href": run_path(run.id),
            }
        )
    return found


def _failed_newest(operations: Sequence[Operation]) -> list[Operation]:
    """Operations that failed and were followed by no other for the same deployment."""
    seen: set[tuple[str, str]] = set()
    found: list[Operation] = []
    for each in operations:
        key = (each.model, each.stage)
        if each.kind == "verify" or key in seen:
            continue
        seen.add(key)
        if each.state == "failed":
            found.append(each)
    return found
