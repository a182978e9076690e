"""uv, which resolves, builds and lays out packages: calling it, and what its errors mean."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from roadworthy.errors import EnvironmentFailed
from roadworthy.runtime.indexes import IndexSettings

_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)"

# What uv says → what it means (``{package}``), the cure, and which part of the world failed.
_MEANINGS: tuple[tuple[str, str, str, str], ...] = (
    (
        r"No space left on device",
        "there is no space left for {package}",
        "free some space, then try again",
        "disk",
    ),
    (
        rf"Hash mismatch for `{_NAME}==",
        "what the index gives as {package} is not what was locked: its hash differs",
        "find out who changed it; a file of a package must never change",
        "package",
    ),
    (
        r"error sending request|[Nn]etwork connectivity is disabled|network was disabled"
        r"|Failed to fetch|operation timed out|dns error|Connection refused",
        "no package index answers, so that {package} can't be had",
        "see the network and pip's index settings (pip config list)",
        "index",
    ),
    (
        rf"Failed to build `{_NAME}==",
        "{package} can't be built here",
        "install what its build needs, or use a version that has a wheel for this Python",
        "package",
    ),
    (
        rf"Because {_NAME} was not found",
        "{package} is on no package index that is configured",
        "see pip's index settings (pip config list), or install it from a folder",
        "package",
    ),
    (
        rf"there (?:is|are) no versions? of {_NAME}",
        "{package} is on no package index that is configured in that version",
        "see pip's index settings (pip config list)",
        "package",
    ),
    (
        rf"{_NAME}==\S+ has no (?:wheels|usable wheels|source|compatible)",
        "{package} has no build for this Python and platform",
        "use a version that has one, or another Python",
        "package",
    ),
    (
        r"No interpreter found",
        "no such Python is installed on this machine",
        "install that Python, or name one with --python",
        "python",
    ),
    (
        rf"Failed to (?:download|install|prepare)[^`]*`{_NAME}==",
        "{package} can't be installed here",
        "read what uv says in the details",
        "package",
    ),
)


def run_uv(
    arguments: Sequence[str],
    *,
    indexes: IndexSettings,
    doing: str,
    pins: Mapping[str, str] | None = None,
    seconds: float = 600.0,
    extra: Mapping[str, str] | None = None,
) -> str:
    """What uv prints when called so; it runs outside any project, and never fetches a Python.

    Raises EnvironmentFailed that says what could not be done (``doing``) and names the package
    among ``pins`` where one is at fault; its details have ``package``, ``part`` (what failed:
    package, index, disk, python or unknown) and uv's own words without credentials.
    """
    import uv

    environ = {
        **os.environ,
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
        **indexes.environment(os.environ),
        **(extra or {}),
    }
    environ.pop("VIRTUAL_ENV", None)
    flags = ["--no-index"] if indexes.no_index and arguments[0] in ("pip", "build") else []
    try:
        ended = subprocess.run(
            [uv.find_uv_bin(), *arguments, *flags],
            env=environ,
            cwd=tempfile.gettempdir(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFailed(
            f"{doing} took longer than {seconds:.0f} s",
            cure="see the network and pip's index settings (pip config list)",
            package=None,
            part="index",
        ) from error
    except OSError as error:
        raise EnvironmentFailed(
            f"{doing} needs uv, which can't be started: {error}",
            cure="install Roadworthy again; uv comes with it",
            package=None,
            part="unknown",
        ) from error
    if ended.returncode != 0:
        raise meaning(ended.stderr.decode(errors="replace"), doing, pins or {})
    return ended.stdout.decode()


def meaning(said: str, doing: str, pins: Mapping[str, str]) -> EnvironmentFailed:
    """The error that uv's words stand for.

    >>> str(meaning("Hash mismatch for `six==1.16.0`", "realising", {})).splitlines()[0]
    'realising: what the index gives as six is not what was locked: its hash differs'
    """
    words = without_credentials(said.strip())
    for pattern, message, cure, part in _MEANINGS:
        found = re.search(pattern, said)
        if found:
            name = found.groupdict().get("name") or _mentioned(said, pins)
            package = str(canonicalize_name(name)) if name else None
            pinned = pins.get(package) if package else None
            shown = f"{package}=={pinned}" if pinned else package or "a package"
            return EnvironmentFailed(
                f"{doing}: {message.format(package=shown)}",
                cure=cure,
                package=package,
                part=part,
                uv=words,
            )
    lines = words.splitlines()
    return EnvironmentFailed(
        f"{doing} failed: {lines[0] if lines else 'uv gave no reason'}",
        cure="read what uv says in the details",
        package=None,
        part="unknown",
        uv=words,
    )


def without_credentials(text: str) -> str:
    """The text without user names and passwords in its addresses.

    >>> without_credentials("https://me:secret@index.example/simple")
    'https://***@index.example/simple'
    """
    return re.sub(r"://[^/\s@]+@", "://***@", text)


def _mentioned(said: str, pins: Mapping[str, str]) -> str | None:
    """The pinned package that is named in an address or a sentence, if there is one."""
    words = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", said)}
    return next((name for name in pins if name in words), None)


def write_requirements(text: str, folder: Path) -> Path:
    """A file for uv with this text."""
    path = folder / "requirements.txt"
    path.write_text(text, encoding="utf-8")
    return path
