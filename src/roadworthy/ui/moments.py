"""Moments as people write them in a field."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime) -> datetime | None:
    """The moment that is meant, ``2h`` ago or on the clock (UTC); None for an empty text.

    Raises ValueError where it is none.

    >>> moment("90m", datetime(2026, 3, 1, 12, tzinfo=UTC)).isoformat()
    '2026-03-01T10:30:00+00:00'
    >>> moment("2026-03-01 10:00", datetime(2026, 3, 1, 12, tzinfo=UTC)).isoformat()
    '2026-03-01T10:00:00+00:00'
    """
    if not text.strip():
        return None
    ago = re.fullmatch(r"([0-9]{1,6})([smhdw])", text.strip())
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"“{text[:60]}” is no moment. Write 90m, 2h or 3d, or 2026-03-01T12:00."
        ) from None
