"""What the gateway counts, for Prometheus; docs/how-to/watch-the-gateway.md explains it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import HistogramMetricFamily

from roadworthy.serving.answers import Answered
from roadworthy.serving.arrow_columns import Chunk
from roadworthy.serving.dispatch import Pool
from roadworthy.serving.inference import Exchange

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
STAGE_SECONDS = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, *SECONDS)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)
OF_THE_AGENT = "roadworthy_worker_failures_total{"
STAGES = ("decode", "validate", "queue", "batch", "worker", "encode")


class Buckets:
    """One histogram's numbers. Counting takes a bisection: it is done six times a request."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Histograms:
    """A histogram for each combination of labels, as Prometheus' registry collects them."""

    def __init__(
        self, name: str, said: str, labels: tuple[str, ...], bounds: tuple[float, ...]
    ) -> None:
        self._name = name
        self._said = said
        self._labels = labels
        self._bounds = bounds
        self._children: dict[tuple[str, ...], Buckets] = {}

    def labels(self, *values: str) -> Buckets:
        """The histogram with these values of its labels."""
        found = self._children.get(values)
        if found is None:
            found = self._children[values] = Buckets(self._bounds)
        return found

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """All of them, for the registry."""
        family = HistogramMetricFamily(self._name, self._said, labels=self._labels)
        for values, child in list(self._children.items()):
            ends = [*map(str, map(float, child.bounds)), "+Inf"]
            family.add_metric(
                values, list(zip(ends, accumulate(child.counts), strict=True)), child.total
            )
        yield family


class _Release:
    """What is counted for one release, looked up once."""

    __slots__ = ("answered", "failed", "rejected", "seconds", "stages")

    def __init__(self, metrics: Metrics, release: str) -> None:
        self.seconds = metrics.seconds.labels(release)
        self.stages = {stage: metrics.stages.labels(release, stage) for stage in STAGES}
        self.answered = metrics.rows.labels(release, "answered")
        self.rejected = metrics.rows.labels(release, "rejected")
        self.failed = metrics.rows.labels(release, "failed")


