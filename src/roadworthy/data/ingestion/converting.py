"""Values of one column as the dataset wants them; what can't be is told, row by row."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roadworthy.core.source import Column
from roadworthy.data.ingestion.rules import cleanse

Mask = Any
"""A NumPy array of bools, one a row."""

_UNREADABLE = (pa.ArrowException, ValueError, OverflowError, TypeError)


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a column's type.

    >>> arrow_type("decimal(10,2)"), arrow_type("timestamp")
    (Decimal128Type(decimal128(10, 2)), TimestampType(timestamp[us, tz=UTC]))
    """
    plain = {
        "string": pa.string(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    if name in plain:
        return plain[name]
    precision, scale = name.removeprefix("decimal(").rstrip(")").split(",")
    return pa.decimal128(int(precision), int(scale))


def convert(values: pa.Array, column: Column, nulls: Sequence[str]) -> tuple[pa.Array, Mask]:
    """A delivery's values as the column's type, and which of them can't be.

    Where a value can't be converted there is a null, and its mask is set.
    """
    kind = arrow_type(column.type)
    if not is_text(values.type):
        return _from_typed(values, column, kind)
    texts = cleanse(values.cast(pa.string()), column.rules)
    if nulls:
        texts = pc.if_else(pc.is_in(texts, pa.array(list(nulls), pa.string())), None, texts)
    return _from_texts(texts, column, kind)


def constant(value: str | float | bool, column: Column) -> pa.Scalar:
    """A configured value in the column's type, decimals with a point. Raises ValueError.

    >>> constant(0, Column(type="decimal(12,2)")), constant("2026-03-01", Column(type="date"))
    (<pyarrow.Decimal128Scalar: Decimal('0.00')>, <pyarrow.Date32Scalar: datetime.date(2026, 3, 1)>)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    plain = Column(type=column.type, zone=column.zone)
    found, bad = convert(pa.array([str(value)]), plain, ())
    if bad[0]:
        raise ValueError(f"{value!r} is no {column.type}")
    return found[0]


def is_text(kind: pa.DataType) -> bool:
    """Whether values of a type are texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _from_typed(values: pa.Array, column: Column, kind: pa.DataType) -> tuple[pa.Array, Mask]:
    if pa.types.is_nested(values.type):
        texts = [None if each is None else _json(each) for each in values.to_pylist()]
        return _from_texts(pa.array(texts, pa.string()), column, kind)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    if pa.types.is_timestamp(values.type) and values.type.tz is None:
        if pa.types.is_timestamp(kind):
            return _zoned(values, column, kind)
    if pa.types.is_string(kind) and (column.rules or not pa.types.is_floating(values.type)):
        texts, bad = _cast(values, kind)
        return cleanse(texts, column.rules), bad
    found, bad = _cast(values, kind)
    return _finite(found, bad)


def _json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


def _from_texts(texts: pa.Array, column: Column, kind: pa.DataType) -> tuple[pa.Array, Mask]:
    if pa.types.is_string(kind):
        return texts, _none(len(texts))
    texts = pc.utf8_trim_whitespace(texts)
    if pa.types.is_boolean(kind):
        return _words(texts, column)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _times(texts, column, kind)
    if column.thousands:
        texts = pc.replace_substring(texts, column.thousands, "")
    if column.decimal != ".":
        dotted = pc.match_substring(texts, ".")
        texts = pc.replace_substring(texts, column.decimal, ".")
        found, bad = _cast(pc.if_else(dotted, None, texts), kind)
        return _finite(found, bad | _mask(dotted))
    return _finite(*_cast(texts, kind))


def _words(texts: pa.Array, column: Column) -> tuple[pa.Array, Mask]:
    lower = pc.utf8_lower(texts)
    yes = pc.is_in(lower, pa.array([word.lower() for word in column.yes]))
    no = pc.is_in(lower, pa.array([word.lower() for word in column.no]))
    known = pc.or_(yes, no)
    bad = _mask(pc.and_(pc.invert(known), texts.is_valid()))
    return pc.if_else(known, yes, None), bad


def _times(texts: pa.Array, column: Column, kind: pa.DataType) -> tuple[pa.Array, Mask]:
    if column.format:
        parsed = pc.strptime(texts, column.format, "us", error_is_null=True)
        bad = _mask(pc.and_(parsed.is_null(), texts.is_valid()))
        # strptime takes what follows the pattern for nothing, and 31 February for 3 March.
        if _written_as_read(column.format):
            again = pc.strftime(parsed.cast(pa.timestamp("s")), column.format)
            wrong = _mask(pc.not_equal(_no_zeros(again), _no_zeros(texts)))
            parsed, bad = pc.if_else(pa.array(wrong), None, parsed), bad | wrong
    elif pa.types.is_date(kind):
        return _cast(texts, kind)
    else:
        return _iso(texts, column, kind)
    if pa.types.is_date(kind):
        return parsed.cast(kind), bad
    zoned, impossible = _zoned(parsed, column, kind)
    return zoned, bad | impossible


def _no_zeros(texts: pa.Array) -> pa.Array:
    """Times without leading zeros and with lower letters, to be compared."""
    return pc.replace_substring_regex(pc.utf8_lower(texts), r"\b0+(\d)", r"\1")


def _written_as_read(form: str) -> bool:
    """Whether a format writes what it reads: names of months, for one, have two forms.

    >>> _written_as_read("%d.%m.%Y"), _written_as_read("%d %b %Y")
    (True, False)
    """
    return set(re.findall(r"%(.)", form)) <= set("dmYyHMSj")


def _iso(texts: pa.Array, column: Column, kind: pa.DataType) -> tuple[pa.Array, Mask]:
    """ISO 8601 with or without a zone."""
    plain = pc.replace_substring_regex(texts, r"^(\d{4}-\d\d-\d\d)t", r"\1T")
    has_zone = pc.match_substring_regex(plain, r"\d[Tt ].*([Zz]|[+-]\d\d:?\d\d)$")
    aware, bad = _cast(pc.if_else(has_zone, plain, None), kind)
    naive, wrong = _cast(pc.if_else(has_zone, None, plain), pa.timestamp("us"))
    local, impossible = _zoned(naive, column, kind)
    return pc.coalesce(aware, local), bad | wrong | impossible


def _zoned(values: pa.Array, column: Column, kind: pa.DataType) -> tuple[pa.Array, Mask]:
    """Local times of the column's zone in UTC; one that its clocks left out can't be.

    One that came twice is taken as the earlier.
    """
    local = values.cast(pa.timestamp("us"))
    try:
        zoned = pc.assume_timezone(local, column.zone, ambiguous="earliest")
        return zoned.cast(kind), _none(len(values))
    except pa.ArrowInvalid:
        early = pc.assume_timezone(local, column.zone, ambiguous="earliest", nonexistent="earliest")
        bad = _mask(pc.not_equal(pc.local_timestamp(early), local))
        return pc.if_else(pa.array(bad), None, early).cast(kind), bad


def _cast(values: pa.Array, kind: pa.DataType) -> tuple[pa.Array, Mask]:
    """Arrow's own conversion; where it refuses, value by value, to find which."""
    try:
        return values.cast(kind), _none(len(values))
    except _UNREADABLE:
        return _each(values, lambda value: value.cast(kind), kind)


def _each(
    values: pa.Array, change: Callable[[Any], Any], kind: pa.DataType
) -> tuple[pa.Array, Mask]:
    found: list[Any] = []
    bad = _none(len(values))
    for number, value in enumerate(values):
        try:
            found.append(change(value).as_py() if value.is_valid else None)
        except _UNREADABLE:
            found.append(None)
            bad[number] = True
    return pa.array(found, kind), bad


def _finite(values: pa.Array, bad: Mask) -> tuple[pa.Array, Mask]:
    """Floats of which NaN is a null and an infinity can't be."""
    if not pa.types.is_floating(values.type):
        return values, bad
    infinite = _mask(pc.is_inf(values))
    return pc.if_else(pc.is_finite(values), values, None), bad | infinite


def _none(length: int) -> Mask:
    return np.zeros(length, bool)


def _mask(values: Any) -> Mask:
    """Arrow's bools as NumPy's; null is False."""
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), bool)
