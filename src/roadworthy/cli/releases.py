"""Commands on releases: list, show, diff, notes, verify, checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from roadworthy.cli.options import DryRun, Json, ReleaseArgument
from roadworthy.cli.output import ago, emit_json, plain, say, say_page, steps, table
from roadworthy.cli.reporting import print_report
from roadworthy.cli.session import connect
from roadworthy.core.capture import CaptureReport
from roadworthy.core.names import parse_release
from roadworthy.core.run import ProgramFile
from roadworthy.errors import Conflict, NotFound, UsageError
from roadworthy.operations.checkout import check_targets, write_files


def releases(
    model: Annotated[str, typer.Argument(help="The model's name.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    """A model's releases; without a name, all models."""
    with connect() as control:
        if not model:
            models = control.get("/models")
            if as_json:
                emit_json(models)
            elif models:
                rows = [
                    [each["name"], each["releases"], ago(each["newest"]["made"])] for each in models
                ]
                table(["model", "releases", "newest"], rows)
                say_page(control.address, "/models")
            else:
                say("there are no models yet: roadworthy deploy train.py --name MODEL")
            return
        found = control.get(f"/models/{model}/releases", limit=limit)
        deployments = control.get("/deployments")
    live = {
        f"{each['model']}@{each['live']}": each["stage"] for each in deployments if each["live"]
    }
    if as_json:
        emit_json([{**each, "live": live.get(each["name"], "")} for each in found])
        return
    passed = {True: "passed", False: "failed", None: "—"}
    rows = [
        [
            each["name"],
            live.get(each["name"], ""),
            passed[each["certified"]],
            ago(each["made"]),
            each["caller"],
            "quarantined: " + each["quarantined"] if each["quarantined"] else each["notes"][:60],
        ]
        for each in found
    ]
    table(["release", "live in", "checks", "made", "by", "notes"], rows)
    say_page(control.address, f"/models/{model}#releases")


def show(release: ReleaseArgument, as_json: Json = False) -> None:
    """A release: certificate, signature, capture report."""
    with connect() as control:
        found = control.get(f"/releases/{release}")
    if as_json:
        emit_json(found)
        return
    _print_release(found)
    model, _, number = found["name"].partition("@")
    say_page(control.address, f"/models/{model}/releases/{number}")


def _print_release(found: dict[str, Any]) -> None:
    release, run = found["release"], found["run"]
    say(f"{found['name']}  b3:{release['digest'][:7]}  made {ago(release['made'])}")
    say(f"  by {release['caller'] or 'unknown'} from {run['program']}, run {run['id']}")
    if release["quarantined"]:
        say(f"  quarantined: {plain(release['quarantined'])}")
    if release["notes"]:
        say(f"  notes: {plain(release['notes'])}")
    metrics = ", ".join(f"{key} {value:.4g}" for key, value in run["metrics"].items())
    if metrics:
        say(f"  metrics: {metrics}")
    say("\nrequires")
    table(
        ["  column", "type", "null", "example"],
        [
            [
                f"  {each['name']}",
                each["type"],
                "yes" if each["nullable"] else "no",
                each["example"],
            ]
            for each in release["signature"]["columns"]
        ],
    )
    say("\nanswers " + ", ".join(each["name"] for each in release["signature"]["outputs"]))
    certificate = found["certificate"]
    if certificate is None:
        say(f"\nno certificate: roadworthy verify {found['name']}")
    else:
        say(f"\n{certificate['depth']} certificate, {ago(certificate['made'])}")
        signs = {"passed": "✓", "failed": "✗", "not applicable": "·"}
        for check in certificate["checks"]:
            say(f"  {signs[check['outcome']]} {plain(check['title'])}: {plain(check['measured'])}")
            if check["outcome"] == "failed":
                say(f"      required: {plain(check['required'])}")
    if found["report"] is not None:
        print_report(msgspec.convert(found["report"], CaptureReport))


def diff(
    before: Annotated[str, typer.Argument(help="A release: flight-delay@11.")],
    after: Annotated[str, typer.Argument(help="Another: flight-delay@12.")],
    as_json: Json = False,
) -> None:
    """How two releases differ: source, signature, environment."""
    with connect() as control:
        found = control.get(f"/releases/{before}/diff/{after}")
    if as_json:
        emit_json(found)
    else:
        _print_diff(found)
        model, _, old = found["before"].partition("@")
        other, _, new = found["after"].partition("@")
        if model == other:
            page = f"{control.address}/models/{model}/compare?before={old}&after={new}"
            say(f"\npage, with the answers that change: {page}")


