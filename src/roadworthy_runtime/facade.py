"""What a creation program may say to Roadworthy; outside a recording it costs next to nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict, List, Optional

METRICS: Dict[str, float] = {}
PARAMETERS: Dict[str, Any] = {}
REQUEST: Dict[str, Any] = {}
"""What ``deploy`` named, while a program is recorded."""
RECORDING: List[bool] = []
"""Not empty while a program is recorded in this process."""
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
