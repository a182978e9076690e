"""How numbers, sizes and times are written on the pages: one place for each form.

Thousands take a comma, decimals a point, units a no-break space, and what was measured three
significant digits. Nothing here reads a clock: ``now`` is passed in. Times are UTC.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from roadworthy.core.words import noun

NBSP = "\u00a0"
MINUS = "\u2212"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Moment(NamedTuple):
    """An instant on a page: ``text`` in place, ``full`` on pointing, ``iso`` for programs."""

    iso: str
    text: str
    full: str


def number(value: float, digits: int = 3) -> str:
    """A measured number with three significant digits; a whole one keeps its thousands.

    >>> number(8204113), number(16384.2), number(8.4), number(0.8419), number(-0.00931)
    ('8,200,000', '16,400', '8.4', '0.842', '−0.00931')
    >>> number(0), number(9.999), number(1e-7), number(float("nan")), number(float("inf"))
    ('0', '10', '1\\xa0×\\xa010⁻⁷', 'not a number', '∞')
    """
    if math.isnan(value):
        return "not a number"
    sign = MINUS if value < 0 else ""
    size = abs(value)
    if math.isinf(size):
        return sign + "∞"
    if size == 0:
        return "0"
    mantissa, _, power = f"{size:.{digits - 1}e}".partition("e")
    exponent = int(power)
    if exponent < -4 or exponent > 14:
        return f"{sign}{_trimmed(mantissa)}{NBSP}×{NBSP}10{str(exponent).translate(_SUPERSCRIPT)}"
    rounded = float(f"{mantissa}e{power}")
    return sign + _trimmed(f"{rounded:,.{max(0, digits - 1 - exponent)}f}")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: int) -> str:
    """An exact whole number.

    >>> count(8204113), count(-12)
    ('8,204,113', '−12')
    """
    return f"{value:,}".replace("-", MINUS)


def plural(value: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> plural(1, "model"), plural(2, "model"), plural(0, "entry", "entries")
    ('1\\xa0model', '2\\xa0models', '0\\xa0entries')
    """
    return f"{count(value)}{NBSP}{noun(value, one, many)}"


def difference(value: float, unit: str = "") -> str:
    """A difference: always with its sign, and a true minus.

    >>> difference(0.011), difference(-0.009), difference(0), difference(3.2, "ms")
    ('+0.011', '−0.009', '0', '+3.2\\xa0ms')
    """
    text = ("+" if value > 0 else "") + number(value)
    return f"{text}{NBSP}{unit}" if unit else text


def with_unit(value: float, unit: str) -> str:
    """A number and its unit, never on two lines.

    >>> with_unit(31.04, "ms")
    '31\\xa0ms'
    """
    return f"{number(value)}{NBSP}{unit}"


def percent(share: float) -> str:
    """A share of one, in percent; below a hundredth of a percent it says so.

    >>> percent(0.031), percent(0.0002), percent(0), percent(0.00001), percent(1)
    ('3.1\\xa0%', '0.02\\xa0%', '0\\xa0%', '<\\xa00.01\\xa0%', '100\\xa0%')
    """
    if 0 < share < 0.0001:
        return f"<{NBSP}0.01{NBSP}%"
    text = number(share * 100)
    if text == "100" and share < 1:
        return f">{NBSP}99.9{NBSP}%"
    return f"{text}{NBSP}%"


def memory(size: int) -> str:
    """Bytes of memory, in powers of 1,024.

    >>> memory(512), memory(548 * 1024), memory(268 * 1024**2), memory(10.2 * 1024**3)
    ('512\\xa0B', '548\\xa0KiB', '268\\xa0MiB', '10.2\\xa0GiB')
    """
    return _scaled(size, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))


def storage(size: int) -> str:
    """Bytes on disk, in powers of 1,000.

    >>> storage(999), storage(22772), storage(412_000_000)
    ('999\\xa0B', '22.8\\xa0kB', '412\\xa0MB')
    """
    return _scaled(size, 1000, ("B", "kB", "MB", "GB", "TB"))


