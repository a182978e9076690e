"""``python -m roadworthy_runtime verify DIR``: does an emitted flow answer as its program did?

Runs in a fresh process, from the emitted directory only.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from roadworthy_runtime.effects import watching
from roadworthy_runtime.examination import Check, Examination, check
from roadworthy_runtime.law import Law
from roadworthy_runtime.sample import read_sample
from roadworthy_runtime.trial import try_fast

FORMAT = 1


def main(arguments: Sequence[str]) -> int:
    """Verify a flow directory. Exit code 0 if every check passed, 1 if not."""
    parser = argparse.ArgumentParser(prog="roadworthy_runtime verify")
    parser.add_argument("directory", type=Path, nargs="?", help="the emitted flow's directory")
    parser.add_argument("--json", type=Path, help="where to write the findings")
    parser.add_argument(
        "--tolerance", type=float, help="relative, for replay; default: flow.toml's"
    )
    parser.add_argument(
        "--sample", type=Path, help="the recorder's sample.json, read where pyarrow is missing"
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="read lines of JSON: modules to load now, at last what to verify",
    )
    options = parser.parse_args(list(arguments))
    if options.directory is None and not options.wait:
        parser.error("name the flow's directory")
    for name in ("directory", "json", "sample"):
        if getattr(options, name) is not None:
            setattr(options, name, getattr(options, name).resolve())
    _leave()
    # Threads that wait for one another without working would make single rows slow.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.simplefilter("ignore")
    if options.wait:
        asked = _line()
        while "modules" in asked:
            _preload(asked["modules"])
            asked = _line()
        if not asked:
            return 0
        options.directory = Path(asked["directory"])
        options.json, options.sample = Path(asked["json"]), Path(asked["sample"])
    report = verify(options.directory, options.tolerance, options.sample)
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

    The report has format, flow, passed, seconds, checks, warnings and, where the fast form is to be
    used, ``fast``: what the release keeps of that choice. Imports the directory's
    module ``flow``: for a process that has not imported another one. ``recorded`` is the
    recorder's ``sample.json``, for environments that can't read ``sample.parquet``.
    """
    began = time.perf_counter()
    checks: list[Check] = []
    notes: list[str] = []
    try:
        with watching(directory, trace=False) as effects:
            flow = _load(directory)
        sample = read_sample(directory, flow.signature, recorded)
    except Exception as problem:
        trace = traceback.format_exc()
        checks.append(check("loads", "The flow loads", f"{problem!r}", False, {"traceback": trace}))
        return _report(directory, checks, notes, began)
    checks.append(check("loads", "The flow loads", "it does, with its state and sample", True))
    checks.append(_state(directory))
    declared = flow_tolerance(directory) if tolerance is None else tolerance
    law = Law(flow, declared)
    retaught = bool(_document(directory).get("retaught", False))
    examination = Examination(flow, law, sample, declared, retaught)
    checks += examination.checks(effects)
    notes += examination.notes
    report = _report(directory, checks, notes, began)
    if report["passed"] and examination.n:
        trial = try_fast(flow, examination.columns, examination.n)
        checks.append(trial.check)
        report.update(fast=trial.choice, seconds=round(time.perf_counter() - began, 3))
    return report


def flow_tolerance(directory: Path) -> float:
    """The relative tolerance that the flow's own ``flow.toml`` declares for replay."""
    return float(_document(directory).get("tolerance", 0.0))


def _document(directory: Path) -> dict[str, Any]:
    """What the flow's ``flow.toml`` says."""
    read: Any = importlib.import_module("flow_support.flow")._read_toml
    found: dict[str, Any] = read(directory / "flow.toml")
    return found


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
    pickles = [entry["name"] for entry in entries if "pickle" in entry["format"]]
    measured = f"{len(entries) - len(wrong)} of {len(entries)} values have their digest"
    if pickles:
        measured += f"; pickle: {', '.join(pickles)}"
    return check("state", title, measured, not wrong, {"damaged": wrong, "pickles": pickles})


def _leave() -> None:
    """See to it that nothing of the folder that this process was started in is found."""
    here = os.path.realpath(os.getcwd())
    own = os.path.realpath(Path(__file__).parent.parent)
    kept = [p for p in sys.path if p and (os.path.realpath(p) != here or here == own)]
    sys.path[:] = kept
    os.chdir(tempfile.gettempdir())
    sys.dont_write_bytecode = True


def _line() -> dict[str, Any]:
    """The next line of standard input; empty at its end."""
    line = sys.stdin.readline()
    return json.loads(line) if line.strip() else {}


def _preload(modules: Sequence[str]) -> None:
    """Load libraries while there is no flow yet; what can't be loaded, the flow will tell."""
    for name in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _load(directory: Path) -> Any:
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    module = importlib.import_module("flow")
    if Path(str(module.__file__)).resolve().parent != directory.resolve():
        raise ImportError(f"another module is called flow: {module.__file__}")
    return module.flow
