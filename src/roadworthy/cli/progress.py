"""Progress of what takes long: a bar with rate and time left, on a terminal only."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any


class Bar:
    """A bar on standard error. Without a terminal, or when quiet, it shows nothing."""

    def __init__(self, what: str, total: int, quiet: bool = False) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._shown = not quiet and sys.stderr.isatty()
        self._progress: Any = None
        self._task: Any = None

    def __enter__(self) -> Bar:
        if self._shown:
            from rich import progress
            from rich.console import Console

            self._progress = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.DownloadColumn(),
                progress.TransferSpeedColumn(),
                progress.TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task(self._what, total=self._total or None)
        return self

    def add(self, count: int, what: str = "") -> None:
        """So many bytes more are done: of a table as it is in memory, so more than the file's."""
        self._done += count
        if self._progress is not None:
            described = f"{self._what} {what}".rstrip()
            total = max(self._total, self._done) if self._total else None
            self._progress.update(self._task, advance=count, total=total, description=described)

    def at(self, done: int, total: int, what: str = "") -> None:
        """So much is done, of so much."""
        if self._progress is not None:
            described = f"{self._what} {what}".rstrip()
            self._progress.update(
                self._task, completed=done, total=total or None, description=described
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
