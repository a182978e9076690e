"""Rows as they were sent, checked against the signature, as the columns of a frame."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from roadworthy.core.names import nearest
from roadworthy.core.signature import Column, Signature
from roadworthy.serving.problems import Finding, Refused
from roadworthy_runtime import frames

EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - for times without a zone
AWARE_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MICROSECOND = datetime.timedelta(microseconds=1)
INT64 = 1 << 63
NULL_TEXTS = frozenset(["", "NA", "NaN", "nan", "null", "None"])
MOST_WARNINGS = 100
PACKED_FROM = 256
"""Requests of so many rows have their columns laid out once, for frame and log together."""


class Absent:
    """What stands in a column for a row that did not have the field."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


class Sent(NamedTuple):
    """Rows as a protocol's codec found them: raw values by column, in no particular order.

    ``single`` is whether one record was sent instead of a list; ``as_text`` whether all values
    are text because the format (CSV) knows nothing else; ``surplus`` are names in no signature.
    Columns in ``typed`` were held to their types while they were read.
    """

    n: int
    columns: Mapping[str, Sequence[Any]]
    single: bool = False
    as_text: bool = False
    surplus: tuple[str, ...] = ()
    typed: frozenset[str] = frozenset()


class Checked(NamedTuple):
    """Rows that fit: columns as (frame type, values), in the signature's order.

    Values are a list, or where there are many rows ``frames.Packed``.

    ``rejected`` maps rows that the signature's policy rejects to the reason; they are still in
    the columns. ``warnings`` are (row, column, message).
    """

    n: int
    columns: dict[str, tuple[str, Any]]
    rejected: dict[int, str]
    warnings: list[tuple[int | None, str, str]]

    def packed(self, codes: Mapping[str, frames.Codes]) -> Checked:
        """The same with packed columns: laid out once for the worker and the log.

        ``codes`` has the columns whose texts are to be found among few levels.
        """
        return self._replace(
            columns={
                name: (wire, frames.pack(wire, values, codes.get(name)))
                for name, (wire, values) in self.columns.items()
            }
        )


class Misfit(Exception):
    """A value that does not fit; the text is what was expected."""


class _Findings:
    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: list[Finding] = []
        self.count = 0

    def add(self, row: int | None, field: str, expected: str, got: Any, cure: str = "") -> None:
        self.count += 1
        if len(self.kept) < self.most:
            shown = got if row is None else abbreviate(got)
            self.kept.append(Finding(row=row, field=field, expected=expected, got=shown, cure=cure))


def check_rows(signature: Signature, sent: Sent, most_findings: int = 50) -> Checked:
    """The columns of the frame for these rows. Raises Refused with every finding, up to a limit.

    Surplus columns and the order of columns don't matter. A null is fine where creation had
    nulls; NaN and infinity are no numbers; a number as text is text. A level that creation never
    saw is a warning or rejects its row, as the signature says.
    """
    findings = _Findings(most_findings)
    columns: dict[str, tuple[str, Sequence[Any]]] = {}
    rejected: dict[int, str] = {}
    warnings: list[tuple[int | None, str, str]] = []
    for column in signature.columns:
        raw = sent.columns.get(column.name)
        if raw is not None and column.name in sent.typed:
            columns[column.name] = (wire_of(column), raw)
            if column.levels is not None:
                _check_levels(signature, column, raw, rejected, warnings)
            continue
        if column.nullable and signature.kind == "records":
            raw = _null_if_absent(raw, sent.n)
        if raw is None:
            cure = meant(column.name, sent.surplus)
            findings.add(None, column.name, expected(column), "nothing in any row", cure)
            continue
        if sent.as_text:
            raw = [_from_text(column, value) for value in raw]
        wire, values = _check_column(column, raw, findings, sent.surplus)
        columns[column.name] = (wire, values)
        if column.levels is not None and findings.count == 0:
            _check_levels(signature, column, raw, rejected, warnings)
    if findings.count:
        raise Refused(
            "invalid-rows",
            f"{findings.count} value{'s' if findings.count > 1 else ''} of {sent.n} "
            f"row{'s' if sent.n != 1 else ''} do not fit the signature",
            findings=findings.kept,
            found=findings.count,
        )
    return Checked(sent.n, columns, rejected, warnings)


