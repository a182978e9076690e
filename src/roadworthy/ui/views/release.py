"""A release: may it be trusted, and with what? Certificate, capture report, signature, origin."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from roadworthy.certification.capacity import advise_all, memory_limit
from roadworthy.core.capture import CaptureReport
from roadworthy.core.certificate import Certificate, Check, ResourceProfile
from roadworthy.core.deployment import AgentStatus, Deployment
from roadworthy.core.names import STAGES, Stage
from roadworthy.core.release import Release
from roadworthy.core.run import Run
from roadworthy.core.signature import Column
from roadworthy.ui.formats import (
    count,
    dated,
    duration,
    literal,
    memory,
    number,
    plural,
    recent,
    short_digest,
    shortened,
    storage,
    with_unit,
)
from roadworthy.ui.forms import example_values, fields_view
from roadworthy.ui.health import runs_now
from roadworthy.ui.views.capture import UNSAFE_FORMATS, capture_view
from roadworthy.ui.views.parts import (
    RUN_SHOWN,
    View,
    crumbs_to,
    metrics_rows,
    model_path,
    page,
    plate,
    promote_path,
    release_path,
    roll_back_form,
    run_path,
    what_it_does,
)
from roadworthy.ui.views.traffic import TrafficFacts, live_figures, stage_times

_GROUPS = {
    "capture": "Same answers as the creation program",
    "service": "Service, measured in its own worker",
    "robustness": "Bad input",
    "environment": "Environment",
    "compatibility": "Callers",
}
_LEVELS_SHOWN = 6
_UNUSED_SHOWN = 12
_EVIDENCE_CHARACTERS = 2000


@dataclass(frozen=True, kw_only=True)
class ReleaseFacts:
    """What a release's page is made from; what is not recorded is None.

    ``commits`` are links to what its run read.
    """

    release: Release
    certificate: Certificate | None
    report: CaptureReport | None
    run: Run | None
    deployments: Sequence[Deployment]
    status: AgentStatus | None
    now: datetime
    token: Mapping[Stage, str] = field(default_factory=dict)
    traffic: TrafficFacts | None = None
    signed_in: bool = False
    commits: Sequence[View] = ()


def release_page(facts: ReleaseFacts) -> View:
    """The release's view."""
    release = facts.release
    return {
        "page": page(
            release.name,
            facts.now,
            nav="models",
            command=f"roadworthy show {release.name}",
            signed_in=facts.signed_in,
        ),
        "crumbs": crumbs_to(release.model),
        "number": release.number,
        "name": release.name,
        "path": release_path(release.model, release.number),
        "plate": plate(release.model, release.number, facts.deployments),
        "lead": release.notes or what_it_does(release),
        "noted": bool(release.notes),
        "quarantined": release.quarantined,
        "promote": _promotions(facts),
        "backs": _backs(facts),
        "facts": _facts(facts),
        "seal": seal(facts.certificate),
        "certificate": _certificate(facts),
        "capture": capture_view(facts.report),
        "signature": signature_view(release),
        "unused": unused_columns(facts.report),
        "form": try_form(facts, example_values(release.signature), {}),
        "provenance": _provenance(facts),
        "traffic": _traffic(facts),
        "stages": stage_times(facts.traffic) if facts.traffic else None,
        "log_href": f"{model_path(release.model)}/log?release={release.number}",
        "profile": profile_view(facts.certificate.profile if facts.certificate else None),
        "scale": scale_view(facts.certificate.profile if facts.certificate else None),
        "files": [
            {
                "path": each.path,
                "href": f"{release_path(release.model, release.number)}/flow/{each.path}",
                "size": storage(each.bytes),
                "digest": short_digest(each.digest),
            }
            for each in sorted(release.files, key=lambda each: ("/" in each.path, each.path))
        ],
    }


