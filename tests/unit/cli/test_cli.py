"""The command line without a system: help, names, exit codes, rows in several forms."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from roadworthy import cli
from roadworthy.cli.deploying import interpreter_for
from roadworthy.cli.output import plain
from roadworthy.cli.predicting import from_csv, read_rows, write_csv
from roadworthy.client.models import Answers, Rejected, to_records
from roadworthy.core.signature import Column, Signature
from roadworthy.errors import NotFound, UsageError

SIGNATURE = Signature(
    input="rows",
    kind="dataframe",
    columns=[
        Column(name="n", type="int", dtype="int64"),
        Column(name="x", type="float", dtype="float64"),
        Column(name="t", type="text", dtype="object"),
        Column(name="b", type="bool", dtype="bool"),
    ],
    outputs=[],
)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_says_in_help_what_the_list_says(name: str) -> None:
    command = cli.command(name)
    assert inspect.cleandoc(command.help).splitlines()[0] == cli.COMMANDS[name][1]


@pytest.mark.parametrize(
    "name", sorted(set(cli.COMMANDS) - {"serve", "data"}), ids=lambda name: f"json-{name}"
)
def test_each_command_answers_programs_too(name: str) -> None:
    options = {option for each in cli.command(name).params for option in each.opts}
    assert "--json" in options


@pytest.mark.parametrize(
    "name",
    ["up", "down", "deploy", "capture", "notes", "verify", "promote", "rollback", "checkout"],
)
def test_each_command_that_changes_something_can_be_tried_dry(name: str) -> None:
    assert "--dry-run" in {option for each in cli.command(name).params for option in each.opts}


def test_help_needs_no_other_module() -> None:
    program = (
        "import sys; from roadworthy.cli import run; run(['--help']); "
        "print([m for m in sys.modules if m in ('typer', 'rich', 'httpx', 'msgspec')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_unknown_command_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["depoly"]) == 2
    assert "did you mean roadworthy deploy?" in capsys.readouterr().err


def test_a_bad_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["status", "--jsno"]) == 2
    assert "jsno" in capsys.readouterr().err


def test_csv_fields_get_their_columns_types() -> None:
    rows = from_csv("n,x,t,b,more\n1,2.5,a,true,9\n2.0,,NA,0,\nmuch,1e3,,maybe,\n", SIGNATURE)
    assert rows == [
        {"n": 1, "x": 2.5, "t": "a", "b": True},
        {"n": 2, "x": None, "t": "NA", "b": False},
        {"n": "much", "x": 1000.0, "t": None, "b": "maybe"},
    ]


def test_rows_are_read_from_json_and_json_lines(tmp_path: Path) -> None:
    one, many, lines = (tmp_path / name for name in ("one.json", "many.json", "rows.jsonl"))
    one.write_text('{"n": 1}')
    many.write_text('[{"n": 1}, {"n": 2}]')
    lines.write_text('{"n": 1}\n{"n": 2}\n')
    assert read_rows(str(one), "", SIGNATURE) == [{"n": 1}]
    assert read_rows(str(many), "", SIGNATURE) == [{"n": 1}, {"n": 2}]
    assert read_rows(str(lines), "", SIGNATURE) == [{"n": 1}, {"n": 2}]
    one.write_text("[1,")
    with pytest.raises(UsageError, match="not JSON"):
        read_rows(str(one), "", SIGNATURE)
    with pytest.raises(NotFound):
        read_rows(str(tmp_path / "none.csv"), "", SIGNATURE)


def test_answers_are_written_as_csv_with_empty_lines_for_rejected_rows() -> None:
    answers = Answers(
        release="m@1",
        values=[{"s": 1.5, "p": {"a": 1, "b": None}}, None],
        rejected=[Rejected(row=1, reason="no")],
        warnings=[],
    )
    assert write_csv(answers) == "s,p:a,p:b\n1.5,1,\n,,\n"


def test_rows_of_any_form_become_records() -> None:
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame({"n": [1, 2], "x": [0.5, np.nan]})
    assert to_records(frame)[0] == {"n": 1, "x": 0.5}
    assert to_records(frame["n"]) == [1, 2]
    assert to_records([{"n": 1}]) == [{"n": 1}]
    assert to_records("text") == ["text"]


def test_a_model_is_called_as_its_program_is(tmp_path: Path) -> None:
    def said(*command: str) -> str:
        words = [sys.executable, "-m", "roadworthy", *command, "--dry-run"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    for name in ("Day 11_K-NN.v2.py", "предсказание.py"):
        (tmp_path / name).write_text("x = 1\n")
    assert "deploy it as day-11-k-nn-v2" in said("deploy", "Day 11_K-NN.v2.py")
    assert "name it: --name NAME" in said("capture", "предсказание.py")
    assert "deploy it as mine" in said("deploy", "предсказание.py", "--name", "mine")


def test_an_interpreter_that_does_not_exist_is_named() -> None:
    assert interpreter_for(Path(sys.executable)) == Path(sys.executable)
    with pytest.raises(NotFound, match="no-such-python"):
        interpreter_for(Path("no-such-python"))


def test_what_others_wrote_can_not_drive_a_terminal() -> None:
    assert plain("a\x1b[31mred\x07") == "a [31mred "
