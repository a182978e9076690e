"""The system itself: processes, their logs, the doctor's findings, the settings that hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from roadworthy.core.deployment import AgentStatus, Deployment, WorkerEvent, WorkerStatus
from roadworthy.core.names import parse_release
from roadworthy.errors import InvalidName
from roadworthy.operations.doctor import Finding
from roadworthy.ui.formats import (
    count,
    dated,
    duration,
    memory,
    plural,
    shortened,
)
from roadworthy.ui.health import silence
from roadworthy.ui.views.parts import View, model_path, page, plate

LINES = 300
LONGEST_LINE = 2000
EVENTS = 30
MOST = 100
"""The workers and logs that are listed: those that are not ready come first."""
_TABS = (
    ("processes", "/system", "Processes"),
    ("doctor", "/system/doctor", "Doctor"),
    ("settings", "/system/settings", "Settings"),
)
_STATES: Mapping[str, Literal["ok", "run", "bad", "na"]] = {
    "ready": "ok",
    "starting": "run",
    "failed": "bad",
    "stopping": "na",
    "stopped": "na",
}
_EVENTS = {
    "ready": "ok",
    "died": "bad",
    "killed": "bad",
    "not started": "bad",
    "unfit": "bad",
    "tired": "warn",
}


@dataclass(frozen=True)
class Control:
    """The control plane's own process: pid, version, where it listens."""

    pid: int
    version: str
    address: str


@dataclass(frozen=True)
class SettingLine:
    """One setting: its dotted name, what holds (secrets left out), whether that is the default."""

    name: str
    value: str
    default: bool


@dataclass(frozen=True, kw_only=True)
class SystemFacts:
    """What the page of processes is made from; ``logs`` are the names of logs there are."""

    status: AgentStatus | None
    deployments: Sequence[Deployment]
    logs: Sequence[str]
    control: Control
    gateway: str
    now: datetime
    signed_in: bool = False


@dataclass(frozen=True, kw_only=True)
class LogFileFacts:
    """What a log's page is made from: its last lines, oldest first."""

    name: str
    lines: Sequence[str]
    now: datetime
    signed_in: bool = False


@dataclass(frozen=True, kw_only=True)
class DoctorFacts:
    """What the doctor's page is made from; ``thorough``: contents were read and compared."""

    findings: Sequence[Finding]
    thorough: bool
    now: datetime
    signed_in: bool = False


@dataclass(frozen=True, kw_only=True)
class SettingsFacts:
    """What the page of settings is made from."""

    lines: Sequence[SettingLine]
    now: datetime
    signed_in: bool = False


def _tabs(current: str) -> list[View]:
    return [{"href": href, "text": text, "current": name == current} for name, href, text in _TABS]


def system_page(facts: SystemFacts) -> View:
    """The view of the processes."""
    workers = list(facts.status.workers) if facts.status else []
    workers.sort(key=lambda each: (each.state == "ready", each.release, each.id))
    return {
        "page": page(
            "System",
            facts.now,
            nav="system",
            command="roadworthy status",
            renew=5,
            signed_in=facts.signed_in,
        ),
        "tabs": _tabs("processes"),
        "heading": _heading(facts),
        "parts": _parts(facts),
        "workers": [_worker(each, facts) for each in workers[:MOST]],
        "more_workers": plural(len(workers) - MOST, "more worker") if len(workers) > MOST else "",
        "events": [
            _event(each, facts) for each in reversed(facts.status.events if facts.status else [])
        ][:EVENTS],
        "logs": [{"name": name, "href": log_path(name)} for name in facts.logs[:MOST]],
    }


def log_path(name: str) -> str:
    """The address of a log."""
    return f"/system/logs/{quote(name, safe='@')}"


def _heading(facts: SystemFacts) -> str:
    why = silence(facts.status, facts.now)
    if why or facts.status is None:
        return f"It is not known what runs: {why}."
    if facts.status.gateway_pid is None:
        return "The gateway does not answer."
    bad = sum(each.state == "failed" for each in facts.status.workers)
    ready = sum(each.state == "ready" for each in facts.status.workers)
    if bad:
        return f"{plural(bad, 'worker')} of {count(len(facts.status.workers))} failed."
    return f"Everything runs: {plural(ready, 'ready worker')}."


