"""What several pages show in the same way: plates, certificates in one word, ways back, runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from roadworthy.core.certificate import Certificate
from roadworthy.core.deployment import Deployment, StageChange
from roadworthy.core.names import Stage
from roadworthy.core.release import Release
from roadworthy.core.run import Run
from roadworthy.errors import RoadworthyError
from roadworthy.ui.formats import dated, duration, instant, number, plural, recent, shortened
from roadworthy.ui.health import release_name

View = dict[str, Any]

RUN_SHOWN = 13
"""The characters of a run's id that a table shows: they hold its time to the millisecond."""


def page(
    title: str,
    now: datetime,
    *,
    nav: str | None = "",
    command: str = "",
    renew: int = 0,
    signed_in: bool = False,
) -> View:
    """What the frame of every page shows: title, place, the command that says the same."""
    return {
        "title": title,
        "nav": nav,
        "command": command,
        "renew": renew,
        "signed_in": signed_in,
        "as_of": instant(now),
    }


def model_path(model: str) -> str:
    """The address of a model's page."""
    return f"/models/{quote(model, safe='')}"


def app_path(model: str) -> str:
    """The address of a model's app."""
    return f"/apps/{quote(model, safe='')}"


def release_path(model: str, number: int) -> str:
    """The address of a release's page."""
    return f"{model_path(model)}/releases/{number}"


def promote_path(model: str, number: int, stage: Stage) -> str:
    """The address where a release is promoted to a stage."""
    return f"{release_path(model, number)}/promote?to={stage}"


def run_path(run: str) -> str:
    """The address of a run's page."""
    return f"/runs/{quote(run, safe='')}"


def crumbs_to(model: str, number: int | None = None) -> list[View]:
    """The way from all models to a model, or on to its release of this number."""
    way = [{"href": "/models", "text": "Models"}, {"href": model_path(model), "text": model}]
    if number is not None:
        way.append({"href": release_path(model, number), "text": f"@{number}"})
    return way


def plate(model: str, number: int, deployments: Iterable[Deployment]) -> View:
    """A release's plate: yellow in production, with S in staging, plain elsewhere."""
    stage = stage_of(model, number, deployments)
    return {
        "name": release_name(model, number),
        "short": f"@{number}",
        "stage": stage or "",
        "href": release_path(model, number),
    }


def stage_of(model: str, number: int, deployments: Iterable[Deployment]) -> Stage | None:
    """The highest stage at which this release answers."""
    stages = {each.stage for each in deployments if (each.model, each.live) == (model, number)}
    return "production" if "production" in stages else "staging" if "staging" in stages else None


def way_back(deployment: Deployment) -> int | None:
    """The release that a roll-back goes to; None where there is none.

    It is what still answers while another takes over, else the one before.
    """
    if deployment.live is not None and deployment.release != deployment.live:
        return deployment.live
    return deployment.previous if deployment.previous != deployment.live else None


def roll_back_form(deployment: Deployment, token: str, place: str = "") -> View | None:
    """The one press that goes back; None where there is no way back."""
    target = way_back(deployment)
    if target is None:
        return None
    suffix = "" if deployment.stage == "production" else f" in {deployment.stage}"
    return {
        "id": f"back-{deployment.stage}{place}",
        "action": f"{model_path(deployment.model)}/rollback",
        "label": f"Roll back to @{target}{suffix}",
        "hint": f"{release_name(deployment.model, target)} is kept warm; no request is lost",
        "stage": deployment.stage,
        "generation": deployment.generation,
        "token": token,
    }


def certificate_word(certificate: Certificate | None) -> View:
    """A certificate as a pill."""
    if certificate is None or not certificate.checks:
        return {"sign": "na", "word": "not certified"}
    counted = [check for check in certificate.checks if check.outcome != "not applicable"]
    failed = sum(check.outcome == "failed" for check in counted)
    if failed:
        return {"sign": "bad", "word": f"{failed} of {len(counted)} failed"}
    return {"sign": "ok", "word": f"{len(counted)} of {len(counted)}"}


def what_it_does(release: Release) -> str:
    """One sentence made from the signature."""
    names = [output.name for output in release.signature.outputs]
    columns = plural(len(release.signature.columns), "column")
    return f"Answers {' and '.join(names)} from {columns} of {release.signature.input}."


def problem_line(problem: Mapping[str, Any] | None) -> View:
    """A recorded problem: its line, what happened, and the cure."""
    problem = problem or {}
    line = problem.get("line")
    message = str(problem.get("message") or "no reason was recorded")
    return {
        "line": line,
        "message": message,
        "brief": (f"line {line}: " if line else "") + shortened(message.splitlines()[0], 160),
        "cure": str(problem.get("cure") or ""),
    }


def run_row(
    run: Run, releases: Sequence[Release], deployments: Sequence[Deployment], now: datetime
) -> View:
    """A run in a table: how it ended, what came of it."""
    return {
        "id": run.id,
        "short": run.id[:RUN_SHOWN],
        "href": run_path(run.id),
        "program": run.program,
        "failed": run.status == "failed",
        "problem": problem_line(run.problem) if run.status == "failed" else None,
        "plates": [plate(each.model, each.number, deployments) for each in releases],
        "started": recent(run.started, now),
        "took": duration(run.seconds),
        "caller": run.caller,
    }


def change_sentence(change: StageChange) -> str:
    """A line of a deployment's history: who did what, in place of what, why."""
    by = change.caller or "somebody unnamed"
    to = f"@{change.release}" if change.release else "nothing"
    instead = f" in place of @{change.replaced}" if change.replaced else ""
    reason = f" (“{change.reason}”)" if change.reason else ""
    verb = {
        "deploy": f"deployed {to} to {change.stage}{instead}",
        "promote": f"promoted {to} to {change.stage}{instead}",
        "rollback": f"rolled {change.stage} back to {to}" + instead,
        "retire": f"took {change.stage} off the road" + instead,
    }[change.action]
    return f"{by} {verb}{reason}"


def sentence(error: RoadworthyError) -> str:
    """What an error says, as a sentence; a name in front stays as it is written."""
    message = error.message
    if message.partition(" ")[0].isalpha():
        message = message[:1].upper() + message[1:]
    return message if message.endswith(".") else message + "."


def metrics_rows(metrics: Mapping[str, float]) -> list[View]:
    """Logged metrics in the order of their names."""
    return [{"name": name, "value": number(value)} for name, value in sorted(metrics.items())]


def recorded(text: str, now: datetime) -> View:
    """A time as a record and how long ago it was."""
    return {"at": dated(text, now), "ago": recent(text, now)}