def _traffic(facts: ReleaseFacts) -> View | None:
    """What the release is asked; None where it neither answers anywhere nor was asked."""
    if facts.traffic is None:
        return None
    found = live_figures(facts.release.number, facts.traffic)
    live = any(each.live == facts.release.number for each in facts.deployments)
    return found if live or found["figures"] else None


def _promotions(facts: ReleaseFacts) -> list[View]:
    """Where the release can be promoted to: the highest stage first."""
    release = facts.release
    there = {each.stage for each in facts.deployments if each.live == release.number}
    if release.quarantined:
        return []
    return [
        {
            "href": promote_path(release.model, release.number, stage),
            "text": f"Promote to {stage}",
        }
        for stage in reversed(STAGES)
        if stage not in there
    ]


def _backs(facts: ReleaseFacts) -> list[View]:
    """The ways back from this release, where it answers or is to answer."""
    number = facts.release.number
    return [
        form
        for each in facts.deployments
        if each.stage in facts.token and number in (each.live, each.release)
        if (form := roll_back_form(each, facts.token[each.stage])) is not None
    ]


def _facts(facts: ReleaseFacts) -> list[View]:
    release = facts.release
    items: list[View] = [
        {"term": "id", "value": short_digest(release.digest), "code": True},
        {"term": "from run", "value": release.run[:RUN_SHOWN], "href": run_path(release.run)},
        {"term": "made", "moment": recent(release.made, facts.now)},
    ]
    if release.caller:
        items.append({"term": "by", "value": release.caller})
    if facts.report and facts.report.statements:
        items.append(
            {
                "term": "captured",
                "value": f"{facts.report.kept} of {plural(facts.report.statements, 'statement')}",
            }
        )
    if facts.certificate is not None:
        items += _form(facts)
    return items


def _form(facts: ReleaseFacts) -> list[View]:
    """Which form of the flow answers, where the certificate or a worker says it."""
    for worker in facts.status.workers if facts.status else ():
        if worker.release == facts.release.name and worker.form_off:
            return [
                {"term": "form", "value": f"as written: the fast one is off, {worker.form_off}"}
            ]
    checks = facts.certificate.checks if facts.certificate else []
    return [
        {"term": "form", "value": str(check.evidence.get("form", ""))}
        for check in checks
        if check.id == "fast-form"
    ]


def seal(certificate: Certificate | None) -> View:
    """The certificate as a ring with one arc per check; the failed ones last, in red."""
    if certificate is None or not certificate.checks:
        return {
            "label": "Not certified",
            "big": "none",
            "small": "not certified",
            "dash": "",
            "bad_dash": "",
        }
    counted = [each for each in certificate.checks if each.outcome != "not applicable"]
    skipped = len(certificate.checks) - len(counted)
    passed = sum(each.outcome == "passed" for each in counted)
    failed = len(counted) - passed
    total = len(counted) or 1
    step = 2 * math.pi * 46 / total
    gap = min(2.0, step / 4)
    arc = f"{step - gap:.2f} {gap:.2f}"
    rest = f"{2 * math.pi * 46:.2f}"
    label = f"Certificate: {passed} of {len(counted)} checks passed"
    return {
        "label": label + (f", {skipped} not applicable" if skipped else ""),
        "big": f"{failed or passed}/{len(counted)}",
        "small": "failed" if failed else "passed",
        "dash": " ".join([arc] * passed) + f" 0 {rest}" if passed else "",
        "bad_dash": f"0 {step * passed:.2f} " + " ".join([arc] * failed) + f" 0 {rest}"
        if failed
        else "",
    }


def _certificate(facts: ReleaseFacts) -> View | None:
    certificate = facts.certificate
    if certificate is None or not certificate.checks:
        return None
    return {
        "depth": certificate.depth,
        "made": dated(certificate.made, facts.now, seconds=True),
        "took": duration(certificate.seconds),
        "groups": certificate_groups(certificate.checks),
    }


