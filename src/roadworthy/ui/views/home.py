"""The overview: is all well, what is live, what happened last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from roadworthy.core.deployment import AgentStatus, Deployment
from roadworthy.core.names import Stage
from roadworthy.core.operation import Operation
from roadworthy.core.release import Release
from roadworthy.core.run import Run
from roadworthy.ui.formats import duration, number, percent, plural, recent, with_unit
from roadworthy.ui.health import Health, health_of, release_name, silence
from roadworthy.ui.traffic import Flow
from roadworthy.ui.views.parts import View, model_path, page, plate, problem_line, run_path, run_row

FIRST_COMMAND = "roadworthy deploy train.py --input flights --output scores --name flight-delay"


@dataclass(frozen=True, kw_only=True)
class HomeFacts:
    """What the overview is made from.

    ``newest`` maps a model to its newest release, ``flows`` a release's name to what passed to
    it, ``made`` a run's id to its releases.
    """

    models: Sequence[str]
    newest: Mapping[str, Release]
    deployments: Sequence[Deployment]
    operations: Sequence[Operation]
    status: AgentStatus | None
    flows: Mapping[str, Flow]
    runs: Sequence[Run]
    made: Mapping[str, Sequence[Release]]
    now: datetime
    signed_in: bool = False


def home(facts: HomeFacts) -> View:
    """The overview's view."""
    healths = {
        (each.model, each.stage): health_of(each, facts.operations, facts.status, facts.now)
        for each in facts.deployments
    }
    rows = sorted(
        (_model_row(model, facts, healths) for model in facts.models),
        key=lambda row: (_ORDER[row["health"].sign], row["name"]),
    )
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
        "needs": _needs(facts, healths),
        "models": rows,
        "stretch": f"the last {duration(stretch)}" if stretch else "",
        "runs": [
            run_row(run, facts.made.get(run.id, ()), facts.deployments, facts.now)
            for run in facts.runs
        ],
        "first_command": FIRST_COMMAND,
    }


_ORDER = {"bad": 0, "warn": 1, "run": 2, "wait": 3, "ok": 4, "na": 5}
Healths = Mapping[tuple[str, Stage], Health]


def heading(facts: HomeFacts, healths: Healths) -> str:
    """The answer to: is all well?"""
    if not facts.models:
        return "Nothing runs here yet."
    live = {key: health for key, health in healths.items() if _live(facts, key)}
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


def _live(facts: HomeFacts, key: tuple[str, Stage]) -> bool:
    return any(
        (each.model, each.stage) == key and each.live is not None for each in facts.deployments
    )


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


def _model_row(model: str, facts: HomeFacts, healths: Healths) -> View:
    own = {each.stage: each for each in facts.deployments if each.model == model}
    shown = own.get("production")
    if shown is None or shown.live is None:
        shown = own.get("staging") or shown
    health = healths[(model, shown.stage)] if shown else Health("na", "not live")
    newest = facts.newest.get(model)
    return {
        "name": model,
        "href": model_path(model),
        "kind": "service" if any(each.live for each in own.values()) else "no deployment",
        "health": health,
        "production": _live_plate(own.get("production")),
        "staging": _live_plate(own.get("staging")),
        "traffic": _traffic(shown, facts),
        "newest": None
        if newest is None
        else {
            "plate": plate(model, newest.number, facts.deployments),
            "made": recent(newest.made, facts.now),
            "by": newest.caller,
        },
    }


def _live_plate(deployment: Deployment | None) -> View | None:
    if deployment is None or deployment.live is None:
        return None
    return plate(deployment.model, deployment.live, [deployment])


def _traffic(deployment: Deployment | None, facts: HomeFacts) -> View:
    """Rate, p95 and errors of what answers, or the reason in words."""
    if deployment is None or deployment.live is None:
        return {"words": "not live"}
    flow = facts.flows.get(release_name(deployment.model, deployment.live))
    if flow is None:
        return {"words": "not measured yet"}
    if not flow.requests:
        return {"words": f"no requests in {duration(flow.seconds)}"}
    return {
        "words": "",
        "rate": number(flow.rate),
        "p95": "not known" if flow.p95 is None else with_unit(flow.p95 * 1000, "ms"),
        "errors": percent(flow.error_share or 0.0),
    }
