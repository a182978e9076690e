"""Writes values as JSON that a person can read and ``support.state.decode`` turns back."""

from __future__ import annotations

import builtins
import datetime
import math
import re
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable
from decimal import Decimal
from typing import Any


class NotPlain(Exception):
    """The value has no form in JSON."""


def encode(value: Any) -> Any:
    """The value in JSON's own types, with ``{"$": …}`` for what JSON lacks. Raises NotPlain.

    >>> encode((1, {"a": {2.5}}))
    {'$': 'tuple', 'of': [1, {'a': {'$': 'set', 'of': [2.5]}}]}
    """
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    writer = _WRITERS.get(kind)
    if writer is not None:
        return writer(value)
    if isinstance(value, type):
        return _type(value)
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if pandas is not None:
        if value is pandas.NA or value is pandas.NaT:
            return {"$": "NA" if value is pandas.NA else "NaT"}
        if kind.__module__.split(".", 1)[0] == "pandas":
            return _pandas(pandas, value)
    if numpy is not None:
        if kind is numpy.ndarray:
            return _array(numpy, value)
        if isinstance(value, numpy.dtype) and value.names is None:
            return {"$": "dtype", "of": value.str}
        if isinstance(value, numpy.generic):
            whole = _array(numpy, numpy.asarray(value).reshape(1))
            return {"$": "numpy", "dtype": whole["dtype"], "of": whole["of"][0]}
    raise NotPlain(kind.__name__)


def _float(value: float) -> Any:
    return value if math.isfinite(value) else {"$": "float", "of": str(value)}


def _dict(value: dict[Any, Any]) -> Any:
    if all(type(key) is str for key in value) and "$" not in value:
        return {key: encode(item) for key, item in value.items()}
    return _pairs("dict")(value)


def _list(value: list[Any]) -> Any:
    return [encode(item) for item in value]


def _pairs(tag: str) -> Callable[[Any], Any]:
    return lambda value: {"$": tag, "of": [[encode(k), encode(v)] for k, v in value.items()]}


def _items(tag: str) -> Callable[[Any], Any]:
    return lambda value: {"$": tag, "of": [encode(item) for item in value]}


def in_order(value: Any) -> list[Any]:
    """The elements of a set in an order that does not depend on the process."""
    return sorted(value, key=lambda item: (type(item).__qualname__, _sortable(item)))


def _sortable(item: Any) -> Any:
    if isinstance(item, (int, float)) and item == item:
        return (0, item, "")
    return (1, 0, repr(in_order(item)) if isinstance(item, frozenset) else repr(item))


def _set(tag: str) -> Callable[[Any], Any]:
    return lambda value: {"$": tag, "of": [encode(item) for item in in_order(value)]}


def _moment(value: datetime.datetime) -> Any:
    if value.tzinfo is None or isinstance(value.tzinfo, datetime.timezone):
        return {"$": "datetime", "of": value.isoformat()}
    zone = getattr(value.tzinfo, "key", None)
    if zone is None:
        raise NotPlain("a time zone without a name")
    naive = value.replace(tzinfo=None, fold=0).isoformat()
    return {"$": "datetime", "of": naive, "zone": zone, "fold": value.fold}


def _clock(value: datetime.time) -> Any:
    if value.tzinfo is not None:
        raise NotPlain("a time of day with a zone")
    return {"$": "time", "of": value.isoformat()}


def _type(value: type) -> Any:
    numpy = sys.modules.get("numpy")
    name = value.__name__
    if value.__module__ == "builtins" and getattr(builtins, name, None) is value:
        return {"$": "type", "module": "builtins", "of": name}
    if numpy is not None and getattr(numpy, name, None) is value:
        return {"$": "type", "module": "numpy", "of": name}
    raise NotPlain(f"class {name}")


def _array(numpy: Any, value: Any) -> Any:
    kind, flat = value.dtype.kind, value.reshape(-1)
    if kind == "O":
        items = [encode(item) for item in flat]
    elif kind == "f":
        items = [_array_float(item) for item in flat.tolist()]
    elif kind in "mM":
        items = flat.view("int64").tolist()
    elif kind in "biuU":
        items = flat.tolist()
    else:
        raise NotPlain(f"array of {value.dtype}")
    return {"$": "array", "dtype": value.dtype.str, "shape": list(value.shape), "of": items}


