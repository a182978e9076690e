"""A Python environment without Roadworthy and with other versions of what users have."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from blake3 import blake3

from roadworthy.runtime.directories import made_once
from roadworthy.runtime.environments import describe
from roadworthy.runtime.indexes import read_index_settings
from roadworthy.runtime.uv import run_uv

OLDER = ("pandas<3", "scikit-learn<1.7")


def other_environment(
    requirements: Sequence[str] = OLDER, cache: Path | None = None, python: str = sys.executable
) -> Path:
    """The interpreter of a virtual environment that has these requirements and nothing else.

    It is made once, in ``cache`` (or a folder for temporary files), and used again by later
    calls. ``python`` is the interpreter, or the version, that it is made with. Raises
    EnvironmentFailed if a package can't be had.
    """
    cache = cache or Path(tempfile.gettempdir()) / "roadworthy-environments"
    key = blake3("\n".join([python, *requirements]).encode()).hexdigest()[:16]

    def build(directory: Path) -> None:
        shutil.rmtree(directory)
        small_environment(directory, requirements, python)
        (directory / "whole").touch()

    def damage(directory: Path) -> str | None:
        whole = (directory / "whole").exists() and (directory / "bin" / "python").exists()
        return None if whole else "it was not finished"

    return made_once(cache / key, build, damage) / "bin" / "python"


def small_environment(directory: Path, requirements: Sequence[str], python: str) -> Path:
    """The interpreter of a new virtual environment in ``directory`` with these requirements."""
    indexes = read_index_settings()
    base = describe(Path(python)).base if Path(python).is_absolute() else python
    run_uv(
        ["venv", "-q", "--relocatable", "--no-project", "--python", base, str(directory)],
        indexes=indexes,
        doing="making an environment",
    )
    made = directory / "bin" / "python"
    if requirements:
        run_uv(
            ["pip", "install", "-q", "--python", str(made), *requirements],
            indexes=indexes,
            doing="installing " + ", ".join(requirements),
        )
    return made
