"""Requests, latency and errors per model, from the gateway's ``/metrics`` at two moments."""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from roadworthy.core.traffic import Point, Stretch, Track
from roadworthy.errors import StorageError
from roadworthy.storage.tracks import Tracks

log = logging.getLogger(__name__)

WINDOW_SECONDS = 3600.0
"""How far back rates look at most."""
YOUNG_SECONDS = 4.0
"""A reading that is younger is not taken anew."""
SHORTEST_SECONDS = 5.0
"""Two readings closer than this say nothing about a rate."""
CLOSEST_SECONDS = 5.0
"""Readings that are kept lie further apart than this, so that there are few of them."""
HOUR, DAY = 3600.0, 86400.0
SHORTEST = "1h"
OVER = {
    SHORTEST: (30.0, HOUR),
    "6h": (180.0, 6 * HOUR),
    "24h": (600.0, DAY),
    "7d": (3600.0, 7 * DAY),
}
"""How long plots reach back, each with the seconds of its stretches."""

REQUESTS = "roadworthy_requests_total"
LATENCY = "roadworthy_request_seconds"
STAGES = "roadworthy_stage_seconds"
_WANTED = (REQUESTS + "{", LATENCY + "_bucket{", STAGES + "_sum{", STAGES + "_count{")
_SAMPLE = re.compile(r"(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+)(?: \d+)?")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Totals:
    """One release's totals since its gateway started: requests, failed ones, latency buckets.

    ``buckets`` maps a bucket's upper bound (seconds) to the requests that took no longer,
    ``stages`` a stage to the seconds that were spent there and how often.
    """

    requests: float = 0.0
    errors: float = 0.0
    buckets: tuple[tuple[float, float], ...] = ()
    stages: Mapping[str, tuple[float, float]] = field(default_factory=dict)


Reading = Mapping[str, Totals]


@dataclass(frozen=True)
class Flow:
    """What passed in a stretch of time. Rates are per second, quantiles in seconds.

    ``stages`` are the mean seconds that a request spent in each.
    """

    seconds: float
    requests: float
    errors: float
    p50: float | None
    p95: float | None
    p99: float | None
    stages: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def error_share(self) -> float | None:
        """Share of requests that failed; None where there was none."""
        return self.errors / self.requests if self.requests else None


def quantile(buckets: Iterable[tuple[float, float]], share: float) -> float | None:
    """The value below which this share of a cumulative histogram lies, interpolated in its bucket.

    As Prometheus' ``histogram_quantile``: the last finite bound where it lies beyond.

    >>> quantile([(0.01, 50.0), (0.02, 100.0), (float("inf"), 100.0)], 0.75)
    0.015
    >>> quantile([(0.01, 0.0), (float("inf"), 0.0)], 0.5) is None
    True
    """
    ordered = sorted(buckets)
    if not ordered or ordered[-1][1] <= 0:
        return None
    rank = share * ordered[-1][1]
    below_bound, below = 0.0, 0.0
    for bound, total in ordered:
        if total >= rank and total > below:
            if bound == float("inf"):
                return below_bound
            share_of_it = (rank - below) / (total - below)
            return min(bound, below_bound + (bound - below_bound) * share_of_it)
        below_bound, below = bound, total
    return below_bound


class Traffic:
    """Keeps readings of the last hour, so that two of them give a rate; what passed over longer
    times is kept in ``tracks``.

    Call ``look`` from time to time (every 15 s, say); each page that shows traffic calls it
    too. ``read`` gives the text of ``/metrics``, or None where the gateway does not answer.
    """

    def __init__(self, read: Callable[[], str | None], tracks: Tracks) -> None:
        self._read = read
        self._tracks = tracks
        self._lock = threading.Lock()
        self._readings: deque[tuple[datetime, Reading]] = deque()
        self._began: dict[str, tuple[datetime, Reading]] = {}

    def look(self, now: datetime) -> None:
        """Take a reading, unless the last one is young: however many pages are open, the gateway
        is asked no more often.
        """
        with self._lock:
            if self._readings and (now - self._readings[-1][0]).total_seconds() < YOUNG_SECONDS:
                return
        text = self._read()
        if text is None:
            return
        try:
            reading = parse(text)
        except ValueError:
            log.warning("the gateway's metrics can't be read", exc_info=True)
            return
        with self._lock:
            if self._readings and _restarted(self._readings[-1][1], reading):
                self._readings.clear()
                self._began.clear()
            elif self._readings:
                reading = _shared(self._readings[-1][1], reading)
            if _is_close(self._readings):
                self._readings.pop()
            self._readings.append((now, reading))
            self._record(now, reading)
            while (now - self._readings[0][0]).total_seconds() > WINDOW_SECONDS:
                self._readings.popleft()

    def _record(self, now: datetime, reading: Reading) -> None:
        """Keep what passed since each window's stretch began, which ends once it is long enough:
        until then it grows, so that a control plane that ends leaves what it saw.
        """
        for window in OVER:
            self._began.setdefault(window, (now, reading))
        since, before = self._began[SHORTEST]
        if (now - since).total_seconds() < OVER[SHORTEST][0]:
            return
        asked = [each for each in reading if _asked(before, reading, each)]
        parts = {
            window: (Stretch(start, now), _points(earlier, reading, asked, Stretch(start, now)))
            for window, (start, earlier) in self._began.items()
        }
        self._began.update(
            {
                window: (now, reading)
                for window, (stretch, _) in parts.items()
                if stretch.seconds >= OVER[window][0]
            }
        )
        try:
            self._tracks.add(parts)
            if self._began["24h"][0] == now:
                for window, (_, seconds) in OVER.items():
                    self._tracks.forget(window, now - timedelta(seconds=seconds))
        except StorageError as error:
            log.warning("what passed can't be kept: %s", error)

    def over(self, window: str, releases: Iterable[str], now: datetime) -> Track:
        """What passed to these releases in one stretch after another; ``window`` is one of OVER.

        Nothing where it can't be read.
        """
        try:
            return self._tracks.of(window, releases, now - timedelta(seconds=OVER[window][1]))
        except StorageError as error:
            log.warning("what passed can't be read: %s", error)
            return Track()

    def of(self, release: str) -> Flow | None:
        """What passed to a release between the oldest and the newest reading.

        None while there are not two readings far enough apart.
        """
        with self._lock:
            if len(self._readings) < 2:
                return None
            (start, before), (end, after) = self._readings[0], self._readings[-1]
        seconds = (end - start).total_seconds()
        if seconds < SHORTEST_SECONDS:
            return None
        return difference(before.get(release, Totals()), after.get(release, Totals()), seconds)

    def answered(self, release: str) -> float | None:
        """All requests to a release since its gateway started; None without a reading."""
        with self._lock:
            if not self._readings:
                return None
            return self._readings[-1][1].get(release, Totals()).requests


