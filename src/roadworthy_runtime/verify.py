"""``python -m roadworthy_runtime verify DIR``: does an emitted flow answer as its program did?

Runs in a fresh process, from the emitted directory only.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from roadworthy_runtime.effects import watching
from roadworthy_runtime.examination import Check, Examination, check, portable
from roadworthy_runtime.law import Law
from roadworthy_runtime.sample import read_sample

FORMAT = 1
_OTHER_PROCESS_SECONDS = 300


def main(arguments: Sequence[str]) -> int:
    """Verify a flow directory. Exit code 0 if every check passed, 1 if not."""
    parser = argparse.ArgumentParser(prog="roadworthy_runtime verify")
    parser.add_argument("directory", type=Path, help="the emitted flow's directory")
    parser.add_argument("--json", type=Path, help="where to write the findings")
    parser.add_argument(
        "--tolerance", type=float, help="relative, for replay; default: flow.toml's"
    )
    parser.add_argument("--answers", type=Path, help="only answer the sample and write that here")
    parser.add_argument(
        "--sample", type=Path, help="the recorder's sample.json, read where pyarrow is missing"
    )
    options = parser.parse_args(list(arguments))
    directory = options.directory.resolve()
    for name in ("json", "answers", "sample"):
        if getattr(options, name) is not None:
            setattr(options, name, getattr(options, name).resolve())
    _leave(directory)
    # Threads that wait for one another without working would make single rows slow.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.simplefilter("ignore")
    if options.answers is not None:
        _write_answers(directory, options.answers, options.sample)
        return 0
    report = verify(directory, options.tolerance, options.sample)
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1, default=str) + "\n", "utf-8")
    for one in report["checks"]:
        if one["outcome"] == "failed" or options.json is None:
            print(f"{one['outcome']}: {one['title']}: {one['measured']}", file=sys.stderr)
    return 0 if report["passed"] else 1


def verify(
    directory: Path, tolerance: Optional[float] = None, recorded: Optional[Path] = None
) -> dict[str, Any]:
    """All checks of the flow in a directory, each a dictionary with a certificate check's fields.

    The report has format, flow, passed, seconds, checks and warnings. Imports the directory's
    module ``flow``: for a process that has not imported another one. ``recorded`` is the
    recorder's ``sample.json``, for environments that can't read ``sample.parquet``.
    """
    began = time.perf_counter()
    other = _start_other_process(directory, recorded)
    checks: list[Check] = []
    notes: list[str] = []
    try:
        with watching(directory, trace=False) as effects:
            flow = _load(directory)
        sample = read_sample(directory, flow.signature, recorded)
    except Exception as problem:
        trace = traceback.format_exc()
        checks.append(check("loads", "The flow loads", f"{problem!r}", False, {"traceback": trace}))
        other.finish()
        return _report(directory, checks, notes, began)
    checks.append(check("loads", "The flow loads", "it does, with its state and sample", True))
    checks.append(_state(directory))
    declared = flow_tolerance(directory) if tolerance is None else tolerance
    law = Law(flow, declared)
    examination = Examination(flow, law, sample, declared)
    checks += examination.checks(effects)
    notes += examination.notes
    checks.append(examination.deterministic(other.finish()))
    return _report(directory, checks, notes, began)


def flow_tolerance(directory: Path) -> float:
    """The relative tolerance that the flow's own ``flow.toml`` declares for replay."""
    read: Any = importlib.import_module("flow_support.flow")._read_toml
    return float(read(directory / "flow.toml").get("tolerance", 0.0))


# -- around the checks --------------------------------------------------------------------------


def _report(directory: Path, checks: list[Check], notes: list[str], began: float) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "flow": directory.name,
        "passed": all(one["outcome"] != "failed" for one in checks),
        "seconds": round(time.perf_counter() - began, 3),
        "checks": checks,
        "warnings": notes,
    }


def _state(directory: Path) -> Check:
    """Whether each state file is what was written, and which need pickle."""
    title = "State is what was frozen"
    folder = directory / "state"
    entries = json.loads((folder / "index.json").read_text("utf-8"))["values"]
    wrong = [
        entry["name"]
        for entry in entries
        if hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() != entry["digest"]
    ]
    pickles = [entry["name"] for entry in entries if entry["format"] == "pickle"]
    measured = f"{len(entries) - len(wrong)} of {len(entries)} values have their digest"
    if pickles:
        measured += f"; pickle: {', '.join(pickles)}"
    return check("state", title, measured, not wrong, {"damaged": wrong, "pickles": pickles})


def _leave(directory: Path) -> None:
    """See to it that nothing but the emitted directory is found: not the program's folder."""
    here = os.path.realpath(os.getcwd())
    own = os.path.realpath(Path(__file__).parent.parent)
    kept = [p for p in sys.path if p and (os.path.realpath(p) != here or here == own)]
    sys.path[:] = kept
    os.chdir(tempfile.gettempdir())
    sys.path.insert(0, str(directory))
    sys.dont_write_bytecode = True


def _load(directory: Path) -> Any:
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    module = importlib.import_module("flow")
    if Path(str(module.__file__)).resolve().parent != directory.resolve():
        raise ImportError(f"another module is called flow: {module.__file__}")
    return module.flow


class _Other:
    """Another process that answers the sample, with other hashes of texts."""

    def __init__(self, process: subprocess.Popen[bytes], answers: Path) -> None:
        self.process, self.answers = process, answers

    def finish(self) -> tuple[Optional[dict[str, Any]], str]:
        """What it answered, or why it did not."""
        try:
            _, error = self.process.communicate(timeout=_OTHER_PROCESS_SECONDS)
            if self.process.returncode:
                return None, (error.decode("utf-8", "replace").strip().splitlines() or [""])[-1]
            return json.loads(self.answers.read_text("utf-8")), ""
        except (subprocess.TimeoutExpired, OSError, ValueError) as problem:
            self.process.kill()
            self.process.wait()
            return None, str(problem)
        finally:
            self.answers.unlink(missing_ok=True)


def _start_other_process(directory: Path, recorded: Optional[Path]) -> _Other:
    handle, name = tempfile.mkstemp(prefix="rw-answers-", suffix=".json")
    os.close(handle)
    package = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(p for p in (package, os.environ.get("PYTHONPATH", "")) if p)
    command = [sys.executable, "-m", "roadworthy_runtime.verify", str(directory), "--answers", name]
    if recorded is not None:
        command += ["--sample", str(recorded)]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "4242"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=tempfile.gettempdir(),
    )
    return _Other(process, Path(name))


def _write_answers(directory: Path, to: Path, recorded: Optional[Path]) -> None:
    flow = _load(directory)
    sample = read_sample(directory, flow.signature, recorded)
    asked = Law(flow).ask(sample.columns, sample.n)
    to.write_text(json.dumps(portable(asked)), "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
