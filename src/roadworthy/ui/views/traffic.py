"""What releases are asked: figures beside what was certified, plots over time, time by stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from roadworthy.core.certificate import Certificate
from roadworthy.core.deployment import AgentStatus, Deployment, StageChange
from roadworthy.core.release import Release
from roadworthy.core.traffic import Point, Stretch, Track
from roadworthy.ui.formats import (
    count,
    dated,
    duration,
    memory,
    number,
    parse_time,
    percent,
    with_unit,
)
from roadworthy.ui.health import release_name, workers_of
from roadworthy.ui.traffic import OVER, SHORTEST, Flow
from roadworthy.ui.views.parts import View, model_path, plate, stage_of
from roadworthy.ui.views.plots import Mark, Series, clock, plot, share_bar

STAGES_TIMED = {
    "decode": "bytes to values",
    "validate": "against the signature",
    "queue": "until a worker is free",
    "batch": "laying the batch out",
    "worker": "socket, flow and back",
    "encode": "values to bytes",
}
_OVER_WORDS = {
    "1h": "last hour",
    "6h": "last 6 hours",
    "24h": "last 24 hours",
    "7d": "last 7 days",
}
_MOST_LINES = 4
_TABLE_ROWS = 12
_VERBS = {"deploy": "to", "promote": "to", "rollback": "back in", "retire": "out of"}


@dataclass(frozen=True, kw_only=True)
class TrafficFacts:
    """What is known of the traffic of a model's releases; flows and totals go by release name.

    ``over`` is how long plots reach back, one of OVER.
    """

    model: str
    releases: Sequence[Release]
    certificates: Mapping[int, Certificate]
    deployments: Sequence[Deployment]
    status: AgentStatus | None
    flows: Mapping[str, Flow]
    answered: Mapping[str, float]
    now: datetime
    history: Sequence[StageChange] = ()
    track: Track = field(default_factory=Track)
    over: str = "1h"


def live_figures(number_: int | None, facts: TrafficFacts) -> View:
    """Figures of what a release answers now, each beside what was certified."""
    if number_ is None:
        return {"words": "Nothing is live, so nothing is asked.", "figures": [], "title": ""}
    release = release_name(facts.model, number_)
    flow = facts.flows.get(release)
    if flow is None:
        words = "Not measured yet: that takes two readings of the gateway, seconds apart."
        return {"words": words, "figures": [], "title": ""}
    title = f"Answered by @{number_}, last {duration(flow.seconds)}"
    if not flow.requests:
        words = f"No requests in the last {duration(flow.seconds)}."
        return {"words": words, "figures": [], "title": title}
    total = facts.answered.get(release)
    figures = _figures(flow, facts.certificates.get(number_))
    if total is not None:
        figures.append(
            {"term": "Answered", "value": count(round(total)), "note": "since the gateway started"}
        )
    return {"words": "", "figures": figures, "title": title}


def _figures(flow: Flow, certificate: Certificate | None) -> list[View]:
    profile = certificate.profile if certificate else None
    figures: list[View] = [
        {
            "term": "Requests per second",
            "value": number(flow.rate),
            "note": f"certified for {number(profile.requests_per_second)}" if profile else "",
        },
    ]
    for share, value, certified in (
        ("p50", flow.p50, profile.p50_ms if profile else None),
        ("p95", flow.p95, profile.p95_ms if profile else None),
        ("p99", flow.p99, profile.p99_ms if profile else None),
    ):
        if value is not None:
            note = "" if certified is None else f"{with_unit(certified, 'ms')} when certified"
            figures.append({"term": f"Latency {share}", "value": _ms(value), "note": note})
    figures.append(
        {
            "term": "Errors",
            "value": percent(flow.error_share or 0.0),
            "note": f"{count(round(flow.errors))} of {count(round(flow.requests))} requests",
        }
    )
    return figures


def by_release(facts: TrafficFacts) -> list[View]:
    """What each release was asked, how fast it answered, what it takes."""
    rows = []
    for release in facts.releases:
        flow = facts.flows.get(release.name)
        workers = [each for each in workers_of(facts.status, release.name) if each.pid]
        if workers or (flow is not None and flow.requests):
            rows.append(
                {
                    "plate": plate(facts.model, release.number, facts.deployments),
                    **_asked(flow),
                    "memory": memory(sum(each.rss_bytes for each in workers)) if workers else "",
                    "cpu": duration(sum(each.cpu_seconds for each in workers)) if workers else "",
                }
            )
    return rows


def _asked(flow: Flow | None) -> View:
    """Rate, quantiles and errors; or why there are none, in words."""
    if flow is None:
        return {"words": "not measured yet"}
    if not flow.requests:
        return {"words": f"no requests in {duration(flow.seconds)}"}
    quantiles = (("p50", flow.p50), ("p95", flow.p95), ("p99", flow.p99))
    return {
        "words": "",
        "rate": number(flow.rate),
        "latency": [
            {"name": name, "value": "not known" if value is None else _ms(value)}
            for name, value in quantiles
        ],
        "errors": percent(flow.error_share or 0.0),
    }


def stage_times(facts: TrafficFacts) -> View | None:
    """Where a request's time goes, by stage, of the releases that were asked; None without any."""
    asked = [
        (release, flow)
        for release in facts.releases
        if (flow := facts.flows.get(release.name)) is not None and flow.requests and flow.stages
    ]
    asked = sorted(asked, key=lambda each: _rank(facts, each[0].number))[:_MOST_LINES]
    if not asked:
        return None
    longest = max(value for _, flow in asked for value in flow.stages.values())
    return {
        "plates": [plate(facts.model, each.number, facts.deployments) for each, _ in asked],
        "rows": [
            {
                "name": stage,
                "said": said,
                "times": [
                    {
                        "release": f"@{release.number}",
                        "hue": _hue(facts, release.number),
                        "text": _ms(flow.stages[stage]) if stage in flow.stages else "not known",
                        "width": share_bar(flow.stages.get(stage, 0.0), longest),
                    }
                    for release, flow in asked
                ],
            }
            for stage, said in STAGES_TIMED.items()
        ],
    }


