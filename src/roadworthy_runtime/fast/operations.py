"""What each operation is for one row, as Python on plain values, and for many rows, as NumPy.

A template has ``{0}``, ``{1}``, … for its columns and ``{d}`` for its data. Where an operation has
no template for many rows, the one for one row is applied to each. A row for which a template
raises, or for which its guard holds, is left to the reference form: no case needs an own rule
here in which pandas would raise, warn or wrap around.
"""

from __future__ import annotations

import bisect
import datetime
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from .graph import SMALL, Leave


class Operation(NamedTuple):
    """Templates for one row and for many; ``guard`` says of many rows which are to be left."""

    one: str
    many: Optional[str] = None
    guard: str = ""


def _same(template: str, guard: str = "") -> Operation:
    return Operation(template, template, guard)


OPERATIONS = {
    "to_float": Operation("float({0})", "{0}.astype(np.float64)"),
    "bool_to_int": Operation("int({0})", "{0}.astype(np.int64)"),
    "to_int": Operation(
        "_whole({0})",
        "np.where(np.abs({0}) < SMALL, {0}, 0).astype(np.int64)",
        "~(np.abs({0}) < SMALL)",
    ),
    "to_bool": Operation("bool({0})", "{0}.astype(bool)"),
    "to_text": Operation("str({0})"),
    "level": Operation("({d}[{0}] if {0} >= 0 else None)"),
    "add": _same("({0} + {1})"),
    "sub": _same("({0} - {1})"),
    "mul": _same("({0} * {1})"),
    "div": _same("({0} / {1})", "({1} == 0)"),
    "floordiv": _same("({0} // {1})", "({1} == 0)"),
    "mod": _same("({0} % {1})", "({1} == 0)"),
    "power": Operation("_power({0}, {1})", "np.power({0}, {1})", "(({0} <= 0) | ({1} != {1}))"),
    "neg": _same("(-{0})"),
    "abs": _same("abs({0})"),
    "log": Operation("_positive(np.log, {0})", "np.log({0})", "({0} <= 0)"),
    "log2": Operation("_positive(np.log2, {0})", "np.log2({0})", "({0} <= 0)"),
    "log10": Operation("_positive(np.log10, {0})", "np.log10({0})", "({0} <= 0)"),
    "log1p": Operation("_positive(np.log1p, {0}, -1.0)", "np.log1p({0})", "({0} <= -1)"),
    "sqrt": Operation("_root({0})", "np.sqrt({0})", "({0} < 0)"),
    "exp": Operation("_small(np.exp, {0})", "np.exp({0})", "(np.abs({0}) > 700)"),
    "expm1": Operation("_small(np.expm1, {0})", "np.expm1({0})", "(np.abs({0}) > 700)"),
    "sin": Operation("_small(np.sin, {0})", "np.sin({0})", "(np.abs({0}) > 700)"),
    "cos": Operation("_small(np.cos, {0})", "np.cos({0})", "(np.abs({0}) > 700)"),
    "tanh": Operation("_small(np.tanh, {0})", "np.tanh({0})", "(np.abs({0}) > 700)"),
    "floor": Operation("np.floor({0}).item()", "np.floor({0})"),
    "ceil": Operation("np.ceil({0}).item()", "np.ceil({0})"),
    "round": Operation("np.round({0}, {d}).item()", "np.round({0}, {d})"),
    "eq": _same("({0} == {1})"),
    "ne": _same("({0} != {1})"),
    "lt": _same("({0} < {1})"),
    "le": _same("({0} <= {1})"),
    "gt": _same("({0} > {1})"),
    "ge": _same("({0} >= {1})"),
    "text_eq": Operation("({0} == {1})"),
    "text_ne": Operation("({0} != {1})"),
    "and": Operation("({0} and {1})", "({0} & {1})"),
    "or": Operation("({0} or {1})", "({0} | {1})"),
    "xor": _same("({0} ^ {1})"),
    "not": Operation("(not {0})", "~{0}"),
    "is_nan": _same("({0} != {0})"),
    "is_none": Operation("({0} is None)"),
    "choose": Operation("({1} if {0} else {2})", "np.where({0}, {1}, {2})"),
    "text_choose": Operation("({1} if {0} else {2})"),
    "at_least": Operation(
        "({1} if {0} < {1} else {0})", "np.where({0} < {1}, {1}, {0})"
    ),
    "at_most": Operation("({1} if {0} > {1} else {0})", "np.where({0} > {1}, {1}, {0})"),
    "among": Operation("({0} in {d})"),
    "none_if_nan": Operation("(None if {0} != {0} else {0})"),
    "lookup": Operation("{d}[0].get({0}, {d}[1])"),
    "float_lookup": Operation("{d}[0].get(None if {0} != {0} else {0}, {d}[1])"),
    "exact_lookup": Operation("{d}[{0}]"),
    "pair_lookup": Operation("_pair({d}, {0}, {1})"),
    "replaced": Operation("{d}.get({0}, {0})"),
    "dummy": _same("({0} == {d})"),
    "onehot": Operation("(1.0 if {0} == {d} else 0.0)", "({0} == {d}).astype(np.float64)"),
    "cut": Operation("_cut({d}, {0})", "_cut_many({d}, {0})"),
    "joined": Operation("(None if {0} is None or {1} is None else {0} + {1})"),
    "moment": Operation("_moment({d}, {0})"),
    "in_zone": Operation("(None if {0} is None else {0}.astimezone({d}))"),
    "part": Operation("_part({d}, {0})"),
    "text_method": Operation("(None if {0} is None else {d}({0}))"),
    "text_test": Operation("{d}({0})"),
    "expit": Operation("_expit({0})", "_expit_many({0})"),
    "taken": Operation("{0}[{d}]", "{0}[:, {d}]"),
    "applied": Operation("_applied({d}, {0})"),
}  # fmt: skip