def _print_diff(found: dict[str, Any]) -> None:
    say(f"{found['before']} → {found['after']}")
    if found["same"]:
        say("the same content: both answer alike")
    for each in found["files"]:
        if each["kind"] == "program" or not any(
            other["kind"] == "program" for other in found["files"]
        ):
            say()
            say(plain(each["diff"]).rstrip("\n"))
    flow = [each["path"] for each in found["files"] if each["kind"] == "flow"]
    if flow:
        say(f"\nin the flow: {', '.join(flow)} (--json has the differences)")
    if found["state"]:
        say(f"state that differs: {', '.join(found['state'])}")
    for key, label in (("required", "required columns"), ("answered", "outputs")):
        if found[key]:
            say(f"{label}: {', '.join(found[key])}")
    for each in found["breaks"]:
        say(f"breaks callers: {each['field']} {each['change']}")
    if found["python"][0] != found["python"][1]:
        say(f"Python {found['python'][0]} → {found['python'][1]}")
    for each in found["packages"]:
        say(f"{each['package']} {each['before'] or '—'} → {each['after'] or '—'}")
    for name, (old, new) in found["metrics"].items():
        say(f"{name} {old if old is not None else '—'} → {new if new is not None else '—'}")


def notes(
    release: ReleaseArgument,
    text: Annotated[str | None, typer.Argument(help="The new notes; without: show them.")] = None,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Show or replace a release's notes."""
    with connect() as control:
        if text is None or dry_run:
            found = control.get(f"/releases/{release}")["release"]
        else:
            found = control.put(f"/releases/{release}/notes", {"notes": text})
    if as_json:
        emit_json({"release": release, "notes": found["notes"]})
    elif dry_run and text is not None:
        say(f"would replace the notes of {release}: {plain(found['notes']) or 'none yet'}")
    else:
        say(plain(found["notes"]) or f"none yet: roadworthy notes {release} 'What changed'")
        say_page(control.address, f"/models/{found['model']}/releases/{found['number']}")


def verify(
    release: ReleaseArgument,
    junit: Annotated[
        Path | None, typer.Option(help="Also write the certificate as JUnit XML here.")
    ] = None,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Repeat a release's checks."""
    if dry_run:
        say(f"would start a worker of {release} and repeat its quick checks")
        return
    with connect() as control, steps(as_json) as shown:
        operation = control.verify(release)
        operation = control.follow(operation, lambda line: shown.begin(line.message))
        certificate = control.get(f"/releases/{operation.release}/certificate")
        if junit is not None:
            text = control.text(f"/releases/{operation.release}/certificate", form="junit")
            junit.write_text(text, encoding="utf-8")
    if as_json:
        emit_json(certificate)
        return
    outcomes = [check["outcome"] for check in certificate["checks"]]
    asked = len(outcomes) - outcomes.count("not applicable")
    say(f"{release}: {outcomes.count('passed')} of {asked} checks passed")
    model, _, number = operation.release.partition("@")
    say_page(control.address, f"/models/{model}/releases/{number}#certificate")


def checkout(
    release: ReleaseArgument,
    to: Annotated[Path | None, typer.Option(help="The directory; else MODEL@N here.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that differ.")] = False,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Write out the program that a release came from."""
    if parse_release(release).number is None:
        raise UsageError(f"{release} names a model: say which release", cure=f"write {release}@1")
    with connect() as control:
        found = control.get(f"/releases/{release}/program")
        files = msgspec.convert(found["files"], list[ProgramFile])
        if not files:
            raise NotFound(f"the run of {release} kept no files", cure=f"roadworthy show {release}")
        folder = to or Path(found["release"])
        differing = check_targets(folder, files)
        if differing and not force:
            raise Conflict(
                f"{differing[0]} is there already and differs"
                + (f", and {len(differing) - 1} more" if len(differing) > 1 else ""),
                cure="--to another directory, or --force to overwrite",
                files=[str(path) for path in differing],
            )
        if dry_run:
            for file in files:
                say(f"would write {folder / file.path}")
            return
        written = write_files(folder, files, control.blob)
    if as_json:
        emit_json({"release": found["release"], "directory": str(folder), "files": written})
        return
    say(f"the program of {found['release']} is in {folder}: {', '.join(map(str, written))}")
