"""What tests across parts share: an environment that does not have Roadworthy."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadworthy.testing.environments import other_environment as make_other_environment


@pytest.fixture(scope="session")
def other_environment() -> Path:
    """The interpreter of an environment with older pandas and scikit-learn, and no Roadworthy."""
    return make_other_environment()
