"""Traffic over time: what passed to each release in one stretch after another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple


class Stretch(NamedTuple):
    """A stretch of time between two readings of the gateway."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.end - self.start).total_seconds()


class Point(NamedTuple):
    """What passed to a release in a stretch; the quantiles are seconds."""

    requests: float
    errors: float
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True)
class Track:
    """What is known of some releases over time: stretches, oldest first; a point for each, None
    where the release was not asked.
    """

    stretches: Sequence[Stretch] = ()
    points: Mapping[str, Sequence[Point | None]] = field(default_factory=dict)


class Recorder:
    """Keeps the stretches of the last ``kept`` seconds, each ``step`` seconds long or longer.

    A release that was not asked in a stretch takes no room. Not safe for several threads.
    """

    def __init__(self, step: float, kept: float) -> None:
        self.step = step
        self._kept = timedelta(seconds=kept)
        self._stretches: deque[Stretch] = deque()
        self._points: dict[str, deque[tuple[datetime, Point]]] = {}

    def add(self, stretch: Stretch, points: Mapping[str, Point]) -> None:
        """Keep what passed in a stretch; what has grown too old is dropped."""
        self._stretches.append(stretch)
        for release, point in points.items():
            self._points.setdefault(release, deque()).append((stretch.end, point))
        oldest = stretch.end - self._kept
        while self._stretches[0].end < oldest:
            self._stretches.popleft()
        for release in list(self._points):
            own = self._points[release]
            while own and own[0][0] < oldest:
                own.popleft()
            if not own:
                del self._points[release]

    def of(self, releases: Iterable[str]) -> Track:
        """What is known of these releases."""
        found: dict[str, Sequence[Point | None]] = {}
        for release in releases:
            own = dict(self._points.get(release, ()))
            if own:
                found[release] = [own.get(each.end) for each in self._stretches]
        return Track(stretches=list(self._stretches), points=found)
