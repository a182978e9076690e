"""Runs a creation program under the recorder, as ``python program.py`` would run it."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import os
import sys
import traceback
import types
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from . import notebooks
from .recorder import Recorder, install
from .rewrite import Site, link, rewrite
from .snapshot import OWN

_HERE = os.path.dirname(os.path.abspath(__file__))


class Ran(NamedTuple):
    """A program that ran to its end: its recorder, namespace and files (path -> source)."""

    recorder: Recorder
    namespace: Dict[str, Any]
    files: Dict[str, str]
    exit_code: int


class Failure(Exception):
    """The program raised. ``text`` is its own traceback; ``line`` and ``file`` where."""

    def __init__(self, text: str, line: int, file: str, kind: str, message: str) -> None:
        super().__init__(message)
        self.text = text
        self.line = line
        self.file = file
        self.kind = kind
        self.message = message


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a local module of the program, rewritten, without a bytecode cache."""

    program: "Program"

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.program.compiled(path, self.get_data(path))

    def exec_module(self, module: types.ModuleType) -> None:
        OWN.add(id(module.__dict__))
        super().exec_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds modules that lie beside the program."""

    def __init__(self, program: "Program") -> None:
        self.program = program

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or not spec.origin or not self.program.is_local(spec.origin):
            return None
        loader = _Loader(fullname, spec.origin)
        loader.program = self.program
        spec.loader = loader
        return spec


class Program:
    """One program, to be run once in this process."""

    def __init__(
        self,
        path: str,
        arguments: Sequence[str],
        wanted: Optional[Tuple[str, int]],
        cells: Sequence[Dict[str, Any]] = (),
        folder: str = "",
    ) -> None:
        self.path = os.path.abspath(path)
        self.folder = folder or os.path.dirname(self.path)
        self.cells = list(cells)
        """Of a notebook: label, source and what it printed when it was run, of each cell."""
        self.notes: List[str] = []
        self.arguments = list(arguments)
        self.sites: List[Site] = []
        self.recorder = Recorder(self.sites, wanted)
        self.files: Dict[str, str] = {}

    def is_local(self, origin: str) -> bool:
        """Whether a module's file belongs to the program."""
        origin = os.path.abspath(origin)
        if not origin.endswith(".py") or not origin.startswith(self.folder + os.sep):
            return False
        inner = os.path.relpath(origin, self.folder).split(os.sep)
        if "site-packages" in inner or "dist-packages" in inner or origin.startswith(_HERE):
            return False
        top = os.path.join(self.folder, inner[0])
        return not os.path.exists(os.path.join(top, "pyvenv.cfg"))

    def imports(self) -> List[str]:
        """The modules that the program's own text imports, in order; none where it has a fault."""
        try:
            if self.cells:
                trees = [ast.parse(cell["source"]) for cell in self.cells]
            else:
                with open(self.path, "rb") as file:
                    trees = [ast.parse(file.read())]
        except (OSError, SyntaxError, ValueError):
            return []
        found: List[str] = []
        for part in (part for tree in trees for part in ast.walk(tree)):
            if isinstance(part, ast.Import):
                found += [one.name for one in part.names]
            elif isinstance(part, ast.ImportFrom) and part.module and not part.level:
                found.append(part.module)
        return list(dict.fromkeys(found))

    def compiled(self, path: str, data: bytes) -> types.CodeType:
        """A file of the program, rewritten and compiled."""
        return self.compiled_text(path, importlib.util.decode_source(data))

    def compiled_text(self, path: str, source: str) -> types.CodeType:
        """A text of the program, rewritten and compiled; ``path`` is its file or cell."""
        self.files[path] = source
        self.recorder.own_files.add(path)
        tree = rewrite(source, path, self.sites)
        return link(compile(tree, path, "exec", dont_inherit=True), self.recorder)

    def run(self) -> Ran:
        """Runs the program. Raises Failure with the program's own traceback."""
        install(self.recorder)
        module = types.ModuleType("__main__")
        namespace = module.__dict__
        namespace.update(__builtins__=__builtins__)
        if self.cells:
            os.chdir(self.folder)
            namespace.update(notebooks.names())
        else:
            namespace.update(__file__=self.path)
        OWN.add(id(namespace))
        sys.modules["__main__"] = module
        sys.argv = [self.path, *self.arguments]
        sys.path.insert(0, self.folder)
        sys.meta_path.insert(0, _Finder(self))
        sys.setrecursionlimit(sys.getrecursionlimit() * 3)
        exit_code = 0
        try:
            if self.cells:
                for cell in self.cells:
                    self.notes += notebooks.run_cell(self, cell, namespace)
            else:
                with open(self.path, "rb") as file:
                    code = self.compiled(self.path, file.read())
                exec(code, namespace)
        except SystemExit as stop:
            exit_code = _exit_code(stop)
            if exit_code:
                raise self._ended(stop, exit_code) from None
        except BaseException as error:
            raise self._failure(error) from None
        self.flush()
        return Ran(self.recorder, namespace, self.files, exit_code)

    def evaluate(self, expression: str, namespace: Dict[str, Any]) -> Any:
        """An expression in the program's namespace, recorded. Raises what it raises."""
        source = "__rw_output__ = (%s)\n" % expression
        name = "<output>"
        linecache.cache[name] = (len(source), None, [source], name)
        tree = rewrite(source, name, self.sites)
        self.recorder.own_files.add(name)
        exec(link(compile(tree, name, "exec"), self.recorder), namespace)
        return namespace.pop("__rw_output__")

    def flush(self) -> None:
        """Has written out what the program printed, unless it closed its streams."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass

    def _ended(self, stop: SystemExit, exit_code: int) -> Failure:
        """The failure of a program that ended itself: with what it said, as Python prints it."""
        said = "" if isinstance(stop.code, int) else ": %s" % stop.code
        found = self._failure(stop)
        text = "" if isinstance(stop.code, int) else "%s\n" % stop.code
        told = "the program ended itself with exit code %s%s" % (exit_code, said)
        return Failure(text, found.line, found.file, "SystemExit", told)

    def _failure(self, error: BaseException) -> Failure:
        if isinstance(error, SyntaxError) and error.filename in (self.path, None, *self.files):
            text = "".join(traceback.format_exception_only(type(error), error))
            file = error.filename or self.path
            return Failure(text, error.lineno or 0, file, "SyntaxError", str(error.msg))
        frames = traceback.extract_tb(error.__traceback__)
        kept = [frame for frame in frames if not frame.filename.startswith(_HERE)]
        own = [frame for frame in kept if frame.filename in self.files]
        text = "Traceback (most recent call last):\n" + "".join(traceback.format_list(kept))
        text += "".join(traceback.format_exception_only(type(error), error))
        line = (own[-1].lineno or 0) if own else 0
        file = own[-1].filename if own else self.path
        return Failure(text, line, file, type(error).__name__, str(error))


def _exit_code(stop: SystemExit) -> int:
    if stop.code is None:
        return 0
    return stop.code if isinstance(stop.code, int) else 1
