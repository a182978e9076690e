"""A process beside the control plane: there while it is needed, started again when it ends."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roadworthy.errors import RoadworthyError
from roadworthy.operations.supervisor import MOST_LOG_BYTES, STEADY_SECONDS, pause_before

log = logging.getLogger(__name__)
GRACE_SECONDS = 10.0


@dataclass
class Beside:
    """Runs ``command`` while ``needed`` says so. It ends with this process, however that ends:
    it reads a pipe whose other end is only here.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    log: Path
    needed: Callable[[], bool]
    look_seconds: float = 1.0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _child: subprocess.Popen[bytes] | None = None
    _failures: int = 0
    _began: float = 0.0
    _again_at: float = 0.0

    def run(self) -> None:
        """Looks whether it is needed and runs, until it is told to stop."""
        while not self._stopping.wait(self.look_seconds):
            try:
                wanted = self.needed()
            except RoadworthyError as error:
                log.debug("not known whether %s is needed: %s", self.command[-1], error)
                continue
            if wanted:
                self._keep()
            else:
                self._end()
        self._end()

    def stop(self) -> None:
        """Has it end."""
        self._stopping.set()

    def _keep(self) -> None:
        now = time.monotonic()
        if self._child is not None and self._child.poll() is None:
            if now - self._began > STEADY_SECONDS:
                self._failures = 0
            return
        if self._child is not None:
            self._failures += 1
            self._again_at = now + pause_before(self._failures)
            log.warning("process %d ended (%s)", self._child.pid, self._child.returncode)
            self._forget()
        if now < self._again_at:
            return
        if self.log.exists() and self.log.stat().st_size > MOST_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                list(self.command),
                env=dict(self.environment),
                cwd=self.cwd,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._began = now

    def _end(self) -> None:
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._forget()

    def _forget(self) -> None:
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
        self._child = None
