"""Watches a flow while it answers and notes what it may not touch.

Files outside the flow and the installed packages, network, processes, the clock, and randomness
that nothing seeds. Files, network and processes are seen by Python's audit events; the clock and
random numbers by tracing the flow's own lines.
"""

from __future__ import annotations

import ast
import builtins
import datetime
import linecache
import os
import random
import site
import sys
import sysconfig
import threading
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional


@dataclass(frozen=True)
class Effect:
    """One forbidden effect. ``file`` is relative to the flow's directory, ``line`` is in it."""

    kind: str
    what: str
    file: str = ""
    line: Optional[int] = None
    source: str = ""

    def __str__(self) -> str:
        where = f" at {self.file} line {self.line}: {self.source}" if self.line else ""
        return f"{self.kind}: {self.what}{where}"


@contextmanager
def watching(directory: Path, trace: bool = True) -> Iterator[list[Effect]]:
    """Note what code of the flow in this directory touches, each place once, in order.

    With ``trace`` false only files, network and processes are watched: fit for imports, where
    tracing would cost most. Not for use in two threads at once.
    """
    watch = _Watch(directory)
    _Hook.install()
    before = sys.gettrace()
    _Hook.watch = watch
    if trace:
        sys.settrace(watch.trace)
    try:
        yield watch.found
    finally:
        if trace:
            sys.settrace(before)
            watch.settle()
        _Hook.watch = None


class _Hook:
    """The one audit hook of the process: Python has no way to take one out again."""

    installed = False
    watch: Optional[_Watch] = None

    @classmethod
    def install(cls) -> None:
        if not cls.installed:
            cls.installed = True
            sys.addaudithook(cls._event)

    @classmethod
    def _event(cls, event: str, arguments: tuple[Any, ...]) -> None:
        watch = cls.watch
        if watch is not None and (event == "open" or event.split(".", 1)[0] in _FAMILIES):
            watch.event(event, arguments)


_FAMILIES = frozenset(("os", "shutil", "socket", "subprocess", "urllib", "sqlite3", "pty", "http"))
_PROCESS = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.")
_NETWORK = ("socket.", "urllib.", "http.")
_LISTING = frozenset(("os.listdir", "os.scandir", "os.walk"))
_CHANGING = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.sym")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_SYSTEM = ("/dev", "/proc", "/sys", "/etc/localtime", "/usr/share/zoneinfo", "/usr/lib", "/lib")


