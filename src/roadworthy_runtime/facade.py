"""What a creation program may say to Roadworthy; outside a recording it costs next to nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Optional

if TYPE_CHECKING:
    from .combining import CapturedFlow

METRICS: Dict[str, float] = {}
PARAMETERS: Dict[str, Any] = {}
REQUEST: Dict[str, Any] = {}
"""What ``deploy`` named, while a program is recorded."""
RECORDING: List[Any] = []
"""While a program is recorded in this process: its recorder."""
READS: List[Dict[str, Any]] = []
"""The commits of datasets that the program read."""
OWN_PYTHON = "RW_OWN_PYTHON"
"""Environment variable with the interpreter that has Roadworthy, set while recording."""
GIVEN = "RW_PARAMETERS"
"""Environment variable with the values of parameters, as JSON."""


def log_metric(name: str, value: float) -> None:
    """Records a figure of merit of this run, such as ``log_metric("auc", 0.83)``."""
    METRICS[str(name)] = float(value)


def param(name: str, default: Any) -> Any:
    """A parameter of the program: the value given from outside, else the default.

    A value from outside (``--param depth=8``) has the default's type.
    """
    given = json.loads(os.environ.get(GIVEN, "{}"))
    value = default
    if name in given:
        value = given[name]
        if default is not None and not isinstance(value, type(default)):
            value = type(default)(value)
    PARAMETERS[str(name)] = value
    return value


def dataset(name: str, live: bool = False) -> Any:
    """A dataset at a commit: ``flights``, ``flights@main~2``, ``flights@2026-03-01`` (as of).

    What is given reads tables (``to_pandas``, ``to_arrow``, ``batches``) and files (``open``). The
    commit is fixed by this call, and kept as what this run was made from. ``live`` says that a
    new commit on the branch is to make a new release by itself.

    Raises RuntimeError where there is no such commit, or no Roadworthy to ask.
    """
    from . import datasets

    return datasets.Dataset(name, live)


def learned(value: Any) -> Any:
    """Says that this value is state: from here on it is frozen as it is now, rows or not.

    Gives the value itself. ``rw.learned(len(df))`` is the number of rows of creation, for ever.
    """
    return value


def row_wise(value: Any) -> Any:
    """Says that this value has one entry per row: what gives it is kept, and not frozen.

    Gives the value itself. Of a list or array that no table of the program led to, it says that
    the rows of a request come in its place.
    """
    return value


def flow(path: Any) -> CapturedFlow:
    """Reads a captured flow's directory, to be asked or combined within a program.

    ``path`` is what ``roadworthy capture PROGRAM --to FOLDER`` or ``save`` of a flow wrote. Called
    with rows a flow gives their answers; ``a.then(b)`` asks ``b`` for what ``a`` answers. In a
    program that is captured it becomes state, with its own state and where it comes from.

    Raises FileNotFoundError where no flow is there.
    """
    from . import combining

    return combining.flow(path)


def ensemble(flows: Any, combine: Any = "mean", name: str = "") -> CapturedFlow:
    """Several captured flows asked for the same rows, whose answers are put together.

    ``combine``: ``mean``, ``median``, ``min``, ``max``, ``vote``, a weight for each flow, or a
    function of a module that takes the list of answers and gives one answer per row. Rows that one
    of the flows rejects are rejected. Raises ValueError where the flows don't fit.
    """
    from . import combining

    return combining.ensemble(flows, combine, name)


class _Block:
    """A block of the program that a recording treats in its own way; elsewhere it does nothing."""

    __slots__ = ("kind", "name")

    def __init__(self, kind: str, name: str = "") -> None:
        self.kind = kind
        self.name = name

    def __enter__(self) -> None:
        if RECORDING:
            RECORDING[0].enter(self.kind, self.name)

    def __exit__(self, *_: Any) -> None:
        if RECORDING:
            RECORDING[0].leave(self.kind, self.name)


def creation_only() -> Any:
    """``with rw.creation_only():`` says that nothing inside is meant for production.

    Rows that are dropped inside are answered in production; what is changed inside is answered
    unchanged.
    """
    return _Block("creation only")


def captured(name: str) -> Any:
    """``with rw.captured("name"):`` says that what is inside is one step of the flow.

    It is kept as it is written, as a function of that name, and has to obey the law as a whole.
    """
    return _Block("captured", str(name))


def deploy(
    name: str,
    *,
    input: Any = None,
    output: Any = None,
    target: Optional[str] = None,
    stage: str = "",
    keep_filters: bool = False,
) -> None:
    """Captures this program and deploys it as a release of the model ``name``.

    ``input`` is the table that rows come from, ``output`` the answers, or a list of several;
    without them the only candidates are taken. In a plain run of the program it is run once more,
    under the recorder; under ``roadworthy deploy`` this only names input and output.

    Raises RuntimeError in an interactive session, and where Roadworthy is not installed.
    """
    outputs = output if isinstance(output, (list, tuple)) else [output]
    if RECORDING:
        REQUEST.update(
            name=name, input=input, target=target, keep_filters=keep_filters,
            outputs=[item for item in outputs if item is not None],
        )  # fmt: skip
        return
    program = getattr(sys.modules["__main__"], "__file__", None)
    if program is None:
        raise RuntimeError(
            "deploy needs a program in a file; in an interactive session there is none. "
            "Save it and run: roadworthy deploy PROGRAM --name %s" % name
        )
    command = [sys.executable, "-m", "roadworthy", "deploy", program, "--name", name]
    if stage:
        command += ["--stage", stage]
    command += ["--", *sys.argv[1:]] if sys.argv[1:] else []
    sys.stdout.flush()
    code = subprocess.call(command)
    if code:
        raise SystemExit(code)