def _array_float(item: float) -> Any:
    if item != item:
        return None
    return item if math.isfinite(item) else str(item)


def _pandas(pandas: Any, value: Any) -> Any:
    if type(value) is pandas.DataFrame:
        columns = [_values(value.iloc[:, i].array) for i in range(value.shape[1])]
        return {
            "$": "DataFrame",
            "columns": encode(value.columns),
            "index": encode(value.index),
            "of": [{"of": column, "name": None} for column in columns],
        }
    if type(value) is pandas.Series:
        return {
            "$": "Series",
            "name": encode(value.name),
            "index": encode(value.index),
            "of": _values(value.array),
        }
    if isinstance(value, pandas.Index):
        return _index(pandas, value)
    if isinstance(value, pandas.CategoricalDtype) and value.categories is not None:
        categories = encode(value.categories)
        return {"$": "CategoricalDtype", "categories": categories, "ordered": value.ordered}
    if isinstance(value, pandas.api.extensions.ExtensionArray):
        return _values(value)
    if type(value) is pandas.Timestamp:
        naive = value if value.tz is None else value.tz_convert("UTC").tz_localize(None)
        zone = None if value.tz is None else str(value.tz)
        unit = getattr(value, "unit", "ns")
        return {"$": "Timestamp", "of": naive.isoformat(), "unit": unit, "zone": zone}
    if type(value) is pandas.Timedelta:
        nanoseconds = value.as_unit("ns").value if hasattr(value, "as_unit") else value.value
        return {"$": "Timedelta", "of": nanoseconds}
    if type(value) is pandas.Interval:
        ends = [encode(value.left), encode(value.right)]
        return {"$": "Interval", "of": ends, "closed": value.closed}
    raise NotPlain(type(value).__name__)


def _index(pandas: Any, value: Any) -> Any:
    names = [encode(name) for name in value.names]
    if type(value) is pandas.RangeIndex:
        ends = [value.start, value.stop, value.step]
        return {"$": "RangeIndex", "of": ends, "name": names[0]}
    if isinstance(value, pandas.MultiIndex):
        levels = [_values(value.get_level_values(i).array) for i in range(value.nlevels)]
        return {"$": "Index", "levels": True, "of": levels, "names": names}
    return {"$": "Index", "of": _values(value.array), "names": names}


def _values(array: Any) -> Any:
    """An array behind a column: NumPy's, categorical, text or another extension's."""
    numpy: Any = sys.modules["numpy"]
    dtype = array.dtype
    if isinstance(dtype, numpy.dtype):
        return _array(numpy, array.to_numpy())
    if hasattr(array, "categories") and hasattr(array, "codes"):
        return {
            "$": "categorical",
            "categories": encode(dtype.categories),
            "ordered": dtype.ordered,
            "of": array.codes.tolist(),
        }
    nulls = array.isna()
    items = [None if null else encode(item) for item, null in zip(array, nulls)]
    if str(dtype) == "str":
        return {"$": "str", "of": items}
    return {"$": "values", "dtype": str(dtype), "of": items}


_WRITERS: dict[type, Callable[[Any], Any]] = {
    float: _float,
    list: _list,
    dict: _dict,
    tuple: _items("tuple"),
    set: _set("set"),
    frozenset: _set("frozenset"),
    OrderedDict: _pairs("OrderedDict"),
    Counter: _pairs("Counter"),
    complex: lambda v: {"$": "complex", "of": [repr(v.real), repr(v.imag)]},
    bytes: lambda v: {"$": "bytes", "of": v.hex()},
    Decimal: lambda v: {"$": "Decimal", "of": str(v)},
    range: lambda v: {"$": "range", "of": [v.start, v.stop, v.step]},
    slice: lambda v: {"$": "slice", "of": [encode(v.start), encode(v.stop), encode(v.step)]},
    re.Pattern: lambda v: {"$": "pattern", "of": encode(v.pattern), "flags": v.flags},
    datetime.datetime: _moment,
    datetime.date: lambda v: {"$": "date", "of": v.isoformat()},
    datetime.time: _clock,
    datetime.timedelta: lambda v: {"$": "timedelta", "of": [v.days, v.seconds, v.microseconds]},
}
