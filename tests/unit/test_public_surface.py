"""The public names are exactly these, each documented; importing them loads no other part."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import roadworthy
from roadworthy import errors

ROOT = Path(__file__).parents[2]

PUBLIC = [
    "Client",
    "RoadworthyError",
    "__version__",
    "captured",
    "creation_only",
    "dataset",
    "deploy",
    "ensemble",
    "flow",
    "learned",
    "log_metric",
    "param",
    "row_wise",
]


def test_the_public_names_are_exactly_these():
    assert sorted(roadworthy.__all__) == sorted(PUBLIC)
    assert dir(roadworthy) == sorted(PUBLIC)


@pytest.mark.parametrize("name", [name for name in PUBLIC if not name.startswith("__")])
def test_each_public_name_loads_and_says_what_it_is_for(name):
    value = getattr(roadworthy, name)
    assert value.__doc__
    assert value.__doc__.strip()


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'deplyo'"):
        roadworthy.deplyo  # noqa: B018


def test_importing_the_package_loads_nothing_else():
    program = "import sys, roadworthy; print([m for m in sys.modules if 'roadworthy.' in m])"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_error_codes_are_distinct_and_stable():
    found = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.RoadworthyError)
    ]
    codes = [kind.code for kind in found]
    assert len(set(codes)) == len(codes)
    assert all(kind.__doc__ for kind in found)


def test_both_distributions_and_the_package_have_one_version():
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime = tomllib.loads((ROOT / "packaging/runtime/pyproject.toml").read_text())["project"]
    assert ours["version"] == runtime["version"] == roadworthy.__version__
    assert f"roadworthy-runtime=={runtime['version']}" in ours["dependencies"]
    assert runtime["dependencies"] == []
