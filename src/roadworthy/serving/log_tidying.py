"""Keeping the prediction log tidy, in a process of its own: Arrow is loaded there and ends with it.

``python -m roadworthy.serving tidy DIRECTORY DAYS BYTES`` does it once. One process at a time does
so in a directory; one that is killed leaves every row where it is found once.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

from roadworthy.serving.options import LogOptions

TIDY_SECONDS = 60.0
"""How long rows that a gateway wrote wait to be Parquet, at most."""
TIDY_BYTES = 64 << 20
"""So many bytes do not wait."""
RETAIN_SECONDS = 600.0
LOCK = ".tidy.lock"
NICENESS = 10


class Tidier:
    """Starts that process when there is something to do: called from the log's thread alone."""

    def __init__(self, options: LogOptions) -> None:
        limits = [str(options.retention_days), str(options.retention_bytes)]
        module = ["-m", "roadworthy.serving", "tidy"]
        self._command = [sys.executable, *module, options.directory, *limits]
        self._written = 0
        self._begun = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None

    def wrote(self, size: int) -> None:
        """A segment of so many bytes is there."""
        self._written += size

    @property
    def runs(self) -> bool:
        """Whether the process is at work."""
        return self._process is not None and self._process.poll() is None

    def look(self, now: float) -> None:
        """Start the process where none runs and it is time. ``now`` is on the monotonic clock."""
        if self.runs:
            return
        waited = now - self._begun
        due = self._written and (waited >= TIDY_SECONDS or self._written >= TIDY_BYTES)
        if not due and waited < RETAIN_SECONDS:
            return
        self._begun, self._written = now, 0
        try:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
        except OSError as error:
            print(f"prediction log: it can't be tidied: {error}", file=sys.stderr, flush=True)

    def stop(self) -> None:
        """End the process, wherever it is; the next one goes on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def tidy(directory: Path, now: float, days: float, most_bytes: int) -> bool:
    """Make Parquet, put together, remove what is too old; False where another process does so.

    Raises OSError.
    """
    from roadworthy.serving.log_compaction import compact
    from roadworthy.serving.log_retention import retain

    directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        compact(directory, now)
        retain(directory, now, days, most_bytes)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def main(arguments: list[str]) -> int:
    """Tidy the log in a directory once; the exit code."""
    directory, days, most_bytes = arguments
    os.nice(NICENESS)
    try:
        tidy(Path(directory), time.time(), float(days), int(most_bytes))
    except OSError as error:
        print(f"prediction log: segments stay as they are: {error}", file=sys.stderr, flush=True)
        return 1
    return 0