class Metrics:
    """The counters of one gateway, on a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "roadworthy_requests", "Requests by their HTTP status",
            ("release", "protocol", "status"), registry=registry,
        )  # fmt: skip
        self.checks = Counter(
            "roadworthy_check_requests", "Requests of certification, which are counted only here",
            ("release",), registry=registry,
        )  # fmt: skip
        self.refused = Counter(
            "roadworthy_refused", "Requests that got no answer, by the code of the reason",
            ("release", "code"), registry=registry,
        )  # fmt: skip
        self.rows = Counter(
            "roadworthy_rows", "Rows by what became of them", ("release", "outcome"),
            registry=registry,
        )  # fmt: skip
        self.seconds = self._histograms(
            "roadworthy_request_seconds", "Time from the whole request to its answer",
            ("release",), SECONDS,
        )  # fmt: skip
        self.stages = self._histograms(
            "roadworthy_stage_seconds", "Time that a request spent in a stage",
            ("release", "stage"), STAGE_SECONDS,
        )  # fmt: skip
        self.batches = self._histograms(
            "roadworthy_batch_rows", "Rows that a worker answered together", ("release",), ROWS
        )
        self.batch_seconds = self._histograms(
            "roadworthy_batch_seconds", "Time a worker took for a batch", ("release",), SECONDS
        )
        self.workers_lost = Counter(
            "roadworthy_workers_lost", "Workers that died or were killed", ("release",),
            registry=registry,
        )  # fmt: skip
        self.worker_failures = Counter(
            "roadworthy_worker_failures", "What happened to workers, as their agent saw it",
            ("release", "kind"), registry=registry,
        )  # fmt: skip
        self.waiting = Gauge(
            "roadworthy_requests_waiting", "Requests queued or being answered", ("release",),
            registry=registry,
        )  # fmt: skip
        self.connections = Gauge(
            "roadworthy_connections", "Connections that are open", registry=registry
        )
        self.cut_off = Counter(
            "roadworthy_connections_cut_off", "Connections closed by us before their time",
            ("reason",), registry=registry,
        )  # fmt: skip
        self.table = Gauge(
            "roadworthy_table_version", "Version of the routing table in use", registry=registry
        )
        self.log_dropped = Counter(
            "roadworthy_log_dropped", "Rows that the prediction log could not keep", ("reason",),
            registry=registry,
        )  # fmt: skip
        self.log_written = Counter(
            "roadworthy_log_written", "Rows written to the prediction log", registry=registry
        )
        self._children: dict[tuple[str, str, int], Any] = {}
        self._releases: dict[str, _Release] = {}
        self._failures: dict[tuple[str, str], int] = {}

    def count(self, exchange: Exchange, status: int) -> None:
        """Count a request: its status, its times by stage, its rows by their outcome."""
        release = exchange.pool.release if exchange.pool is not None else ""
        if exchange.headers.checking:
            self.checks.labels(release).inc()
            return
        key = (release, exchange.target.protocol, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self.requests.labels(key[0], key[1], str(status))
        child.inc()
        if exchange.refused:
            self.refused.labels(release, exchange.refused).inc()
        if not release:
            return
        known = self._of(release)
        known.seconds.observe(exchange.seconds)
        stages = known.stages
        for stage, micros in exchange.times.items():
            stages[stage].observe(micros * 1e-6)
        if exchange.answered is not None:
            self._count_answer(known, exchange.answered)

    def _count_answer(self, known: _Release, answered: Answered) -> None:
        for stage, micros in answered.times.items():
            if stage in known.stages and micros is not None:
                known.stages[stage].observe(micros * 1e-6)
        rejected, failed = len(answered.rejected), len(answered.failed)
        known.answered.inc(answered.n - rejected - failed)
        if rejected:
            known.rejected.inc(rejected)
        if failed:
            known.failed.inc(failed)

    def count_chunk(self, release: str, chunk: Chunk, answered: Answered | None) -> None:
        """Count some rows of an Arrow stream; its request is counted once, at its end."""
        known = self._of(release)
        if chunk.rejected:
            known.rejected.inc(len(chunk.rejected))
        if answered is None:
            known.failed.inc(chunk.n - len(chunk.rejected))
        else:
            self._count_answer(known, answered)

    def _of(self, release: str) -> _Release:
        known = self._releases.get(release)
        if known is None:
            known = self._releases[release] = _Release(self, release)
        return known

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

    def count_failures(self, pools: Iterable[Pool]) -> None:
        """Count up to what the agent counted; it may have begun anew, this does not count down."""
        for pool in pools:
            for kind, count in pool.failures.items():
                known = self._failures.get((pool.release, kind), 0)
                self._failures[pool.release, kind] = count
                if count > known:
                    self.worker_failures.labels(pool.release, kind).inc(count - known)

    def text(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self.registry)

    def _histograms(
        self, name: str, said: str, labels: tuple[str, ...], bounds: tuple[float, ...]
    ) -> Histograms:
        made = Histograms(name, said, labels, bounds)
        self.registry.register(made)
        return made


def merge_metrics(texts: list[str]) -> str:
    """The numbers of several gateways as those of one: sums, but the oldest table's version.

    What the agent counted is known to each of them, and is taken once.

    >>> print(merge_metrics(["# TYPE a counter\\na 1.0\\n", "# TYPE a counter\\na 2.0\\nb 1.0\\n"]))
    # TYPE a counter
    a 3.0
    b 1.0
    <BLANKLINE>
    """
    if len(texts) == 1:
        return texts[0]
    values: dict[str, float] = {}
    for text in texts:
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            if line.startswith("#"):
                values.setdefault(line, 0.0)
            elif name == "roadworthy_table_version" and name in values:
                values[name] = min(values[name], float(value))
            elif name.startswith(OF_THE_AGENT):
                values[name] = max(values.get(name, 0.0), float(value))
            elif name:
                values[name] = values.get(name, 0.0) + float(value)
    # What only a later text has stands with its family, after the families of the first.
    return "".join(
        f"{name}\n" if name.startswith("#") else f"{name} {value!r}\n"
        for name, value in _by_family(values)
    )


def _by_family(values: dict[str, float]) -> list[tuple[str, float]]:
    """The lines in an order in which each family stands together, under its comments."""
    families: dict[str, list[tuple[str, float]]] = {}
    for line, value in values.items():
        name = (
            line.split(" ")[2] if line.startswith("#") else re.split(r"[{ ]", line, maxsplit=1)[0]
        )
        for suffix in ("_bucket", "_count", "_sum"):
            if name.endswith(suffix) and name.removesuffix(suffix) in families:
                name = name.removesuffix(suffix)
        families.setdefault(name, []).append((line, value))
    return [pair for family in families.values() for pair in family]
