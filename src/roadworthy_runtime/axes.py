"""Columns of arrays: which of the input a selection by position takes, with and without some."""

from __future__ import annotations

from typing import Any, List, Optional, Tuple

import numpy as np

from . import kinds
from .trace import Const, Op, Pack, Ref

Axis = List[int]
"""For each column of a two-dimensional array the input's column that it holds."""


def whole(value: Any) -> Optional[Axis]:
    """The axis of the input itself; None where it is no array of columns."""
    return list(range(value.shape[1])) if kinds.is_array(value) and value.ndim == 2 else None


def after(op: Op, axis: Optional[Axis], result: Any) -> Optional[Axis]:
    """The axis of what an operation makes of an array with this axis; None: it is not known."""
    if axis is None or not kinds.is_array(result) or result.ndim != 2:
        return None
    if op.kind == "method" and op.name in ("copy", "astype"):
        return axis
    if op.kind != "item":
        return None
    if _unknown(op.args[1]):
        return None
    columns = _columns(op.args[1])
    if columns is None:
        return axis if result.shape[1] == len(axis) else None
    taken = np.asarray(axis)[columns.value]
    return [int(column) for column in taken] if taken.ndim == 1 else None


def without(op: Op, then: Axis, now: Axis) -> Optional[Tuple[Op, Axis]]:
    """A selection from an array that has fewer columns now, and the columns that it takes still.

    None where the column it takes is gone, or the operation is no selection by position.
    """
    if op.kind != "item" or _unknown(op.args[1]):
        return None
    columns = _columns(op.args[1])
    if columns is None:
        return op, now
    try:
        wanted = np.asarray(then)[columns.value]
    except (IndexError, TypeError):
        return None
    if wanted.ndim == 0:
        found = now.index(int(wanted)) if int(wanted) in now else None
        return None if found is None else (_with_key(op, found), [])
    kept = [int(column) for column in wanted if int(column) in now]
    if not kept:
        return None
    places = [now.index(column) for column in kept]
    if places == list(range(len(now))) and _every_row(op.args[1]):
        args: Tuple[Any, ...] = (op.args[0],)
        return Op(op.index, "method", op.site, op.context, "copy", args, {}, op.result), kept
    return _with_key(op, _written(places, len(now))), kept


def _columns(key: Any) -> Optional[Const]:
    """The part of a key that selects columns; None where it selects rows only."""
    if isinstance(key, Pack) and key.kind == "tuple" and len(key.items) == 2:
        last = key.items[1]
        return last if isinstance(last, Const) else None
    if isinstance(key, Const) and isinstance(key.value, tuple) and len(key.value) == 2:
        return Const(key.value[1])
    return None


def _unknown(key: Any) -> bool:
    """Whether columns are selected by something that is computed from the request's rows."""
    return isinstance(key, Pack) and len(key.items) == 2 and not isinstance(key.items[1], Const)


def _every_row(key: Any) -> bool:
    if isinstance(key, Const):
        return bool(key.value[0] == slice(None))
    first = key.items[0]
    return isinstance(first, Const) and first.value == slice(None)


def _written(places: List[int], count: int) -> Any:
    first, last = places[0], places[-1] + 1
    if places == list(range(first, last)):
        return slice(first or None, None if last == count else last)
    return places


def _with_key(op: Op, columns: Any) -> Op:
    key = op.args[1]
    if isinstance(key, Const):
        made: Any = Const((key.value[0], columns))
    else:
        made = Pack(key.kind, (key.items[0], Const(columns)))
    args = (op.args[0], made)
    return Op(
        op.index, op.kind, op.site, op.context, op.name, args, op.kwargs, op.result, op.random,
        op.spelled,
    )  # fmt: skip


def owner(op: Op) -> int:
    """The node that an operation is on; -1 where there is none."""
    return op.args[0].node if op.args and isinstance(op.args[0], Ref) else -1
