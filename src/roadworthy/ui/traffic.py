"""Requests, latency and errors per model, from the gateway's ``/metrics`` at two moments."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.parser import text_string_to_metric_families

log = logging.getLogger(__name__)

WINDOW_SECONDS = 3600.0
"""How far back rates look at most."""
SHORTEST_SECONDS = 5.0
"""Two readings closer than this say nothing about a rate."""

REQUESTS = "roadworthy_requests_total"
LATENCY = "roadworthy_request_seconds"


@dataclass(frozen=True)
class Totals:
    """One release's totals since its gateway started: requests, failed ones, latency buckets.

    ``buckets`` maps a bucket's upper bound (seconds) to the requests that took no longer.
    """

    requests: float = 0.0
    errors: float = 0.0
    buckets: tuple[tuple[float, float], ...] = ()


Reading = Mapping[str, Totals]


@dataclass(frozen=True)
class Flow:
    """What passed in a stretch of time. Rates are per second, quantiles in seconds."""

    seconds: float
    requests: float
    errors: float
    p50: float | None
    p95: float | None
    p99: float | None

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
            return below_bound + (bound - below_bound) * (rank - below) / (total - below)
        below_bound, below = bound, total
    return below_bound


class Traffic:
    """Keeps readings of the last hour, so that two of them give a rate.

    Call ``look`` from time to time (every 15 s, say); each page that shows traffic calls it
    too. ``read`` gives the text of ``/metrics``, or None where the gateway does not answer.
    """

    def __init__(self, read: Callable[[], str | None]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._readings: deque[tuple[datetime, Reading]] = deque()

    def look(self, now: datetime) -> None:
        """Take a reading, unless the last one is younger than a second."""
        with self._lock:
            if self._readings and (now - self._readings[-1][0]).total_seconds() < 1:
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
            self._readings.append((now, reading))
            while (now - self._readings[0][0]).total_seconds() > WINDOW_SECONDS:
                self._readings.popleft()

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
    answer.
    """
    requests: dict[str, float] = {}
    errors: dict[str, float] = {}
    buckets: dict[str, dict[float, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            release = sample.labels.get("release", "")
            if sample.name == REQUESTS:
                requests[release] = requests.get(release, 0.0) + sample.value
                if sample.labels.get("status", "").startswith("5"):
                    errors[release] = errors.get(release, 0.0) + sample.value
            elif sample.name == LATENCY + "_bucket":
                by_bound = buckets.setdefault(release, {})
                bound = float(sample.labels["le"])
                by_bound[bound] = by_bound.get(bound, 0.0) + sample.value
    return {
        release: Totals(
            requests=total,
            errors=errors.get(release, 0.0),
            buckets=tuple(sorted(buckets.get(release, {}).items())),
        )
        for release, total in requests.items()
    }