def _parts(facts: SystemFacts) -> list[View]:
    """Control plane, agent and gateway."""
    status, quiet = facts.status, silence(facts.status, facts.now)
    rows: list[View] = [
        {
            "name": "control",
            "sign": "ok",
            "word": "answers",
            "pid": str(facts.control.pid),
            "said": f"version {facts.control.version}, at {facts.control.address}",
        }
    ]
    rows.append(
        {
            "name": "agent",
            "sign": "warn" if quiet else "ok",
            "word": "silent" if quiet else "reports",
            "pid": str(status.pid) if status else "",
            "said": quiet or f"follows routing table {count(status.applied if status else 0)}",
        }
    )
    gone = status is None or status.gateway_pid is None
    restarts = plural(status.gateway_restarts, "restart") if status else ""
    rows.append(
        {
            "name": "gateway",
            "sign": "na" if quiet else "bad" if gone else "ok",
            "word": "not known" if quiet else "down" if gone else "answers",
            "pid": str(status.gateway_pid) if status and status.gateway_pid else "",
            "said": ", ".join(
                filter(
                    None, ((status.gateway_address if status else "") or facts.gateway, restarts)
                )
            ),
        }
    )
    known = set(facts.logs)
    return [{**row, "log": log_path(row["name"]) if row["name"] in known else ""} for row in rows]


def _worker(each: WorkerStatus, facts: SystemFacts) -> View:
    said = [
        f"form: {each.form}" if each.form else "",
        f"fast form off: {each.form_off}" if each.form_off else "",
        each.error if each.state != "ready" else "",
    ]
    return {
        "plate": _plate(each.release, facts.deployments),
        "release": each.release,
        "sign": _STATES[each.state],
        "word": each.state,
        "pid": str(each.pid) if each.pid else "",
        "memory": memory(each.rss_bytes) if each.rss_bytes else "",
        "cpu": duration(each.cpu_seconds) if each.cpu_seconds else "",
        "start": duration(each.start_seconds) if each.start_seconds else "",
        "restarts": count(each.restarts),
        "said": shortened("; ".join(filter(None, said)), 300),
        "log": log_path(each.release) if each.release in facts.logs else "",
    }


def _plate(release: str, deployments: Sequence[Deployment]) -> View | None:
    try:
        name = parse_release(release)
    except InvalidName:
        return None
    if name.number is None:
        return None
    return plate(
        name.model, name.number, [each for each in deployments if each.model == name.model]
    )


def _event(each: WorkerEvent, facts: SystemFacts) -> View:
    model = each.release.partition("@")[0]
    return {
        "moment": dated(each.at, facts.now, seconds=True),
        "sign": _EVENTS[each.kind],
        "word": each.kind,
        "release": each.release,
        "href": model_path(model),
        "reason": shortened(each.reason, 300),
    }


def log_file_page(facts: LogFileFacts) -> View:
    """The view of a log."""
    return {
        "page": page(
            f"Log of {facts.name}",
            facts.now,
            nav="system",
            command=f"roadworthy logs {facts.name}",
            renew=5,
            signed_in=facts.signed_in,
        ),
        "crumbs": [{"href": "/system", "text": "System"}],
        "name": facts.name,
        "said": f"The last {plural(len(facts.lines), 'line')}, the newest at the end."
        if len(facts.lines) > 1
        else "",
        "text": "\n".join(_visible(shortened(line, LONGEST_LINE)) for line in facts.lines),
    }


def _visible(line: str) -> str:
    """A line without what is no character to read."""
    return "".join(each if each.isprintable() or each == "\t" else " " for each in line)


def doctor_page(facts: DoctorFacts) -> View:
    """The view of the findings, what is wrong first."""
    order = {"wrong": 0, "knowing": 1, "fine": 2}
    found = Counter(each.state for each in facts.findings)
    return {
        "page": page(
            "Doctor",
            facts.now,
            nav="system",
            command="roadworthy doctor",
            signed_in=facts.signed_in,
        ),
        "tabs": _tabs("doctor"),
        "heading": f"{plural(found['wrong'], 'thing is', 'things are')} wrong."
        if found["wrong"]
        else "Nothing is wrong.",
        "thorough": facts.thorough,
        "findings": [
            {
                "part": each.part,
                "sign": {"wrong": "bad", "knowing": "warn", "fine": "ok"}[each.state],
                "word": {"wrong": "wrong", "knowing": "worth knowing", "fine": "fine"}[each.state],
                "said": shortened(each.said, 500),
                "cure": each.cure if each.state != "fine" else "",
            }
            for each in sorted(facts.findings, key=lambda each: order[each.state])
        ],
    }


def settings_page(facts: SettingsFacts) -> View:
    """The view of the settings, what was changed first."""
    changed = sum(not each.default for each in facts.lines)
    return {
        "page": page("Settings", facts.now, nav="system", signed_in=facts.signed_in),
        "tabs": _tabs("settings"),
        "heading": f"{plural(changed, 'setting is', 'settings are')} not the default."
        if changed
        else "Every setting has its default.",
        "lines": sorted(facts.lines, key=lambda each: each.default),
    }