def plots(facts: TrafficFacts) -> View:
    """Rate, latency and errors over time, by release; or why nothing is drawn yet."""
    track = facts.track
    tabs = [
        {
            "text": f"{name[:-1]}\u00a0{name[-1]}",
            "href": f"{model_path(facts.model)}?over={name}#traffic",
            "current": name == facts.over,
        }
        for name in OVER
    ]
    view = {"tabs": tabs, "over": _OVER_WORDS[facts.over], "plots": [], "table": [], "words": ""}
    shown = _shown(facts)
    if not shown:
        step = duration(OVER[SHORTEST][0])
        wait = f" A point is made every {step}." if not track.stretches else ""
        return {**view, "words": f"Nothing was asked in the {_OVER_WORDS[facts.over]}.{wait}"}
    drawn = [_rates(facts, shown), _latencies(facts, shown), _errors(facts, shown)]
    return {**view, "plots": drawn, "table": _table(facts, shown)}


def _shown(facts: TrafficFacts) -> list[int]:
    """The releases to draw: those that answer, then the newest of those that were asked."""
    asked = [each.number for each in facts.releases if each.name in facts.track.points]
    return sorted(asked, key=lambda each: _rank(facts, each))[:_MOST_LINES]


def _rank(facts: TrafficFacts, number_: int) -> int:
    stage = stage_of(facts.model, number_, facts.deployments)
    return {"production": 0, "staging": 1, None: 2}[stage]


def _hue(facts: TrafficFacts, number_: int) -> str:
    """The release in force, the one on trial, and what was there before."""
    stage = stage_of(facts.model, number_, facts.deployments)
    return {"production": "current", "staging": "candidate", None: "baseline"}[stage]


def _points(facts: TrafficFacts, number_: int) -> Sequence[Point | None]:
    return facts.track.points[release_name(facts.model, number_)]


