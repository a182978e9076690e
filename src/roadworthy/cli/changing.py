"""Commands that change what answers, or may answer: promote, rollback and quarantine."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from roadworthy.cli.options import DryRun, Json, ModelName, Reason, ReleaseArgument
from roadworthy.cli.output import emit_json, say, say_page, steps
from roadworthy.cli.session import connect
from roadworthy.errors import NotFound, UsageError
from roadworthy.operations.asking import check_stage


def promote(
    release: ReleaseArgument,
    to: Annotated[str, typer.Option(help="staging or production.")] = "production",
    reason: Reason = "",
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Move a release to a stage."""
    stage = check_stage(to)
    with connect() as control:
        if dry_run:
            name = control.get(f"/releases/{release}")["name"]
            before = _find(control, name.partition("@")[0], stage)
            live = f"{name.partition('@')[0]}@{before['live']}" if before else "nothing"
            say(f"would have {name} answer in {stage} instead of {live}")
            return
        with steps(as_json) as shown:
            operation = control.follow(
                control.promote(release, stage, reason), lambda line: shown.begin(line.message)
            )
    if as_json:
        emit_json(operation)
    else:
        say(f"{operation.release} is live in {stage}, after {operation.seconds:.1f} s")
        say_page(control.address, f"/models/{operation.model}")


def rollback(
    model: ModelName,
    stage: Annotated[str, typer.Option(help="staging or production.")] = "production",
    to: Annotated[
        str, typer.Option(help="Another release than the one before: 9, or flight-delay@9.")
    ] = "",
    reason: Reason = "",
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Go back to the release before, at once."""
    place = check_stage(stage)
    number = int(to.rpartition("@")[2]) if to.rpartition("@")[2].isdigit() else None
    if to and number is None:
        raise NotFound(f"{to!r} names no release", cure=f"roadworthy releases {model}")
    with connect() as control:
        before = _find(control, model, place)
        if before is None:
            control.get(f"/models/{model}/releases", limit=1)
            raise NotFound(f"{model} is not deployed in {place}", cure="roadworthy status")
        if dry_run:
            goal = number or before["previous"]
            goal = f"{model}@{goal}" if goal else "nothing: there is no way back"
            say(f"would go back from {model}@{before['live']} to {goal}")
            return
        began = time.monotonic()
        found = control.rollback(model, place, before["generation"], number, reason)
        seconds = time.monotonic() - began
    after = found["deployment"]
    if as_json:
        emit_json({**found, "before": before, "seconds": seconds})
        return
    release = f"{model}@{after['release']}"
    if found["applied"]:
        say(f"{release} answers in {place}, after {seconds:.2f} s; it was {model}@{before['live']}")
    else:
        say(f"{release} will answer in {place} as soon as its worker is ready")
        say(f"  → roadworthy why {model}")
    say(f"  its program: roadworthy checkout {release}")
    say_page(control.address, f"/models/{model}")


def quarantine(
    release: ReleaseArgument,
    reason: Reason = "",
    lift: Annotated[bool, typer.Option("--lift", help="Let it be deployed again.")] = False,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Keep a release from being deployed again, or lift that.

    What answers now goes on until it is rolled back.
    """
    if not lift and not reason.strip():
        raise UsageError(f"{release} needs a reason to be quarantined", cure="give --reason")
    with connect() as control:
        found = control.get(f"/releases/{release}")["release"]
        name = f"{found['model']}@{found['number']}"
        what = "let out of quarantine" if lift else "in quarantine"
        if dry_run:
            say(f"would have {name} {what}")
            return
        after = control.put(f"/releases/{name}/quarantine", {"reason": "" if lift else reason})
        live = [
            each["stage"]
            for each in control.get("/deployments")
            if each["model"] == found["model"] and each["live"] == found["number"]
        ]
    if as_json:
        emit_json({"release": after, "live": live})
        return
    say(f"{name} is {what}")
    if live and not lift:
        say(f"  it answers in {' and '.join(live)} still → roadworthy rollback {found['model']}")


def _find(control: Any, model: str, stage: str) -> dict[str, Any] | None:
    for each in control.get("/deployments"):
        if each["model"] == model and each["stage"] == stage:
            found: dict[str, Any] = each
            return found
    return None
