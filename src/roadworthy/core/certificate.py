"""The certificate of a release: checks, each with what was required and what was measured."""

from __future__ import annotations

from typing import Any, Literal

from roadworthy.core.values import Document

Outcome = Literal["passed", "failed", "not applicable"]


class Check(Document):
    """One check. ``evidence`` is what a third party needs to judge it again."""

    id: str
    group: Literal["capture", "service", "robustness", "environment", "compatibility"]
    title: str
    outcome: Outcome
    required: str
    measured: str
    evidence: dict[str, Any] = {}


class ResourceProfile(Document):
    """What a release needs: seconds, bytes, rows per second, measured in its own worker."""

    start_seconds: float
    idle_bytes: int
    load_bytes: int
    cpu_ms_per_request: float
    cpu_ms_per_row: float
    rows_per_second: dict[str, float]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    requests_per_second: float


class Certificate(Document):
    """All checks of a release at one depth, made at ``made`` (UTC, ISO 8601)."""

    release: str
    depth: Literal["quick", "full"]
    made: str
    seconds: float
    checks: list[Check]
    profile: ResourceProfile | None = None
    format: int = 1

    @property
    def passed(self) -> bool:
        """Whether there is a check and none failed."""
        return bool(self.checks) and all(check.outcome != "failed" for check in self.checks)
