"""Environments that a test may change."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from roadworthy.testing.environments import small_environment


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The interpreter of a new environment with one tiny package."""
    return small_environment(tmp_path / "small", ["six==1.16.0"], sys.executable)
