"""A notebook as a program: its cells in the order in which they were run, magics told apart."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from roadworthy.core.values import Value
from roadworthy.errors import CaptureError, NotFound, UsageError

_KEEP_REST = frozenset({"time", "capture", "prun", "memit", "mprun", "lprun"})
"""Magics that run Python and leave its names bound."""
_NOTHING = frozenset(
    {
        "alias", "autoreload", "autosave", "bookmark", "colors", "conda", "config", "debug",
        "deploy", "dirs", "doctest_mode", "env", "hist", "history", "load_ext", "logstart", "ls",
        "lsmagic", "magic", "mamba", "matplotlib", "notebook", "pdb", "pdoc", "pfile", "pinfo",
        "pip", "popd", "pprint", "precision", "psource", "pushd", "pwd", "qtconsole", "reload_ext",
        "set_env", "store", "tb", "tensorboard", "timeit", "unload_ext", "watermark", "who",
        "who_ls", "whos", "xmode",
    }
)  # fmt: skip
_OTHER_LANGUAGES = frozenset(
    {
        "!", "bash", "cmd", "file", "html", "HTML", "javascript", "js", "latex", "markdown", "perl",
        "pypy", "python2", "ruby", "script", "sh", "svg", "sx", "system", "timeit", "writefile",
    }
)  # fmt: skip
_REFUSED = {
    "run": "import what the other program defines from a module beside the notebook",
    "pylab": "import numpy and matplotlib by name",
    "reset": "leave the names; a fresh run has none but its own",
    "cd": "read files by paths that hold wherever the notebook runs",
    "macro": "write a function",
    "rerun": "run the cells themselves",
}
_LINE = re.compile(r"^(\s*)(%%?|!!?|\?\??)\s*([\w.!]*)(.*)$")
_BOUND = re.compile(r"^\s*([\w., ]+?)\s*=\s*([%!])\s*(\w*)")
_HELP = re.compile(r"^\s*%?[\w.*\[\]'\"]+\?\??\s*$")


class Cell(Value, frozen=True):
    """A code cell as it ran. ``printed`` is what it wrote then, where the notebook kept it."""

    label: str
    source: str
    printed: str | None = None
    tolerant: bool = False
    """Whether the cells after it ran, however it ended."""


class Notebook(Value, frozen=True):
    """Cells in the order in which they ran; ``notes`` is what a reader of the report is told."""

    cells: tuple[Cell, ...]
    notes: tuple[str, ...]
    folder: str = ""
    """Where it ran, if that is not where the file lies."""
    recorded: str = ""
    """The folder of a recording that a kernel made while the cells ran."""


def read_notebook(path: Path) -> Notebook:
    """The cells of a notebook file, in stored order of execution, as plain Python.

    Raises NotFound, UsageError for what is no notebook in Python, and CaptureError that names cell
    and line for a magic or shell line that a flow can't do without.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise NotFound(f"there is no notebook {path}", cure="name an existing file") from None
    except (ValueError, UnicodeDecodeError):
        raise UsageError(f"{path} is no notebook: it holds no JSON", cure="save it again") from None
    return _notebook(document, path)


def _notebook(document: Any, path: Path) -> Notebook:
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise UsageError(
            f"{path} is no notebook of version 4",
            cure="open it and save it again, or: jupyter nbconvert --to notebook",
        )
    metadata = document.get("metadata") or {}
    language = str((metadata.get("kernelspec") or {}).get("language") or "python").lower()
    if language != "python":
        raise UsageError(f"{path} is written in {language}", cure="name a notebook in Python")
    own = metadata.get("roadworthy") or {}
    stored = [cell for cell in document["cells"] if cell.get("cell_type") == "code"]
    stored = [cell for cell in stored if _source(cell).strip()]
    notes: list[str] = []
    ordered = _in_order(stored, notes, bool(own))
    ignored: dict[str, list[str]] = {}
    cells: list[Cell] = []
    places: list[int] = []
    for label, cell in ordered:
        raised = [o for o in cell.get("outputs") or () if o.get("output_type") == "error"]
        if raised and not own:
            notes.append(f"{label} ended with {raised[0].get('ename', 'an error')}: left out")
            continue
        source = as_python(_source(cell), label, ignored)
        tolerant = bool(own) and bool((cell.get("metadata") or {}).get("tolerant"))
        cells.append(Cell(label=label, source=source, printed=_printed(cell), tolerant=tolerant))
        places.append(next(at for at, each in enumerate(stored) if each is cell))
    if not own and places != sorted(places):
        cells = _coherent(cells, places, notes)
    if not cells:
        raise UsageError(f"{path} has no cell with code", cure="name the notebook that was run")
    if ignored:
        said = ", ".join(f"{what} ({', '.join(where)})" for what, where in ignored.items())
        notes.append(f"ignored: {said}")
    return Notebook(
        cells=tuple(cells),
        notes=tuple(notes),
        folder=str(own.get("folder") or ""),
        recorded=str(own.get("recorded") or ""),
    )


def _source(cell: Any) -> str:
    source = cell.get("source") or ""
    return source if isinstance(source, str) else "".join(source)


