"""Evaluates recorded operations again, on all rows of creation and on a few selections of them."""

from __future__ import annotations

import copy
import sys
from typing import Any, Callable, Dict, List

import numpy as np

from . import kinds
from .chance import Restored, as_now
from .recorder import BINARY, INPLACE, UNARY
from .support.basis import without_gradients
from .trace import Const, Op, fill

# Methods that give fewer, more or other rows; done in place they give the object other rows.
RESHAPING = frozenset(
    {"dropna", "drop_duplicates", "sort_values", "sort_index", "reset_index", "query", "set_index"}
)


class Lane:
    """One evaluation of the operations: on all rows (``full``) or on a selection."""

    def __init__(self, rows: Any, full: bool = False) -> None:
        self.rows = rows
        self.full = full
        self.values: Dict[int, Any] = {}
        self.ids: Dict[int, Any] = {}
        self.dead = False


def fresh(value: Any) -> Any:
    """A copy of an input with rows numbered from 0, as a request's are."""
    if kinds.is_frame(value) or kinds.is_series(value):
        return value.reset_index(drop=True)
    return copy.copy(value)


def duplicate(value: Any) -> Any:
    """A copy that can be changed without changing the value, laid out alike in memory."""
    if type(value) is np.ndarray:
        return value.copy(order="K")
    if hasattr(value, "copy") and (kinds.is_data(value)) and not isinstance(value, (list, dict)):
        return value.copy()
    return copy.copy(value)


def inplace_rows(op: Op) -> bool:
    """Whether an operation gives its object other rows in place."""
    inplace = op.kwargs.get("inplace")
    return (
        op.kind == "method"
        and op.name in RESHAPING
        and inplace is not None
        and getattr(inplace, "value", False) is True
    )


def execute(op: Op, value_of: Callable[[int], Any]) -> Any:
    """The operation on the values that ``value_of`` gives; the program's random state restored.

    Raises what the operation raises.
    """
    args = [as_now(fill(operand, value_of)) for operand in op.args]
    kwargs = {name: as_now(fill(operand, value_of)) for name, operand in op.kwargs.items()}
    if inplace_rows(op):
        kwargs["inplace"] = False
    with without_gradients():
        if op.random is not None:
            with Restored(op.random):
                return run(op, args, kwargs)
        return run(op, args, kwargs)


def run(op: Op, args: List[Any], kwargs: Dict[str, Any]) -> Any:
    """The operation on concrete operands."""
    kind = op.kind
    if kind == "call" or kind == "comprehension":
        return _all(args[0](*args[1:], **kwargs))
    if kind == "method":
        return _all(getattr(args[0], op.name)(*args[1:], **kwargs))
    if kind == "attr":
        return getattr(args[0], op.name)
    if kind in ("item", "element"):
        return args[0][args[1]]
    if kind == "binary":
        return BINARY[op.name](args[0], args[1])
    if kind == "unary":
        return UNARY[op.name](args[0])
    if kind == "inplace":
        owner = copy.copy(args[0]) if isinstance(op.args[0], Const) else args[0]
        return INPLACE[op.name](owner, args[1])
    if kind == "setitem":
        args[0][args[1]] = args[2]
    elif kind == "setattr":
        setattr(args[0], op.name, args[1])
    elif kind == "delitem":
        del args[0][args[1]]
    return None


def _all(value: Any) -> Any:
    """What an iterator gives, as a list that can be looked at more than once."""
    return list(value) if hasattr(value, "__next__") else value


def choose_rows(value: Any, preferred: Any, most: int = 72) -> Any:
    """Rows worth trying, as numbers: nulls, levels and extremes of each column, then others.

    ``preferred`` are the rows that the program answered; a few others are taken along.
    """
    count = kinds.rows_of(value) or 0
    generator = np.random.Generator(np.random.PCG64(20240229))
    wanted: List[int] = []
    answered = np.zeros(count, dtype=bool)
    answered[preferred] = True
    for column in _columns(value):
        wanted.extend(_telling(column, answered))
    seen = list(dict.fromkeys(int(place) for place in wanted))
    generator.shuffle(seen)
    picked = seen[: most - 24]
    others = [int(i) for i in np.flatnonzero(answered)]
    if others:
        picked += [int(i) for i in generator.choice(others, min(24, len(others)), replace=False)]
    return np.asarray(list(dict.fromkeys(picked))[:most], dtype=np.int64)


def _columns(value: Any) -> List[Any]:
    if kinds.is_frame(value):
        return [value.iloc[:, place] for place in range(min(value.shape[1], 200))]
    if kinds.is_series(value):
        return [value]
    if kinds.is_array(value) and value.ndim == 2:
        return [value[:, place] for place in range(min(value.shape[1], 100))]
    return []


def _telling(column: Any, answered: Any) -> List[int]:
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return []
    series = pandas.Series(column).reset_index(drop=True)
    found: List[int] = []
    try:
        null = series.isna().to_numpy()
        found += [int(i) for i in np.flatnonzero(null & answered)[:2]]
        found += [int(i) for i in np.flatnonzero(null & ~answered)[:1]]
        if series.dtype.kind in "iufM":
            good = series[answered & ~null]
            if len(good):
                found += [int(good.idxmin()), int(good.idxmax())]
        else:
            first = ~series[answered].duplicated()
            found += [int(i) for i in series[answered].index[first.to_numpy()][:8]]
    except TypeError:
        pass
    return found


def selections(rows: Any) -> List[Any]:
    """The selections that are tried: shuffled with repeats, half, a few, single rows."""
    generator = np.random.Generator(np.random.PCG64(7))
    shuffled = generator.permutation(rows)
    repeated = np.concatenate([shuffled, shuffled[:3]]) if len(shuffled) > 3 else shuffled
    out = [repeated, np.sort(rows)[::2], shuffled[:5]]
    out += [shuffled[place : place + 1] for place in (0, len(rows) // 2, len(rows) - 1)]
    return [part for part in out if len(part)]
