"""Commands that begin with a program: deploy and capture."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from roadworthy.cli.options import DryRun, Json, Reason
from roadworthy.cli.output import Steps, emit_json, plain, say, steps
from roadworthy.cli.session import caller, connect_or_start, running, settings_of
from roadworthy.core.capture import CaptureReport
from roadworthy.core.names import check_model_name
from roadworthy.core.operation import Progress
from roadworthy.core.run import Run
from roadworthy.errors import NotFound, RoadworthyError, UsageError
from roadworthy.operations.asking import check_stage
from roadworthy.settings import Settings

Program = Annotated[Path, typer.Argument(help="The program: a Python script.")]
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
DECISIONS_SHOWN = 6


class Asked(NamedTuple):
    """What was asked of capture, besides the program and its name."""

    input: str | None
    outputs: tuple[str, ...]
    target: str | None
    keep_filters: bool
    parameters: dict[str, Any]


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
    notes: Annotated[str, typer.Option(help="What changed, for those who approve.")] = "",
    workers: Annotated[int, typer.Option(min=0, help="Worker processes; 0: as before.")] = 0,
    allow_breaking: Annotated[
        bool, typer.Option("--allow-breaking", help="Even where callers would break.")
    ] = False,
    reason: Reason = "",
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Capture a program, certify its release, and have it answer."""
    if kind != "service":
        raise UsageError(f"--as {kind} can't be deployed here", cure="use --as service")
    place = check_stage(stage)
    model = check_model_name(name or program.stem.replace("_", "-").lower())
    interpreter = interpreter_for(python)
    check_program(program)
    given = parameters_of(parameters or [])
    asked = Asked(input_name, tuple(outputs or ()), target, keep_filters, given)
    settings = settings_of()
    if dry_run:
        say(f"would run {program} with {interpreter}, capture it, and deploy it as {model}")
        say(f"in {place}, " + ("here" if running(settings) else f"starting {settings.home}"))
        return
    from roadworthy.client.uploading import upload_flow, upload_run

    folder = Path(tempfile.mkdtemp(prefix="roadworthy-"))
    try:
        with connect_or_start(settings, as_json) as control, steps(as_json) as shown:
            try:
                captured = _capture(
                    program, model, interpreter, tuple(arguments or ()), asked, folder, shown
                )
            except RoadworthyError as error:
                _keep_failed_run(control, error, program, as_json)
                raise
            shown.begin("recording the run")
            run = upload_run(control, captured.run, captured.files, captured.report)
            request = upload_flow(
                control,
                captured.directory,
                model=model,
                stage=place,
                run=run.id,
                signature=captured.signature,
                checks=captured.checks,
                interpreter=interpreter,
                notes=notes,
                allow_breaking=allow_breaking,
                workers=workers,
            )
            operation = control.follow(control.deploy(request, reason), _teller(shown))
            shown.done()
            details = control.get(f"/releases/{operation.release}")
        if as_json:
            emit_json(
                {
                    "operation": operation,
                    "run": run,
                    "report": captured.report,
                    **_urls(settings, model, operation.release),
                }
            )
            return
        print_report(captured.report)
        _print_live(settings, model, operation.release, place, details)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def capture(
    program: Program,
    to: Annotated[Path, typer.Option(help="The directory to write; must not exist.")],
    arguments: Arguments = None,
    input_name: Input = None,
    outputs: Outputs = None,
    name: Annotated[str, typer.Option(help="The flow's name; else the program's.")] = "",
    python: Python = None,
    target: Target = None,
    keep_filters: KeepFilters = False,
    parameters: Parameters = None,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Capture a program and only write out its production part."""
    model = check_model_name(name or program.stem.replace("_", "-").lower())
    interpreter = interpreter_for(python)
    check_program(program)
    given = parameters_of(parameters or [])
    asked = Asked(input_name, tuple(outputs or ()), target, keep_filters, given)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} exists already", cure="name another directory with --to")
    if dry_run:
        say(f"would run {program} with {interpreter} and write its flow to {to}")
        return
    with tempfile.TemporaryDirectory(prefix="roadworthy-") as folder, steps(as_json) as shown:
        captured = _capture(
            program, model, interpreter, tuple(arguments or ()), asked, Path(folder), shown
        )
        shutil.copytree(captured.directory, to, dirs_exist_ok=True)
    if as_json:
        emit_json(
            {
                "directory": str(to),
                "signature": captured.signature,
                "report": captured.report,
                "checks": captured.checks,
            }
        )
        return
    print_report(captured.report)
    say(f"\nwritten to {to}: begin with README.md; python flow.py rows.csv")


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
    close = nearest(program.name, [each.name for each in folder.glob("*.py")])
    raise NotFound(
        f"there is no program {program}",
        cure=f"did you mean {folder / close[0]}?" if close else "name a Python script",
    )


def _capture(
    program: Path,
    model: str,
    interpreter: Path,
    arguments: tuple[str, ...],
    asked: Asked,
    out: Path,
    shown: Steps,
) -> Any:
    from roadworthy.capture import CaptureRequest, capture_program

    request = CaptureRequest(
        program=program.absolute(),
        input=asked.input,
        outputs=asked.outputs,
        name=model,
        python=interpreter,
        arguments=arguments,
        target=asked.target,
        keep_filters=asked.keep_filters,
        parameters=asked.parameters,
        quiet=shown.quiet,
        caller=caller(),
    )
    return capture_program(request, out, lambda text, _share: shown.begin(text))


def _keep_failed_run(control: Any, error: RoadworthyError, program: Path, quiet: bool) -> None:
    """Have a failed run recorded and say its id; never hides the failure itself."""
    import msgspec

    from roadworthy.client.uploading import upload_run

    found = error.details.get("run")
    if not isinstance(found, dict):
        return
    try:
        run = msgspec.convert(found, Run)
        folder = program.absolute().parent
        paths = [file.path for file in run.files] or [program.name]
        files = [(path, folder / path) for path in paths if (folder / path).is_file()]
        run = upload_run(control, run, files)
    except (RoadworthyError, msgspec.ValidationError) as failure:
        print(f"the failed run could not be recorded: {failure}", file=sys.stderr)
        return
    error.details["run"] = run.id
    if not quiet:
        print(f"the failed run is kept: roadworthy runs {run.id}", file=sys.stderr)


def _teller(shown: Steps) -> Any:
    words = {
        "record": "recording the release",
        "start": "starting its worker",
        "certify": "certifying it: golden request, load, bad input",
        "switch": "switching to it",
        "route": "switching to it",
    }

    def tell(line: Progress) -> None:
        text = words.get(line.step)
        if text:
            shown.begin(text)

    return tell


def print_report(report: CaptureReport) -> None:
    """The capture report, short: counts, what was learned, decisions."""
    say()
    say(
        f"captured {report.kept + report.frozen} of {report.statements} statements: "
        f"{report.kept} kept, {report.frozen} frozen, {report.dropped} dropped"
    )
    learned = [entry for entry in report.state if entry.learned]
    if learned:
        names = ", ".join(entry.name for entry in learned[:DECISIONS_SHOWN])
        more = f" and {len(learned) - DECISIONS_SHOWN} more" if len(learned) > 6 else ""
        say(f"learned values frozen: {plain(names)}{more}")
    for decision in report.decisions[:DECISIONS_SHOWN]:
        say(f"  line {decision.line}: {plain(decision.decision)} — {plain(decision.because)}")
    if len(report.decisions) > DECISIONS_SHOWN:
        say(f"  and {len(report.decisions) - DECISIONS_SHOWN} more decisions, on the page")
    for warning in report.warnings:
        say(f"  ! {plain(warning)}")


def _urls(settings: Settings, model: str, release: str) -> dict[str, str]:
    number = release.rpartition("@")[2]
    return {
        "url": f"{settings.gateway_address}/models/{model}/predict",
        "page": f"{settings.control_address}/models/{model}/releases/{number}",
    }


def _print_live(
    settings: Settings, model: str, release: str, stage: str, details: dict[str, Any]
) -> None:
    urls = _urls(settings, model, release)
    certificate = details["certificate"]
    say()
    if certificate is not None:
        outcomes = [check["outcome"] for check in certificate["checks"]]
        passed, not_asked = outcomes.count("passed"), outcomes.count("not applicable")
        profile = certificate["profile"]
        measured = (
            f", p95 {profile['p95_ms']:.1f} ms, {profile['requests_per_second']:.0f} requests/s, "
            f"{profile['load_bytes'] / 1e6:.0f} MB"
            if profile
            else ""
        )
        say(f"certified: {passed} checks passed, {not_asked} not applicable{measured}")
    say(f"{release} is live in {stage}")
    say(f"  {urls['url']}")
    columns = details["release"]["signature"]["columns"]
    say(f"  curl {urls['url']} -H 'Content-Type: application/json' \\")
    say(f"    -d '{_example(columns)}'")
    say(f"  page: {urls['page']}")


def _example(columns: list[dict[str, Any]]) -> str:
    import msgspec

    row = {each["name"]: each.get("example") for each in columns}
    return msgspec.json.encode(row).decode().replace("'", "'\\''")
