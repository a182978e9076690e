"""Commands that begin with a program: deploy and capture."""

from __future__ import annotations

import json
import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from roadworthy.cli.options import DryRun, Json, Reason
from roadworthy.cli.output import emit_json, say, steps
from roadworthy.cli.reporting import print_explained, print_report, print_source, write_report
from roadworthy.cli.session import running, settings_of
from roadworthy.cli.shipping import Asked, Job, captured_by, ended_cleanly, ship, working_folder
from roadworthy.core.names import check_model_name, model_name_from
from roadworthy.errors import NotFound, RoadworthyError, UsageError, VerificationFailed
from roadworthy.operations.asking import check_stage

Program = Annotated[Path, typer.Argument(help="The program: a Python script or a notebook.")]
Input = Annotated[
    str | None,
    typer.Option("--input", help="The variable with the rows: NAME, or NAME:LINE."),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option("--output", help="A variable or expression with the answers; may be repeated."),
]
Python = Annotated[
    Path | None,
    typer.Option(help="The program's interpreter; else VIRTUAL_ENV's, else Roadworthy's own."),
]
Target = Annotated[str | None, typer.Option(help="The column that is predicted.")]
KeepFilters = Annotated[
    bool, typer.Option("--keep-filters", help="Keep filters that need no target.")
]
Arguments = Annotated[
    list[str] | None, typer.Argument(help="The program's own arguments, behind --.")
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", help="A parameter's value, NAME=VALUE, for rw.param; repeatable."),
]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="Where to write the capture report as one HTML file."),
]