class _Watch:
    """What was found so far, where the flow's lines are, and the random generators' state."""

    def __init__(self, directory: Path) -> None:
        self.directory = os.path.realpath(directory)
        self.own = (os.path.join(self.directory, ""),)
        self.support = os.path.join(self.directory, "flow_support")
        paths = [sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values()]
        paths += [p for p in (*sys.path, *site.getsitepackages()) if p]
        roots = {os.path.realpath(p) for p in paths} | set(_SYSTEM)
        self.readable = tuple(os.path.join(p, "") for p in roots if p != os.sep) + self.own
        self.found: list[Effect] = []
        self.thread = threading.get_ident()
        self.busy = False
        self.calls: dict[str, dict[int, list[ast.Call]]] = {}
        self.mark = _random_mark()
        self.seeded = False
        self.last: Optional[tuple[str, int]] = None

    # -- audit events -------------------------------------------------------------------------

    def event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.busy:
            return
        self.busy = True
        try:
            what = self._forbidden(event, arguments)
            if what is None:
                return
            kind, text = what
            found, place = self._place(sys._getframe(2))
            if found or (threading.get_ident() != self.thread and kind != "file"):
                self._note(kind, text, place)
        finally:
            self.busy = False

    def _forbidden(self, event: str, arguments: tuple[Any, ...]) -> Optional[tuple[str, str]]:
        if event.startswith(_NETWORK):
            where = next((a for a in arguments if isinstance(a, (str, tuple))), "")
            return "network", f"{event} {where}".strip()
        if event.startswith(_PROCESS):
            return "process", f"{event} {arguments[0] if arguments else ''}".strip()
        path = arguments[0] if arguments else None
        if event == "sqlite3.connect":
            return "file", f"opens {path}"
        if not isinstance(path, (str, bytes, os.PathLike)):
            return None
        name = os.path.realpath(os.fsdecode(path))
        readable = name.startswith(self.readable) or name in _SYSTEM
        if event == "open":
            mode, flags = arguments[1], arguments[2]
            writes = any(c in mode for c in "wax+") if isinstance(mode, str) else flags & _WRITING
            if writes and not name.startswith("/dev/") and "__pycache__" not in name:
                return "file", f"writes {name}"
            return None if readable else ("file", f"reads {name}")
        if event in _LISTING:
            return None if readable else ("file", f"lists {name}")
        if event.startswith(_CHANGING) or event.startswith("shutil."):
            return "file", f"{event} {name}"
        return None

    def _place(self, frame: Optional[types.FrameType]) -> tuple[bool, Optional[tuple[str, int]]]:
        """Whether the flow's own code is at work, and its line.

        Not where a library is imported, nor where the support under it reads the state: some
        libraries load from files only, which it writes for them.
        """
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith(("<frozen importlib", self.support)):
                return False, None
            if self._is_own(name):
                return True, (name, frame.f_lineno)
            frame = frame.f_back
        return False, None

    def _is_own(self, name: str) -> bool:
        return name.startswith(self.own) and not name.startswith(self.support)

    def _note(self, kind: str, what: str, place: Optional[tuple[str, int]]) -> None:
        file, line, source = "", None, ""
        if place is not None:
            file, line = os.path.relpath(place[0], self.directory), place[1]
            source = linecache.getline(*place).strip()
        effect = Effect(kind, what, file, line, source)
        if effect not in self.found:
            self.found.append(effect)

    # -- the flow's own lines -----------------------------------------------------------------

    def trace(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        return self._line if self._is_own(frame.f_code.co_filename) else None

    def _line(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.settle()
            place = (frame.f_code.co_filename, frame.f_lineno)
            self.last = place
            for call in self._calls_at(*place):
                self._judge(call, frame, place)
        return self._line

    def settle(self) -> None:
        """Note it where the line before drew from a global random generator that is unseeded."""
        mark = _random_mark()
        imported = mark[0] != self.mark[0]  # modules may draw when they are first imported
        if mark != self.mark and not imported and not self.seeded and self.last is not None:
            self._note("randomness", "draws from a global random generator", self.last)
        self.mark = mark

    def _calls_at(self, file: str, line: int) -> list[ast.Call]:
        if file not in self.calls:
            by_line: dict[int, list[ast.Call]] = {}
            busy, self.busy = self.busy, True
            try:
                tree = ast.parse("".join(linecache.getlines(file)))
            except SyntaxError:
                tree = ast.Module(body=[], type_ignores=[])
            finally:
                self.busy = busy
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    for at in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                        by_line.setdefault(at, []).append(node)
            self.calls[file] = by_line
        return self.calls[file].get(line, [])

    def _judge(self, call: ast.Call, frame: types.FrameType, place: tuple[str, int]) -> None:
        owner, name, function = _resolve(call.func, frame)
        if function is None:
            return
        text = ast.unparse(call.func)
        given = [a for a in call.args if not (isinstance(a, ast.Constant) and a.value is None)]
        if _is_clock(owner, name, function, call):
            self._note("clock", f"calls {text}", place)
        elif _is_unrepeatable(function, seeded=bool(given or call.keywords)):
            self._note("randomness", f"calls {text} without a seed", place)
        elif _is_seed(owner, name, function):
            self.seeded = self.seeded or bool(given or call.keywords)


def _resolve(node: ast.AST, frame: types.FrameType) -> tuple[Any, str, Any]:
    """Owner, name and function that a call's ``a.b.c`` stands for; only modules and classes are
    looked into, so that looking has no effect.
    """
    if isinstance(node, ast.Name):
        for names in (frame.f_locals, frame.f_globals, vars(builtins)):
            if node.id in names:
                return None, node.id, names[node.id]
        return None, node.id, None
    if isinstance(node, ast.Attribute):
        _, _, owner = _resolve(node.value, frame)
        if isinstance(owner, (types.ModuleType, type)):
            return owner, node.attr, getattr(owner, node.attr, None)
    return None, "", None


def _is_clock(owner: Any, name: str, function: Any, call: ast.Call) -> bool:
    if _is_one_of(function, time.time, time.time_ns):
        return True
    if _is_one_of(function, time.localtime, time.gmtime, time.ctime):
        return not call.args
    if name in ("now", "utcnow", "today") and isinstance(owner, type):
        return issubclass(owner, datetime.date)
    first = call.args[0] if call.args else None
    words = isinstance(first, ast.Constant) and first.value in ("now", "today")
    return words and getattr(function, "__name__", "") in ("to_datetime", "datetime64", "Timestamp")


def _is_unrepeatable(function: Any, seeded: bool) -> bool:
    """Whether a call makes or uses randomness that nobody can repeat."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__name__", "")
    if module == "secrets" or (module == "uuid" and name in ("uuid1", "uuid4")):
        return True
    if _is_one_of(function, os.urandom, random.SystemRandom):
        return True
    numpy = sys.modules.get("numpy")
    generators = [random.Random]
    if numpy is not None:
        generators += [numpy.random.default_rng, numpy.random.RandomState]
    return not seeded and _is_one_of(function, *generators)


def _is_seed(owner: Any, name: str, function: Any) -> bool:
    if _is_one_of(function, random.seed, random.setstate):
        return True
    return name in ("seed", "set_state") and getattr(owner, "__name__", "") == "numpy.random"


def _is_one_of(function: Any, *known: Any) -> bool:
    return any(function is one or _same_bound(function, one) for one in known)


def _same_bound(function: Any, other: Any) -> bool:
    """Bound methods are made anew with each look."""
    own = getattr(other, "__self__", None)
    if own is None or isinstance(own, types.ModuleType):
        return False
    return getattr(function, "__self__", None) is own and function.__name__ == other.__name__


def _random_mark() -> Any:
    """Changes with every draw from the generators of ``random`` and ``numpy.random``."""
    state = random.getstate()
    mark: list[Any] = [len(sys.modules), state[1][-1], state[1][0], state[2]]
    module = sys.modules.get("numpy.random")
    if module is not None:
        drawn = module.get_state()
        mark += [drawn[2], int(drawn[1][0]), drawn[3], drawn[4]]
    return mark
