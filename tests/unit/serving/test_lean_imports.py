"""What processes that run for long do not load: each costs memory, and time at a cold start."""

from __future__ import annotations

import subprocess
import sys

import pytest

NOT_NEEDED = {
    "roadworthy.serving.agent": ["roadworthy_runtime.worker", "importlib.metadata", "argparse"],
    "roadworthy.serving.gateway_process": ["roadworthy_runtime.worker", "importlib.metadata"],
}


@pytest.mark.parametrize("module", NOT_NEEDED)
def test_what_is_not_needed_is_not_loaded(module: str) -> None:
    program = f"import sys, {module}; print(*(n for n in {NOT_NEEDED[module]} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.split() == []
