"""``%load_ext roadworthy``: a notebook's cells are traced as they run, and ``%deploy`` offers them.

Loaded first, what the cells do is recorded while they run. Loaded later, ``%deploy`` has the
history run again, as it was executed, in a fresh process.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

from . import facade

_NAME = "__roadworthy_recorder__"
_OWN = ("%load_ext roadworthy", "%reload_ext roadworthy", "%deploy")


class DeployFailed(Exception):
    """``%deploy`` did not come to its end; what went wrong is printed above."""

    def _render_traceback_(self) -> List[str]:
        return [str(self)]


def load_ipython_extension(shell: Any) -> None:
    """Begins to trace cells, and registers ``%deploy``."""
    unload_ipython_extension(shell)
    tracer = Tracer(shell)
    shell.roadworthy = tracer
    if tracer.first:
        shell.ast_transformers.append(tracer)
        shell.events.register("pre_run_cell", tracer.begin)
    shell.register_magic_function(tracer.deploy, "line", "deploy")


def unload_ipython_extension(shell: Any) -> None:
    """Stops tracing."""
    tracer = getattr(shell, "roadworthy", None)
    if tracer is not None:
        tracer.stop()
        shell.roadworthy = None


class Tracer:
    """Traces the cells of one kernel."""

    def __init__(self, shell: Any) -> None:
        from .program import Program
        from .recorder import install

        self.shell = shell
        self.first = all(map(_only_imports, self._history()))
        """Whether nothing happened yet that a flow could be made of."""
        self.whole = self.first
        """Whether all that ran was traced."""
        self.label = ""
        self.raw = ""
        self.stored = False
        self.lines = 0
        self.seconds = time.perf_counter()
        self.program = Program(_title(shell), [], None, [{"label": "", "source": ""}], os.getcwd())
        self.program.cells = []
        if self.first:
            for number, source in enumerate(self._history(), 1):
                if source.strip():
                    self._cell("In[%d]" % number, source)
            install(self.program.recorder)
            setattr(builtins, _NAME, self.program.recorder)
            facade.RECORDING[:] = [self.program.recorder]
            from .snapshot import OWN

            OWN.add(id(shell.user_ns))
            # Functions are found again by the name of the cell that defines them.
            shell.compile.get_code_name = self._code_name

    def stop(self) -> None:
        """Traces no more; what is rewritten already goes on unrecorded."""
        self.program.recorder.paused = True
        facade.RECORDING[:] = []
        if self in self.shell.ast_transformers:
            self.shell.ast_transformers.remove(self)
            self.shell.events.unregister("pre_run_cell", self.begin)
            del self.shell.compile.get_code_name

    def _history(self) -> List[str]:
        """The cells that ran before the one that runs now, as they were typed."""
        ran = self.shell.history_manager.input_hist_raw[1:]
        return [str(cell) for cell in ran[:-1]]

    def _code_name(self, raw: str, transformed: str, number: int) -> str:
        """The name of a cell's code; IPython asks for it just before it parses the cell."""
        if not self.stored:
            return str(type(self.shell.compile).get_code_name(
                self.shell.compile, raw, transformed, number
            ))  # fmt: skip
        self.label = "In[%d]" % number
        self.lines = transformed.rstrip().count("\n")
        return self.label

    # ---- while cells run

    def begin(self, info: Any) -> None:
        """A cell is about to run."""
        self.raw, self.stored, self.label = info.raw_cell, info.store_history, ""
        recorder = self.program.recorder
        recorder.context, recorder.paused = (), False

    def visit(self, tree: ast.Module) -> ast.Module:
        """The cell's tree, rewritten; IPython calls this for each cell."""
        label, self.label = self.label, ""
        if not label:
            return tree
        if self.raw.lstrip().startswith("%%"):
            self.whole = False
            return tree
        from .rewrite import named, rewrite_tree

        text = self._cell(label, self.raw)
        if text is None or text.rstrip().count("\n") != self.lines:
            self.whole = False
            return tree
        self.program.recorder.own_files.add(label)
        return named(rewrite_tree(tree, label, self.program.sites, text), _NAME)

    def _cell(self, label: str, raw: str) -> Optional[str]:
        """Notes a cell and its text without magics, line for line."""
        lines: List[str] = []
        for line in raw.split("\n"):
            if not lines and not line.strip():
                continue  # which IPython leaves out too
            bare = line.lstrip()
            if bare.startswith(("%", "!", "?")) or (bare and bare.rstrip().endswith("?")):
                indent = line[: len(line) - len(bare)]
                lines.append((indent + "pass  # " if indent else "# ") + bare)
            else:
                lines.append(line)
        text = "\n".join(lines)
        try:
            ast.parse(text)
        except SyntaxError:
            self.whole = False
            return None
        self.program.files[label] = text
        self.program.cells.append({"label": label, "source": text})
        return text

    # ---- %deploy

    def deploy(self, line: str) -> None:
        """``%deploy NAME --input TABLE --output ANSWERS``: puts this notebook into production.

        Takes the options of ``roadworthy deploy``.
        """
        words = shlex.split(line)
        name = words.pop(0) if words and not words[0].startswith("-") else ""
        if not _available():
            raise DeployFailed(
                "Roadworthy is not installed where this kernel can start it: "
                "install it here, or put its command on the path"
            )
        folder = tempfile.mkdtemp(prefix="roadworthy-kernel-")
        try:
            notebook = os.path.join(folder, os.path.basename(self.program.path))
            own = self._traced(words, folder) if self.whole else {}
            cells = self._cells(bool(own))
            own["folder"] = os.getcwd()
            _write_notebook(notebook, cells, own)
            report = os.path.join(folder, "report.html")
            command = [*_command(), "deploy", notebook, *words, "--python", sys.executable]
            command += ["--name", name] if name else []
            code = _streamed([*command, "--report", report])
            if os.path.exists(report):
                _show(Path(report).read_text("utf-8"))
            if code:
                raise DeployFailed("nothing was deployed: see what is said above")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _cells(self, traced: bool) -> List[Dict[str, Any]]:
        """The cells that ran, numbered: as traced, or as the history has them."""
        if traced:
            return [
                {"number": int(cell["label"][3:-1]), "source": cell["source"]}
                for cell in self.program.cells
            ]
        return [
            {"number": number, "source": source, "tolerant": True}
            for number, source in enumerate(self._history(), 1)
            if source.strip() and not source.strip().startswith(_OWN)
        ]

    def _traced(self, words: List[str], folder: str) -> Dict[str, Any]:
        """Captures what was traced into a folder; nothing where it has to be run again."""
        from . import record
        from .program import Ran

        asked = _asked(words)
        if asked is None:
            return {}
        recorder = self.program.recorder
        out = Path(folder) / "recorded"
        out.mkdir()
        result: Dict[str, Any] = {"format": 1, "python": "%d.%d.%d" % sys.version_info[:3]}
        result["seconds"] = time.perf_counter() - self.seconds
        ran = Ran(recorder, self.shell.user_ns, self.program.files, 0)
        try:
            record.captured(self.program, ran, {**asked, "out": str(out)}, out, result)
        finally:
            recorder.paused = False
        if result["status"] != "captured":
            unknown = "that could be" in result["problem"]["message"]
            if unknown:
                return {}
        record.write_result(self.program, out, result, time.perf_counter() - result["seconds"])
        return {"recorded": str(out)}


