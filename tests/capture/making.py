"""Captures programs, runs them plainly and asks their flows, in processes of its own."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tests.capture.cases import CASES, Case

from roadworthy.capture import Captured, CaptureRequest, capture_program

ASKING = Path(__file__).parent / "asking.py"
RELATIVE = 1e-9
"""Floats may differ so much where the oracle or a batch adds in another order."""


@dataclass(frozen=True)
class Outcome:
    """A program's capture, its traced and its plain run, and the flow's answers by question."""

    captured: Captured
    traced: str
    plain: str
    plain_code: int
    own: dict[str, Any]
    answers: dict[str, Any]


def make_outcome(program: str, folder: Path) -> Outcome | Exception:
    """All that the tests look at, of one case; or what its capture raised."""
    (case,) = (case for case in CASES if case.program == program)
    folder.mkdir()
    try:
        with standard_output_to(folder / "traced.txt"):
            captured = capture(case.path, folder / "out", case.input, case.outputs, case.arguments)
    except Exception as error:  # noqa: BLE001  (raised again by each test)
        return error
    plain = _plain(case, folder)
    own = pickle.loads((folder / "own").read_bytes())
    questions = make_questions(case, own[case.answered] if case.answered else None)
    answers = ask(captured.directory, questions, folder)
    traced = (folder / "traced.txt").read_text("utf-8")
    return Outcome(captured, traced, plain.stdout, plain.returncode, own, answers)


def make_refusal(
    source: str, folder: Path, input: str | None, outputs: tuple[str, ...]
) -> Exception | None:
    """What capturing a program of this text raises."""
    folder.mkdir()
    program = folder / "program.py"
    program.write_text(source, "utf-8")
    try:
        with standard_output_to(folder / "traced.txt"):
            capture(program, folder / "out", input, outputs)
    except Exception as error:  # noqa: BLE001  (looked at by the test)
        return error
    return None


def _plain(case: Case, folder: Path) -> subprocess.CompletedProcess[str]:
    asked = [text for text in (case.expression, case.answered) if text]
    (folder / "asked").write_bytes(pickle.dumps(asked))
    command = [sys.executable, str(ASKING), "plain", str(case.path)]
    command += [str(folder / "asked"), str(folder / "own"), *case.arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def capture(
    program: Path,
    out: Path,
    input: str | None,
    outputs: tuple[str, ...],
    arguments: tuple[str, ...] = (),
    python: str = sys.executable,
) -> Captured:
    """The program's verified flow; raises what capture raises."""
    request = CaptureRequest(
        program=program,
        name=program.stem.replace("_", "-"),
        python=Path(python),
        input=input,
        outputs=outputs,
        arguments=arguments,
    )
    return capture_program(request, out)


@contextlib.contextmanager
def standard_output_to(path: Path) -> Iterator[None]:
    """What this process and its children write goes to a file."""
    sys.stdout.flush()
    before = os.dup(1)
    try:
        with path.open("wb") as file:
            os.dup2(file.fileno(), 1)
            yield
            sys.stdout.flush()
    finally:
        os.dup2(before, 1)
        os.close(before)


def ask(directory: Path, questions: list[tuple[str, Any]], folder: Path) -> dict[str, Any]:
    """A flow's answers from a fresh interpreter that has the emitted directory only."""
    (folder / "questions").write_bytes(pickle.dumps(questions))
    command = [
        sys.executable,
        "-I",
        str(ASKING),
        "flow",
        str(directory),
        str(folder / "questions"),
        str(folder / "answers"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = pickle.loads((folder / "answers").read_bytes())
    return found


def make_questions(case: Case, labels: Any) -> list[tuple[str, Any]]:
    """What each flow is asked: creation's rows, new rows together, alone, in other forms."""
    raw, new = case.creation(), case.fresh()
    everything = (case.new or getattr(_rows(), case.table))()
    questions = [
        ("creation", case.wrap(raw if labels is None else rows_of(raw, labels))),
        ("new", case.wrap(new)),
        ("backwards", case.wrap(at(new, list(range(len(new)))[::-1]))),
        ("none", case.wrap(at(new, []))),
    ]
    questions += [(f"alone {i}", case.wrap(at(new, [i]))) for i in range(len(new))]
    questions += [(f"failing {i}", case.wrap(at(everything, [i]))) for i in case.failing]
    if isinstance(new, pd.DataFrame):
        turned = new[list(new.columns)[::-1]]
        questions.append(("columns turned", turned.assign(never_seen=1)))
        odd = new.copy()
        odd.index = pd.Index([f"row {i}" for i in range(len(new))])
        questions.append(("labels", odd))
    return questions


def _rows() -> Any:
    from tests.capture import rows

    return rows


def rows_of(table: Any, labels: Any) -> Any:
    """The rows with these labels, numbered anew."""
    if isinstance(table, pd.DataFrame):
        return table.loc[labels].reset_index(drop=True)
    return at(table, list(labels))


def at(table: Any, places: list[int]) -> Any:
    """The rows at these positions, numbered anew."""
    if isinstance(table, (pd.DataFrame, pd.Series)):
        return table.iloc[places].reset_index(drop=True)
    if isinstance(table, np.ndarray):
        return table[places]
    return [table[place] for place in places]


def same(found: Any, expected: Any, relative: float = RELATIVE) -> None:
    """Fails where two sets of answers differ; with ``relative`` 0 they have to be equal."""
    if isinstance(expected, dict):
        assert set(found) == set(expected)
        for name, part in expected.items():
            same(found[name], part, relative)
        return
    left, right = np.asarray(found), np.asarray(expected)
    assert left.shape == right.shape
    if left.dtype.kind == "f" and relative:
        np.testing.assert_allclose(left, right.astype(float), rtol=relative, atol=relative * 1e-3)
    elif left.dtype.kind in "fiub" and right.dtype.kind in "fiub":
        np.testing.assert_array_equal(left, right)
    else:
        assert left.tolist() == right.tolist()