def codes_of(signature: Signature) -> dict[str, frames.Codes]:
    """The code of each level, null among them, by column of texts that has few levels."""
    found: dict[str, frames.Codes] = {}
    for column in signature.columns:
        levels = dict.fromkeys(each for each in column.levels or () if isinstance(each, str))
        if column.nullable:
            levels[None] = None  # type: ignore[index]
        if column.type == "text" and column.levels and len(levels) <= frames.MOST_LEVELS:
            found[column.name] = {level: code for code, level in enumerate(levels)}
    return found


def misfits_of(
    column: Column, raw: list[Any], as_text: bool = False
) -> tuple[list[Any], dict[int, str]]:
    """A column's values in its frame's type, and the rows whose value does not fit, with a cure.

    >>> misfits_of(Column(name="a", type="int", dtype="int64"), [1, "2", None])
    ([1, None, None], {1: 'send a number, not text', 2: ''})
    """
    convert = _CHECKS[column.type][1]
    values: list[Any] = []
    wrong: dict[int, str] = {}
    for row, given in enumerate(raw):
        value = _from_text(column, given) if as_text and given is not None else given
        try:
            if value is None and not column.nullable:
                raise Misfit
            values.append(None if value is None else convert(column, value))
        except Misfit as misfit:
            wrong[row] = str(misfit)
            values.append(None)
    return values, wrong


def expected(column: Column) -> str:
    """What a column takes, in words.

    >>> expected(Column(name="a", type="float", dtype="float64", nullable=True))
    'a number or null'
    """
    words = {
        "bool": "true or false",
        "int": "a whole number of at most 64 bits",
        "float": "a number",
        "text": "text",
        "datetime": "a time as ISO 8601 text "
        + ("with its offset" if is_aware(column) else "without an offset"),
        "date": "a date as ISO 8601 text",
        "timedelta": "a duration in seconds",
        "object": "a value",
    }
    return words[column.type] + (" or null" if column.nullable else "")


def is_aware(column: Column) -> bool:
    """Whether creation's times had a time zone."""
    return column.type == "datetime" and ("," in column.dtype or "tz=" in column.dtype)


def wire_of(column: Column) -> str:
    """The type that the column has in a frame of inputs."""
    return _CHECKS[column.type][0]


def abbreviate(value: Any) -> str:
    """A value that came, short enough for a message.

    >>> abbreviate("9" * 100)[:12], abbreviate(None), abbreviate([1, 2])
    ('text "999999', 'null', 'a list')
    """
    if value is None or value is ABSENT:
        return "null" if value is None else "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        shown = value.encode("utf-8", "replace").decode("utf-8")
        shown = "".join(c if c.isprintable() else "�" for c in shown[:40])
        return f'text "{shown}{"…" if len(value) > 40 else ""}"'
    if isinstance(value, (int, float)):
        if isinstance(value, float) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
        if isinstance(value, int) and abs(value) >= 1 << 120:
            return "a number of more than 36 digits"
        return f"number {value}"
    return "a list" if isinstance(value, list) else "an object"


def _null_if_absent(raw: Sequence[Any] | None, n: int) -> list[Any]:
    """Records may lack a key where creation's records did."""
    if raw is None:
        return [None] * n
    return [None if value is ABSENT else value for value in raw]


def _check_column(
    column: Column, raw: Sequence[Any], findings: _Findings, surplus: tuple[str, ...]
) -> tuple[str, Sequence[Any]]:
    wire, convert, fast = _CHECKS[column.type]
    types = set(map(type, raw))
    if column.nullable:
        types.discard(type(None))
    if fast is not None and fast(types, raw):
        return wire, raw
    values: list[Any] = []
    for row, value in enumerate(raw):
        if value is None and column.nullable:
            values.append(None)
            continue
        try:
            if value is None or value is ABSENT:
                raise Misfit
            values.append(convert(column, value))
        except Misfit as misfit:
            cure = str(misfit)
            if value is ABSENT:
                cure = meant(column.name, surplus)
            findings.add(row, column.name, expected(column), value, cure)
            values.append(None)
    return wire, values