def whole(value: float) -> int:
    """A float as a whole number, towards zero."""
    if -SMALL < value < SMALL:
        return int(value)
    raise Leave


def power(base: float, exponent: float) -> Any:
    """NumPy's power where it is an ordinary number."""
    import numpy

    if base > 0 or base != base:
        return numpy.power(base, exponent).item()
    raise Leave


def positive(function: Any, value: float, above: float = 0.0) -> Any:
    """A function of NumPy's on numbers above a limit, or NaN."""
    if value > above or value != value:
        return function(value).item()
    raise Leave


def small(function: Any, value: float) -> Any:
    """A function of NumPy's where it can't overflow."""
    if -700 <= value <= 700 or value != value:
        return function(value).item()
    raise Leave


def root(value: float) -> float:
    """The square root, which every implementation rounds alike."""
    return value if value != value else math.sqrt(value)


def pair(data: Any, first: Any, second: Any) -> Any:
    """What a table has for two keys."""
    if first is None or second is None or first != first or second != second:
        raise Leave
    return data[0].get((first, second), data[1])


class Edges(NamedTuple):
    """The edges of ``pandas.cut``; codes are counted from 0."""

    edges: Sequence[float]
    right: bool
    lowest: bool
    missing: Any
    """What stands for values outside: NaN, or -1 for codes of categories."""


def cut(data: Edges, value: float) -> Any:
    """The bin of a value."""
    if value != value:
        return data.missing
    edges = data.edges
    place = bisect.bisect_left(edges, value) if data.right else bisect.bisect_right(edges, value)
    if data.lowest and value == edges[0]:
        place = 1
    if place == 0 or place == len(edges):
        return data.missing
    return place - 1 if data.missing == -1 else float(place - 1)


def cut_many(data: Edges, values: Any) -> Any:
    """The bins of values."""
    import numpy

    places = numpy.searchsorted(data.edges, values, side="left" if data.right else "right")
    if data.lowest:
        places[values == data.edges[0]] = 1
    outside = (places == 0) | (places == len(data.edges)) | (values != values)
    found = places - 1 if data.missing == -1 else (places - 1).astype("float64")
    return numpy.where(outside, data.missing, found)


class Moments(NamedTuple):
    """Text that is read as times: the only shape that is read, and whether they get UTC."""

    shape: str
    utc: bool


def shape_of(text: str) -> str:
    """The shape of a time as text: its digits replaced.

    >>> shape_of("2013-01-05T10:00:00Z")
    '0000-00-00T00:00:00Z'
    """
    return re.sub(r"[0-9]", "0", text)


def moment(data: Moments, text: Optional[str]) -> Optional[datetime.datetime]:
    """The time that ISO text of the wanted shape says."""
    if text is None:
        return None
    if shape_of(text) != data.shape:
        raise Leave
    found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if not 1678 <= found.year <= 2261:
        raise Leave
    if found.tzinfo is None:
        return found.replace(tzinfo=datetime.timezone.utc) if data.utc else found
    return found.astimezone(datetime.timezone.utc)


def part(name: str, value: Any) -> Any:
    """A part of a time, as pandas counts it; there is no whole number for null."""
    if value is None:
        raise Leave
    if name in ("weekday", "dayofweek", "day_of_week"):
        return value.weekday()
    if name in ("dayofyear", "day_of_year"):
        return value.timetuple().tm_yday
    if name == "quarter":
        return (value.month + 2) // 3
    return getattr(value, name)


class Applied(NamedTuple):
    """A function of the program's on one value, and the type of what it gives."""

    function: Any
    type: type


def applied(data: Applied, value: Any) -> Any:
    """What the function gives; another type than in creation is left."""
    if value is None:
        raise Leave
    found = data.function(value)
    if type(found) is not data.type:
        raise Leave
    return found


def names(numpy: Any) -> dict[str, Any]:
    """What templates may name."""
    return {
        "np": numpy, "SMALL": SMALL, "_whole": whole, "_power": power, "_positive": positive,
        "_small": small, "_root": root, "_pair": pair, "_cut": cut, "_cut_many": cut_many,
        "_moment": moment, "_part": part, "_applied": applied, "Leave": Leave,
    }  # fmt: skip
