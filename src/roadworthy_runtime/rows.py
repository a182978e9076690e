"""Row values by position: taking rows, comparing them, and telling which rows a value carries."""

from __future__ import annotations

import sys
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np

from . import kinds
from .trace import Op, Ref

RELATIVE = 1e-9
"""Floats of the same row may differ so much between batches (BLAS sums in another order)."""
SINGLE = 1e-5
"""The same for floats of 32 bits."""
Ids = Any
"""An int64 array, one input row number per row of a value; -1 for rows of another table."""


def take(value: Any, positions: Any) -> Any:
    """The rows of a value at the given positions, in that order."""
    if kinds.is_frame(value) or kinds.is_series(value):
        return value.iloc[positions]
    if isinstance(value, (list, tuple)):
        return type(value)([value[int(place)] for place in positions])
    if kinds.is_index(value) or (hasattr(value, "take") and kinds.root(value) == "pandas"):
        return value.take(positions)
    if kinds.is_sparse(value):
        return value.tocsr()[positions]
    return value[positions]


def same(left: Any, right: Any, subset: bool = False) -> bool:
    """Whether two row values hold the same rows; with ``subset`` the right may lack columns.

    Labels of rows are not looked at; types are, but for whole numbers beside floats.
    """
    if kinds.is_frame(left) or kinds.is_frame(right):
        return kinds.is_frame(left) and kinds.is_frame(right) and _same_frames(left, right, subset)
    if kinds.is_sparse(left) or kinds.is_sparse(right):
        if not (kinds.is_sparse(left) and kinds.is_sparse(right)) or left.shape != right.shape:
            return False
        return _same_arrays(left.toarray(), right.toarray())
    if isinstance(left, (list, tuple)):
        if type(left) is not type(right) or len(left) != len(right):
            return False
        if all(map(kinds.is_atom, left)):
            return _same_arrays(_objects(left), _objects(right))
        return all(same(a, b) for a, b in zip(left, right))
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and list(left) == list(right)
            and all(same(left[key], right[key]) for key in left)
        )
    if kinds.is_atom(left) or kinds.is_atom(right):
        return (
            kinds.is_atom(left)
            and kinds.is_atom(right)
            and bool(_same_arrays(_objects([left]), _objects([right])))
        )
    if kinds.root(left) != kinds.root(right):
        return False
    return _same_arrays(left, right)


def _same_frames(left: Any, right: Any, subset: bool) -> bool:
    if len(left) != len(right):
        return False
    names = list(right.columns)
    if subset:
        if [name for name in left.columns if name in set(names)] != names:
            return False
    elif list(left.columns) != names:
        return False
    if not subset and left.index is right.index and left.equals(right):
        return True
    if len(set(names)) != len(names):
        return all(
            _same_arrays(left.iloc[:, place], right.iloc[:, place]) for place in range(len(names))
        )
    return all(_same_arrays(left[name], right[name]) for name in names)


def _objects(values: Any) -> Any:
    made = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        made[place] = value
    return made


def _categories(value: Any) -> Optional[List[Any]]:
    dtype = getattr(value, "dtype", None)
    categories = getattr(dtype, "categories", None)
    return None if categories is None else list(categories)


def _same_arrays(left: Any, right: Any) -> bool:
    if _categories(left) != _categories(right):
        return False
    a, b = _plain(left), _plain(right)
    if a.shape != b.shape:
        return False
    if a.dtype.kind in "iufc" and b.dtype.kind in "iufc":
        return _close(a, b)
    if a.dtype.kind == b.dtype.kind and a.dtype.kind in "bmM":
        return bool(np.array_equal(a, b, equal_nan=a.dtype.kind != "b"))
    if a.dtype.kind in "iufb" and b.dtype.kind in "iufb":
        return not a.size
    x, y = a.astype(object).ravel(), b.astype(object).ravel()
    if set(map(type, x)) == {str} == set(map(type, y)):
        return bool((x == y).all())
    return all(_same_cell(p, q) for p, q in zip(x, y))


def _plain(value: Any) -> Any:
    if kinds.root(value) == "torch":
        return value.detach().cpu().numpy()
    if kinds.root(value) == "pandas" and hasattr(value, "to_numpy"):
        return value.to_numpy()
    return np.asarray(value)


def _close(a: Any, b: Any) -> bool:
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        return bool((a == b).all())
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(a)
        scale = float(np.abs(a[finite]).max()) if finite.any() else 0.0
        single = min(a.dtype.itemsize, b.dtype.itemsize) <= 4 and {a.dtype.kind, b.dtype.kind} == {
            "f"
        }
        relative, floor = (SINGLE, 1e-6) if single else (RELATIVE, 1e-13)
        near = np.abs(a - b) <= relative * np.maximum(np.abs(a), np.abs(b)) + floor * scale
        return bool((near | (a == b) | (np.isnan(a) & np.isnan(b))).all())


