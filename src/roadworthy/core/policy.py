"""What a release must measure and show before it may enter a stage."""

from __future__ import annotations

from roadworthy.core.values import Document


class Limits(Document, frozen=True):
    """Limits on what a certificate measures; None means recorded, and not limited.

    ``requests_per_second`` and ``rows_per_second`` (in the largest batches) are the least
    that is asked for, all others the most. ``pickle``: whether state may need pickle;
    ``breaking``: whether the signature may break the callers of the newest release.
    """

    start_seconds: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    requests_per_second: float | None = None
    rows_per_second: float | None = None
    memory_bytes: int | None = None
    cpu_ms_per_request: float | None = None
    pickle: bool = True
    breaking: bool = False
