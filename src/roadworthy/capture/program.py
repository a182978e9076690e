"""The use case: run a program under the recorder and make its flow."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Any

import msgspec

from roadworthy.capture.directory import add_fast_form, write_directory
from roadworthy.capture.failing import cure_of, program_line
from roadworthy.capture.notebook import Notebook, read_notebook
from roadworthy.capture.report import make_report
from roadworthy.capture.verifying import (
    Verifier,
    ending,
    interpreter_missing,
    recorder_environment,
    runtime_command,
)
from roadworthy.core.capture import CaptureReport
from roadworthy.core.certificate import Check
from roadworthy.core.ids import sortable_id
from roadworthy.core.run import DatasetRead, Package, Run
from roadworthy.core.signature import Signature
from roadworthy.core.values import Value
from roadworthy.errors import (
    CaptureError,
    LawBroken,
    NotFound,
    ProgramFailed,
    RoadworthyError,
    VerificationFailed,
)  # fmt: skip
from roadworthy.runtime.bundle import put_runtime

Progress = Callable[[str, float | None], None]
_LOOK_SECONDS = 0.02
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
    explain: str = ""
    """The variable, or column, of which the report tells why it is a row value or state."""
    home: Path | None = None
    """Where the runtime's copy is kept, compiled, for the next capture; None: in ``out``."""


class Captured(Value, frozen=True):
    """A flow that was verified, and everything that was found out on the way."""

    directory: Path
    signature: Signature
    report: CaptureReport
    run: Run
    checks: list[Check]
    files: list[tuple[str, Path]]
    digest: str
    """Of what the flow answers by: its code, state, sample and requirements."""
    same: bool = False
    """Whether it answers as the flow captured before; then it was not verified once more."""


def capture_program(
    request: CaptureRequest,
    out: Path,
    progress: Progress = lambda text, share: None,
    before: Captured | None = None,
) -> Captured:
    """Runs the program, captures its flow into ``out/flow`` and verifies it there.

    A flow that consists of the same bytes as the verified one ``before``, in the same versions of
    the same packages, is not verified once more.

    Raises ProgramFailed, CaptureError, LawBroken or VerificationFailed, each with the program's
    line and the failed run in ``details["run"]``; NotFound and EnvironmentFailed before it ran.
    """
    program = request.program.resolve()
    if not program.is_file():
        raise NotFound(f"program {request.program} does not exist", cure="name an existing file")
    notebook = read_notebook(program) if program.suffix == ".ipynb" else None
    out.mkdir(parents=True, exist_ok=True)
    recorded, bundle = out / "recorded", put_runtime(request.home or out)
    recorded.mkdir(exist_ok=True)
    started = datetime.datetime.now(datetime.UTC)
    progress(f"running {program.name}", None)
    with contextlib.ExitStack() as stack:

        def verifying() -> Verifier:
            return stack.enter_context(Verifier(request.python, bundle))

        def ended() -> None:
            progress("finding the production part", None)

        result, verifier = _record(
            request, program, recorded, bundle, verifying, ended, stack, notebook
        )
        run = _run(request, program, result, started)
        files = _program_files(program, result, out / "program")
        if result["status"] != "captured":
            raise _problem(result["problem"], run, program)
        plan = json.loads((recorded / "plan.json").read_text(encoding="utf-8"))
        if notebook is not None:
            plan["warnings"] = [*notebook.notes, *plan["warnings"]]
        progress("writing the flow", None)
        directory = out / "flow"
        write_directory(recorded, directory, bundle, plan, result, request.name)
        signature = msgspec.convert(plan["signature"], Signature)
        digest = _answering_digest(directory)
        report = make_report(plan, result["files"])
        if before is not None and _same(before, digest, signature, run):
            return msgspec.structs.replace(
                before, directory=directory, report=report, run=run, files=files, same=True
            )
        progress("verifying it in a fresh process", None)
        verifier = verifier or verifying()
        checks, choice = verifier.verify(directory, out / "checks.json", recorded / "sample.json")
    failed = [check for check in checks if check.outcome == "failed"]
    failed.sort(key=lambda check: check.id != "effects")  # which tells why others failed
    if failed:
        text = (directory / "flow.py").read_text(encoding="utf-8")
        raise _unverified(failed, run, program_line(failed[0], plan, text))
    if choice is not None:
        add_fast_form(directory, bundle, choice)
    return Captured(
        directory=directory,
        signature=signature,
        report=report,
        run=run,
        checks=checks,
        files=files,
        digest=digest,
    )


