"""Traffic over time, as values: what passed to each release in one stretch after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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