def _check_levels(
    signature: Signature,
    column: Column,
    raw: Sequence[Any],
    rejected: dict[int, str],
    warnings: list[tuple[int | None, str, str]],
) -> None:
    try:
        unknown = set(raw).difference(column.levels or (), (None,))
    except TypeError:
        return
    if not unknown:
        return
    for row, value in enumerate(raw):
        if value not in unknown:
            continue
        message = f"{column.name}: {abbreviate(value)} was never seen at creation"
        if signature.unknown == "reject":
            rejected.setdefault(row, message)
        elif len(warnings) < MOST_WARNINGS:
            warnings.append((row, column.name, message))


def meant(name: str, surplus: tuple[str, ...]) -> str:
    """A hint at a surplus column whose name is near; '' if none is."""
    found = nearest(name, surplus, most=1)
    return f"is {found[0]!r} meant for it?" if found else ""


def _from_text(column: Column, text: str) -> Any:
    """A CSV field as the column's type; what can't be read stays text and becomes a finding."""
    if column.type == "text":
        return text if text or not column.nullable else None
    if text in NULL_TEXTS:
        return None
    try:
        if column.type == "int":
            return int(text)
        if column.type in ("float", "timedelta"):
            return float(text)
    except ValueError:
        return text
    if column.type == "bool":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    return text


def _to_float(column: Column, value: Any) -> float:
    if type(value) not in (int, float):
        raise Misfit("send a number, not text" if _is_number(value) else "")
    try:
        found = float(value)
    except OverflowError:
        raise Misfit from None
    if not math.isfinite(found):
        raise Misfit("send null for a missing number" if column.nullable else "")
    return found


def _to_int(column: Column, value: Any) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise Misfit("send a number, not text" if _is_number(value) else "")
    if not -INT64 <= value < INT64:
        raise Misfit
    return value


def _to_bool(column: Column, value: Any) -> bool:
    if type(value) is not bool:
        raise Misfit
    return value


def _to_text(column: Column, value: Any) -> str:
    if type(value) is not str:
        raise Misfit
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise Misfit("half of a surrogate pair is no character") from None
    return value


def _to_datetime(column: Column, value: Any) -> int:
    if type(value) is not str:
        raise Misfit
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError:
        raise Misfit from None
    if is_aware(column) != (moment.tzinfo is not None):
        raise Misfit
    try:
        return (moment - (AWARE_EPOCH if moment.tzinfo else EPOCH)) // MICROSECOND
    except OverflowError:
        raise Misfit from None


def _to_date(column: Column, value: Any) -> str:
    try:
        return datetime.date.fromisoformat(value).isoformat()
    except (ValueError, TypeError):
        raise Misfit from None


def _to_timedelta(column: Column, value: Any) -> int:
    seconds = _to_float(column, value)
    if abs(seconds) > 9e12:
        raise Misfit
    return round(seconds * 1e6)


def _to_json(column: Column, value: Any) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()


def _is_number(value: Any) -> bool:
    try:
        return type(value) is str and math.isfinite(float(value))
    except ValueError:
        return False


def _all_floats(types: set[type], raw: Sequence[Any]) -> bool:
    if not types <= {float, int}:
        return False
    try:
        return all(map(math.isfinite, raw if None not in raw else filter(_present, raw)))
    except OverflowError:
        return False


def _all_ints(types: set[type], raw: Sequence[Any]) -> bool:
    if not types <= {int}:
        return False
    present = raw if None not in raw else list(filter(_present, raw))
    return not present or (min(present) >= -INT64 and max(present) < INT64)


def _all_texts(types: set[type], raw: Sequence[Any]) -> bool:
    if not types <= {str}:
        return False
    try:
        "".join(raw if None not in raw else filter(_present, raw)).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _all_bools(types: set[type], raw: Sequence[Any]) -> bool:
    return types <= {bool}


def _present(value: Any) -> bool:
    return value is not None


_Convert = Callable[[Column, Any], Any]
_Fast = Callable[[set[type], Sequence[Any]], bool]
_CHECKS: dict[str, tuple[str, _Convert, _Fast | None]] = {
    "bool": ("bool", _to_bool, _all_bools),
    "int": ("int", _to_int, _all_ints),
    "float": ("float", _to_float, _all_floats),
    "text": ("text", _to_text, _all_texts),
    "datetime": ("datetime", _to_datetime, None),
    "date": ("text", _to_date, None),
    "timedelta": ("timedelta", _to_timedelta, None),
    "object": ("json", _to_json, None),
}
