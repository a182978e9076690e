"""What an interpreter is and has installed, and whether that is what a lock asks for."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from packaging.utils import canonicalize_name

from roadworthy.core.release import Lock
from roadworthy.core.run import Package
from roadworthy.core.values import Value
from roadworthy.errors import EnvironmentFailed
from roadworthy.runtime.pins import pins

Origin = Literal["index", "editable", "local"]

_PROBE = Path(__file__).with_name("probe.py")
_PROBE_SECONDS = 60.0


class Distribution(Value, frozen=True):
    """One installed distribution.

    ``origin``: from an index, *editable* (its files lie in somebody's working folder), or
    *local* (installed from a folder, file or address, so that no index has it). ``source``
    is that folder of an editable one, and ``folder`` the one that holds its record.
    """

    name: str
    version: str
    requires: tuple[str, ...]
    folder: str
    origin: Origin = "index"
    source: str = ""


class EnvironmentDescription(Value, frozen=True):
    """An interpreter and everything installed for it, by canonical name.

    ``base`` is the interpreter that its virtual environment was made from; ``markers`` are
    the values that requirements' markers ask for (PEP 508).
    """

    executable: str
    python: str
    implementation: str
    platform: str
    libc: str
    prefix: str
    base: str
    markers: dict[str, str]
    distributions: dict[str, Distribution]

    @property
    def packages(self) -> list[Package]:
        """Names and versions, sorted: what a run records."""
        found = sorted(self.distributions.items())
        return [Package(name=name, version=one.version) for name, one in found]


class Fit(Value, frozen=True):
    """Whether a release can run in an environment: ``reasons`` say why not.

    ``notes`` are differences that do not keep it from running there.
    """

    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons

    def __str__(self) -> str:
        return "; ".join(self.reasons + self.notes) or "as locked"


def describe(python: Path) -> EnvironmentDescription:
    """What this interpreter is and has installed; asks it once until something changes.

    It is run isolated, in about 0.1 s. Raises EnvironmentFailed if it is no Python that runs.
    """
    python = python.absolute()  # not resolved: a virtual environment's is a link
    stamp = _stamp(python)
    return _described(python, stamp) if stamp else _ask(python)


def satisfies(python: Path, lock: Lock) -> Fit:
    """Whether an interpreter's environment is what the lock says, and if not why.

    The locked packages must be there in exactly the locked versions; others may be there too.
    Another patch of the same Python series is noted only: an upgrade of the system's Python
    must not stop what runs. An editable package never fits, since its files change without
    its version. Raises EnvironmentFailed if the interpreter does not run.
    """
    return fit(describe(python), lock)


def fit(found: EnvironmentDescription, lock: Lock) -> Fit:
    """The same for a description that is at hand."""
    reasons = []
    notes = []
    if _series(found.python) != _series(lock.python):
        reasons.append(f"Python is {found.python}, locked is {lock.python}")
    elif found.python != lock.python:
        notes.append(f"Python is {found.python}, a patch of the locked {lock.python}")
    for name, version in pins(lock.text).items():
        installed = found.distributions.get(name)
        if installed is None:
            reasons.append(f"{name} is not installed, locked is {version}")
        elif installed.version != version:
            reasons.append(f"{name} is {installed.version}, locked is {version}")
        elif installed.origin == "editable":
            reasons.append(f"{name} is an editable install, whose files can change")
    return Fit(reasons=tuple(reasons), notes=tuple(notes))


def _series(version: str) -> list[str]:
    return version.split(".")[:2]


def _stamp(python: Path) -> tuple[tuple[str, int], ...]:
    """What changes when something is installed, removed, or Python is replaced.

    Empty where it can't be known, so that nothing is remembered then.
    """
    try:
        own = (str(python), python.stat().st_mtime_ns)
    except OSError:
        return ()
    seen = tuple((str(folder), folder.stat().st_mtime_ns) for folder in _site_folders(python))
    return (own, *seen) if seen else ()


def _site_folders(python: Path) -> Iterator[Path]:
    homes = dict.fromkeys([python.parent.parent, python.resolve().parent.parent])
    for home in (*homes, Path.home() / ".local"):
        for kind in ("site-packages", "dist-packages"):
            yield from sorted(home.glob(f"lib*/python3*/{kind}"))


@functools.lru_cache(maxsize=32)
def _described(python: Path, stamp: tuple[tuple[str, int], ...]) -> EnvironmentDescription:
    del stamp  # part of the key: an environment that changed is asked again
    return _ask(python)


def _ask(python: Path) -> EnvironmentDescription:
    try:
        answer = subprocess.run(  # the interpreter is the user's own, named by the user
            [str(python), "-I", str(_PROBE)],
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _no_python(python, str(error)) from error
    if answer.returncode != 0:
        lines = answer.stderr.decode(errors="replace").strip().splitlines()
        raise _no_python(python, lines[-1] if lines else f"it ended with {answer.returncode}")
    try:
        return _read(python, json.loads(answer.stdout))
    except (ValueError, KeyError) as error:
        raise _no_python(python, f"it answered what can't be read: {error}") from error


def _no_python(python: Path, reason: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"{python} can't be used as a Python interpreter: {reason}",
        cure="name another one with --python, or activate the program's virtual environment",
    )


def _read(python: Path, answer: Mapping[str, Any]) -> EnvironmentDescription:
    distributions: dict[str, Distribution] = {}
    for found in answer["distributions"]:  # the first on the path is the one that is imported
        distributions.setdefault(canonicalize_name(found["name"]), _distribution(found))
    plain = ("python", "implementation", "platform", "libc", "prefix", "base", "markers")
    return EnvironmentDescription(
        executable=str(python),
        distributions=distributions,
        **{key: answer[key] for key in plain},
    )


def _distribution(found: Mapping[str, Any]) -> Distribution:
    direct = found["direct"] or {}
    origin: Origin = "local" if direct else "index"
    source = ""
    if direct.get("dir_info", {}).get("editable"):
        origin, source = "editable", direct["url"].removeprefix("file://")
    elif found["develop"]:
        origin, source = "editable", found["folder"]
    return Distribution(
        name=found["name"],
        version=found["version"],
        requires=tuple(found["requires"]),
        folder=found["folder"],
        origin=origin,
        source=source,
    )
