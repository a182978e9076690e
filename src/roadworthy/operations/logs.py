"""The logs of Roadworthy's processes: which there are, and how they end."""

from __future__ import annotations

from pathlib import Path

from roadworthy.core.names import nearest
from roadworthy.errors import NotFound
from roadworthy.settings import Settings

_BLOCK = 64 * 1024


def log_files(settings: Settings) -> dict[str, Path]:
    """Every log by its name: ``control``, ``agent``, ``supervisor``, ``gateway``, workers."""
    found: dict[str, Path] = {}
    for folder in (settings.run, settings.agent_logs):
        for path in sorted(folder.glob("*.log")):
            found.setdefault(path.stem, path)
    return found


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a file, oldest first; reads no more of it than that needs."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        content = b""
        while end > 0 and content.count(b"\n") <= lines:
            begin = max(0, end - _BLOCK)
            file.seek(begin)
            content = file.read(end - begin) + content
            end = begin
    return content.decode("utf-8", "replace").splitlines()[-lines:] if lines else []


def read_log(settings: Settings, name: str, lines: int) -> list[str]:
    """How the log of that name ends. Raises NotFound with the nearest names."""
    files = log_files(settings)
    if name in files:
        return tail(files[name], lines)
    close = nearest(name, files)
    raise NotFound(
        f"there is no log {name!r}",
        cure=f"did you mean {' or '.join(close)}?"
        if close
        else f"there are: {', '.join(files) or 'none; roadworthy up'}",
    )
