"""Verification of an emitted flow in a fresh process, which may load its libraries beforehand."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from roadworthy.core.certificate import Check
from roadworthy.errors import EnvironmentFailed, VerificationFailed
from roadworthy_runtime.facade import OWN_PYTHON

_SHOWN = 4000  # characters of what a verification that broke down had to say


_START = (
    "import sys; sys.path.pop(0); "
    "from roadworthy_runtime.__main__ import main; sys.exit(main(sys.argv[1:]))"
)
"""As ``python -m roadworthy_runtime``, but for the folder where one happens to be: a ``random.py``
there is no part of the library."""


def runtime_command(python: Path, *words: str) -> list[str]:
    """What starts a part of the runtime in another environment."""
    return [str(python), "-c", _START, *words]


class Verifier:
    """A fresh process that will verify one flow; until then it loads modules that it is told of.

    It knows nothing of the program but their names. Leaving the ``with`` block ends it.
    Raises EnvironmentFailed where the interpreter can't be started.
    """

    def __init__(self, python: Path, bundle: Path) -> None:
        environ = recorder_environment(bundle)
        environ["PYTHONDONTWRITEBYTECODE"] = "1"
        # As in a worker: for few rows, threads that wait for one another cost more than they do.
        environ["OMP_NUM_THREADS"] = "1"
        # Another one than the program had: what depends on hashes of texts differs on replay.
        environ["PYTHONHASHSEED"] = "1" if environ.get("PYTHONHASHSEED") == "4242" else "4242"
        try:
            self._process = subprocess.Popen(
                runtime_command(python, "verify", "--wait"),
                env=environ,
                cwd=tempfile.gettempdir(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise interpreter_missing(python, error) from error

    def load(self, modules: Sequence[str]) -> None:
        """Has these modules loaded, while it waits for a flow."""
        self._say({"modules": list(modules)})

    def verify(
        self, directory: Path, report: Path, sample: Path
    ) -> tuple[list[Check], dict[str, Any] | None]:
        """The checks of an emitted directory; they are written to ``report`` as well.

        With them comes what the release keeps of its fast form, None where none is used.
        ``sample`` is the recorder's, for environments without pyarrow. Raises
        VerificationFailed where it ends without a report.
        """
        self._say({"directory": str(directory), "json": str(report), "sample": str(sample)})
        errors = self._process.communicate()[1]
        try:
            document = json.loads(report.read_text(encoding="utf-8"))
        except FileNotFoundError:
            said = errors.decode("utf-8", "replace")
            last = (said.strip().splitlines() or [ending(self._process.returncode)])[-1]
            raise VerificationFailed(
                f"the emitted flow can't be verified: {last}",
                cure="see the flow with: roadworthy capture PROGRAM --to FOLDER",
                output=said[-_SHOWN:],
            ) from None
        return msgspec.convert(document["checks"], list[Check]), document.get("fast")

    def _say(self, document: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended: verify() tells why
            self._process.stdin.write(json.dumps(document).encode() + b"\n")
            self._process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        with contextlib.suppress(BrokenPipeError), self._process:
            pass


def recorder_environment(bundle: Path) -> dict[str, str]:
    """The caller's environment with the recorder first on the path."""
    environ = dict(os.environ)
    known = environ.get("PYTHONPATH")
    environ[OWN_PYTHON] = sys.executable
    environ["PYTHONPATH"] = f"{bundle}{os.pathsep}{known}" if known else str(bundle)
    return environ


def interpreter_missing(python: Path, error: OSError) -> EnvironmentFailed:
    """An interpreter that can't be started."""
    return EnvironmentFailed(
        f"Python at {python} can't be started: {error.strerror}",
        cure="name the program's interpreter with --python",
    )


def ending(code: int) -> str:
    """How a process ended, in words.

    >>> ending(-9), ending(3)
    ('killed by signal 9', 'exit code 3')
    """
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
