"""A worker with a fast form: served as certified, turned off where it is wrong."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import roadworthy_runtime
from roadworthy.capture.directory import add_fast_form
from roadworthy.testing.emitted import COLUMNS, flights, signature, write_flow, write_sample
from roadworthy.testing.hosts import SOURCE, wait_until
from roadworthy_runtime import frames

STEPS = """
flights = rows.filter(flights, flights["hour"] > 5, line=3, reason="too early")
return (flights["distance"] / 2 + flights["age"].fillna(9.5)).to_numpy()
"""
CHOICE = {"format": 1, "form": "fast", "tolerance": 1e-9, "exact": True}
BUNDLE = Path(roadworthy_runtime.__file__).parent.parent


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="rw-"))
    yield made
    shutil.rmtree(made)


def with_fast_form(folder: Path) -> Path:
    """A flow directory with its fast form beside it."""
    columns = [{**c, "example": flights()[c["name"]].dropna().tolist()[0]} for c in COLUMNS]
    directory = write_flow(folder / "flow", STEPS, signature=signature(columns=columns))
    frame = flights()
    answers = (frame["distance"] / 2 + frame["age"].fillna(9.5)).where(frame["hour"] > 5)
    write_sample(directory, frame, {"scores": answers}, list(frame["hour"] <= 5))
    (directory / "README.md").write_text("", "utf-8")
    add_fast_form(directory, BUNDLE, CHOICE)
    return directory


@contextmanager
def serving(folder: Path) -> Iterator[socket.socket]:
    """A connection to a worker that serves the flow in the folder."""
    path = folder / "w"
    worker = subprocess.Popen(
        [
            *(sys.executable, "-m", "roadworthy_runtime", "worker"),
            *("--flow", str(folder / "flow"), "--socket", str(path), "--release", "tiny@1"),
        ],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    try:
        wait_until(path.exists, 60, "the worker")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(path))
            yield connection
    finally:
        worker.terminate()
        worker.wait()


def ask(connection: socket.socket, rows: Any) -> frames.Frame:
    """The answers to rows of the table."""
    types = {column["name"]: column["type"] for column in COLUMNS}
    columns = {name: (types[name], _nulls(rows[name].tolist())) for name in types}
    connection.sendall(frames.encode("predict", 1, len(rows), columns))
    assembler = frames.Assembler()
    while True:
        for answer in assembler.feed(connection.recv(1 << 16)):
            return answer


def _nulls(values: list[Any]) -> list[Any]:
    return [None if value != value else value for value in values]


def told(folder: Path) -> dict[str, str]:
    """What the worker says of its form."""
    found: dict[str, str] = json.loads((folder / "w.form").read_text("utf-8"))
    return found


def test_a_worker_serves_the_fast_form_and_the_flow_says_what_it_rejects(folder: Path) -> None:
    with_fast_form(folder)
    with serving(folder) as connection:
        assert told(folder) == {"form": "fast", "off": ""}
        rows = flights(200, seed=5)
        answer = ask(connection, rows)
        early = [[row, "too early", 3] for row in range(200) if rows["hour"][row] <= 5]
        assert answer.meta["rejected"] == early
        wanted = (rows["distance"] / 2 + rows["age"].fillna(9.5)).tolist()
        gone = {row for row, _, _ in early}
        values = answer.columns["scores"].values()
        assert [values[i] for i in range(200) if i not in gone] == [
            wanted[i] for i in range(200) if i not in gone
        ]
        for row in range(0, 200, 23):
            alone = ask(connection, rows[row : row + 1])
            assert alone.columns["scores"].values() == [values[row]] or row in gone


def test_a_fast_form_that_answers_otherwise_is_found_and_turned_off(folder: Path) -> None:
    directory = with_fast_form(folder)
    with (directory / "flow_fast" / "__init__.py").open("a", encoding="utf-8") as module:
        module.write(WRONG)
    rows = flights(4, seed=1)
    rows["hour"] = 12
    right = (rows["distance"] / 2 + rows["age"].fillna(9.5)).tolist()
    with serving(folder) as connection:

        def is_off() -> bool:
            ask(connection, rows)
            return told(folder)["form"] == "as written"

        assert ask(connection, rows).columns["scores"].values() == [value + 1 for value in right]
        wait_until(is_off, 60, "the fast form to be turned off")
        assert "differ" in told(folder)["off"]
        assert ask(connection, rows).columns["scores"].values() == right


WRONG = """

class Wrong:
    def __init__(self, form):
        self.form, self.outputs, self.entries = form, form.outputs, form.entries

    def by_row(self, columns, n):
        return [None if row is None else (row[0] + 1.0,) for row in self.form.by_row(columns, n)]


def load(flow, right=load):
    return Wrong(right(flow))
"""


def test_a_fast_form_that_cannot_be_loaded_leaves_the_flow_answering(folder: Path) -> None:
    directory = with_fast_form(folder)
    (directory / "flow_fast" / "form.py").write_text("raise ImportError('gone')\n", "utf-8")
    with serving(folder) as connection:
        assert told(folder)["form"] == "as written"
        assert "gone" in told(folder)["off"]
        assert len(ask(connection, flights(3)).columns["scores"].values()) == 3
