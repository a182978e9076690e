"""Where a release's workers run: in the interpreter that fits its lock, or one made for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec.structs import replace

from roadworthy.core.deployment import AgentStatus, WorkerSpec
from roadworthy.core.release import Lock, Release
from roadworthy.errors import EnvironmentFailed, RoadworthyError

log = logging.getLogger(__name__)

Fits = Callable[[Path, Lock], str]
"""Says why an interpreter does not fit a lock; an empty text where it does."""
Realise = Callable[[Release], Path]
"""Makes the environment of a release's lock, or finds it made, and gives its interpreter."""
Realised = Callable[[Lock], Path | None]
"""The interpreter of a lock's environment where it is made and whole."""


class Placement:
    """Decides once per release which interpreter starts its workers.

    The environment of the lock is taken where it is made; else the first known interpreter
    that has exactly what is locked, until ``settle`` moves the release to its own environment;
    else the environment is waited for. ``ring`` is called when one has been made or can't be.
    """

    def __init__(
        self, fits: Fits, realise: Realise, realised: Realised, ring: Callable[[], None]
    ) -> None:
        self._fits = fits
        self._realise = realise
        self._realised = realised
        self._ring = ring
        self._lock = threading.Lock()
        self._specs: dict[str, WorkerSpec] = {}
        self._problems: dict[str, str] = {}
        self._making: set[str] = set()
        self._settled: set[str] = set()
        self._moved: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="environments")

    def adopt(self, specs: Iterable[WorkerSpec]) -> None:
        """Go on with what runs already, where its interpreter is still there."""
        with self._lock:
            for spec in specs:
                if Path(spec.python).exists():
                    self._specs.setdefault(spec.release, spec)

    @property
    def specs(self) -> dict[str, WorkerSpec]:
        """How to run each release that has been placed, by its name."""
        with self._lock:
            return dict(self._specs)

    @property
    def problems(self) -> dict[str, str]:
        """Why the environment of a release can't be made, by the release's name."""
        with self._lock:
            return dict(self._problems)

    def forget_problem(self, release: str) -> None:
        """Let the release's environment be tried again."""
        with self._lock:
            self._problems.pop(release, None)

    def place(self, release: Release, interpreters: Iterable[str]) -> None:
        """Have the release placed, now or when its environment is made. Does it once."""
        with self._lock:
            if release.name in self._specs or release.name in self._problems:
                return
        made = self._realised(release.lock)
        if made is not None:
            self._keep(release, made)
            return
        for interpreter in dict.fromkeys(each for each in interpreters if each):
            if self._suits(Path(interpreter), release.lock):
                self._keep(release, Path(interpreter))
                return
        self._make(release)

    @property
    def notes(self) -> dict[str, str]:
        """Why a release that runs could not move to its own environment, by its name."""
        with self._lock:
            return dict(self._notes)

    def settle(self, release: Release) -> None:
        """Have a release's own environment made in the background, and its workers move there.

        Tried once; where it fails the release goes on as it runs, and ``notes`` says why.
        """
        with self._lock:
            if release.name in self._settled or release.name not in self._specs:
                return
            self._settled.add(release.name)
        self._pool.submit(self._move, release)

    def watch_moves(self, status: AgentStatus | None) -> None:
        """Move those back whose workers fail in their own environment; the others have moved."""
        with self._lock:
            for worker in status.workers if status is not None else []:
                before = self._moved.get(worker.release)
                spec = self._specs.get(worker.release)
                if before is None or spec is None or worker.python != spec.python:
                    continue
                if worker.state == "ready":
                    del self._moved[worker.release]
                elif worker.state == "failed":
                    self._notes[worker.release] = (
                        f"{worker.release} stays in {before}: in its own environment "
                        f"its worker fails: {worker.error}"
                    )
                    self._specs[worker.release] = replace(spec, python=before)
                    del self._moved[worker.release]
                    log.warning("%s", self._notes[worker.release])

    def close(self) -> None:
        """Begin nothing any more; what is being made is left to the next start."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _suits(self, interpreter: Path, lock: Lock) -> bool:
        try:
            reason = self._fits(interpreter, lock)
        except EnvironmentFailed as error:
            reason = error.message
        if reason:
            log.info("%s does not fit: %s", interpreter, reason)
        return not reason

    def _keep(self, release: Release, interpreter: Path) -> None:
        spec = WorkerSpec(release=release.name, flow=release.digest, python=str(interpreter))
        with self._lock:
            self._specs[release.name] = spec

    def _make(self, release: Release) -> None:
        with self._lock:
            if release.name in self._making:
                return
            self._making.add(release.name)
        self._pool.submit(self._make_now, release)

    def _make_now(self, release: Release) -> None:
        try:
            self._keep(release, self._realise(release))
        except RoadworthyError as error:
            with self._lock:
                self._problems[release.name] = error.message
        except Exception as error:  # a thread's death would be a silent wait
            log.exception("making the environment of %s failed", release.name)
            with self._lock:
                self._problems[release.name] = f"{type(error).__name__}: {error}"
        finally:
            with self._lock:
                self._making.discard(release.name)
            self._ring()

    def _move(self, release: Release) -> None:
        try:
            made = str(self._realise(release))
        except Exception as error:  # noqa: BLE001  # the release runs all the same
            with self._lock:
                self._notes[release.name] = f"its own environment can't be made: {error}"
            log.warning("%s stays where it runs: %s", release.name, error)
            return
        with self._lock:
            spec = self._specs.get(release.name)
            if spec is None or spec.python == made:
                return
            self._moved[release.name] = spec.python
            self._specs[release.name] = replace(spec, python=made)
        log.info("%s moves to its own environment, %s", release.name, made)
        self._ring()
