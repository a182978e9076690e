"""What the gateway counts, for Prometheus."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from roadworthy.serving.answers import Answered
from roadworthy.serving.dispatch import Pool

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


@dataclass(frozen=True, slots=True)
class _Release:
    seconds: Histogram
    answered: Counter
    rejected: Counter
    failed: Counter


class Metrics:
    """The counters of one gateway, on a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "roadworthy_requests", "Requests by their HTTP status",
            ("release", "protocol", "status"), registry=self.registry,
        )  # fmt: skip
        self.rows = Counter(
            "roadworthy_rows", "Rows by what became of them", ("release", "outcome"),
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "roadworthy_request_seconds", "Time from the whole request to its answer", ("release",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.batches = Histogram(
            "roadworthy_batch_rows", "Rows that a worker answered together", ("release",),
            buckets=ROWS, registry=self.registry,
        )  # fmt: skip
        self.batch_seconds = Histogram(
            "roadworthy_batch_seconds", "Time a worker took for a batch", ("release",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.workers_lost = Counter(
            "roadworthy_workers_lost", "Workers that died or were killed", ("release",),
            registry=self.registry,
        )  # fmt: skip
        self.waiting = Gauge(
            "roadworthy_requests_waiting", "Requests queued or being answered", ("release",),
            registry=self.registry,
        )  # fmt: skip
        self.table = Gauge(
            "roadworthy_table_version", "Version of the routing table in use",
            registry=self.registry,
        )  # fmt: skip
        self.log_dropped = Counter(
            "roadworthy_log_dropped", "Rows that the prediction log could not keep", ("reason",),
            registry=self.registry,
        )  # fmt: skip
        self.log_written = Counter(
            "roadworthy_log_written", "Rows written to the prediction log", registry=self.registry
        )
        self._children: dict[tuple[str, str, int], Counter] = {}
        self._releases: dict[str, _Release] = {}

    def count_request(self, release: str, protocol: str, status: int) -> None:
        """Count one request."""
        key = (release, protocol, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self.requests.labels(release, protocol, str(status))
        child.inc()

    def count_answer(
        self, release: str, protocol: str, status: int, seconds: float, answered: Answered | None
    ) -> None:
        """Count a request that reached a release, its time, and its rows by their outcome."""
        self.count_request(release, protocol, status)
        known = self._releases.get(release)
        if known is None:
            known = self._releases[release] = _Release(
                self.seconds.labels(release),
                self.rows.labels(release, "answered"),
                self.rows.labels(release, "rejected"),
                self.rows.labels(release, "failed"),
            )
        known.seconds.observe(seconds)
        if answered is None:
            return
        rejected, failed = len(answered.rejected), len(answered.failed)
        known.answered.inc(answered.n - rejected - failed)
        if rejected:
            known.rejected.inc(rejected)
        if failed:
            known.failed.inc(failed)

    def watch(self, pool: Pool) -> None:
        """Count the batches of a pool and the workers it loses."""
        rows = self.batches.labels(pool.release)
        seconds = self.batch_seconds.labels(pool.release)
        lost = self.workers_lost.labels(pool.release)

        def batch(n: int, took: float) -> None:
            rows.observe(n)
            seconds.observe(took)

        pool.on_batch = batch
        pool.on_lost = lambda _: lost.inc()

    def text(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self.registry)
