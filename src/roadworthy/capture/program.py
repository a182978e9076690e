"""The use case: run a program under the recorder and make its flow."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from roadworthy.capture.directory import write_directory
from roadworthy.capture.failing import cure_of, program_line
from roadworthy.capture.report import make_report
from roadworthy.core.capture import CaptureReport
from roadworthy.core.certificate import Check
from roadworthy.core.ids import sortable_id
from roadworthy.core.run import Package, Run
from roadworthy.core.signature import Signature
from roadworthy.core.values import Value
from roadworthy.errors import (
    CaptureError,
    EnvironmentFailed,
    LawBroken,
    NotFound,
    ProgramFailed,
    RoadworthyError,
    VerificationFailed,
)  # fmt: skip
from roadworthy.runtime.bundle import put_runtime

Progress = Callable[[str, float | None], None]
_ERRORS: dict[str, type[RoadworthyError]] = {
    error.code: error for error in (CaptureError, LawBroken, ProgramFailed, VerificationFailed)
}


class CaptureRequest(Value, frozen=True):
    """What to capture. Without input or outputs the only candidates are taken."""

    program: Path
    name: str
    python: Path
    input: str | None = None
    outputs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    target: str | None = None
    keep_filters: bool = False
    parameters: dict[str, Any] = {}
    """Values for the program's ``rw.param``."""
    quiet: bool = False
    """The program's standard output goes to standard error."""
    caller: str = ""


class Captured(Value, frozen=True):
    """A flow that was verified, and everything that was found out on the way."""

    directory: Path
    signature: Signature
    report: CaptureReport
    run: Run
    checks: list[Check]
    files: list[tuple[str, Path]]


def capture_program(
    request: CaptureRequest, out: Path, progress: Progress = lambda text, share: None
) -> Captured:
    """Runs the program, captures its flow into ``out/flow`` and verifies it there.

    Raises ProgramFailed, CaptureError, LawBroken or VerificationFailed, each with the program's
    line and the failed run in ``details["run"]``; NotFound and EnvironmentFailed before it ran.
    """
    program = request.program.resolve()
    if not program.is_file():
        raise NotFound(f"program {request.program} does not exist", cure="name an existing file")
    out.mkdir(parents=True, exist_ok=True)
    recorded, bundle = out / "recorded", put_runtime(out)
    recorded.mkdir(exist_ok=True)
    started = datetime.datetime.now(datetime.UTC)
    progress(f"running {program.name}", None)
    result = _record(request, program, recorded, bundle)
    run = _run(request, program, result, started)
    files = _program_files(program, result, out / "program")
    if result["status"] != "captured":
        raise _problem(result["problem"], run)
    plan = json.loads((recorded / "plan.json").read_text(encoding="utf-8"))
    progress("writing the flow", None)
    directory = out / "flow"
    write_directory(recorded, directory, bundle, plan, result, request.name)
    progress("verifying it in a fresh process", None)
    checks = verify_directory(
        request.python, directory, bundle, out / "checks.json", recorded / "sample.json"
    )
    failed = [check for check in checks if check.outcome == "failed"]
    if failed:
        text = (directory / "flow.py").read_text(encoding="utf-8")
        raise _unverified(failed, run, program_line(failed[0], plan, text))
    return Captured(
        directory=directory,
        signature=msgspec.convert(plan["signature"], Signature),
        report=make_report(plan, result["files"]),
        run=run,
        checks=checks,
        files=files,
    )


def _environment(bundle: Path) -> dict[str, str]:
    """The caller's environment with the recorder first on the path."""
    environ = dict(os.environ)
    known = environ.get("PYTHONPATH")
    environ["PYTHONPATH"] = f"{bundle}{os.pathsep}{known}" if known else str(bundle)
    return environ


