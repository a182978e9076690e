"""Row 1 for storage: ``kill -9`` at any moment leaves the state before or the one after.

``FAULT_ROUNDS`` in the environment multiplies the kills, for campaigns.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from roadworthy.errors import StorageError
from roadworthy.testing.killing import opened, problems_of
from roadworthy.testing.values import a_draft, a_run

pytestmark = pytest.mark.fault("1")

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))


@pytest.mark.timeout(600 + 60 * ROUNDS)
def test_kills_after_durable_writes_and_at_random_times(tmp_path: Path, tried) -> None:
    tried(40 * ROUNDS)
    done = subprocess.run(
        [sys.executable, "-m", "roadworthy.testing.killing", str(tmp_path), "7", str(40 * ROUNDS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def test_the_judge_finds_what_is_lost(tmp_path: Path) -> None:
    with opened(tmp_path) as registry:
        run = registry.record_run(a_run("run-1"), None, {})
        release = registry.record_release(a_draft(run.id))
    assert problems_of(tmp_path, [[release.name, release.digest]]) == []
    assert problems_of(tmp_path, [["flight-delay@2", "x"]]) == ["flight-delay@2 is lost"]
    file = release.files[0].digest
    (tmp_path / "blobs" / file[:2] / file[2:]).unlink()
    with pytest.raises(StorageError, match="is missing"):
        problems_of(tmp_path, [])
