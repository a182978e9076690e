"""For where ``HEAVY_PYTHON`` names an interpreter with the libraries: make test-heavy."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("HEAVY_PYTHON") else ["test_*.py"]