def _rates(facts: TrafficFacts, shown: Sequence[int]) -> View:
    stretches = facts.track.stretches
    series = [
        Series(
            name=f"@{each}",
            hue=_hue(facts, each),
            filled=place == 0,
            values=[
                point.requests / stretch.seconds if point else 0.0
                for point, stretch in zip(_points(facts, each), stretches, strict=True)
            ],
        )
        for place, each in enumerate(shown)
    ]
    now = " and ".join(number(each.last or 0.0) for each in series[:2])
    return plot(
        "Requests per second", f"{now} {_when(facts)}", stretches, series, marks=_marks(facts)
    )


def _latencies(facts: TrafficFacts, shown: Sequence[int]) -> View:
    first = shown[0]
    series = [
        Series(
            name=f"{name} of @{first}" if len(shown) > 1 else name,
            hue=_hue(facts, first),
            dash=dash,
            values=_milliseconds(facts, first, name),
        )
        for name, dash in (("p99", ""), ("p95", "dash"), ("p50", "dot"))
    ]
    last = ", ".join(
        f"{name} {number(each.last)}"
        for name, each in zip(("p99", "p95", "p50"), series, strict=True)
        if each.last is not None
    )
    series += [
        Series(
            name=f"p95 of @{each}",
            hue=_hue(facts, each),
            dash="dash",
            values=_milliseconds(facts, each, "p95"),
        )
        for each in shown[1:]
    ]
    certificate = facts.certificates.get(first)
    profile = certificate.profile if certificate else None
    limit = (profile.p95_ms, f"p95 of @{first} when certified") if profile else None
    return plot("Latency, ms", last, facts.track.stretches, series, limit=limit)


def _milliseconds(facts: TrafficFacts, number_: int, quantile: str) -> list[float | None]:
    values = [getattr(point, quantile) if point else None for point in _points(facts, number_)]
    return [None if value is None else value * 1000 for value in values]


def _errors(facts: TrafficFacts, shown: Sequence[int]) -> View:
    series = [
        Series(
            name=f"@{each}",
            hue=_hue(facts, each),
            filled=place == 0,
            values=[
                100 * point.errors / point.requests if point else None
                for point in _points(facts, each)
            ],
        )
        for place, each in enumerate(shown)
    ]
    now = percent((series[0].last or 0.0) / 100)
    return plot("Errors, % of requests", f"{now} {_when(facts)}", facts.track.stretches, series)


def _when(facts: TrafficFacts) -> str:
    """Of which moment the newest point tells."""
    end = facts.track.stretches[-1].end
    if (facts.now - end).total_seconds() < 3 * OVER[SHORTEST][0]:
        return "now"
    return f"at {clock(end, Stretch(facts.track.stretches[0].start, facts.now))}"


def _marks(facts: TrafficFacts) -> list[Mark]:
    """What people did meanwhile, oldest first."""
    return [
        Mark(at, f"@{each.release} {_VERBS[each.action]} {each.stage}")
        for each in reversed(facts.history)
        if (at := parse_time(each.at)) is not None and each.release is not None
    ]


def _table(facts: TrafficFacts, shown: Sequence[int]) -> list[View]:
    """The newest points as rows: what the plots show, in numbers."""
    rows = []
    newest = list(enumerate(facts.track.stretches))[-_TABLE_ROWS:]
    for place, stretch in reversed(newest):
        for each in shown:
            point = _points(facts, each)[place]
            if point is not None:
                rows.append(
                    {
                        "clock": dated(stretch.start.isoformat(), facts.now, seconds=True).text,
                        "release": f"@{each}",
                        "rate": number(point.requests / stretch.seconds),
                        "p50": _known(point.p50),
                        "p95": _known(point.p95),
                        "p99": _known(point.p99),
                        "errors": percent(point.errors / point.requests),
                    }
                )
    return rows


def _known(seconds: float | None) -> str:
    return "not known" if seconds is None else _ms(seconds)


def _ms(seconds: float) -> str:
    return with_unit(seconds * 1000, "ms")