def deploy(
    program: Program,
    arguments: Arguments = None,
    input_name: Input = None,
    outputs: Outputs = None,
    name: Annotated[str, typer.Option(help="The model's name; else the program's.")] = "",
    stage: Annotated[str, typer.Option(help="staging or production.")] = "production",
    kind: Annotated[str, typer.Option("--as", help="How it is offered: service.")] = "service",
    python: Python = None,
    target: Target = None,
    keep_filters: KeepFilters = False,
    parameters: Parameters = None,
    report: Report = None,
    notes: Annotated[str, typer.Option(help="What changed, for those who approve.")] = "",
    workers: Annotated[int, typer.Option(min=0, help="Worker processes; 0: as before.")] = 0,
    allow_breaking: Annotated[
        bool, typer.Option("--allow-breaking", help="Even where callers would break.")
    ] = False,
    reason: Reason = "",
    watch: Annotated[
        bool, typer.Option("--watch", help="Deploy again whenever the program is saved.")
    ] = False,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Capture a program, certify its release, and have it answer."""
    if kind != "service":
        raise UsageError(f"--as {kind} can't be deployed here", cure="use --as service")
    if watch and as_json:
        raise UsageError("--watch has no end that one document could tell", cure="leave out --json")
    place = check_stage(stage)
    model = _model(name, program)
    interpreter = interpreter_for(python)
    check_program(program)
    given = parameters_of(parameters or [])
    asked = Asked(input_name, tuple(outputs or ()), target, keep_filters, given)
    settings = settings_of()
    if dry_run:
        say(f"would run {program} with {interpreter}, capture it, and deploy it as {model}")
        say(f"in {place}, " + ("here" if running(settings) else f"starting {settings.home}"))
        return
    job = Job(
        program, model, interpreter, tuple(arguments or ()), asked, settings, place, report,
        notes, workers, allow_breaking, reason, as_json,
    )  # fmt: skip
    with ended_cleanly():
        if not watch:
            ship(job)
            return
        from roadworthy.cli.watching import watched

        watched(program, partial(ship, job))


def _model(name: str, program: Path) -> str:
    """The name that was given, or else the program's. Raises InvalidName, UsageError."""
    found = name or model_name_from(program.stem)
    if not found:
        raise UsageError(f"{program.name} gives no name for a model", cure="name it: --name NAME")
    return check_model_name(found)


def capture(
    program: Program,
    arguments: Arguments = None,
    to: Annotated[
        Path | None, typer.Option(help="The directory to write; must not exist. Else none is.")
    ] = None,
    input_name: Input = None,
    outputs: Outputs = None,
    name: Annotated[str, typer.Option(help="The flow's name; else the program's.")] = "",
    python: Python = None,
    target: Target = None,
    keep_filters: KeepFilters = False,
    parameters: Parameters = None,
    report: Report = None,
    explain: Annotated[
        str, typer.Option(help="Why NAME, NAME:LINE or 'df[\"column\"]' is row value or state.")
    ] = "",
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Show, or write out, what production needs of a program."""
    model = _model(name, program)
    interpreter = interpreter_for(python)
    check_program(program)
    given = parameters_of(parameters or [])
    asked = Asked(input_name, tuple(outputs or ()), target, keep_filters, given, explain)
    if to is not None and to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} exists already", cure="name another directory with --to")
    if dry_run:
        told = f"write its flow to {to}" if to else "show what production needs of it"
        say(f"would run {program} with {interpreter} and {told}")
        return
    with ended_cleanly(), working_folder() as folder, steps(as_json) as shown:
        try:
            captured = captured_by(
                program, model, interpreter, tuple(arguments or ()), asked, folder, shown
            )
        except RoadworthyError as error:
            if not as_json:
                print_explained(error.details.get("explained") or [])
            if to is not None and isinstance(error, VerificationFailed):
                _leave_to_look_at(folder / "flow", to, error)
            raise
        if to is not None:
            shutil.copytree(captured.directory, to, dirs_exist_ok=True)
        write_report(report, model, captured.report)
    if as_json:
        emit_json(
            {
                "directory": str(to) if to else None,
                "signature": captured.signature,
                "report": captured.report,
                "checks": captured.checks,
            }
        )
        return
    if explain:
        print_explained(captured.report.details["explained"])
        return
    if to is None:
        print_source(captured.report)
    print_report(captured.report)
    if to is not None:
        say(f"\nwritten to {to}: begin with README.md; python flow.py rows.csv")
    else:
        say("\nnothing was written; --to DIRECTORY writes the flow, --report FILE.html this report")


def _leave_to_look_at(flow: Path, to: Path, error: VerificationFailed) -> None:
    from roadworthy.capture.failing import SEE

    shutil.copytree(flow, to, dirs_exist_ok=True)
    if error.cure == SEE:
        error.cure = f"see what differs in {to / 'flow.py'}, which is not to be used"


def parameters_of(texts: list[str]) -> dict[str, Any]:
    """``depth=8`` → ``{"depth": 8}``; what is no JSON is text. Raises UsageError.

    >>> parameters_of(["depth=8", "kind=fast"])
    {'depth': 8, 'kind': 'fast'}
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--param {text} names no value", cure="write --param NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def interpreter_for(python: Path | None) -> Path:
    """The program's interpreter: as named, of the active virtual environment, or our own."""
    if python is None:
        active = os.environ.get("VIRTUAL_ENV")
        candidate = Path(active) / "bin" / "python" if active else Path(sys.executable)
        return candidate if candidate.exists() else Path(sys.executable)
    found = shutil.which(str(python))
    if found is None and python.is_dir() and (python / "bin" / "python").exists():
        return (python / "bin" / "python").absolute()
    if found is None:
        raise NotFound(f"there is no interpreter {python}", cure="name one with --python")
    return Path(found).absolute()


def check_program(program: Path) -> None:
    """Raises NotFound with the nearest names where there is no such file."""
    if program.is_file():
        return
    from roadworthy.core.names import nearest

    folder = program.parent if program.parent.is_dir() else Path()
    programs = [*folder.glob("*.py"), *folder.glob("*.ipynb")]
    close = nearest(program.name, [each.name for each in programs])
    raise NotFound(
        f"there is no program {program}",
        cure=f"did you mean {folder / close[0]}?" if close else "name a script or notebook",
    )