def certificate_groups(checks: Sequence[Check]) -> list[View]:
    """Checks by group, groups with a failure first, failed checks first in each."""
    rank = {"failed": 0, "passed": 1, "not applicable": 2}
    order = list(_GROUPS)
    by_group: dict[str, list[Check]] = {}
    for check in checks:
        by_group.setdefault(check.group, []).append(check)
    names = sorted(
        by_group,
        key=lambda name: (
            min(rank[each.outcome] for each in by_group[name]) > 0,
            order.index(name),
        ),
    )
    return [
        {
            "title": _GROUPS[name],
            "checks": [
                {
                    "title": each.title,
                    "sign": {"passed": "ok", "failed": "bad", "not applicable": "na"}[each.outcome],
                    "outcome": each.outcome,
                    "required": each.required,
                    "measured": each.measured,
                    "evidence": _evidence(each.evidence),
                    "evidence_word": plural(len(each.evidence), "value"),
                }
                for each in sorted(by_group[name], key=lambda each: rank[each.outcome])
            ],
        }
        for name in names
    ]


def _evidence(evidence: Mapping[str, Any]) -> str:
    """The evidence as indented JSON, cut where it is long: the whole is in certificate.json."""
    if not evidence:
        return ""
    text = json.dumps(evidence, indent=1, ensure_ascii=False, default=str)
    if len(text) <= _EVIDENCE_CHARACTERS:
        return text
    return text[:_EVIDENCE_CHARACTERS] + "\n… (the rest is in certificate.json)"


def signature_view(release: Release) -> View:
    """Inputs and outputs with what creation saw of each."""
    signature = release.signature
    return {
        "input": signature.input,
        "kind": signature.kind,
        "unknown": "A level that creation never saw is refused."
        if signature.unknown == "reject"
        else "A level that creation never saw is answered as the libraries do, with a warning.",
        "columns": [_column(column) for column in signature.columns],
        "outputs": [
            {**_column(column), "name": _output_name(output.name, column, len(output.columns))}
            for output in signature.outputs
            for column in output.columns
        ],
    }


def unused_columns(report: CaptureReport | None) -> str:
    """The columns that a request need not have, though creation had them."""
    found = (report.details if report else {}).get("unused")
    names = [str(each) for each in found] if isinstance(found, list | tuple) else []
    shown = ", ".join(names[:_UNUSED_SHOWN])
    return shown + (f" and {len(names) - _UNUSED_SHOWN} more" if len(names) > _UNUSED_SHOWN else "")


def _output_name(output: str, column: Column, columns: int) -> str:
    return output if columns == 1 else f"{output}.{column.name}"


def _column(column: Column) -> View:
    return {
        "name": column.name,
        "type": column.type,
        "dtype": column.dtype if column.dtype != column.type else "",
        "null": "yes" if column.nullable else "no",
        "seen": seen(column),
        "example": "" if column.example is None else shortened(literal_code(column.example), 60),
    }