def _in_order(stored: list[Any], notes: list[str], own: bool) -> list[tuple[str, Any]]:
    """Cells with their labels, as they ran; never run ones are left out if any was run."""
    ran = [(int(c["execution_count"]), c) for c in stored if c.get("execution_count")]
    if not ran:
        if stored:
            notes.append("no cell was run yet: they are run as they stand")
        return [(f"cell {place}", cell) for place, cell in enumerate(stored, 1)]
    left = len(stored) - len(ran)
    if left:
        notes.append(f"{left} cell{'s were' if left > 1 else ' was'} never run: left out")
    numbers = [number for number, _ in ran]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        notes.append(f"several cells are In[{twice[0]}]: they did not run in one kernel")
    gone = [] if own else sorted(set(range(1, max(numbers) + 1)) - set(numbers))
    if gone:
        notes.append(
            f"{len(gone)} execution{'s are' if len(gone) > 1 else ' is'} no longer in the "
            f"notebook (such as In[{gone[0]}]: run again, or deleted) and not repeated"
        )
    ordered = sorted(ran, key=lambda each: each[0])
    labels: dict[str, int] = {}
    out = []
    for number, cell in ordered:
        label = f"In[{number}]"
        labels[label] = labels.get(label, 0) + 1
        out.append((label if labels[label] == 1 else f"{label}.{labels[label]}", cell))
    return out


def _coherent(cells: list[Cell], places: list[int], notes: list[str]) -> list[Cell]:
    """The cells as they ran; as they stand, where only so each finds the names that it reads.

    A cell that was run again, such as that of the imports, is known by its last run alone.
    """
    standing = [cell for _, cell in sorted(zip(places, cells, strict=True), key=lambda e: e[0])]
    lacks = _lacking(cells)
    if lacks is None or _lacking(standing) is not None:
        notes.append("cells were run in another order than they stand: run so again")
        return cells
    label, name = lacks
    notes.append(
        f"{label} reads {name}, which cells bind that ran later: the cells are run as they stand"
    )
    return standing


def _lacking(cells: list[Cell]) -> tuple[str, str] | None:
    """The first cell that reads a name which only later cells bind, and the name."""
    names = [_names(cell.source) for cell in cells]
    later = [bound for _, bound in names]
    known: set[str] = set()
    for place, (cell, (read, bound)) in enumerate(zip(cells, names, strict=True)):
        known |= bound
        lost = (read - known) & set().union(*later[place + 1 :])
        if lost:
            return cell.label, min(lost)
    return None


def _names(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell's own statements read, outside functions, and those that it binds."""
    try:
        waiting: list[ast.AST] = [ast.parse(source)]
    except SyntaxError:
        return set(), set()
    read: set[str] = set()
    bound: set[str] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(each.asname or each.name).partition(".")[0] for each in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
            waiting += node.decorator_list
            continue
        elif isinstance(node, ast.Lambda):
            continue
        waiting += ast.iter_child_nodes(node)
    return read, bound


def _printed(cell: Any) -> str | None:
    """What a cell wrote to standard output, as the notebook keeps it; None where it kept none."""
    if not cell.get("outputs"):
        return None
    parts = []
    for output in cell["outputs"]:
        if output.get("output_type") == "stream" and output.get("name") == "stdout":
            text = output.get("text") or ""
            parts.append(text if isinstance(text, str) else "".join(text))
    return "".join(parts)


def as_python(source: str, label: str, ignored: dict[str, list[str]]) -> str:
    """A cell without magics, line for line; what was left out is noted in ``ignored``.

    >>> as_python("%matplotlib inline\\nx = 1", "In[1]", {})
    '# %matplotlib inline\\nx = 1'

    Raises CaptureError for a magic that binds names or runs another program.
    """
    try:
        ast.parse(source)
        return source
    except SyntaxError:
        pass
    lines = source.split("\n")
    first = next((place for place, line in enumerate(lines) if line.strip()), 0)
    if lines[first].lstrip().startswith("%%"):
        word = lines[first].lstrip()[2:].split(" ")[0] or "!"
        if word in _OTHER_LANGUAGES:
            _note(ignored, "%%" + word, label)
            return "\n".join(f"# {line}".rstrip() for line in lines)
        if word not in _KEEP_REST:
            raise _refusal(f"%%{word}", label, first + 1, "write the cell in Python")
        _note(ignored, "%%" + word, label)
        lines[first] = "# " + lines[first]
    out: list[str] = []
    for number, line in enumerate(lines, 1):
        out.extend(_line(line, label, number, ignored, bool(out) and out[-1].endswith("\\")))
    return "\n".join(out)


def _line(
    line: str, label: str, number: int, ignored: dict[str, list[str]], goes_on: bool
) -> Iterator[str]:
    bound = _BOUND.match(line)
    if bound and not goes_on:
        what = "!" if bound[2] == "!" else f"%{bound[3]}"
        raise _refusal(
            f"{bound[1].strip()} = {what}", label, number,
            "get the value in Python, before the rows are used",
        )  # fmt: skip
    if _HELP.match(line):
        _note(ignored, "?", label)
        yield _commented(line)
        return
    found = _LINE.match(line)
    if not found or goes_on or found[2] == "%%":
        yield line
        return
    indent, sign, word, rest = found.groups()
    if sign in ("!", "!!"):
        _note(ignored, "!" + word, label)
        yield _commented(line)
        return
    if sign.startswith("?"):
        _note(ignored, "?", label)
        yield _commented(line)
        return
    if word in _REFUSED or (word == "store" and "-r" in rest):
        cure = _REFUSED.get(word, "read the value from a file that the notebook names")
        raise _refusal(f"%{word}", label, number, cure)
    _note(ignored, f"%{word}", label)
    yield indent + rest.strip() if word in _KEEP_REST else _commented(line)


def _commented(line: str) -> str:
    """A line as a comment; in a block something has to stand in its place."""
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}pass  # {line.strip()}" if indent else f"# {line.strip()}"


def _note(ignored: dict[str, list[str]], what: str, label: str) -> None:
    where = ignored.setdefault(what, [])
    if label not in where:
        where.append(label)


def _refusal(what: str, label: str, number: int, cure: str) -> CaptureError:
    return CaptureError(
        f"{what} can't be captured: it works outside of Python, or on the notebook itself",
        cure=cure,
        line=number,
        place=f"{label}, line {number}",
    )
