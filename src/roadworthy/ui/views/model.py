"""A model: what is live and why, the way back, releases, history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from roadworthy.core.card import ModelCard
from roadworthy.core.certificate import Certificate
from roadworthy.core.deployment import AgentStatus, Deployment, StageChange
from roadworthy.core.names import STAGES, Stage
from roadworthy.core.operation import Operation
from roadworthy.core.release import Release
from roadworthy.core.traffic import Track
from roadworthy.ui.formats import (
    age,
    dated,
    duration,
    memory,
    plural,
    recent,
    with_unit,
)
from roadworthy.ui.health import health_of, release_name, runs_now, workers_of
from roadworthy.ui.traffic import Flow
from roadworthy.ui.views.card import card_view
from roadworthy.ui.views.parts import (
    View,
    app_path,
    certificate_word,
    change_sentence,
    model_path,
    page,
    plate,
    problem_line,
    promote_path,
    release_path,
    roll_back_form,
    what_it_does,
)
from roadworthy.ui.views.traffic import (
    TrafficFacts,
    by_release,
    live_figures,
    plots,
    stage_times,
)


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a model's page is made from. Releases and history are newest first.

    Certificates go by release number, flows by release name; ``answered`` counts all requests to
    a release since the gateway started; ``track`` is what passed over time, back as far as
    ``over`` says. ``stale`` is the generation that a refused press was
    made against, ``done`` the generation that the reader's own roll-back made, ``begun`` the
    operation that their own press began.
    """

    model: str
    releases: Sequence[Release]
    certificates: Mapping[int, Certificate]
    deployments: Sequence[Deployment]
    history: Sequence[StageChange]
    operations: Sequence[Operation]
    status: AgentStatus | None
    flows: Mapping[str, Flow]
    answered: Mapping[str, float]
    token: Mapping[Stage, str]
    card: ModelCard
    now: datetime
    stale: tuple[Stage, int] | None = None
    done: int | None = None
    begun: str = ""
    track: Track = field(default_factory=Track)
    over: str = "1h"
    refused: str = ""
    signed_in: bool = False


def model_page(facts: ModelFacts) -> View:
    """The model's view."""
    own = {each.stage: each for each in facts.deployments if each.model == facts.model}
    cards = [_stage_card(stage, own.get(stage), facts) for stage in reversed(STAGES)]
    production = own.get("production")
    shown = production if production and production.live is not None else own.get("staging")
    traffic = traffic_of(facts)
    return {
        "page": page(
            facts.model,
            facts.now,
            nav="models",
            command=f"roadworthy why {facts.model}",
            renew=0 if facts.stale or facts.refused else 5,
            signed_in=facts.signed_in,
        ),
        "model": facts.model,
        "crumbs": [{"href": "/models", "text": "Models"}],
        "lead": _lead(facts),
        "try_href": f"{release_path(facts.model, shown.live)}/try"
        if shown and shown.live is not None
        else "",
        "back": roll_back_form(production, facts.token["production"]) if production else None,
        "cards": cards,
        "app_href": app_path(facts.model),
        "card": card_view(facts.card, facts.now),
        "log_href": f"{model_path(facts.model)}/log",
        "compare_href": f"{model_path(facts.model)}/compare",
        "notice": _notice(facts),
        "toast": _toast(facts),
        "failed": _failed_operation(facts),
        "traffic": live_figures(shown.live if shown else None, traffic),
        "plots": plots(traffic),
        "by_release": by_release(traffic),
        "stages": stage_times(traffic),
        "releases": [_release_row(release, facts) for release in facts.releases],
        "history": [_history_row(change, facts) for change in facts.history],
    }


def traffic_of(facts: ModelFacts) -> TrafficFacts:
    """What is known of the traffic."""
    return TrafficFacts(
        model=facts.model,
        releases=facts.releases,
        certificates=facts.certificates,
        deployments=facts.deployments,
        status=facts.status,
        flows=facts.flows,
        answered=facts.answered,
        now=facts.now,
        history=facts.history,
        track=facts.track,
        over=facts.over,
    )


def _lead(facts: ModelFacts) -> str:
    if not facts.releases:
        return "No release yet."
    return what_it_does(facts.releases[0])


