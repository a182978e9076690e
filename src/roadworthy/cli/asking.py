"""Commands that only ask: why, history, runs."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from roadworthy.cli.options import Json, ModelName
from roadworthy.cli.output import ago, emit_json, plain, say, say_page, size, table
from roadworthy.cli.reporting import print_report
from roadworthy.cli.session import connect
from roadworthy.core.capture import CaptureReport


def why(model: ModelName, as_json: Json = False) -> None:
    """Which release is live, since when, by whom, on what evidence."""
    with connect() as control:
        found = control.get(f"/models/{model}/why")
    if as_json:
        emit_json(found)
        return
    for number, each in enumerate(found):
        if number:
            say()
        _print_why(each)
    say_page(control.address, f"/models/{model}")


def _print_why(each: dict[str, Any]) -> None:
    live = each["live"] or "nothing"
    say(f"{live} answers in {each['stage']}, since {each['since']} ({ago(each['since'])})")
    say(f"  {each['action'] or 'deploy'} by {each['caller'] or 'unknown'}")
    if each["reason"]:
        say(f"  reason: {plain(each['reason'])}")
    if each["replaced"]:
        say(f"  replaced {each['replaced']}")
    if each["program"]:
        say(f"  made by {plain(each['program'])}, run {each['run']}")
    if each["notes"]:
        say(f"  notes: {plain(each['notes'])}")
    evidence = each["evidence"]
    if evidence is None:
        say("  no certificate")
    else:
        measured = ""
        if evidence["p95_ms"] is not None:
            measured = (
                f": p95 {evidence['p95_ms']:.1f} ms, {evidence['requests_per_second']:.0f} "
                f"requests/s, {size(evidence['memory_bytes'])}"
            )
        verdict = "passed" if evidence["passed"] else f"failed: {', '.join(evidence['failed'])}"
        say(f"  {evidence['depth']} certificate, {evidence['checks']} checks {verdict}{measured}")
    say(
        f"  workers: {each['workers_ready']} of {each['workers_wanted']} ready, "
        f"{each['restarts']} restarts"
    )
    if each["back"]:
        warm = "warm" if each["warm"] else "its worker is started first"
        say(f"  way back: {each['back']} ({warm}): roadworthy rollback {each['model']}")
    else:
        say("  way back: none yet")
    if each["release"] and each["release"] != each["live"]:
        say(f"  {each['release']} is wanted and not live yet")
    for line in each["underway"]:
        say(f"  under way: {plain(line)}")


def history(
    model: ModelName,
    stage: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    at: Annotated[
        str,
        typer.Option(help="What was live then: 2h ago, 2026-03-01 (its end), 2026-03-01T12:00."),
    ] = "",
    as_json: Json = False,
) -> None:
    """What was deployed when, and what was live at a moment."""
    with connect() as control:
        found = control.get(f"/models/{model}/history", stage=stage, at=at or None)
    if as_json:
        emit_json(found)
        return
    if not found:
        say(f"nothing of {model} was live at {at}" if at else f"{model} was never deployed")
        return
    rows = [
        [
            each["at"],
            each["stage"],
            each["action"],
            f"{model}@{each['release']}" if each["release"] else "nothing",
            f"{model}@{each['replaced']}" if each["replaced"] else "—",
            each["caller"],
            each["reason"],
        ]
        for each in found
    ]
    table(["at", "stage", "action", "release", "replaced", "by", "reason"], rows)
    say_page(control.address, f"/models/{model}#history")


def runs(
    run: Annotated[str, typer.Argument(help="A run's id, to see all of it.")] = "",
    model: Annotated[str | None, typer.Option(help="Only runs that gave its releases.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    """Recorded runs of programs, failed ones too."""
    with connect() as control:
        if run:
            found = control.get(f"/runs/{run}")
            found["report"] = control.get(f"/runs/{run}/report")
        else:
            found = control.get("/runs", model=model, limit=limit)
    if as_json:
        emit_json(found)
    elif run:
        _print_run(found)
        say_page(control.address, f"/runs/{run}")
    elif found:
        rows = [
            [
                each["id"],
                each["program"],
                each["status"],
                f"{each['seconds']:.1f} s",
                ago(each["started"]),
                (each["problem"] or {}).get("message", "").splitlines()[0]
                if each["problem"]
                else "",
            ]
            for each in found
        ]
        table(["run", "program", "status", "took", "started", "problem"], rows)
        say_page(control.address, f"/runs?model={model}" if model else "/runs")
    else:
        say("there are no runs yet: roadworthy deploy train.py")


def _print_run(found: dict[str, Any]) -> None:
    run = found["run"]
    say(f"{run['program']}: {run['status']}, {run['seconds']:.1f} s, {ago(run['started'])}")
    say(f"  Python {run['python']}, by {run['caller'] or 'unknown'}")
    if run["arguments"]:
        say(f"  arguments: {plain(' '.join(run['arguments']))}")
    for key in ("parameters", "metrics"):
        if run[key]:
            pairs = ", ".join(f"{name}={value}" for name, value in run[key].items())
            say(f"  {key}: {plain(pairs)}")
    say(f"  files: {', '.join(file['path'] for file in run['files']) or 'none'}")
    if found["releases"]:
        say(f"  releases: {', '.join(found['releases'])}")
    problem = run["problem"]
    if problem:
        where = f"line {problem['line']}: " if problem.get("line") else ""
        say(f"\n{where}{plain(str(problem.get('message', '')))}")
        if problem.get("cure"):
            say(f"  → {plain(problem['cure'])}")
        traceback = (problem.get("details") or {}).get("traceback")
        if traceback:
            say(f"\n{plain(str(traceback))}")
    if found.get("report"):
        print_report(msgspec.convert(found["report"], CaptureReport))
