"""Checks of what was measured: start-up, latency, throughput, memory, CPU, against limits."""

from __future__ import annotations

from typing import Any

from roadworthy.certification.load import Load, Phase
from roadworthy.core.certificate import Check
from roadworthy.core.policy import Limits

NO_LIMIT = "no limit set"
MEBIBYTE = 1024 * 1024


def start_check(seconds: float | None, limits: Limits) -> Check:
    """How long the worker took from its start until it was ready."""
    limit = limits.start_seconds
    if seconds is None:
        outcome = "failed" if limit is not None else "not applicable"
        measured = "was not measured: the worker ran already"
    else:
        outcome = "failed" if limit is not None and seconds > limit else "passed"
        measured = f"{seconds:.2f} s"
    return Check(
        id="start",
        group="service",
        title="Starts",
        outcome=outcome,  # type: ignore[arg-type]
        required=_at_most(limit, "s"),
        measured=measured,
        evidence={"seconds": seconds, "limit": limit},
    )


def load_checks(load: Load, limits: Limits) -> list[Check]:
    """Latency, throughput, memory and CPU of a load; unanswered requests fail the first two."""
    return [
        _latency(load, limits),
        _throughput(load, limits),
        _memory(load, limits),
        _cpu(load, limits),
    ]


def unmeasured(reason: str) -> list[Check]:
    """The check that stands for all of them where no load could be made."""
    return [
        Check(
            id="load",
            group="service",
            title="Bears a short load",
            outcome="failed",
            required="can be measured",
            measured=f"could not be measured: {reason}",
        )
    ]


def _latency(load: Load, limits: Limits) -> Check:
    asked = {"p50": limits.p50_ms, "p95": limits.p95_ms, "p99": limits.p99_ms}
    found = load.alone.latency
    over = [
        name
        for name, limit in asked.items()
        if limit is not None and (found is None or getattr(found, name) > limit)
    ]
    measured = "no request was answered"
    if found is not None:
        measured = f"p50 {found.p50:.1f}, p95 {found.p95:.1f}, p99 {found.p99:.1f} ms"
    measured += _failures([load.alone])
    set_limits = [f"{name} ≤ {limit:g} ms" for name, limit in asked.items() if limit is not None]
    return Check(
        id="latency",
        group="service",
        title="Answers one row quickly",
        outcome="failed" if over or found is None or load.alone.failures else "passed",
        required=", ".join(set_limits) or NO_LIMIT,
        measured=measured,
        evidence={"limits": asked, **_evidence(load.alone)},
    )


def _throughput(load: Load, limits: Limits) -> Check:
    together, largest = load.together, load.sequential[-1]
    slow = [
        limit
        for limit, found in (
            (limits.requests_per_second, together.requests_per_second),
            (limits.rows_per_second, largest.rows_per_second),
        )
        if limit is not None and found < limit
    ]
    phases = [together, *load.batches]
    lost = any(phase.failures or not phase.answered for phase in phases)
    required = []
    if limits.requests_per_second is not None:
        required.append(f"≥ {limits.requests_per_second:g} requests/s")
    if limits.rows_per_second is not None:
        required.append(f"≥ {limits.rows_per_second:g} rows/s")
    rate = f"{together.requests_per_second:,.0f} requests/s on {together.connections} connections"
    rows = ", ".join(
        f"{phase.rows_per_second:,.0f} rows/s by {phase.batch}" for phase in load.sequential
    )
    return Check(
        id="throughput",
        group="service",
        title="Bears a load",
        outcome="failed" if slow or lost else "passed",
        required=", ".join(required) or NO_LIMIT,
        measured=f"{rate}; {rows}{_failures(phases)}",
        evidence={
            "requests_per_second": limits.requests_per_second,
            "rows_per_second": limits.rows_per_second,
            "together": _evidence(together),
            "batches": [_evidence(phase) for phase in load.batches],
        },
    )


def _memory(load: Load, limits: Limits) -> Check:
    limit = limits.memory_bytes
    idle, full = load.idle_bytes / MEBIBYTE, load.load_bytes / MEBIBYTE
    return Check(
        id="memory",
        group="service",
        title="Stays within its memory",
        outcome="failed" if limit is not None and load.load_bytes > limit else "passed",
        required=_at_most(None if limit is None else limit / MEBIBYTE, "MiB"),
        measured=f"{idle:.0f} MiB idle, {full:.0f} MiB at load",
        evidence={"limit": limit, "idle_bytes": load.idle_bytes, "load_bytes": load.load_bytes},
    )


def _cpu(load: Load, limits: Limits) -> Check:
    limit = limits.cpu_ms_per_request
    answered = load.alone.answered
    each = 1000 * load.alone.cpu_seconds / answered if answered else None
    over = limit is not None and (each is None or each > limit)
    return Check(
        id="cpu",
        group="service",
        title="Computes no more than it should",
        outcome="failed" if over else "passed" if each is not None else "not applicable",
        required=_at_most(limit, "ms a request"),
        measured="no request was answered" if each is None else f"{each:.2f} ms a request",
        evidence={"limit": limit, "cpu_seconds": load.alone.cpu_seconds, "requests": answered},
    )


def _at_most(limit: float | None, unit: str) -> str:
    return NO_LIMIT if limit is None else f"≤ {limit:g} {unit}"


def _failures(phases: list[Phase]) -> str:
    found: dict[str, int] = {}
    for phase in phases:
        for what, count in phase.failures.items():
            found[what] = found.get(what, 0) + count
    return "".join(f"; {count} without an answer ({what})" for what, count in found.items())


def _evidence(phase: Phase) -> dict[str, Any]:
    """A phase as plain data; latency is in milliseconds."""
    import msgspec

    return dict(msgspec.to_builtins(phase))