def _title(shell: Any) -> str:
    """The notebook's file, as far as the kernel knows it."""
    known = shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME") or ""
    name = os.path.basename(str(known))
    return os.path.join(os.getcwd(), name if name.endswith(".ipynb") else "notebook.ipynb")


def _only_imports(cell: str) -> bool:
    """Whether a cell does nothing but import, comment and set the notebook up."""
    lines = [line for line in cell.split("\n") if not line.lstrip().startswith(("%", "!"))]
    try:
        body = ast.parse("\n".join(lines)).body
    except SyntaxError:
        return False
    return not cell.lstrip().startswith("%%") and all(
        isinstance(statement, (ast.Import, ast.ImportFrom)) for statement in body
    )


def _asked(words: List[str]) -> Optional[Dict[str, Any]]:
    """What ``%deploy`` was asked to capture; None where only a run of its own can tell."""
    asked: Dict[str, Any] = {"input": None, "outputs": [], "target": None, "keep_filters": False}
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option in ("--input", "--output", "--target"):
            value = value if equals else next(rest, "")
            if option == "--output":
                asked["outputs"].append(value)
            else:
                asked[option[2:]] = value
        elif option == "--keep-filters":
            asked["keep_filters"] = True
        elif option == "--param":
            return None
    return asked


def _write_notebook(path: str, cells: List[Dict[str, Any]], own: Dict[str, Any]) -> None:
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"roadworthy": own},
        "cells": [
            {
                "cell_type": "code",
                "execution_count": cell["number"],
                "metadata": {"tolerant": cell.get("tolerant", False)},
                "outputs": [],
                "source": cell["source"],
            }
            for cell in cells
        ],
    }
    Path(path).write_text(json.dumps(document, indent=1), "utf-8")


def _available() -> bool:
    import importlib.util

    return importlib.util.find_spec("roadworthy.cli") is not None or bool(
        shutil.which("roadworthy")
    )


def _command() -> List[str]:
    import importlib.util

    if importlib.util.find_spec("roadworthy.cli") is not None:
        return [sys.executable, "-m", "roadworthy"]
    return [str(shutil.which("roadworthy"))]


def _streamed(command: List[str]) -> int:
    """Runs a command, its lines printed as they come; the exit code."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            print(line, end="", flush=True)
        return process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise


def _show(page: str) -> None:
    """Shows a page of its own in the notebook."""
    import html
    import importlib

    shown: Any = importlib.import_module("IPython.display")
    frame = (
        '<div><iframe title="capture report" sandbox srcdoc="%s" '
        'style="width:100%%;height:32rem;border:1px solid #8884;border-radius:6px"></iframe></div>'
    )
    shown.display(shown.HTML(frame % html.escape(page, quote=True)))
