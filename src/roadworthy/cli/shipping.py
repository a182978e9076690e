"""From a program to a release that answers: runs, captures, uploads, deploys, and says so."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from roadworthy.cli.output import Steps, emit_json, say, steps
from roadworthy.cli.reporting import print_counts, print_report, write_report
from roadworthy.cli.session import caller, connect_or_start
from roadworthy.core.names import Stage
from roadworthy.core.operation import Progress
from roadworthy.core.run import Run
from roadworthy.errors import RoadworthyError
from roadworthy.settings import Settings

if TYPE_CHECKING:
    from roadworthy.capture import Captured


class Asked(NamedTuple):
    """What was asked of capture, besides the program and its name."""

    input: str | None
    outputs: tuple[str, ...]
    target: str | None
    keep_filters: bool
    parameters: dict[str, Any]
    explain: str = ""


class Job(NamedTuple):
    """A deployment that was asked for, as often as it is carried out."""

    program: Path
    model: str
    interpreter: Path
    arguments: tuple[str, ...]
    asked: Asked
    settings: Settings
    stage: Stage
    report: Path | None
    notes: str
    workers: int
    allow_breaking: bool
    reason: str
    as_json: bool


@contextlib.contextmanager
def working_folder() -> Iterator[Path]:
    """A folder of its own that is gone afterwards, however it ends."""
    folder = Path(tempfile.mkdtemp(prefix="roadworthy-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def ended_cleanly() -> Iterator[None]:
    """Within, being told to end (SIGTERM, SIGHUP) ends the program that runs, as Ctrl-C does."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {each: signal.signal(each, end) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def ship(job: Job, before: Captured | None = None) -> Captured:
    """Capture the program, certify its release and have it answer; what was captured.

    With ``before``, the capture that was shipped last, only what differs from it is done.
    """
    with working_folder() as folder:
        with (
            connect_or_start(job.settings, job.as_json) as control,
            steps(job.as_json) as shown,
        ):
            try:
                captured = captured_by(
                    job.program, job.model, job.interpreter, job.arguments, job.asked, folder,
                    shown, before, _kept_in(job.settings),
                )  # fmt: skip
            except RoadworthyError as error:
                _keep_failed_run(control, error, job.program, job.as_json)
                raise
            write_report(job.report, job.model, captured.report)
            shown.begin("recording the run")
            run = _upload_run(control, captured)
            if captured.same:
                shown.done()
                print_counts(captured.report)
                say(f"the flow answers as the one before: {job.model} stays as it is")
                return captured
            try:
                operation = _deployed(control, job, captured, run, shown)
            except RoadworthyError as error:
                if not job.as_json:
                    _tell_refused(job, run, str(error.details.get("release") or ""))
                raise
            details = control.get(f"/releases/{operation.release}")
        if job.as_json:
            emit_json(
                {
                    "operation": operation,
                    "run": run,
                    "report": captured.report,
                    **_urls(job.settings, job.model, operation.release),
                }
            )
        elif before is None:
            print_report(captured.report)
            _print_live(job.settings, job.model, operation.release, job.stage, details)
        else:
            print_counts(captured.report)
            page = _urls(job.settings, job.model, operation.release)["page"]
            say(f"{operation.release} is live in {job.stage}: {page}")
        return captured


def _upload_run(control: Any, captured: Captured) -> Run:
    from roadworthy.client.uploading import upload_run

    return upload_run(control, captured.run, captured.files, captured.report)


def _deployed(control: Any, job: Job, captured: Captured, run: Run, shown: Steps) -> Any:
    from roadworthy.client.uploading import upload_flow

    request = upload_flow(
        control,
        captured.directory,
        model=job.model,
        stage=job.stage,
        run=run.id,
        signature=captured.signature,
        checks=captured.checks,
        interpreter=job.interpreter,
        notes=job.notes,
        allow_breaking=job.allow_breaking,
        workers=job.workers,
    )
    operation = control.follow(control.deploy(request, job.reason), _teller(shown))
    shown.done()
    return operation


def captured_by(
    program: Path,
    model: str,
    interpreter: Path,
    arguments: tuple[str, ...],
    asked: Asked,
    out: Path,
    shown: Steps,
    before: Captured | None = None,
    home: Path | None = None,
) -> Captured:
    """Run and capture a program into a folder. Raises what ``capture_program`` raises."""
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
        explain=asked.explain,
        home=home,
    )
    threading.Thread(target=_make_ready, args=[interpreter], daemon=True).start()
    return capture_program(request, out, lambda text, _share: shown.begin(text), before)


def _kept_in(settings: Settings) -> Path | None:
    """Roadworthy's folder on this machine, where what each capture needs anew can be kept."""
    return settings.home if settings.home.is_dir() else None


def _make_ready(interpreter: Path) -> None:
    """While the program runs, load and find out what is needed once it has ended."""
    with contextlib.suppress(Exception):  # what fails here fails again where it can be told
        import pyarrow

        import roadworthy.client.uploading  # noqa: F401
        from roadworthy.runtime.environments import describe

        pyarrow.array([])  # Arrow's first array has it look for pandas, which takes a while
        describe(interpreter)


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
        print(f"page: {control.address}/runs/{run.id}", file=sys.stderr)


def _tell_refused(job: Job, run: Run, release: str) -> None:
    """Where a page shows what did not go live: the release with its certificate, else the run."""
    address = job.settings.control_address
    page = (
        _urls(job.settings, job.model, release)["page"] if release else f"{address}/runs/{run.id}"
    )
    print(f"what was kept: {page}", file=sys.stderr)


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
