"""Moments as people write them: on the clock, as a date, or so long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from roadworthy.errors import UsageError

_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_moment(text: str, now: datetime | None = None, *, whole_day: bool = False) -> datetime:
    """The moment that a text names, in UTC, which is also meant where it names no zone.

    ``90m`` is so long before ``now`` (None: the present). A date alone is its first instant, or
    with ``whole_day`` its last. Raises UsageError.

    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> parse_moment("90m", noon).isoformat()
    '2026-03-01T10:30:00+00:00'
    >>> parse_moment("2026-03-01 14:30+02:00").isoformat()
    '2026-03-01T12:30:00+00:00'
    >>> parse_moment("2026-03-01", whole_day=True).isoformat()
    '2026-03-01T23:59:59.999999+00:00'
    """
    text = text.strip()
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
        if whole_day and len(text) == 10:
            moment += timedelta(days=1, microseconds=-1)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text[:60]!r} is no moment", cure="write 90m, 2h or 3d, or 2026-03-01T12:00 (UTC)"
        ) from None