def _stage_card(stage: Stage, deployment: Deployment | None, facts: ModelFacts) -> View:
    """What answers at a stage, since when, by whom, why, in place of what."""
    if deployment is None or deployment.live is None:
        health = (
            health_of(deployment, facts.operations, facts.status, facts.now)
            if (deployment)
            else None
        )
        newest = facts.releases[0].number if facts.releases else 1
        return {
            "stage": stage,
            "plate": None,
            "health": health,
            "promote": f"roadworthy promote {facts.model}@{newest} --to {stage}"
            if facts.releases
            else "",
            "promote_href": promote_path(facts.model, newest, stage),
            "promote_text": f"Promote @{newest} to {stage}",
            "rows": [],
            "back": None,
        }
    release = release_name(facts.model, deployment.live)
    change = _brought(deployment, facts.history)
    rows: list[View] = []
    if change is not None:
        rows += _why_rows(change, facts.now)
    certificate = facts.certificates.get(deployment.live)
    word = certificate_word(certificate)
    passed = " passed" if word["sign"] == "ok" else ""
    rows.append(
        {
            "term": "Let in by",
            "text": f"certificate, {word['word']}{passed}",
            "href": release_path(facts.model, deployment.live) + "#certificate",
        }
    )
    rows += _back_rows(deployment, facts)
    rows.append({"term": "Runs in", "text": _workers_text(release, deployment, facts)})
    return {
        "stage": stage,
        "plate": plate(facts.model, deployment.live, [deployment]),
        "health": health_of(deployment, facts.operations, facts.status, facts.now),
        "promote": "",
        "onward": _onward(stage, deployment, facts),
        "rows": rows,
        "back": roll_back_form(deployment, facts.token[stage], "-card")
        if stage != "production"
        else None,
    }


def _onward(stage: Stage, deployment: Deployment, facts: ModelFacts) -> View | None:
    """From staging to production, where something else or nothing answers there."""
    production = next((each for each in facts.deployments if each.stage == "production"), None)
    live = production.live if production else None
    if stage == "production" or deployment.live is None or live == deployment.live:
        return None
    return {
        "href": promote_path(facts.model, deployment.live, "production"),
        "text": f"Promote @{deployment.live} to production",
    }


def _brought(deployment: Deployment, history: Sequence[StageChange]) -> StageChange | None:
    """The newest change that brought what is live to this stage."""
    for change in history:
        if (change.stage, change.release) == (deployment.stage, deployment.live):
            return change
    return None


_ACTIONS = {
    "deploy": "Deployed by",
    "promote": "Promoted by",
    "rollback": "Rolled back by",
    "retire": "Retired by",
}


def _why_rows(change: StageChange, now: datetime) -> list[View]:
    since = age(change.at, now)
    ago = f", {duration(max(1, round(since.total_seconds())))}" if since else ""
    rows: list[View] = [
        {"term": "Live since", "moment": dated(change.at, now), "text": ago},
        {"term": _ACTIONS[change.action], "text": change.caller or "somebody unnamed"},
    ]
    if change.reason:
        rows.append({"term": "Because", "text": f"“{change.reason}”"})
    return rows


def _back_rows(deployment: Deployment, facts: ModelFacts) -> list[View]:
    if deployment.previous is None or deployment.previous == deployment.live:
        return [{"term": "Took over from", "text": "nothing: it is the first here"}]
    name = release_name(facts.model, deployment.previous)
    warm = runs_now(facts.status, name, facts.now)
    text = {
        True: ", still warm: going back takes effect at once",
        False: ", not warm: going back has to start its worker first",
        None: "",
    }[warm]
    return [
        {
            "term": "Took over from",
            "plate": plate(facts.model, deployment.previous, facts.deployments),
            "text": text,
        }
    ]


def _workers_text(release: str, deployment: Deployment, facts: ModelFacts) -> str:
    workers = workers_of(facts.status, release)
    ready = [each for each in workers if each.state == "ready"]
    text = f"{len(ready)} of {plural(deployment.workers, 'worker')}"
    if ready and any(each.rss_bytes for each in ready):
        text += f", {memory(sum(each.rss_bytes for each in ready))} now"
    profile = _profile_memory(facts.certificates.get(deployment.live or 0))
    if profile:
        text += f", {profile} a worker when certified"
    restarts = sum(each.restarts for each in workers)
    return text + (f", {plural(restarts, 'restart')}" if restarts else "")


