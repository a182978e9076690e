"""All models: found by name, sorted, a page at a time; and a model as a row of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from roadworthy.core.deployment import Deployment
from roadworthy.core.names import Stage
from roadworthy.core.release import Release
from roadworthy.core.traffic import Stretch, Track
from roadworthy.ui.formats import count, duration, number, percent, plural, recent, with_unit
from roadworthy.ui.health import Health, Healths, release_name
from roadworthy.ui.traffic import Flow
from roadworthy.ui.views.parts import View, model_path, page, plate
from roadworthy.ui.views.plots import spark

PAGE = 50
SORTS = {
    "health": "What needs me first",
    "name": "Name",
    "newest": "Newest release first",
    "requests": "Most requests first",
}
_ORDER = {"bad": 0, "warn": 1, "run": 2, "wait": 3, "ok": 4, "na": 5}
_NOT_LIVE = Health("na", "not live")

Own = Mapping[Stage, Deployment]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a reader wants to see: ``search`` is part of a name, ``sort`` one of SORTS."""

    search: str = ""
    sort: str = ""
    page: int = 1

    @property
    def order(self) -> str:
        """The order that holds: what needs a person first where none is asked for."""
        return self.sort if self.sort in SORTS else "health"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A model as the metadata lists it: ``made`` is when its newest release was made."""

    name: str
    newest: int
    made: str


@dataclass(frozen=True, kw_only=True)
class ModelsFacts:
    """What the list is made from. ``names`` are those on this page, ``found`` how many fit."""

    asked: Asked
    names: Sequence[str]
    found: int
    total: int
    newest: Mapping[str, Release]
    deployments: Sequence[Deployment]
    healths: Healths
    flows: Mapping[str, Flow]
    now: datetime
    signed_in: bool = False


def by_model(deployments: Iterable[Deployment]) -> Mapping[str, Own]:
    """Deployments by model and stage."""
    found: dict[str, dict[Stage, Deployment]] = {}
    for each in deployments:
        found.setdefault(each.model, {})[each.stage] = each
    return found


def shown_deployment(own: Own) -> Deployment | None:
    """The deployment that stands for a model: production where something is live there."""
    production = own.get("production")
    if production is not None and production.live is not None:
        return production
    return own.get("staging") or production


def ordered(
    models: Iterable[Listed],
    asked: Asked,
    own: Mapping[str, Own],
    healths: Healths,
    flows: Mapping[str, Flow],
) -> list[str]:
    """The names that are asked for, in the order that is."""
    word = asked.search.strip().lower()
    found = sorted((each for each in models if word in each.name), key=lambda each: each.name)
    if asked.order == "newest":
        found.sort(key=lambda each: each.made, reverse=True)
    elif asked.order == "health":
        found.sort(key=lambda each: _ORDER[health_at(own.get(each.name, {}), healths).sign])
    elif asked.order == "requests":
        found.sort(key=lambda each: -_rate(own.get(each.name, {}), flows))
    return [each.name for each in found]


def health_at(own: Own, healths: Healths) -> Health:
    """How the deployment that stands for a model is."""
    shown = shown_deployment(own)
    return _NOT_LIVE if shown is None else healths[(shown.model, shown.stage)]


def _rate(own: Own, flows: Mapping[str, Flow]) -> float:
    shown = shown_deployment(own)
    flow = None if shown is None else flows.get(release_name(shown.model, shown.live or 0))
    return 0.0 if flow is None else flow.rate


def models_page(facts: ModelsFacts) -> View:
    """The list's view."""
    asked, own = facts.asked, by_model(facts.deployments)
    pages = max(1, -(-facts.found // PAGE))
    return {
        "page": page(
            "Models",
            facts.now,
            nav="models",
            command="roadworthy status",
            renew=10,
            signed_in=facts.signed_in,
        ),
        "heading": _heading(facts),
        "search": asked.search,
        "sorts": [
            {"value": value, "text": text, "chosen": value == asked.order}
            for value, text in SORTS.items()
        ],
        "models": [
            model_row(
                name, own.get(name, {}), facts.newest.get(name), facts.healths, facts.flows,
                facts.now,
            )
            for name in facts.names
        ],
        "total": facts.total,
        "place": f"Page {count(asked.page)} of {count(pages)}" if pages > 1 else "",
        "before": _address(asked, asked.page - 1) if 1 < asked.page <= pages else "",
        "after": _address(asked, asked.page + 1) if asked.page < pages else "",
        "first": _address(asked, 1),
    }  # fmt: skip


def _heading(facts: ModelsFacts) -> str:
    if not facts.total:
        return "No model yet."
    if facts.asked.search.strip():
        return f"{count(facts.found)} of {plural(facts.total, 'model')} fit."
    unwell = {
        model for (model, _), health in facts.healths.items() if health.sign in ("bad", "warn")
    }
    text = plural(facts.total, "model")
    return f"{text}, {count(len(unwell))} of them not well." if unwell else f"{text}, none unwell."


def _address(asked: Asked, number_: int) -> str:
    asked = replace(asked, page=number_)
    given = {"q": asked.search, "sort": asked.sort, "page": str(asked.page) if number_ > 1 else ""}
    query = urlencode({name: value for name, value in given.items() if value})
    return "/models" + (f"?{query}" if query else "")


def model_row(
    model: str,
    own: Own,
    newest: Release | None,
    healths: Healths,
    flows: Mapping[str, Flow],
    now: datetime,
    day: Track | None = None,
) -> View:
    """A model in a table: is it well, what is live, how much is asked of it; with ``day``, the
    last 24 hours, a small line of its own.
    """
    shown = shown_deployment(own)
    return {
        "name": model,
        "href": model_path(model),
        "kind": "service" if any(each.live for each in own.values()) else "no deployment",
        "health": health_at(own, healths),
        "production": _live_plate(own.get("production")),
        "staging": _live_plate(own.get("staging")),
        "traffic": _traffic(shown, flows),
        "spark": None if day is None else _spark(shown, day, now),
        "newest": None
        if newest is None
        else {
            "plate": plate(model, newest.number, own.values()),
            "made": recent(newest.made, now),
            "by": newest.caller,
        },
    }


def _live_plate(deployment: Deployment | None) -> View | None:
    if deployment is None or deployment.live is None:
        return None
    return plate(deployment.model, deployment.live, [deployment])


def _spark(deployment: Deployment | None, day: Track, now: datetime) -> View | None:
    """Requests per second of what answers, over 24 hours; None where it was not asked."""
    if deployment is None or deployment.live is None:
        return None
    points = day.points.get(release_name(deployment.model, deployment.live))
    if points is None:
        return None
    rates = [
        point.requests / stretch.seconds if point else 0.0
        for point, stretch in zip(points, day.stretches, strict=True)
    ]
    most = f"at most {number(max(rates))} requests per second"
    frame = Stretch(now - timedelta(hours=24), now)
    return spark(f"Traffic of the last 24 hours: {most}", day.stretches, rates, frame)


def _traffic(deployment: Deployment | None, flows: Mapping[str, Flow]) -> View:
    """Rate, p95 and errors of what answers, or the reason in words."""
    if deployment is None or deployment.live is None:
        return {"words": "not live"}
    flow = flows.get(release_name(deployment.model, deployment.live))
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
