"""For where ``OLDER_PYTHON`` names an interpreter with the libraries: make test-older."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("OLDER_PYTHON") else ["test_*.py"]