def _profile_memory(certificate: Certificate | None) -> str:
    profile = certificate.profile if certificate else None
    return memory(profile.load_bytes) if profile else ""


def _notice(facts: ModelFacts) -> View | None:
    """Someone else acted: who, what, when; or why a press was refused."""
    if facts.refused:
        return {
            "sign": "warn",
            "title": "Nothing was changed by your press.",
            "lines": [{"moment": None, "text": facts.refused}],
        }
    if facts.stale is None:
        return None
    stage, seen = facts.stale
    since = [each for each in facts.history if each.stage == stage and each.generation > seen]
    who = "Somebody acted" if since else "The state moved on"
    return {
        "sign": "warn",
        "title": f"{who} before you: nothing was changed by your press.",
        "lines": [
            {
                "moment": dated(each.at, facts.now, seconds=True),
                "text": ": " + change_sentence(each),
            }
            for each in since
        ]
        or [{"moment": None, "text": "What your page showed is no longer so; this is how it is."}],
    }


def _toast(facts: ModelFacts) -> str:
    """The reader's own press, confirmed: only while it is the newest thing that happened."""
    going = next((each for each in facts.operations if each.model == facts.model), None)
    if going is not None and facts.begun == going.id and going.state == "running":
        return (
            f"{going.release} is on its way to {going.stage}: it answers once it is ready and "
            "checked. Going back stops it."
        )
    if going is not None and facts.begun == going.id and going.state == "done":
        return f"{going.release} answers in {going.stage}."
    newest = facts.history[0] if facts.history else None
    if facts.done is None or newest is None or newest.action != "rollback":
        return ""
    if newest.generation != facts.done:
        return ""
    for each in facts.deployments:
        if (each.model, each.stage) == (facts.model, newest.stage):
            if each.live == newest.release:
                return f"Rolled back: @{newest.release} answers in {newest.stage}."
            return f"Going back to @{newest.release}: it answers as soon as its worker is warm."
    return ""


def _failed_operation(facts: ModelFacts) -> View | None:
    """The newest deployment of this model, where it failed."""
    for each in facts.operations:
        if each.model != facts.model or each.kind == "verify":
            continue
        if each.state != "failed":
            return None
        problem = problem_line(each.problem)
        return {
            "title": f"{each.release or 'The newest release'} did not go to {each.stage}",
            "text": problem["message"],
            "cure": problem["cure"],
        }
    return None


def _release_row(release: Release, facts: ModelFacts) -> View:
    certificate = facts.certificates.get(release.number)
    profile = certificate.profile if certificate else None
    word = certificate_word(certificate)
    if release.quarantined:
        word = {"sign": "warn", "word": "quarantined"}
    changed = release.quarantined or release.notes
    return {
        "plate": plate(facts.model, release.number, facts.deployments),
        "certificate": word,
        "made": recent(release.made, facts.now),
        "by": release.caller,
        "changed": changed,
        "p95": with_unit(profile.p95_ms, "ms") if profile else "",
        "memory": memory(profile.load_bytes) if profile else "",
        "promote": _promotion(release, facts),
    }


def _promotion(release: Release, facts: ModelFacts) -> str:
    """The address that promotes a release; empty where it answers in production already."""
    live = {each.live for each in facts.deployments if each.stage == "production"}
    if release.quarantined or release.number in live:
        return ""
    return promote_path(facts.model, release.number, "production")


def _history_row(change: StageChange, facts: ModelFacts) -> View:
    return {
        "moment": dated(change.at, facts.now, seconds=True),
        "sign": {"rollback": "warn", "retire": ""}.get(change.action, "ok"),
        "mark": {"deploy": "↑", "promote": "↑", "rollback": "↩", "retire": "–"}[change.action],
        "sentence": change_sentence(change),
        "plate": plate(facts.model, change.release, facts.deployments) if change.release else None,
        "href": model_path(facts.model),
    }
