"""Whether a worker leaks: a pure judgement of what it used over time."""

from __future__ import annotations

import itertools
from collections import deque

from roadworthy.core.values import Document

SPANS = 6
MEBIBYTE = 1024 * 1024


class LeakLimits(Document):
    """How a leak is found: by samples every so many seconds over a window.

    A worker leaks that grew by ``least_bytes`` of memory, or ``least_files`` open files, in each
    sixth of the window more than in the one before, and no slower at its end.
    """

    every_seconds: float = 10.0
    window_seconds: float = 900.0
    least_bytes: int = 64 * MEBIBYTE
    least_files: int = 100


class Growth:
    """The samples of one worker: (seconds on a monotonic clock, bytes, open files)."""

    def __init__(self, limits: LeakLimits) -> None:
        self._limits = limits
        self._samples: deque[tuple[float, int, int]] = deque()

    def due(self, now: float) -> bool:
        """Whether another sample is wanted."""
        return not self._samples or now - self._samples[-1][0] >= self._limits.every_seconds

    def add(self, now: float, bytes: int, files: int) -> None:
        """Take a sample; what is older than the window is forgotten."""
        self._samples.append((now, bytes, files))
        while now - self._samples[0][0] > self._limits.window_seconds:
            self._samples.popleft()

    def verdict(self) -> str:
        """What leaks, in words; an empty text where nothing does, or too little is known yet."""
        limits, samples = self._limits, self._samples
        if not samples or samples[-1][0] - samples[0][0] < 0.9 * limits.window_seconds:
            return ""
        minutes = limits.window_seconds / 60
        found = grown([(at, size) for at, size, _ in samples], limits.least_bytes)
        if found is not None:
            before, now = found[0] / MEBIBYTE, found[1] / MEBIBYTE
            return f"its memory grew from {before:.0f} to {now:.0f} MiB in {minutes:.3g} minutes"
        found = grown([(at, files) for at, _, files in samples], limits.least_files)
        if found is not None:
            return f"it opened files from {found[0]} to {found[1]} in {minutes:.3g} minutes"
        return ""


def grown(samples: list[tuple[float, int]], least: int) -> tuple[int, int] | None:
    """From what to what a quantity grew steadily, by ``least`` or more; None where it did not.

    The least value of each sixth of the time must exceed that of the one before, and the last
    third of the growth must not be the slower part: caches fill, leaks go on.

    >>> grown([(t, 100 * t) for t in range(60)], 3000)
    (0, 5000)
    >>> grown([(t, min(t, 20) * 100) for t in range(60)], 1000) is None
    True
    """
    first, last = samples[0][0], samples[-1][0]
    span = (last - first) / SPANS or 1.0
    least_of: dict[int, int] = {}
    for at, value in samples:
        place = min(SPANS - 1, int((at - first) / span))
        least_of[place] = min(value, least_of.get(place, value))
    if len(least_of) < SPANS:
        return None
    found = [least_of[place] for place in range(SPANS)]
    steps = [after - before for before, after in itertools.pairwise(found)]
    total = found[-1] - found[0]
    if total < max(least, 1) or min(steps) <= 0:
        return None
    return (found[0], found[-1]) if sum(steps[-2:]) * 3 >= total else None
