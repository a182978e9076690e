"""Runs inside fresh interpreters, alone: answers questions from a flow, or runs a program plainly.

``python -I asking.py flow FOLDER QUESTIONS ANSWERS`` may import what lies in FOLDER and what is
installed, but nothing of Roadworthy. ``python asking.py plain PROGRAM QUESTION ANSWER ARG…`` runs
a program as ``python PROGRAM ARG…`` does and then evaluates expressions of its names.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import io
import json
import os
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any


class _NoRoadworthy(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname.partition(".")[0] in ("roadworthy", "roadworthy_runtime"):
            raise ImportError(f"{fullname} is not installed where flows run")


def ask_flow(folder: str, questions: Path, answers: Path) -> None:
    """Answers each question (label, rows) by values, rejected rows, warnings, or an error."""
    sys.meta_path.insert(0, _NoRoadworthy())
    os.chdir(folder)
    sys.path.insert(0, folder)
    import flow  # type: ignore[import-not-found]

    found: dict[str, Any] = {"signature": flow.flow.signature}
    for label, rows in pickle.loads(questions.read_bytes()):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                values, rejected = flow.answer(rows)
                found[label] = {
                    "values": values,
                    "rejected": [tuple(item) for item in rejected],
                    "warnings": [str(w.message) for w in caught],
                }
            except Exception as error:  # noqa: BLE001  (an answer too)
                found[label] = {"error": f"{type(error).__name__}: {error}"}
    answers.write_bytes(pickle.dumps(found))


def run_plain(program: str, question: Path, answer: Path, arguments: list[str]) -> int:
    """Runs the program; writes the values of the expressions that were asked. Its exit code."""
    sys.argv = [program, *arguments]
    sys.path[0] = str(Path(program).parent)
    code = 0
    names: dict[str, Any] = {"__name__": "__main__", "__file__": program}
    text = Path(program).read_text("utf-8")
    if program.endswith(".ipynb"):
        text, names["display"] = cells_as_they_ran(text), print
    source = compile(text, program, "exec", dont_inherit=True)
    try:
        exec(source, names)
    except SystemExit as stop:
        code = int(stop.code or 0)
    sys.stdout.flush()
    with contextlib.redirect_stdout(io.StringIO()):
        found = {text: eval(text, names) for text in pickle.loads(question.read_bytes())}
    answer.write_bytes(pickle.dumps(found))
    return code


def cells_as_they_ran(notebook: str) -> str:
    """A notebook's code in the order in which it ran, without magics and lines for the shell."""
    cells = [cell for cell in json.loads(notebook)["cells"] if cell.get("execution_count")]
    cells.sort(key=lambda cell: cell["execution_count"])
    lines = "\n".join("".join(cell["source"]) for cell in cells).split("\n")
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


if __name__ == "__main__":
    what, target, given, made, *rest = sys.argv[1:]
    if what == "flow":
        ask_flow(target, Path(given), Path(made))
    else:
        raise SystemExit(run_plain(target, Path(given), Path(made), rest))
