"""Every dependency of pyproject.toml is pinned exactly and with hashes; no pin names an address."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = {
    "run.txt": [*PROJECT["dependencies"], *EXTRAS["postgres"], *EXTRAS["examples"]],
    "dev.txt": [*PROJECT["dependencies"], *(each for extra in EXTRAS.values() for each in extra)],
}


def pins(name):
    """The versions pinned for each package, from a file of requirements with hashes."""
    text = (ROOT / "requirements" / name).read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        requirement = Requirement(line.partition("--hash")[0])
        assert "--hash=sha256:" in line, line
        (pin,) = requirement.specifier
        assert pin.operator == "==", line
        found.setdefault(canonicalize_name(requirement.name), []).append(pin.version)
    return found


@pytest.mark.parametrize("name", sorted(WANTED))
def test_every_dependency_is_pinned_to_versions_that_are_allowed(name):
    pinned = pins(name)
    for text in WANTED[name]:
        requirement = Requirement(text)
        if requirement.name.startswith("roadworthy"):
            continue
        versions = pinned.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not pinned: run `make pins`"
        assert all(requirement.specifier.contains(version) for version in versions), text


@pytest.mark.parametrize("name", sorted(WANTED))
def test_no_pin_names_an_address(name):
    assert not re.search(r"://|--index|--find-links", (ROOT / "requirements" / name).read_text())


def test_what_runs_is_developed_with_the_same_versions():
    developed = pins("dev.txt")
    assert {name: developed.get(name) for name in pins("run.txt")} == pins("run.txt")
