"""Runs a notebook's cells one after another, as a kernel ran them."""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, List

if TYPE_CHECKING:
    from .program import Program


def names() -> Dict[str, Any]:
    """The names that a kernel has and a program does not."""
    os.environ.setdefault("MPLBACKEND", "agg")
    return {"display": _display, "get_ipython": _Shell}


def _display(*values: Any, **_: Any) -> None:
    """Shows values as text."""
    for value in values:
        print(value)


class _Shell:
    """Stands for the kernel's shell: what it does beside Python is left out."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **named: None


class _Copied(io.TextIOBase):
    """Writes to a stream, and keeps a copy."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.parts: List[str] = []

    def write(self, text: str) -> int:
        """Writes a text; its length."""
        self.parts.append(text)
        self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Passes on what is held."""
        self.stream.flush()

    def isatty(self) -> bool:
        """Whether a person watches."""
        return bool(self.stream.isatty())

    def fileno(self) -> int:
        """The stream's own."""
        return int(self.stream.fileno())


def run_cell(program: "Program", cell: Dict[str, Any], namespace: Dict[str, Any]) -> List[str]:
    """Runs one cell; what there is to say of it. Raises what it raises."""
    label, source = cell["label"], cell["source"]
    lines = [line + "\n" for line in source.split("\n")]
    linecache.cache[label] = (len(source), None, lines, label)
    code = program.compiled_text(label, source)
    printed = cell.get("printed")
    if cell.get("tolerant"):
        try:
            exec(code, namespace)
        except Exception as error:
            return ["%s raised %s, and the cells after it ran, as in a kernel" % (label, error)]
        return []
    if printed is None:
        exec(code, namespace)
        return []
    copied = _Copied(sys.stdout)
    with contextlib.redirect_stdout(copied):
        exec(code, namespace)
    if "".join(copied.parts).split() == printed.split():
        return []
    return [
        "%s printed something else than the notebook shows: it was edited after it was run, or it "
        "is not the same each time" % label
    ]
