"""Requirements as text: reading them, following them, and writing a lock; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from blake3 import blake3
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from roadworthy.core.release import Lock
from roadworthy.errors import EnvironmentFailed

_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")


class Installed(Protocol):
    """What following requirements needs to know of an installed distribution."""

    @property
    def version(self) -> str:
        """Its version."""
        ...

    @property
    def requires(self) -> Sequence[str]:
        """Its requirements, with their markers."""
        ...


def make_lock_value(python: str, text: str) -> Lock:
    """A lock whose digest is over Python's version and the text."""
    return Lock(python=python, text=text, digest=blake3(f"{python}\n{text}".encode()).hexdigest())


def pins(text: str) -> dict[str, str]:
    """The packages that a lock's text pins: canonical name → version.

    >>> pins("NumPy==2.4.6 \\\\\\n    --hash=sha256:00\\n# six==1.0\\n")
    {'numpy': '2.4.6'}
    """
    found = (_PIN.match(line) for line in text.splitlines())
    return {canonicalize_name(pin[1]): pin[2] for pin in found if pin}


def parse_requirements(lines: Iterable[str]) -> list[Requirement]:
    """The requirements in these lines; comments and options are passed over.

    Raises EnvironmentFailed for one that can't be read.
    """
    found = []
    for line in lines:
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if not text or text.startswith("-"):
            continue
        try:
            found.append(Requirement(text))
        except InvalidRequirement as error:
            raise EnvironmentFailed(
                f"the requirement {text!r} can't be read: {error}",
                cure="write it as name==version",
            ) from error
    return found


def closure(
    requirements: Sequence[Requirement],
    installed: Mapping[str, Installed],
    markers: Mapping[str, str],
) -> tuple[dict[str, str], list[str]]:
    """All that the requirements need of what is installed: name → version, sorted.

    Markers and extras are followed. The second value names what is required but not there:
    the program ran without it. Raises EnvironmentFailed if a requirement that was asked for is
    not there, or there in another version.
    """
    for requirement in requirements:
        _check_asked(requirement, installed, markers)
    found: dict[str, str] = {}
    missing: set[str] = set()
    followed: set[tuple[str, str]] = set()
    waiting = [pair for one in requirements if _applies(one, markers) for pair in _pairs(one)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in followed:
            continue
        followed.add((name, extra))
        distribution = installed.get(name)
        if distribution is None:
            missing.add(name)
            continue
        found[name] = distribution.version
        for requirement in parse_requirements(distribution.requires):
            if _applies(requirement, {**markers, "extra": extra}):
                waiting.extend(_pairs(requirement))
    return dict(sorted(found.items())), sorted(missing)


def _pairs(requirement: Requirement) -> Iterator[tuple[str, str]]:
    name = canonicalize_name(requirement.name)
    yield name, ""
    for extra in requirement.extras:
        yield name, extra


def _applies(requirement: Requirement, markers: Mapping[str, str]) -> bool:
    if requirement.marker is None:
        return True
    return requirement.marker.evaluate({"extra": "", **markers})


def _check_asked(
    requirement: Requirement, installed: Mapping[str, Installed], markers: Mapping[str, str]
) -> None:
    if not _applies(requirement, markers):
        return
    name = canonicalize_name(requirement.name)
    distribution = installed.get(name)
    if distribution is None:
        raise EnvironmentFailed(
            f"the flow needs {requirement}, which is not installed in the program's environment",
            cure=f"install {requirement.name} there, or deploy with another --python",
            package=name,
        )
    if not requirement.specifier.contains(distribution.version, prereleases=True):
        raise EnvironmentFailed(
            f"the flow needs {requirement}; the program's environment has {distribution.version}",
            cure="the environment has changed since the run: deploy the program again",
            package=name,
        )