def _scaled(size: float, step: int, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if size < step:
            return with_unit(size, unit)
        size /= step
    return with_unit(size, units[-1])


def duration(seconds: float) -> str:
    """A length of time in at most two units.

    >>> duration(0.0019), duration(0.74), duration(38.2), duration(252), duration(34800)
    ('1.9\\xa0ms', '0.74\\xa0s', '38.2\\xa0s', '4\\xa0min 12\\xa0s', '9\\xa0h 40\\xa0min')
    >>> duration(14.63 * 86400), duration(86400), duration(59.99), duration(-3)
    ('14\\xa0days 15\\xa0h', '1\\xa0day', '1\\xa0min', '0\\xa0s')
    """
    if not math.isfinite(seconds):
        return "not known"
    if seconds <= 0:
        return f"0{NBSP}s"
    if seconds < 0.1:
        return with_unit(seconds * 1000, "ms")
    if float(f"{seconds:.3g}") < 60:
        return with_unit(seconds, "s")
    for above, size, unit, small, small_unit in (
        (86400, 86400, "day", 3600, "h"),
        (3600, 3600, "h", 60, "min"),
        (0, 60, "min", 1, "s"),
    ):
        if seconds < above:
            continue
        whole, rest = divmod(round(seconds / small) * small, size)
        name = "days" if unit == "day" and whole > 1 else unit
        return f"{int(whole)}{NBSP}{name}" + (
            f" {int(rest // small)}{NBSP}{small_unit}" if rest >= small else ""
        )
    raise AssertionError("the last row takes every length")


def parse_time(text: str) -> datetime | None:
    """The instant that ISO 8601 text names (UTC where no zone is said); None where it is none.

    >>> parse_time("2026-03-18T10:40:12Z")
    datetime.datetime(2026, 3, 18, 10, 40, 12, tzinfo=datetime.timezone.utc)
    >>> parse_time("") is None
    True
    """
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def recent(text: str, now: datetime) -> Moment:
    """For tables and cards: ``41 min ago`` within 24 hours, the day after that.

    >>> now = datetime(2026, 3, 18, 10, 40, tzinfo=UTC)
    >>> recent("2026-03-18T09:59:00Z", now).text, recent("2026-03-12T09:59:00Z", now).text
    ('41\\xa0min ago', '12\\xa0Mar')
    >>> recent("2025-03-12T09:59:00Z", now).text, recent("2026-03-18T10:39:58Z", now).text
    ('12\\xa0Mar\\xa02025', 'just now')
    """
    value = parse_time(text)
    if value is None:
        return Moment("", "time not known", "")
    age = (now - value).total_seconds()
    if 0 <= age < 86400:
        return _moment(value, "just now" if age < 5 else f"{_one_unit(age)} ago")
    return _moment(value, _day(value, now))


def _one_unit(seconds: float) -> str:
    if seconds < 60:
        return f"{int(seconds)}{NBSP}s"
    if seconds < 3600:
        return f"{int(seconds // 60)}{NBSP}min"
    return f"{int(seconds // 3600)}{NBSP}h"


def dated(text: str, now: datetime, *, seconds: bool = False) -> Moment:
    """Day and clock, for what is read as a record; with seconds on timelines.

    >>> now = datetime(2026, 3, 18, 10, 40, tzinfo=UTC)
    >>> dated("2026-03-12T09:59:07Z", now).text
    '12\\xa0Mar, 09:59'
    >>> dated("2026-03-12T09:59:07Z", now, seconds=True).full
    '12\\xa0Mar\\xa02026, 09:59:07 UTC'
    """
    value = parse_time(text)
    if value is None:
        return Moment("", "time not known", "")
    clock = f"{value:%H:%M:%S}" if seconds else f"{value:%H:%M}"
    return _moment(value, f"{_day(value, now)}, {clock}")


def instant(value: datetime) -> Moment:
    """A full instant, for the foot of a page.

    >>> instant(datetime(2026, 3, 18, 10, 40, 12, tzinfo=UTC)).text
    '18\\xa0Mar\\xa02026, 10:40:12'
    """
    return _moment(value, _full(value))


def age(text: str, now: datetime) -> timedelta | None:
    """How long ago it was; None where the time is not known.

    >>> age("2026-03-18T10:39:00Z", datetime(2026, 3, 18, 10, 40, tzinfo=UTC)).total_seconds()
    60.0
    """
    value = parse_time(text)
    return None if value is None else now - value


def _day(value: datetime, now: datetime) -> str:
    day = f"{value.day}{NBSP}{value:%b}"
    return day if value.year == now.year else f"{day}{NBSP}{value.year}"


def _full(value: datetime) -> str:
    return f"{value.day}{NBSP}{value:%b}{NBSP}{value.year}, {value:%H:%M:%S}"


def _moment(value: datetime, text: str) -> Moment:
    return Moment(f"{value:%Y-%m-%dT%H:%M:%SZ}", text, f"{_full(value)} UTC")


def short_digest(digest: str) -> str:
    """A content's digest as people see it.

    >>> short_digest("7e41c09dffff"), short_digest("")
    ('b3:7e41c09', 'not known')
    """
    return f"b3:{digest[:7]}" if digest else "not known"


def literal(value: object) -> str:
    """A value of a column as one would type it; whole numbers of five digits or more take commas.

    Years, clock times such as 1745 and ids have four digits at most, and take none.

    >>> literal(2013), literal(8204113), literal(42.57886), literal("EWR"), literal(True)
    ('2013', '8,204,113', '42.57886', 'EWR', 'true')
    >>> literal(None), literal("")
    ('null', 'empty text')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return count(value) if abs(value) >= 10_000 else str(value).replace("-", MINUS)
    if isinstance(value, float):
        return f"{value:.7g}".replace("-", MINUS)
    return str(value) or "empty text"


def shortened(text: str, most: int = 120) -> str:
    """A text cut where a page has no room for more.

    >>> shortened("flight-delay", 8)
    'flight-…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"