def difference(before: Totals, after: Totals, seconds: float) -> Flow:
    """What passed between two totals that lie ``seconds`` apart."""
    earlier = dict(before.buckets)
    buckets = [(bound, total - earlier.get(bound, 0.0)) for bound, total in after.buckets]
    return Flow(
        seconds=seconds,
        requests=after.requests - before.requests,
        errors=after.errors - before.errors,
        p50=quantile(buckets, 0.50),
        p95=quantile(buckets, 0.95),
        p99=quantile(buckets, 0.99),
        stages=_means(before, after),
    )


def _means(before: Totals, after: Totals) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for stage, (total, times) in after.stages.items():
        earlier = before.stages.get(stage, (0.0, 0.0))
        if times > earlier[1]:
            found[stage] = (total - earlier[0]) / (times - earlier[1])
    return found


def _asked(before: Reading, after: Reading, release: str) -> bool:
    return after[release].requests > before.get(release, Totals()).requests


def _points(
    before: Reading, after: Reading, releases: Iterable[str], stretch: Stretch
) -> Mapping[str, Point]:
    """What passed to these releases in a stretch."""
    found = {}
    for each in releases:
        flow = difference(before.get(each, Totals()), after[each], stretch.seconds)
        found[each] = Point(flow.requests, flow.errors, flow.p50, flow.p95, flow.p99)
    return found


def _shared(before: Reading, after: Reading) -> Reading:
    """The later reading, with the earlier one's totals of what was not asked since: many are not,
    and so take no room.
    """
    return {
        release: known if (known := before.get(release)) == totals else totals
        for release, totals in after.items()
    }


def _is_close(readings: Sequence[tuple[datetime, Reading]]) -> bool:
    """Whether the last reading may give way to one of now: three lie closer together than kept."""
    return (
        len(readings) > 1 and (readings[-1][0] - readings[-2][0]).total_seconds() < CLOSEST_SECONDS
    )


def _restarted(before: Reading, after: Reading) -> bool:
    """Whether totals fell: the gateway is a new process, and counts from nought."""
    return any(
        after.get(release, Totals()).requests < totals.requests
        for release, totals in before.items()
    )


def parse(text: str) -> Reading:
    """Totals by release from Prometheus' text format.

    A request counts as failed where its status is 5xx: a row refused for what it holds is an
    answer. Only the lines that are wanted are taken apart: a gateway of a thousand releases
    tells more than a hundred thousand. Raises ValueError where one of them can't be read.
    """
    found: dict[str, _Counting] = {}
    for line in text.splitlines():
        if not line.startswith(_WANTED):
            continue
        sample = _SAMPLE.fullmatch(line)
        if sample is None:
            raise ValueError(f"not a line of metrics: {line[:80]!r}")
        labels = dict(_LABEL.findall(sample["labels"]))
        counting = found.setdefault(labels.get("release", ""), _Counting())
        counting.add(sample["name"], labels, float(sample["value"]))
    return {release: each.totals() for release, each in found.items() if each.asked}


class _Counting:
    """The sums of one release while its lines are read: gateways and protocols together."""

    def __init__(self) -> None:
        self.asked = False
        self._requests = self._errors = 0.0
        self._buckets: dict[float, float] = {}
        self._stages: dict[str, list[float]] = {}

    def add(self, name: str, labels: Mapping[str, str], value: float) -> None:
        if name == REQUESTS:
            self.asked = True
            self._requests += value
            if labels.get("status", "").startswith("5"):
                self._errors += value
        elif name == LATENCY + "_bucket":
            bound = float(labels["le"])
            self._buckets[bound] = self._buckets.get(bound, 0.0) + value
        elif name in (STAGES + "_sum", STAGES + "_count"):
            self._stages.setdefault(labels["stage"], [0.0, 0.0])[name == STAGES + "_count"] += value

    def totals(self) -> Totals:
        return Totals(
            requests=self._requests,
            errors=self._errors,
            buckets=tuple(sorted(self._buckets.items())),
            stages={stage: (total, times) for stage, (total, times) in self._stages.items()},
        )
