"""Notebooks as programs: order of execution, magics, what is refused by cell and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roadworthy.capture.notebook import as_python, read_notebook
from roadworthy.errors import CaptureError, NotFound, UsageError


def cell(source: str, count: int | None, *outputs: dict[str, Any]) -> dict[str, Any]:
    """A code cell as a notebook file has it."""
    return {
        "cell_type": "code", "execution_count": count, "metadata": {},
        "source": source.splitlines(keepends=True), "outputs": list(outputs),
    }  # fmt: skip


def written(folder: Path, *cells: dict[str, Any], **metadata: Any) -> Path:
    """A notebook file with these cells."""
    title = {"cell_type": "markdown", "metadata": {}, "source": ["# A title"]}
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": metadata,
        "cells": [title, *cells],
    }
    (folder / "n.ipynb").write_text(json.dumps(document), "utf-8")
    return folder / "n.ipynb"


def test_cells_come_in_the_order_in_which_they_ran(tmp_path: Path) -> None:
    path = written(tmp_path, cell("b = a", 4), cell("a = 1", 2), cell("c = 3", None), cell("", 5))
    notebook = read_notebook(path)
    assert [(each.label, each.source) for each in notebook.cells] == [
        ("In[2]", "a = 1"),
        ("In[4]", "b = a"),
    ]
    notes = " / ".join(notebook.notes)
    assert "1 cell was never run" in notes
    assert "another order" in notes
    assert "In[1]" in notes  # executions that the file no longer has


def test_cells_stand_as_they_are_where_their_last_runs_can_not_be_repeated(tmp_path: Path) -> None:
    """The imports were run again after all: only their last run is known."""
    imports = cell("import numpy as np\ndef two(): return later", 12)
    path = written(tmp_path, imports, cell("a = np.ones(2)", 2), cell("later = a", 3))
    notebook = read_notebook(path)
    assert [each.label for each in notebook.cells] == ["In[12]", "In[2]", "In[3]"]
    assert (
        "In[2] reads np, which cells bind that ran later: the cells are run as they stand"
        in notebook.notes
    )


def test_cells_that_lack_a_name_in_either_order_are_run_as_they_ran(tmp_path: Path) -> None:
    path = written(tmp_path, cell("b = a", 3), cell("a = c", 1), cell("c = 1", 2))
    assert [each.label for each in read_notebook(path).cells] == ["In[1]", "In[2]", "In[3]"]


def test_a_notebook_that_never_ran_is_taken_as_it_stands(tmp_path: Path) -> None:
    notebook = read_notebook(written(tmp_path, cell("a = 1", None), cell("b = a", None)))
    assert [each.label for each in notebook.cells] == ["cell 1", "cell 2"]
    assert "as they stand" in notebook.notes[0]


def test_cells_of_two_kernels_keep_labels_of_their_own(tmp_path: Path) -> None:
    notebook = read_notebook(written(tmp_path, cell("a = 1", 1), cell("b = 2", 1)))
    assert [each.label for each in notebook.cells] == ["In[1]", "In[1].2"]
    assert any("one kernel" in note for note in notebook.notes)


def test_a_cell_that_failed_is_left_out_and_said(tmp_path: Path) -> None:
    error = {"output_type": "error", "ename": "KeyError", "evalue": "x", "traceback": []}
    notebook = read_notebook(written(tmp_path, cell("a = d['x']", 1, error), cell("b = 2", 2)))
    assert [each.label for each in notebook.cells] == ["In[2]"]
    assert "In[1] ended with KeyError: left out" in notebook.notes


def test_what_a_cell_printed_is_kept_to_compare(tmp_path: Path) -> None:
    stream = {"output_type": "stream", "name": "stdout", "text": ["3\n", "4\n"]}
    other = {"output_type": "stream", "name": "stderr", "text": "warned"}
    notebook = read_notebook(written(tmp_path, cell("print(3)", 1, stream, other), cell("x=1", 2)))
    assert [each.printed for each in notebook.cells] == ["3\n4\n", None]


@pytest.mark.parametrize(
    ("source", "expected", "ignored"),
    [
        ("%matplotlib inline\nx = 1", "# %matplotlib inline\nx = 1", "%matplotlib"),
        ("!pip install pandas\nx = 1", "# !pip install pandas\nx = 1", "!pip"),
        ("if x:\n    %pip list\ny = 2", "if x:\n    pass  # %pip list\ny = 2", "%pip"),
        ("%%time\nx = 1\ny = 2", "# %%time\nx = 1\ny = 2", "%%time"),
        ("%time x = f(1)", "x = f(1)", "%time"),
        ("%%bash\nls -l", "# %%bash\n# ls -l", "%%bash"),
        ("%%writefile helper.py\nx = 1", "# %%writefile helper.py\n# x = 1", "%%writefile"),
        ("df.head?\nx = 1", "# df.head?\nx = 1", "?"),
        ("?df\nx = 1", "# ?df\nx = 1", "?"),
    ],
)
def test_magics_are_left_out_line_for_line(source: str, expected: str, ignored: str) -> None:
    found: dict[str, list[str]] = {}
    assert as_python(source, "In[3]", found) == expected
    assert found == {ignored: ["In[3]"]}


@pytest.mark.parametrize(
    "source",
    ["x = y % 3\nz = x != 2", "text = '''\n%matplotlib\n!ls\n'''", "total = (a\n    % b)", "x = 1"],
)
def test_what_is_python_stays_as_it_is(source: str) -> None:
    found: dict[str, list[str]] = {}
    assert as_python(source, "In[3]", found) == source
    assert not found


@pytest.mark.parametrize(
    ("source", "what", "line"),
    [
        ("x = 1\nfiles = !ls", "files = !", 2),
        ("table = %sql select 1", "table = %sql", 1),
        ("x = 1\n%run other.py", "%run", 2),
        ("%cd data", "%cd", 1),
        ("%store -r model", "%store", 1),
        ("%%cython\ndef f(): pass", "%%cython", 1),
        ("\n%%R\nx <- 1", "%%R", 2),
    ],
)
def test_what_binds_names_outside_of_python_is_refused(source: str, what: str, line: int) -> None:
    with pytest.raises(CaptureError) as raised:
        as_python(source, "In[7]", {})
    assert what in raised.value.message
    assert raised.value.cure
    assert str(raised.value).startswith(f"In[7], line {line}: ")


def test_what_is_no_notebook_in_python_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no notebook"):
        read_notebook(tmp_path / "n.ipynb")
    (tmp_path / "n.ipynb").write_text("import pandas")
    with pytest.raises(UsageError, match="no JSON"):
        read_notebook(tmp_path / "n.ipynb")
    (tmp_path / "n.ipynb").write_text('{"worksheets": []}')
    with pytest.raises(UsageError, match="version 4"):
        read_notebook(tmp_path / "n.ipynb")
    with pytest.raises(UsageError, match="written in julia"):
        read_notebook(written(tmp_path, cell("x = 1", 1), kernelspec={"language": "julia"}))
    with pytest.raises(UsageError, match="no cell with code"):
        read_notebook(written(tmp_path))
