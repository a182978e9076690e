"""The form that tries a release: fields made from its signature, and what was typed made a row."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from roadworthy.core.signature import Column, Signature
from roadworthy.ui.formats import literal

MOST_CHOICES = 60
"""More levels than this are offered as suggestions, not as a list to choose from."""
PREFIX = "in."
"""Before each column's name in a posted form, so that no column collides with a field of ours."""
_ISO_DURATION = re.compile(
    r"P(?:(-?[0-9.]+)D)?(?:T(?:(-?[0-9.]+)H)?(?:(-?[0-9.]+)M)?(?:(-?[0-9.]+)S)?)?"
)


@dataclass(frozen=True)
class Parsed:
    """What was typed: the row where every field could be read, else a reason per column."""

    row: Mapping[str, Any]
    errors: Mapping[str, str]


class WrongValue(ValueError):
    """What was typed is no value of the column; the text says what to write."""


def example_values(signature: Signature) -> dict[str, str]:
    """What the form shows first: each column's example as one would type it."""
    return {column.name: _typed(column.example) for column in signature.columns}


def parse_row(signature: Signature, typed: Mapping[str, str]) -> Parsed:
    """The row that was typed, column by column."""
    row: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for column in signature.columns:
        try:
            row[column.name] = parse_value(column, typed.get(column.name, ""))
        except WrongValue as wrong:
            errors[column.name] = str(wrong)
    return Parsed(row=row, errors=errors)


def parse_value(column: Column, text: str) -> Any:
    """The value that a text stands for in this column; empty is null where null is allowed."""
    if not text.strip() and column.type != "text":
        text = ""
    if text == "" and not (column.type == "text" and "" in (column.levels or [])):
        if column.nullable:
            return None
        example = _typed(column.example)
        raise WrongValue("A value is needed here" + (f", such as {example}." if example else "."))
    if column.type == "text":
        return _text(column, text)
    if column.type == "object":
        return _object(column, text)
    return _PARSERS[column.type](text.strip())


def _int(text: str) -> int:
    plain = text.replace("\u2212", "-")
    try:
        value = int(plain)
    except ValueError:
        number = _number_or_none(plain)
        if number is not None and math.isfinite(number):
            raise WrongValue(f"“{text}” is not a whole number. Write {round(number)}.") from None
        raise WrongValue(f"“{text}” is not a whole number.{_suggest(text, ('',))}") from None
    if not -(2**63) <= value < 2**63:
        raise WrongValue(f"“{text}” is too large for a whole number of 64 bits.")
    return value


def _float(text: str) -> float:
    value = _number_or_none(text.replace("\u2212", "-"))
    if value is None:
        raise WrongValue(f"“{text}” is not a number.{_suggest(text)}")
    if not math.isfinite(value):
        raise WrongValue(f"“{text}” is not a finite number. Leave the field empty for null.")
    return value


def _number_or_none(text: str) -> float | None:
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def _suggest(text: str, marks: tuple[str, ...] = (".", "")) -> str:
    """What was probably meant: a decimal comma, or commas between thousands."""
    bare = text.strip()
    for candidate in (bare.replace(",", mark) for mark in marks):
        if candidate != bare and _number_or_none(candidate) is not None:
            return f" Write {candidate}."
    return " Write digits, such as 12."


def _bool(text: str) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    value = known.get(text.lower())
    if value is None:
        raise WrongValue(f"“{text}” is neither true nor false.")
    return value


def _text(column: Column, text: str) -> Any:
    for level in column.levels or []:
        if not isinstance(level, str) and _typed(level) == text:
            return level
    return text


def _datetime(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise WrongValue(f"“{text}” is not a time. Write it as 2013-01-31T17:45:00.") from None
    return text


def _date(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise WrongValue(f"“{text}” is not a day. Write it as 2013-01-31.") from None
    return text


def _timedelta(text: str) -> float:
    seconds = _number_or_none(text)
    if seconds is None:
        seconds = _iso_seconds(text)
    if seconds is None or not math.isfinite(seconds):
        raise WrongValue(f"“{text}” is not a duration. Write seconds, such as 90.")
    return seconds


def _iso_seconds(text: str) -> float | None:
    """Seconds of an ISO 8601 duration.

    >>> _iso_seconds("P0DT0H5M30S"), _iso_seconds("five")
    (330.0, None)
    """
    found = _ISO_DURATION.fullmatch(text)
    if found is None or text == "P":
        return None
    parts = (float(part or 0) for part in found.groups())
    return sum(part * size for part, size in zip(parts, (86400, 3600, 60, 1), strict=True))


def _object(column: Column, text: str) -> Any:
    if not isinstance(column.example, (dict, list)):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise WrongValue(
            "This is not JSON. Write a list or an object, as the example does."
        ) from None


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "int": _int,
    "float": _float,
    "bool": _bool,
    "datetime": _datetime,
    "date": _date,
    "timedelta": _timedelta,
}


def _typed(value: Any) -> str:
    """A value as it stands in a field: what ``parse_value`` reads back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return repr(value) if isinstance(value, float) else str(value)


def fields_view(
    signature: Signature, typed: Mapping[str, str], errors: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One view per field: its control, what stands in it, what was seen, what is wrong."""
    fields = [
        _field(place, column, signature, typed.get(column.name, ""), errors.get(column.name, ""))
        for place, column in enumerate(signature.columns)
    ]
    first_wrong = next((field for field in fields if field["error"]), None)
    return [{**field, "focus": field is first_wrong} for field in fields]


def _field(
    place: int, column: Column, signature: Signature, text: str, error: str
) -> dict[str, Any]:
    levels = [_typed(level) for level in column.levels or []]
    if column.type == "bool":
        control, choices = "select", ["true", "false"]
    elif levels and signature.unknown == "reject" and len(levels) <= MOST_CHOICES:
        control, choices = "select", levels
    elif signature.kind == "texts" or (column.type == "object") or len(text) > 60:
        control, choices = "area", []
    else:
        control, choices = "input", levels[:1000]
    if control == "select":
        choices = ([""] if column.nullable else []) + choices
        if text not in choices:
            choices = [text, *choices]
    return {
        "id": f"f{place}",
        "name": PREFIX + column.name,
        "label": column.name,
        "unit": "may be empty" if column.nullable else "",
        "control": control,
        "choices": choices,
        "value": text,
        "mode": {"int": "numeric", "float": "decimal"}.get(column.type, "text"),
        "hint": _hint(column, control),
        "error": error,
        "note": "" if error else _outside(column, signature, text),
    }


def _hint(column: Column, control: str) -> str:
    if column.type == "datetime":
        return "such as 2013-01-31T17:45:00"
    if column.type == "date":
        return "such as 2013-01-31"
    if column.type == "timedelta":
        return "in seconds"
    if control != "select" and column.minimum is not None and column.maximum is not None:
        least, most = literal(column.minimum), literal(column.maximum)
        return f"seen so far: {least} to {most}" if least != most else f"seen so far: only {least}"
    return ""


def _outside(column: Column, signature: Signature, text: str) -> str:
    """A word on a value that creation never saw; it is answered all the same."""
    if not text:
        return ""
    if column.type == "text" and column.levels and signature.unknown == "pass":
        known = {_typed(level) for level in column.levels}
        return "" if text in known else "creation never saw this value"
    if column.type in ("int", "float") and column.minimum is not None:
        value = _number_or_none(text.strip())
        if value is not None and not column.minimum <= value <= column.maximum:
            return "outside of what creation saw"
    return ""