def _answering_digest(directory: Path) -> str:
    """Of all that a flow answers by. What only tells where it comes from (lines) is left out."""
    found = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and name not in ("flow.toml", "README.md"):
            found.update(f"{name} {path.stat().st_size}\n".encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def _same(before: Captured, digest: str, signature: Signature, run: Run) -> bool:
    environment = (run.python, run.packages) == (before.run.python, before.run.packages)
    return environment and (digest, signature) == (before.digest, before.signature)


def _record(
    request: CaptureRequest,
    program: Path,
    recorded: Path,
    bundle: Path,
    verifying: Callable[[], Verifier],
    ended: Callable[[], None],
    stack: contextlib.ExitStack,
    notebook: Notebook | None,
) -> tuple[dict[str, Any], Verifier | None]:
    """Runs the recorder in the program's environment; what it wrote as its result.

    ``verifying`` starts the verifier, which loads beside the program what the program imports;
    ``ended`` is called when the program itself has run to its end.
    """
    if notebook is not None and notebook.recorded:
        shutil.copytree(notebook.recorded, recorded, dirs_exist_ok=True)
        return json.loads((recorded / "result.json").read_text(encoding="utf-8")), None
    read, write = os.pipe()
    spec: dict[str, Any] = {
        "program": str(program), "arguments": list(request.arguments), "input": request.input,
        "outputs": list(request.outputs), "target": request.target,
        "keep_filters": request.keep_filters, "out": str(recorded), "told": write,
        "explain": request.explain,
    }  # fmt: skip
    if notebook is not None:
        spec["cells"] = msgspec.to_builtins(notebook.cells)
        spec["folder"] = notebook.folder
    path = recorded / "spec.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    command = runtime_command(request.python, "record", str(path))
    environ = recorder_environment(bundle)
    if request.parameters:
        environ["RW_PARAMETERS"] = json.dumps(request.parameters)
    output = sys.stderr if request.quiet else None
    try:
        process = subprocess.Popen(command, env=environ, stdout=output, pass_fds=[write])
    except OSError as error:
        os.close(read)
        raise interpreter_missing(request.python, error) from error
    finally:
        os.close(write)
    stack.callback(process.wait)  # taking a program's data down may go on while more is done
    with os.fdopen(read, "rb") as told:
        verifier = _attend(process, told, verifying, ended)
    try:
        result: dict[str, Any] = json.loads((recorded / "result.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProgramFailed(
            f"{program.name} ended without a result ({ending(process.wait())})",
            cure="see what it printed last; a program must not end its own process with os._exit",
        ) from None
    return result, verifier


def _attend(
    process: subprocess.Popen[bytes],
    told: BufferedReader,
    verifying: Callable[[], Verifier],
    ended: Callable[[], None],
) -> Verifier | None:
    """Waits for the recorder's result, acting as its program goes on. Interrupts reach it first."""
    verifier = None
    try:
        while True:
            if not select.select([told], [], [], _LOOK_SECONDS)[0]:
                if process.poll() is not None:
                    break
                continue
            line = told.readline()
            said = json.loads(line) if line else {}
            if "imports" in said:
                verifier = verifying()
                verifier.load(said["imports"])
            elif "modules" in said and verifier is not None:
                ended()
                verifier.load(said["modules"])
            else:
                break  # its result is written
        return verifier
    except BaseException:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


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
        datasets=msgspec.convert(result.get("datasets", []), list[DatasetRead]),
    )


def _program_files(program: Path, result: dict[str, Any], folder: Path) -> list[tuple[str, Path]]:
    """The program's sources as they ran, by path relative to its folder."""
    out = []
    sources = dict(result["files"]) or {str(program): program.read_text("utf-8")}
    if program.suffix == ".ipynb":
        sources = {path: text for path, text in sources.items() if path.endswith(".py")}
        sources[str(program)] = program.read_text("utf-8")
    for path, source in sources.items():
        relative = os.path.relpath(path, program.parent)
        if relative.startswith(".."):
            continue
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source, encoding="utf-8")
        out.append((Path(relative).as_posix(), target))
    return out


def _problem(problem: dict[str, Any], run: Run, program: Path) -> RoadworthyError:
    kind = _ERRORS.get(problem["code"], CaptureError)
    details = dict(problem.get("details") or {})
    file = details.get("file")
    if problem["line"] and file and file not in (str(program), "<output>"):
        details["place"] = f"{Path(file).name}, line {problem['line']}"
    shown = {**problem, "details": {**problem.get("details", {}), **details}}
    details["run"] = msgspec.to_builtins(msgspec.structs.replace(run, problem=shown))
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
