"""When something is due: intervals, and cron's five fields in a time zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from roadworthy.core.values import Value
from roadworthy.errors import UsageError

_EVERY = re.compile(r"every\s+(?:(\d+(?:\.\d+)?)\s*)?([a-z]+)")
_UNITS = {"s": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
_UNITS |= {"d": 86400, "day": 86400, "week": 604800}
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_NAMES = {
    name: number
    for names, first in (
        ("jan feb mar apr may jun jul aug sep oct nov dec", 1),
        ("sun mon tue wed thu fri sat", 0),
    )
    for number, name in enumerate(names.split(), first)
}
_MOST_DAYS = 366 * 5


class Schedule(Value):
    """An interval in seconds, or the minutes, hours, days, months and weekdays of cron."""

    text: str
    zone: str
    seconds: float = 0.0
    fields: tuple[frozenset[int], ...] = ()
    any_hour: bool = False
    any_day: bool = True
    any_weekday: bool = True

    def after(self, moment: datetime) -> datetime:
        """The first time after a moment, in UTC.

        An interval counts from the moment. Of cron's local times, one that a change to summer
        time leaves out comes when the clock has passed it, and one that comes twice counts once,
        except with every hour, where each hour that passes counts.
        """
        moment = moment.astimezone(UTC)
        if self.seconds:
            return moment + timedelta(seconds=self.seconds)
        zone = ZoneInfo(self.zone)
        day = (moment.astimezone(zone) - timedelta(days=1)).date()
        for _ in range(_MOST_DAYS):
            found = [each for each in self._times(day, zone) if each > moment]
            if found:
                return min(found)
            day += timedelta(days=1)
        raise UsageError(f"{self.text!r} is never due", cure="correct the schedule")

    def newest(self, since: datetime, now: datetime) -> datetime | None:
        """The last time after ``since`` that has come by ``now``; None while none has."""
        if self.seconds:
            steps = (now - since).total_seconds() // self.seconds
            return since + timedelta(seconds=steps * self.seconds) if steps >= 1 else None
        due = self.after(since)
        if due > now:
            return None
        zone = ZoneInfo(self.zone)
        day = (now.astimezone(zone) + timedelta(days=1)).date()
        while True:
            found = [each for each in self._times(day, zone) if since < each <= now]
            if found:
                return max(found)
            day -= timedelta(days=1)

    def _times(self, day: date, zone: ZoneInfo) -> list[datetime]:
        minutes, hours, days, months, weekdays = self.fields
        if day.month not in months or not self._on(day, days, weekdays):
            return []
        found = set()
        for hour in hours:
            for minute in minutes:
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                found.add(local.astimezone(UTC))
                if self.any_hour:
                    found.add(local.replace(fold=1).astimezone(UTC))
        return sorted(found)

    def _on(self, day: date, days: frozenset[int], weekdays: frozenset[int]) -> bool:
        """Cron's rule: where both day and weekday are told, either is enough."""
        weekday = day.isoweekday() % 7 in weekdays
        if self.any_day:
            return weekday
        return day.day in days if self.any_weekday else day.day in days or weekday


def parse_schedule(text: str, zone: str = "UTC") -> Schedule:
    """``every 5 minutes``, ``every hour``, or cron's ``30 2 * * mon-fri``. Raises UsageError.

    >>> parse_schedule("every 5 min").seconds
    300.0
    >>> parse_schedule("0 6 * * *", "Europe/Vienna").after(datetime(2026, 7, 1, tzinfo=UTC)).hour
    4
    """
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"{zone!r} is no time zone", cure="write Europe/Vienna, or UTC") from None
    match = _EVERY.fullmatch(text.strip().lower())
    if match:
        word = match[2]
        unit = _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))
        seconds = float(match[1] or 1) * (unit or 0)
        if seconds < 1:
            raise _unread(text, f"{match[0]!r} is no interval of a second or more")
        return Schedule(text=text, zone=zone, seconds=seconds)
    parts = text.split()
    if len(parts) != 5:
        raise _unread(text, "it has neither `every` nor the five fields of cron")
    fields = [_field(text, part, *bounds) for part, bounds in zip(parts, _FIELDS, strict=True)]
    fields[4] = frozenset(each % 7 for each in fields[4])
    return Schedule(
        text=text,
        zone=zone,
        fields=tuple(fields),
        any_hour=parts[1].startswith("*"),
        any_day=parts[2].startswith("*"),
        any_weekday=parts[4].startswith("*"),
    )


def _field(text: str, part: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for piece in part.lower().split(","):
        span, stepped, step = piece.partition("/")
        first, ranged, last = span.partition("-")
        start = low if first == "*" else _number(first)
        end = high if first == "*" or (stepped and not ranged) else start
        if ranged:
            end = _number(last)
        by = _number(step) if stepped else 1
        if not (low <= start <= end <= high) or by < 1:
            raise _unread(text, f"{piece!r} is no {name} between {low} and {high}")
        found.update(range(start, end + 1, by))
    return frozenset(found)


def _number(word: str) -> int:
    return int(word) if word.isascii() and word.isdigit() else _NAMES.get(word, -1)


def _unread(text: str, reason: str) -> UsageError:
    return UsageError(
        f"{text!r} is no schedule: {reason}", cure="write `every 5 minutes`, or cron's `0 6 * * *`"
    )
