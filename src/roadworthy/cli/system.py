"""Commands on the system itself: up, down, status, logs, doctor, serve."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from roadworthy.cli.options import DryRun, Json
from roadworthy.cli.output import ago, emit_json, plain, say, say_page, size, table
from roadworthy.cli.session import connect, running, settings_of, start
from roadworthy.errors import NotFound, RoadworthyError, Unavailable, UsageError
from roadworthy.operations.supervisor import stop_everything, supervisor_of


def up(
    host: Annotated[
        str | None,
        typer.Option(help="Where pages and API listen; beyond loopback a token must be set."),
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port of pages and API.")] = None,
    gateway_host: Annotated[str | None, typer.Option(help="Where the gateway listens.")] = None,
    gateway_port: Annotated[int | None, typer.Option(help="Port of the gateway.")] = None,
    home: Annotated[Path | None, typer.Option(help="The directory to keep everything in.")] = None,
    foreground: Annotated[bool, typer.Option(help="Stay in this terminal.")] = False,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Start Roadworthy here: control plane, pages, gateway."""
    settings = settings_of(
        **{
            "control.host": host,
            "control.port": port,
            "gateway.host": gateway_host or host,
            "gateway.port": gateway_port,
            "home": home,
        }
    )
    if settings.control.port == 0 or settings.gateway.port == 0:
        raise UsageError(
            "a port must be named: callers have to know it", cure="roadworthy up --port 8410"
        )
    if dry_run:
        say(f"would start in {settings.home}: pages at {settings.control_address}, ")
        say(f"gateway at {settings.gateway_address}")
        return
    if foreground:
        from roadworthy.wiring import run_supervisor

        raise typer.Exit(run_supervisor(settings))
    record = running(settings)
    fresh = record is None
    began = time.monotonic()
    if record is None:
        record = start(settings)
    if as_json:
        emit_json({"started": fresh, "seconds": time.monotonic() - began, "running": record})
        return
    if fresh:
        say(f"Roadworthy is up after {time.monotonic() - began:.1f} s, in {settings.home}")
    else:
        say(f"Roadworthy runs already, in {settings.home}")
    say(f"  pages and API  {record.address}")
    say(f"  gateway        {record.gateway}")
    if not settings.token:
        say("  no sign-in is asked for: only this machine can reach it")


def down(as_json: Json = False, dry_run: DryRun = False) -> None:
    """Stop what runs here."""
    settings = settings_of()
    if dry_run:
        found = supervisor_of(settings)
        say(f"would stop the supervisor, process {found.pid}" if found else "nothing runs here")
        return
    stopped = stop_everything(settings)
    if as_json:
        emit_json({"stopped": stopped})
    elif stopped:
        say(f"stopped: {', '.join(stopped)}")
    else:
        say(f"nothing runs in {settings.home}")


def status(
    model: Annotated[str, typer.Argument(help="Only this model.")] = "", as_json: Json = False
) -> None:
    """What is deployed and what runs."""
    settings = settings_of()
    try:
        with connect(settings) as control:
            found = control.get("/status")
    except Unavailable as error:
        raise Unavailable(
            f"Roadworthy does not run in {settings.home}", cure="roadworthy up"
        ) from error
    if model:
        found["deployments"] = [each for each in found["deployments"] if each["model"] == model]
        if not found["deployments"]:
            raise NotFound(
                f"{model} is not deployed", cure="roadworthy status; roadworthy releases"
            )
    if as_json:
        emit_json(found)
        return
    _print_status(found)
    say_page(found["control"], f"/models/{model}" if model else "/")


def _print_status(found: dict[str, Any]) -> None:
    agent = found["agent"]
    say(f"pages and API  {found['control']}")
    state = "answers" if agent and agent["gateway_pid"] else "does not answer"
    say(f"gateway        {found['gateway']}  {state}")
    if not found["agent_present"]:
        say("agent          does not report: what ran goes on; roadworthy logs agent")
    workers = (agent or {}).get("workers", [])
    rows = []
    for each in found["deployments"]:
        live = f"{each['model']}@{each['live']}" if each["live"] else "—"
        own = [worker for worker in workers if worker["release"] == live]
        ready = sum(worker["state"] == "ready" for worker in own)
        back = f"{each['model']}@{each['previous']}" if each["previous"] else "—"
        memory = size(sum(worker["rss_bytes"] for worker in own))
        rows.append(
            [live, each["stage"], f"{ready}/{each['workers']}", memory, back, ago(each["changed"])]
        )
    say()
    if rows:
        table(["live", "stage", "workers", "memory", "way back", "since"], rows)
    else:
        say("nothing is deployed: roadworthy deploy train.py --input … --output … --name …")
    for worker in workers:
        if worker["error"] and worker["state"] != "ready":
            say(f"\n{worker['release']}: worker {worker['state']}: {plain(worker['error'])}")
            say(f"  → roadworthy logs --release {worker['release']}")
    for each in found["operations"]:
        say(f"\n{each['kind']} of {each['release'] or each['model']}: {each['step']}")


def doctor(as_json: Json = False) -> None:
    """What is wrong here, and the cure."""
    from roadworthy.operations.doctor import Finding, examine_machine

    at = ""
    try:
        settings = settings_of()
    except RoadworthyError as error:
        findings = [Finding(part="settings", state="wrong", said=error.message, cure=error.cure)]
    else:
        try:
            with connect(settings) as control:
                findings = msgspec.convert(control.get("/doctor"), list[Finding])
                at = control.address
            findings.append(
                Finding(part="control", state="fine", said=f"answers at {control.address}")
            )
        except RoadworthyError as error:
            findings = examine_machine(settings)
            findings.append(
                Finding(part="control", state="wrong", said=error.message, cure="roadworthy up")
            )
    wrong = [each for each in findings if each.state == "wrong"]
    if as_json:
        emit_json({"healthy": not wrong, "findings": findings})
    else:
        signs = {"fine": "✓", "knowing": "·", "wrong": "✗"}
        for each in findings:
            say(f"{signs[each.state]} {each.part}: {plain(each.said)}")
            if each.cure and each.state != "fine":
                say(f"  → {each.cure}")
        if at:
            say_page(at, "/system/doctor")
    raise typer.Exit(1 if wrong else 0)


def serve(
    part: Annotated[str, typer.Argument(help="control, agent, gateway or sources.")],
    control: Annotated[
        str, typer.Option(help="Address of the control plane that an agent follows.")
    ] = "",
    options: Annotated[Path | None, typer.Option(help="File with a gateway's options.")] = None,
    attached: Annotated[
        bool, typer.Option("--attached", help="End when standard input does, as its starter.")
    ] = False,
) -> None:
    """Run one part alone: control, agent, gateway or sources."""
    from roadworthy import wiring

    settings = settings_of()
    if part == "control":
        code = wiring.serve_control(settings)
    elif part == "agent":
        code = wiring.serve_agent(settings, control)
    elif part == "gateway":
        code = wiring.serve_gateway(options or settings.agent / "gateway-options.json")
    elif part == "sources":
        code = wiring.serve_sources(settings, attached)
    else:
        raise UsageError(f"there is no part {part!r}", cure="control, agent, gateway or sources")
    sys.stdout.flush()
    raise typer.Exit(code)