def _missing(value: Any) -> bool:
    if value is None:
        return True
    pandas = sys.modules.get("pandas")
    if pandas is not None and (value is pandas.NA or value is pandas.NaT):
        return True
    return isinstance(value, (float, np.floating)) and bool(value != value)


def _same_cell(left: Any, right: Any) -> bool:
    if _missing(left) or _missing(right):
        return _missing(left) and _missing(right)
    if isinstance(left, (bool, np.bool_)) != isinstance(right, (bool, np.bool_)):
        return False
    if isinstance(left, (float, np.floating)) or isinstance(right, (float, np.floating)):
        numbers = (int, float, np.number)
        if not (isinstance(left, numbers) and isinstance(right, numbers)):
            return False
        return _close(np.asarray([float(left)]), np.asarray([float(right)]))
    if kinds.is_data(left) or kinds.is_data(right):
        return same(left, right)
    try:
        return bool(left == right)
    except (TypeError, ValueError):
        return False


def is_opaque(value: Any) -> bool:
    """Whether a value only looks at rows that another value holds (accessors, group objects)."""
    if kinds.root(value) in ("xgboost", "statsmodels"):
        return True
    return (kinds.root(value) == "pandas" and kinds.rows_of(value) is None) or (
        type(value).__module__.startswith("pandas.core.groupby")
        or type(value).__module__.startswith("pandas.core.indexing")
        or type(value).__module__.startswith("pandas.core.strings")
        or type(value).__module__.startswith("pandas.core.window")
        or type(value).__name__.endswith(("Properties", "Accessor", "Indexer", "GroupBy"))
    )


def candidates(
    op: Op, result: Any, operands: List[Tuple[int, Any, Ids]], key: Any
) -> Iterator[Tuple[str, int, Ids]]:
    """Which input rows the rows of a result could be, likeliest first.

    ``operands`` are (node, value, row numbers) of the row values that the operation read; ``key``
    is a subscript's concrete key.
    Each candidate is (how it was found, node it was found by, row numbers).
    """
    count = kinds.rows_of(result)
    if count is None:
        return
    if op.kind == "item" and len(operands) and isinstance(op.args[0], Ref):
        found = _by_key(op, operands, key)
        if found is not None and len(found) == count:
            yield "key", op.args[0].node, found
    for node, value, ids in operands:
        found = _by_label(result, value, ids)
        if found is not None:
            yield "label", node, found
        elif op.kind == "item" and _counts(key) and len(ids[_rows_of_key(key)]) == count:
            yield "key", node, ids[_rows_of_key(key)]
    for node, value, ids in operands:
        if kinds.rows_of(value) == count and len(ids) == count:
            yield "place", node, ids


def _rows_of_key(key: Any) -> Any:
    return key[0] if isinstance(key, tuple) and key else key


def _counts(key: Any) -> bool:
    """Whether a subscript's key is a slice by position, as in ``data[len(train):]``."""
    rows = _rows_of_key(key)
    return isinstance(rows, slice) and all(
        part is None or isinstance(part, (int, np.integer))
        for part in (rows.start, rows.stop, rows.step)
    )


def _by_label(result: Any, value: Any, ids: Ids) -> Optional[Ids]:
    if not (kinds.is_frame(result) or kinds.is_series(result)):
        return None
    if not (kinds.is_frame(value) or kinds.is_series(value)):
        return None
    if not value.index.is_unique or len(value.index) != len(ids):
        return None
    try:
        places = value.index.get_indexer(result.index)
    except (TypeError, ValueError):
        return None
    return None if (places < 0).any() else ids[places]


def _by_key(op: Op, operands: List[Tuple[int, Any, Ids]], key: Any) -> Optional[Ids]:
    owner = op.args[0].node
    found = [(value, ids) for node, value, ids in operands if node == owner]
    if not found:
        return None
    value, ids = found[0]
    if not (kinds.is_array(value) or kinds.is_sparse(value) or isinstance(value, list)):
        return None
    rows = _rows_of_key(key)
    if rows is None:
        return None
    try:
        return np.atleast_1d(ids[rows if isinstance(rows, slice) else np.asarray(rows)])
    except (IndexError, TypeError, ValueError):
        return None


def columns_of(result: Any, taken: Any) -> Any:
    """None: all columns; a list of them; False where the rows are not a selection."""
    if kinds.is_frame(result) and kinds.is_frame(taken):
        names = list(result.columns)
        if not set(names) <= set(taken.columns):
            return False
        if not same(result, taken[names]):
            return False
        return None if names == list(taken.columns) else names
    if kinds.is_series(result) and kinds.is_frame(taken):
        name = result.name
        return name if name in taken.columns and same(result, taken[name]) else False
    return None if same(result, taken) else False