def _record(request: CaptureRequest, program: Path, recorded: Path, bundle: Path) -> dict[str, Any]:
    """Runs the recorder in the program's environment; what it wrote as its result."""
    spec = {
        "program": str(program), "arguments": list(request.arguments), "input": request.input,
        "outputs": list(request.outputs), "target": request.target,
        "keep_filters": request.keep_filters, "out": str(recorded),
    }  # fmt: skip
    path = recorded / "spec.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    command = [str(request.python), "-m", "roadworthy_runtime", "record", str(path)]
    environ = _environment(bundle)
    if request.parameters:
        environ["RW_PARAMETERS"] = json.dumps(request.parameters)
    code = _call(command, environ, sys.stderr if request.quiet else None)
    try:
        result: dict[str, Any] = json.loads((recorded / "result.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProgramFailed(
            f"{program.name} ended without a result ({_ending(code)})",
            cure="see what it printed last; a program must not end its own process with os._exit",
        ) from None
    return result


def _call(command: Sequence[str], environ: dict[str, str], output: Any) -> int:
    """Runs a command to its end; the exit code. Interrupts reach it and then the caller."""
    try:
        process = subprocess.Popen(command, env=environ, stdout=output)
    except OSError as error:
        raise EnvironmentFailed(
            f"Python at {command[0]} can't be started: {error.strerror}",
            cure="name the program's interpreter with --python",
        ) from error
    try:
        return process.wait()
    except BaseException:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def verify_directory(
    python: Path, directory: Path, bundle: Path, report: Path, sample: Path
) -> list[Check]:
    """The checks of an emitted directory, made in a fresh process of this interpreter.

    ``sample`` is the recorder's, for environments without pyarrow.
    """
    command = [
        str(python), "-m", "roadworthy_runtime", "verify", str(directory),
        "--json", str(report), "--sample", str(sample),
    ]  # fmt: skip
    environ = _environment(bundle)
    environ["PYTHONDONTWRITEBYTECODE"] = "1"
    process = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    try:
        document = json.loads(report.read_text(encoding="utf-8"))
    except FileNotFoundError:
        last = (process.stderr.strip().splitlines() or [_ending(process.returncode)])[-1]
        raise VerificationFailed(
            f"the emitted flow can't be verified: {last}",
            cure="see the flow with: roadworthy capture PROGRAM --to FOLDER",
            output=process.stderr[-4000:],
        ) from None
    checks = document["checks"] if isinstance(document, dict) else document
    return msgspec.convert(checks, list[Check])


def _run(
    request: CaptureRequest, program: Path, result: dict[str, Any], started: datetime.datetime
) -> Run:
    captured = result["status"] == "captured"
    return Run(
        id=sortable_id(int(started.timestamp() * 1000), os.urandom(10)),
        program=program.name,
        files=[],
        arguments=list(request.arguments),
        parameters=result["parameters"],
        metrics=result["metrics"],
        python=result["python"],
        packages=[Package(name=p["name"], version=p["version"]) for p in result["packages"]],
        started=started.isoformat(),
        seconds=round(result["seconds"], 3),
        status="captured" if captured else "failed",
        problem=None if captured else result["problem"],
        caller=request.caller,
    )


def _program_files(program: Path, result: dict[str, Any], folder: Path) -> list[tuple[str, Path]]:
    """The program's sources as they ran, by path relative to its folder."""
    out = []
    for path, source in (result["files"] or {str(program): program.read_text("utf-8")}).items():
        relative = os.path.relpath(path, program.parent)
        if relative.startswith(".."):
            continue
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source, encoding="utf-8")
        out.append((Path(relative).as_posix(), target))
    return out


def _problem(problem: dict[str, Any], run: Run) -> RoadworthyError:
    kind = _ERRORS.get(problem["code"], CaptureError)
    details = dict(problem.get("details") or {})
    details["run"] = msgspec.to_builtins(run)
    return kind(problem["message"], cure=problem["cure"], line=problem["line"], **details)


def _unverified(failed: list[Check], run: Run, line: int | None) -> VerificationFailed:
    check = failed[0]
    described = msgspec.structs.replace(run, status="failed")
    error = VerificationFailed(
        f"the captured flow does not answer as the program did: {check.title}: {check.measured}",
        cure=cure_of(check),
        line=line,
        checks=[msgspec.to_builtins(item) for item in failed],
    )
    described = msgspec.structs.replace(described, problem=error.problem())
    error.details["run"] = msgspec.to_builtins(described)
    return error
