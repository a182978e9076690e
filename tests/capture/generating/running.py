"""Captures generated programs in forks of one warm process, and judges them by their oracles.

The warm process reads programs from its standard input and writes what became of each to its
standard output, both pickled, until the input ends.
"""

from __future__ import annotations

import csv
import gc
import importlib
import io
import json
import math
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tests.capture.generating.building import Row
from tests.capture.generating.composing import FAILS, REJECTED, Generated

RELATIVE = 1e-6
RIGHT, REFUSED, CAUGHT, WRONG, RAISED, UNSURE, FAILED = (
    "right", "refused", "caught", "WRONG", "raised", "oracle unsure", "program failed",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of a program.

    ``verdict``: RIGHT; REFUSED by capture; CAUGHT, differing, by verification; WRONG: it differs
    and verification passes it; RAISED: it raises on rows that the oracle answers; UNSURE: the
    oracle does not say what the program itself says; FAILED: the program raises.
    """

    verdict: str
    text: str
    line: int = 0
    verified: bool = False


class Runner:
    """A warm process, to which programs are given one after the other."""

    def __init__(self, python: str = sys.executable) -> None:
        environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        root = Path(__file__).resolve().parents[3]
        environ["PYTHONPATH"] = os.pathsep.join([str(root / "src"), str(root)])
        self._process = subprocess.Popen(
            [python, "-c", f"from {__name__} import main; main()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ,
        )  # fmt: skip

    def run(self, program: Generated, verify: bool = False) -> Outcome:
        """What becomes of a program; ``verify``: with all checks, even where the answers agree."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        _send(self._process.stdin, (program, verify))
        found = _receive(self._process.stdout)
        assert isinstance(found, Outcome)
        return found

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@contextmanager
def running() -> Iterator[Runner]:
    """A runner that is closed at the end."""
    runner = Runner()
    try:
        yield runner
    finally:
        runner.close()


def _send(stream: BinaryIO, value: Any) -> None:
    data = pickle.dumps(value)
    stream.write(struct.pack("<Q", len(data)) + data)
    stream.flush()


def _receive(stream: BinaryIO) -> Any:
    head = stream.read(8)
    if len(head) < 8:
        raise EOFError
    return pickle.loads(stream.read(struct.unpack("<Q", head)[0]))


# ---- in the warm process


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answers programs until there are no more."""
    _warm()
    while True:
        try:
            program, verify = _receive(source)
        except EOFError:
            return
        _send(target, judge(program, verify))


def _warm() -> None:
    """Imports what programs, the recorder, emission and flows use: forks have it then."""
    for name in (*_WARM, *(f"roadworthy_runtime.{part}" for part in _RUNTIME)):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


_WARM = (
    "black",
    "pyarrow.parquet",
    "roadworthy.capture.directory",
    "skops.io",
    "sklearn.impute",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "sklearn.naive_bayes",
    "sklearn.preprocessing",
    "sklearn.tree",
)
_RUNTIME = ("describe", "planner", "record", "schema", "training", "verify")


def judge(program: Generated, verify: bool) -> Outcome:
    """Captures a program, and holds its flow against the oracle."""
    folder = Path(tempfile.mkdtemp(prefix="generated-"))
    try:
        (folder / "program").mkdir()
        (folder / "program" / "program.py").write_text(program.source, "utf-8")
        with (folder / "program" / "table.csv").open("w", newline="") as file:
            write_rows(program.creation, file)
        found = _forked(lambda: _capture(program, folder))
        if isinstance(found, Outcome):
            return found
        outcome: Outcome = _forked(lambda: _ask(program, folder))
        if verify or outcome.verdict in (WRONG, RAISED):
            passed, text = _forked(lambda: _verify(folder))
            if not passed:
                said = outcome.text if outcome.verdict != RIGHT else "the answers are right"
                return Outcome(CAUGHT, f"{text} ({said})", 0, True)
            return Outcome(outcome.verdict, outcome.text, outcome.line, True)
        return outcome
    finally:
        shutil.rmtree(folder)


def _forked(work: Callable[[], Any]) -> Any:
    """What ``work`` returns in a copy of this process; raises where it did not."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(out)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            warnings.simplefilter("ignore")
            try:
                data = pickle.dumps(work())
            except BaseException:  # noqa: BLE001  (told by the parent)
                data = pickle.dumps(RuntimeError(traceback.format_exc()))
            with os.fdopen(into, "wb") as file:
                file.write(data)
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    if not data:
        raise RuntimeError("a fork ended without a result")
    found = pickle.loads(data)
    if isinstance(found, RuntimeError):
        raise found
    return found


def _capture(program: Generated, folder: Path) -> Outcome | None:
    """Records the program and writes its flow; an outcome where it ends there."""
    from roadworthy.capture.directory import write_directory
    from roadworthy_runtime import record
    from roadworthy_runtime.program import Failure, Program
    from roadworthy_runtime.refusal import Refusal

    path = folder / "program" / "program.py"
    name = program.table_name
    traced = Program(str(path), [], (name, 0))
    traced.recorder.keep = {"answers"}
    result: dict[str, Any] = {"python": "3", "packages": []}
    try:
        ran = traced.run()
    except Failure as failure:
        return Outcome(FAILED, failure.text, failure.line)
    seen = ran.namespace.get("answers")
    if seen is None:
        seen = traced.recorder.bound["answers"][-1][2]
    difference = _difference(cells(seen), program.own)
    if difference and not program.must_refuse:
        return Outcome(UNSURE, difference)
    spec = {"input": name, "outputs": ["answers"], "target": program.target}
    try:
        record.capture(traced, ran, spec, folder, result)
    except Refusal as refusal:
        said = refusal.as_dict()
        return Outcome(REFUSED, said["message"], said["line"] or 0)
    except Exception:  # noqa: BLE001  (a refusal, too)
        return Outcome(REFUSED, "capture itself failed: " + traceback.format_exc())
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    result["files"] = traced.files
    bundle = Path(record.__file__).parents[1]
    try:
        write_directory(folder, folder / "flow", bundle, plan, result, "generated")
    except Exception:  # noqa: BLE001  (no refusal: the flow can't be written)
        return Outcome(FAILED, "writing the flow: " + traceback.format_exc())
    return None


def _ask(program: Generated, folder: Path) -> Outcome:
    """Asks the flow for its creation rows and for rows that it never saw."""
    import pandas as pd

    sys.path.insert(0, str(folder / "flow"))
    import flow  # type: ignore[import-not-found]

    whole, alone = io.StringIO(), []
    write_rows([*program.creation, *program.asked], whole)
    whole.seek(0)
    table = pd.read_csv(whole).iloc[len(program.creation) :].reset_index(drop=True)
    if program.must_refuse:
        return Outcome(WRONG, "it was captured, and no flow can answer as the program does")
    table = table.drop(columns="y")
    good = [i for i, expected in enumerate(program.expected) if expected != FAILS]
    parts = [good, good[::-1]] + [[i] for i in range(len(program.asked))]
    for places in parts:
        wanted = [program.expected[i] for i in places]
        if not places:
            continue
        try:
            values, rejected = flow.answer(table.iloc[places].reset_index(drop=True))
        except Exception as error:  # noqa: BLE001  (an answer, too)
            if wanted == [FAILS]:
                continue
            alone.append(Outcome(RAISED, f"rows {places}: {type(error).__name__}: {error}"))
            continue
        left_out = {item.row: item.reason for item in rejected}
        got = cells(values)
        if len(got) != len(places):
            return Outcome(WRONG, f"{len(got)} answers for {len(places)} rows")
        for at, (cell, expected) in enumerate(zip(got, wanted, strict=True)):
            wrong = _wrong(cell, expected, left_out.get(at))
            if wrong:
                return Outcome(WRONG, f"row {places[at]} of {places}: {wrong}")
    return alone[0] if alone else Outcome(RIGHT, "")


def _wrong(cell: Any, expected: Any, rejected: str | None) -> str:
    """What is wrong with the answer to a row; nothing where it is right.

    A word that an encoder does not know may reject a row whose answer does not need it.
    """
    if expected in (REJECTED, FAILS):
        return "" if rejected is not None else f"is {expected} by hand, found {cell}"
    if rejected is not None:
        told = "was not seen in creation" in rejected
        return "" if told else f"is rejected ({rejected}), by hand {expected}"
    return _difference([cell], [expected])


def _verify(folder: Path) -> tuple[bool, str]:
    from roadworthy_runtime import verify

    report, sample = folder / "checks.json", folder / "sample.json"
    verify.main([str(folder / "flow"), "--json", str(report), "--sample", str(sample)])
    document = json.loads(report.read_text("utf-8"))
    failed = [check for check in document["checks"] if check["outcome"] == "failed"]
    return document["passed"], "; ".join(f"{c['title']}: {c['measured']}" for c in failed)


# ---- cells


def write_rows(rows: Sequence[Row], file: Any) -> None:
    """Rows as comma-separated values."""
    writer = csv.writer(file)
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow("" if _empty(value) else value for value in row.values())


def _empty(value: Any) -> bool:
    return value is None or bool(value != value) or type(value).__name__ in ("NaTType", "NAType")


def cells(answers: Any) -> list[list[Any]]:
    """Answers of any kind as rows of plain cells."""
    if hasattr(answers, "columns"):
        return [list(line) for line in answers.astype(object).itertuples(index=False, name=None)]
    if hasattr(answers, "tolist"):
        answers = answers.tolist()
    return [item if isinstance(item, list) else [item] for item in answers]


def _difference(found: list[list[Any]], expected: list[list[Any]]) -> str:
    """The first cell that differs, in words; nothing where none does."""
    if len(found) != len(expected):
        return f"{len(found)} rows instead of {len(expected)}"
    for place, (line, wanted) in enumerate(zip(found, expected, strict=True)):
        if len(line) != len(wanted):
            return f"{len(line)} columns instead of {len(wanted)}"
        for column, (cell, right) in enumerate(zip(line, wanted, strict=True)):
            if not _same(cell, right):
                return f"line {place}, column {column}: {cell!r}, by hand {right!r}"
    return ""


def _same(found: Any, expected: Any) -> bool:
    if _empty(found) or _empty(expected):
        return _empty(found) and _empty(expected)
    if isinstance(found, str) or isinstance(expected, str):
        return bool(found == expected)
    left, right = float(found), float(expected)
    return left == right or math.isclose(left, right, rel_tol=RELATIVE, abs_tol=1e-9)


def main() -> None:
    """The warm process: nothing but outcomes goes to its standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)
