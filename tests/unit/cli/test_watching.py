"""Watching a program: what is done again, and what a broken save leaves alone."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from roadworthy.cli.watching import local_files, meaning, read_settled, watched
from roadworthy.errors import LawBroken, ProgramFailed

LIMIT_SECONDS = 120.0


class Editor(threading.Thread):
    """Saves the next text each time the watcher waits."""

    def __init__(self, program: Path, texts: list[str], capsys: Any) -> None:
        super().__init__(daemon=True)
        self.program, self.texts, self.capsys = program, texts, capsys
        self.said = ""
        self.ended = threading.Event()

    def run(self) -> None:
        waited = 0
        until = time.monotonic() + LIMIT_SECONDS
        while self.texts and time.monotonic() < until and not self.ended.is_set():
            self.look()
            if self.said.count("Ctrl-C ends it") > waited:
                waited += 1
                self.program.write_text(self.texts.pop(0))
            time.sleep(0.02)

    def look(self) -> None:
        said = self.capsys.readouterr()
        self.said += said.out + said.err


def test_each_save_that_means_something_else_is_shipped(tmp_path: Path, capsys: Any) -> None:
    program = tmp_path / "train.py"
    program.write_text("x = 1\n")
    editor = Editor(
        program, ["x = 1  # more\n", "x = (\n", "x = 2\n", "raise\n", "x = 3\n"], capsys
    )
    given: list[tuple[str, Any]] = []

    def ship(before: Any) -> Any:
        text = program.read_text()
        given.append((text, before))
        if text == "raise\n":
            raise LawBroken("it learns", cure="don't", line=1)
        if text == "x = 3\n":
            raise KeyboardInterrupt
        return f"captured {text.strip()}"

    editor.start()
    watched(program, ship)
    editor.ended.set()
    editor.join()
    editor.look()
    assert given == [
        ("x = 1\n", None),
        ("x = 2\n", "captured x = 1"),
        ("raise\n", "captured x = 2"),
        ("x = 3\n", "captured x = 2"),
    ]
    assert "only comments and layout changed: nothing has to be done again" in editor.said
    assert "line 1: train.py can't be read as Python" in editor.said
    assert editor.said.count("what was live stays live") == 2
    assert "line 1: it learns" in editor.said
    assert editor.said.rstrip().endswith("no longer watching; what was deployed stays")


def test_a_save_while_it_is_shipped_is_not_lost(tmp_path: Path) -> None:
    program = tmp_path / "train.py"
    program.write_text("x = 1\n")
    texts: list[str] = []

    def ship(before: Any) -> Any:
        texts.append(program.read_text())
        if len(texts) == 2:
            raise KeyboardInterrupt
        program.write_text("x = 2\n")

    watched(program, ship)
    assert texts == ["x = 1\n", "x = 2\n"]


def test_modules_beside_the_program_belong_to_it(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import numpy, helpers\nfrom parts import one\n")
    (tmp_path / "helpers.py").write_text("import train\n")
    (tmp_path / "parts").mkdir()
    for name in ("__init__", "one", "two"):
        (tmp_path / "parts" / f"{name}.py").write_text("")
    found = {path.relative_to(tmp_path).as_posix() for path in local_files(tmp_path / "train.py")}
    assert found == {"train.py", "helpers.py", "parts/__init__.py", "parts/one.py"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("x = 1", "x  =  1  # so", True),
        ("f(1,2)", "f(\n1,\n2)", True),
        ("x = 1", "x = 1.0", False),
        ("x = 'a'", "x = b'a'", False),
        ("if a:\n    b\nc", "if a:\n    b\n    c", False),
        ("def f():\n    'says'", "def f():\n    'says more'", False),
    ],
)
def test_meaning(tmp_path: Path, one: str, other: str, same: bool) -> None:
    program = tmp_path / "train.py"
    program.write_text(one)
    meant = meaning(read_settled(program))
    program.write_text(other)
    assert (meaning(read_settled(program)) == meant) is same


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed) as raised:
        meaning({tmp_path / "train.py": b"x = 1\ny = (\n"})
    assert raised.value.line == 2
    assert "train.py" in raised.value.message
