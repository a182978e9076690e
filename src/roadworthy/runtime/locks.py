"""Locks: the exact packages that a flow was captured with, at once or with an index's hashes."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from roadworthy.core.release import Lock
from roadworthy.errors import EnvironmentFailed
from roadworthy.runtime.environments import EnvironmentDescription, describe
from roadworthy.runtime.indexes import IndexSettings, read_index_settings
from roadworthy.runtime.pins import closure, make_lock_value, parse_requirements, pins
from roadworthy.runtime.uv import run_uv, write_requirements
from roadworthy.runtime.wheels import make_wheel

_OWN = ("roadworthy", "roadworthy-runtime")  # put on the path of every environment
_LOCK_SECONDS = 60.0


def lock_from_installed(
    requirements: Iterable[str], python: Path, wheels: Path | None = None
) -> Lock:
    """The requirements and all they need, in the versions installed; asks no index.

    ``wheels`` is a folder to which packages that no index has (installed from a folder, a file
    or in editable form) are written as wheels, locked by their hash; it is handed to
    ``realise`` later. Without it such a package is an error. Raises EnvironmentFailed that
    names the package.
    """
    found = describe(python)
    versions, missing = _needed(requirements, found)
    hashes: dict[str, list[str]] = {}
    for name in versions:
        if found.distributions[name].origin != "index":
            hashes[name] = [_kept(name, found, wheels)]
    return make_lock_value(found.python, lock_text(versions, hashes, missing))


def make_lock(
    requirements: Iterable[str],
    python: Path,
    *,
    wheels: Path | None = None,
    indexes: IndexSettings | None = None,
    seconds: float = _LOCK_SECONDS,
) -> Lock:
    """The same packages with the hashes that an index gives for them.

    Where no index answers it is what ``lock_from_installed`` gives. A package that no index
    has in its installed version stays without a hash, and the text says so. Raises
    EnvironmentFailed as ``lock_from_installed`` does.
    """
    return add_hashes(
        lock_from_installed(requirements, python, wheels), python, indexes=indexes, seconds=seconds
    )


def add_hashes(
    lock: Lock,
    python: Path,
    *,
    indexes: IndexSettings | None = None,
    seconds: float = _LOCK_SECONDS,
) -> Lock:
    """The lock with hashes where it had none; the lock itself if no index answers."""
    versions = pins(lock.text)
    have = read_hashes(lock.text)
    asked = {name: version for name, version in versions.items() if name not in have}
    settings = indexes or read_index_settings(prefix=python.absolute().parent.parent)
    try:
        given = _hashes_of(asked, python, settings, seconds)
    except EnvironmentFailed as error:
        if error.details.get("part") == "index":
            return lock
        raise
    missing = re.findall(r"^# not installed: (\S+)$", lock.text, flags=re.M)
    return make_lock_value(lock.python, lock_text(versions, {**have, **given}, missing))


def lock_text(
    versions: Mapping[str, str], hashes: Mapping[str, Sequence[str]], missing: Iterable[str] = ()
) -> str:
    """A lock in pip's requirements format, which names no index and is the same every time.

    >>> print(lock_text({"six": "1.16.0"}, {}), end="")
    # without hashes: six
    six==1.16.0
    """
    bare = [name for name in sorted(versions) if not hashes.get(name)]
    lines = [f"# not installed: {name}" for name in sorted(missing)]
    if bare:
        lines.append(f"# without hashes: {', '.join(bare)}")
    for name, version in sorted(versions.items()):
        parts = [f"{name}=={version}"]
        parts += [f"    --hash=sha256:{digest}" for digest in sorted(hashes.get(name, ()))]
        lines.append(" \\\n".join(parts))
    return "\n".join(lines) + "\n"


def read_hashes(text: str) -> dict[str, list[str]]:
    """The SHA-256 hashes in a lock's text: canonical name → digests."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        pin = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)==", line)
        name = canonicalize_name(pin[1]) if pin else name
        digests = re.findall(r"--hash=sha256:([0-9a-f]{64})", line)
        if digests:
            found.setdefault(name, []).extend(digests)
    return found


def _needed(
    requirements: Iterable[str], found: EnvironmentDescription
) -> tuple[dict[str, str], list[str]]:
    asked = [
        requirement
        for requirement in parse_requirements(requirements)
        if canonicalize_name(requirement.name) not in _OWN
    ]
    return closure(asked, found.distributions, found.markers)


def _kept(name: str, found: EnvironmentDescription, wheels: Path | None) -> str:
    """The hash of a wheel made of a package that no index has."""
    distribution = found.distributions[name]
    if wheels is None:
        how = "in editable form" if distribution.origin == "editable" else "from a folder or file"
        raise EnvironmentFailed(
            f"{name} {distribution.version} is installed {how}, so that no package index has it",
            cure=f"install {name} from an index or a folder of wheels",
            package=name,
        )
    wheels.mkdir(parents=True, exist_ok=True)
    wheel = make_wheel(distribution, Path(found.executable), wheels)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def _hashes_of(
    asked: Mapping[str, str], python: Path, indexes: IndexSettings, seconds: float
) -> dict[str, list[str]]:
    """What an index says of these packages; those that it does not have are left out."""
    left = dict(asked)
    while left:
        with tempfile.TemporaryDirectory(prefix="rw-lock-") as folder:
            source = write_requirements(lock_text(left, {}), Path(folder))
            options = ["--no-deps", "--generate-hashes", "--no-annotate", "--no-header"]
            options += ["--no-emit-index-url", "--python", str(python.absolute())]
            try:
                answer = run_uv(
                    ["pip", "compile", "-q", *options, str(source)],
                    indexes=indexes,
                    doing="asking the package index for hashes",
                    pins=left,
                    seconds=seconds,
                    extra={"UV_HTTP_RETRIES": "1"},
                )
            except EnvironmentFailed as error:
                package = error.details.get("package")
                if error.details.get("part") != "package" or package not in left:
                    raise
                del left[package]
                continue
        return read_hashes(answer)
    return {}