def literal_code(value: object) -> str:
    """A value as code: what one would send."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def seen(column: Column) -> str:
    """What creation saw of a column: its levels, or its range."""
    if column.levels:
        total = column.level_count or len(column.levels)
        shown = ", ".join(shortened(literal(each), 40) for each in column.levels[:_LEVELS_SHOWN])
        if total > _LEVELS_SHOWN:
            return f"{count(total)} levels: {shown}, …"
        return shown
    if column.minimum is not None and column.maximum is not None:
        return f"{literal(column.minimum)} to {literal(column.maximum)}"
    if column.level_count:
        return plural(column.level_count, "level")
    return "not recorded"


def try_form(facts: ReleaseFacts, typed: Mapping[str, str], errors: Mapping[str, str]) -> View:
    """The form that asks this release; disabled, with the reason, where no worker runs."""
    release = facts.release
    runs = runs_now(facts.status, release.name, facts.now)
    return {
        "action": f"{release_path(release.model, release.number)}/try#answer",
        "fields": fields_view(release.signature, typed, errors),
        "runs": runs is not False,
        "why_not": ""
        if runs is not False
        else f"{release.name} has no ready worker now, so it can't be asked.",
        "cure": f"roadworthy promote {release.name} --to staging",
        "reset": f"{release_path(release.model, release.number)}/try",
    }


def _provenance(facts: ReleaseFacts) -> View:
    release, run = facts.release, facts.run
    state = facts.report.state if facts.report else []
    unsafe = [each for each in state if each.format.lower() in UNSAFE_FORMATS]
    packages = [
        line for line in release.lock.text.splitlines() if "==" in line and line[0] not in "# "
    ]
    return {
        "run": release.run[:RUN_SHOWN],
        "run_href": run_path(release.run),
        "run_started": dated(run.started, facts.now) if run else None,
        "run_took": duration(run.seconds) if run else "",
        "program": run.program if run else "",
        "program_digest": next(
            (short_digest(each.digest) for each in run.files if each.path == run.program), ""
        )
        if run
        else "",
        "caller": release.caller or (run.caller if run else ""),
        "parameters": _parameters(run),
        "metrics": metrics_rows(run.metrics) if run else [],
        "python": release.lock.python,
        "packages": plural(len(packages), "package"),
        "package_lines": [line.split(" ")[0].rstrip("\\").strip() for line in packages],
        "lock": short_digest(release.lock.digest),
        "state": plural(len(state), "value")
        + (f", {memory(sum(each.bytes for each in state))}" if state else ""),
        "unsafe": plural(len(unsafe), "needs pickle", "need pickle") if unsafe else "no pickle",
        "checkout": f"roadworthy checkout {release.name}",
        "commits": facts.commits,
    }


def _parameters(run: Run | None) -> str:
    if run is None or not run.parameters:
        return ""
    return ", ".join(
        f"{name} = {shortened(str(value), 40)}" for name, value in run.parameters.items()
    )


def profile_view(profile: ResourceProfile | None) -> list[View]:
    """What the release needs, as figures; empty where it was not measured."""
    if profile is None:
        return []
    rows = sorted(profile.rows_per_second.items(), key=lambda item: _batch(item[0]))
    first = rows[0] if rows else None
    others = ", ".join(f"{number(value)} at batch {size}" for size, value in rows[1:])
    figures: list[View] = [
        {
            "term": "Memory, idle / at load",
            "value": f"{memory(profile.idle_bytes)} / {memory(profile.load_bytes)}",
            "note": f"limit advised: {memory(memory_limit(profile))}",
        },
        {
            "term": "Start-up",
            "value": duration(profile.start_seconds),
            "note": "until the golden request is answered",
        },
        {
            "term": "Latency p50 / p95 / p99",
            "value": " / ".join(number(v) for v in (profile.p50_ms, profile.p95_ms, profile.p99_ms))
            + "\u00a0ms",
            "note": f"at {number(profile.requests_per_second)} requests/s",
        },
        {
            "term": "CPU per request",
            "value": with_unit(profile.cpu_ms_per_request, "ms"),
            "note": f"{with_unit(profile.cpu_ms_per_row, 'ms')} per row in large batches",
        },
    ]
    if first:
        figures.append(
            {
                "term": "Rows per second",
                "value": number(first[1]),
                "note": f"at batch {first[0]}" + (f"; {others}" if others else ""),
            }
        )
    return figures


def scale_view(profile: ResourceProfile | None) -> View | None:
    """What 10, 1,000 and 100,000 users would need, by the measured profile."""
    if profile is None or profile.requests_per_second <= 0:
        return None
    advices = advise_all(profile)
    return {
        "formula": advices[0].formula,
        "rows": [
            {
                "users": f"{count(each.users)} users",
                "rate": number(each.requests_per_second),
                "workers": count(each.workers),
                "cores": number(each.cores),
                "memory": memory(each.memory_bytes),
            }
            for each in advices
        ],
    }


def _batch(size: str) -> int:
    return int(size) if size.isdigit() else 0
