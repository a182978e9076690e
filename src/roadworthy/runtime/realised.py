"""Environments made from locks: once per lock, by hard links, checked before each use."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from packaging.utils import canonicalize_name

from roadworthy.core.release import Lock
from roadworthy.errors import EnvironmentFailed
from roadworthy.runtime.directories import made_once, remove
from roadworthy.runtime.environments import describe
from roadworthy.runtime.indexes import IndexSettings, read_index_settings
from roadworthy.runtime.pins import pins
from roadworthy.runtime.uv import run_uv, write_requirements

_MARKER = "roadworthy-environment.json"
_FORMAT = 1
_REALISE_SECONDS = 1800.0


def realise(
    lock: Lock,
    envs: Path,
    *,
    python: Path | None = None,
    wheels: Path | None = None,
    indexes: IndexSettings | None = None,
    seconds: float = _REALISE_SECONDS,
) -> Path:
    """The interpreter of an environment that has exactly what the lock says.

    It lies in ``envs`` under the lock's digest. ``python`` is an interpreter of the locked
    version, where one is known; otherwise one is looked for. ``wheels`` is the folder of
    wheels that came with the lock. Several processes may ask at once, and any of them may be
    killed. Raises EnvironmentFailed that names the package, or the Python, that can't be had.
    """
    target = envs / lock.digest

    def build(directory: Path) -> None:
        _build(directory, lock, python, wheels, indexes, seconds)

    made_once(target, build, lambda directory: environment_damage(directory, lock))
    return _interpreter(target)


def environment_damage(directory: Path, lock: Lock, *, deep: bool = False) -> str | None:
    """What is wrong with a realised environment, or None.

    Every recorded file must be there in its size; ``deep`` compares their hashes as well,
    which reads all of them.
    """
    try:
        marker = json.loads((directory / _MARKER).read_bytes())
    except (OSError, ValueError) as error:
        return f"its marker can't be read ({error})"
    if marker != _marker(lock):
        return "it was made for another lock"
    if not _interpreter(directory).exists():
        return "its Python is gone"
    missing = dict(pins(lock.text))
    for info in directory.glob("lib*/python*/site-packages/*.dist-info"):
        name, _, version = info.name.removesuffix(".dist-info").rpartition("-")
        if missing.get(canonicalize_name(name)) == version:
            del missing[canonicalize_name(name)]
        fault = _record_damage(info, deep)
        if fault is not None:
            return f"{name}: {fault}"
    return f"{next(iter(missing))} is missing" if missing else None


def collect(envs: Path, keep: Iterable[str]) -> list[str]:
    """Remove the environments whose lock's digest is not among ``keep``; what was removed."""
    kept = set(keep)
    unused = [
        path
        for path in sorted(envs.glob("*"))
        if path.is_dir() and not path.name.startswith(".") and path.name not in kept
    ]
    for path in unused:
        remove(path)
    return [path.name for path in unused]


def _build(
    directory: Path,
    lock: Lock,
    python: Path | None,
    wheels: Path | None,
    indexes: IndexSettings | None,
    seconds: float,
) -> None:
    settings = indexes or read_index_settings()
    if wheels is not None and wheels.is_dir():
        settings = _with_folder(settings, wheels)
    locked = pins(lock.text)
    _make_empty(directory, lock, python, settings)
    requirements = str(write_requirements(lock.text, directory))
    if locked:
        into = str(_interpreter(directory))
        sync = ["pip", "sync", "-q", "--link-mode", "hardlink", "--python", into, requirements]
        run_uv(
            # Workers write no bytecode: without it, each start would compile every import.
            [*sync, "--compile-bytecode"],
            indexes=settings,
            doing="realising the locked environment",
            pins=locked,
            seconds=seconds,
            extra={"UV_CONCURRENT_INSTALLS": "1"},
        )
    (directory / _MARKER).write_text(json.dumps(_marker(lock), indent=1), encoding="utf-8")
    fault = environment_damage(directory, lock, deep=True)
    if fault is not None:
        raise EnvironmentFailed(
            f"the environment was made, and is not what was asked for: {fault}",
            cure="uv's cache may be damaged: `uv cache clean`, then try again",
        )


def _with_folder(settings: IndexSettings, wheels: Path) -> IndexSettings:
    from msgspec.structs import replace

    return replace(settings, find_links=(str(wheels.absolute()), *settings.find_links))


def _make_empty(directory: Path, lock: Lock, python: Path | None, settings: IndexSettings) -> None:
    """An empty environment with the locked Python, or else with another patch of its series."""
    series = ".".join(lock.python.split(".")[:2])
    base = series
    if python is not None and describe(python).python.startswith(f"{series}."):
        base = describe(python).base
    elif _is_found(lock.python, settings):
        base = lock.python
    shutil.rmtree(directory)
    run_uv(
        ["venv", "-q", "--relocatable", "--no-project", "--python", base, str(directory)],
        indexes=settings,
        doing=f"making an environment with Python {lock.python}",
    )


def _is_found(version: str, settings: IndexSettings) -> bool:
    try:
        run_uv(["python", "find", "-q", version], indexes=settings, doing="looking for Python")
    except EnvironmentFailed:
        return False
    return True


def _interpreter(directory: Path) -> Path:
    return directory / "bin" / "python"


def _marker(lock: Lock) -> dict[str, object]:
    return {"format": _FORMAT, "lock": lock.digest, "python": lock.python}


def _record_damage(info: Path, deep: bool) -> str | None:
    """Whether a file that a package recorded is missing, of another size, or changed."""
    site = info.parent
    try:
        with (info / "RECORD").open(encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.reader(lines) if len(row) == 3 and row[2]]
    except OSError as error:
        return f"its record can't be read ({error})"
    for path, recorded, size in rows:
        try:
            file = site / path
            if file.stat().st_size != int(size):
                return f"{path} has another size than it was installed with"
            if deep and recorded.startswith("sha256=") and _sha256(file) != recorded[7:]:
                return f"{path} is not as it was installed"
        except OSError as error:
            return f"{path} can't be read ({error})"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
