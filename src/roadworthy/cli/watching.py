"""``deploy --watch``: does again what a saved change makes necessary, and goes on after errors."""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadworthy.cli.output import print_error, say
from roadworthy.errors import ProgramFailed, RoadworthyError

if TYPE_CHECKING:
    from roadworthy.capture import Captured

_LOOK_SECONDS = 0.25
Contents = dict[Path, bytes]


def watched(program: Path, ship: Callable[[Captured | None], Captured]) -> None:
    """Ship a program, and again whenever it (or a module beside it) is saved, until Ctrl-C.

    ``ship`` is given what was shipped last. An error is told, and the next save awaited.
    """
    shipped: Captured | None = None
    done: Any = None
    try:
        while True:
            saved = read_settled(program)
            try:
                meant = meaning(saved)
                if meant == done:
                    say("only comments and layout changed: nothing has to be done again")
                else:
                    done = None
                    shipped = ship(shipped)
                    done = meant
            except RoadworthyError as error:
                print_error(error, as_json=False)
                kept = "what was live stays live" if shipped else "nothing was deployed"
                print(f"{kept}; save the program once it is mended", file=sys.stderr)
            names = ", ".join(path.name for path in saved)
            say(f"\nwatching {names} (Ctrl-C ends it)")
            changed = await_change(program, saved)
            say(f"{datetime.now().astimezone():%H:%M:%S} {', '.join(changed)} saved")
    except KeyboardInterrupt:
        say("\nno longer watching; what was deployed stays")


def await_change(program: Path, saved: Contents) -> list[str]:
    """Wait until a file differs from what it held; the names of those that do."""
    seen = None
    while True:
        stamps = _stamps(saved)
        if stamps != seen and all(stamps.values()):
            seen = stamps
            now = read_settled(program)
            changed = [path.name for path, data in now.items() if saved.get(path) != data]
            if changed or set(now) != set(saved):
                return changed or [program.name]
        time.sleep(_LOOK_SECONDS)


def read_settled(program: Path) -> Contents:
    """The program and its modules, once they stay as they are: an editor writes in steps."""
    found = _contents(program)
    while True:
        time.sleep(_LOOK_SECONDS / 2)
        again = _contents(program)
        if again == found and again.get(program):
            return found
        found = again


def meaning(contents: Contents) -> Any:
    """What is the same for two states of a program only if Python runs the same statements.

    Raises ProgramFailed for a syntax error, and what ``read_notebook`` raises.
    """
    found: list[Any] = []
    for path, data in contents.items():
        if path.suffix == ".ipynb":
            from roadworthy.capture.notebook import read_notebook

            cells = read_notebook(path).cells
            found.append([(each.label, _statements(path, each.source)) for each in cells])
        else:
            found.append((str(path), _statements(path, data)))
    return found


def _statements(path: Path, source: str | bytes) -> str:
    try:
        return ast.dump(ast.parse(source))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise ProgramFailed(
            f"{path.name} can't be read as Python: {error.args[0]}",
            cure="mend it and save it again",
            line=line,
        ) from None


def local_files(program: Path) -> Iterator[Path]:
    """The program and the modules beside it that it imports, and those that they import."""
    waiting, known = [program], {program}
    while waiting:
        path = waiting.pop()
        yield path
        for name in _imported(path):
            stem = program.parent.joinpath(*name.split("."))
            for file in (stem.with_suffix(".py"), stem / "__init__.py"):
                if file.is_file() and file not in known:
                    known.add(file)
                    waiting.append(file)


def _imported(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _contents(program: Path) -> Contents:
    found = {}
    for path in local_files(program):
        try:
            found[path] = path.read_bytes()
        except OSError:
            found[path] = b""
    return found


def _stamps(saved: Contents) -> dict[Path, tuple[int, int, int] | None]:
    found: dict[Path, tuple[int, int, int] | None] = {}
    for path in saved:
        try:
            stat = path.stat()
            found[path] = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        except OSError:
            found[path] = None
    return found
