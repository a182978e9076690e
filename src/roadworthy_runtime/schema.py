"""What creation saw of a flow's input and outputs, as the signature says it."""

from __future__ import annotations

import datetime
import math
from typing import Any, Dict, List, Optional

import numpy as np

from . import kinds

LEVELS = 250
"""A text column with at most so many different texts lists them."""


def input_signature(name: str, value: Any, required: List[Any]) -> Dict[str, Any]:
    """``{"input", "kind", "columns", …}`` of the input, restricted to the required columns."""
    kind = kind_of_input(value)
    out: Dict[str, Any] = {"input": name, "kind": kind}
    if kind == "dataframe":
        out["columns"] = [column(_title(label), value[label], label) for label in required]
    elif kind == "series":
        out["columns"] = [column(str(value.name or name), value, value.name)]
        out["named"] = value.name is not None
    elif kind == "array":
        out["ndim"] = int(value.ndim)
        if value.ndim == 1:
            out["columns"] = [column(name, value, name)]
        else:
            titles = [(i, "%s_%d" % (name, i)) for i in required]
            out["columns"] = [column(title, value[:, i], title) for i, title in titles]
    elif kind == "texts":
        out["columns"] = [column(name, list(value), name)]
    else:
        keys = list(dict.fromkeys(key for record in value for key in record))
        out["columns"] = [
            column(str(key), [record.get(key) for record in value], key) for key in keys
        ]
    return out


def kind_of_input(value: Any) -> str:
    """The signature's word for the input's kind of object."""
    if kinds.is_frame(value):
        return "dataframe"
    if kinds.is_series(value):
        return "series"
    if kinds.is_array(value):
        return "array"
    return "records" if value and isinstance(value[0], dict) else "texts"


def output_signature(name: str, value: Any, example: int = 0) -> Dict[str, Any]:
    """``{"name", "kind", "columns", …}`` of an output."""
    out: Dict[str, Any] = {"name": name}
    if kinds.is_frame(value):
        out["kind"] = "dataframe"
        labels = list(value.columns)
        out["columns"] = [column(_title(label), value[label], label, example) for label in labels]
    elif kinds.is_series(value):
        out["kind"] = "series"
        out["columns"] = [column(name, value, value.name, example)]
    elif kinds.is_array(value):
        out["kind"], out["ndim"] = "array", int(value.ndim)
        parts = value[:, None] if value.ndim == 1 else value.reshape(len(value), -1)
        wide = value.ndim > 1
        labels = ["%s_%d" % (name, i) if wide else name for i in range(parts.shape[1])]
        out["columns"] = [column(n, parts[:, i], n, example) for i, n in enumerate(labels)]
    else:
        out["kind"] = "list"
        out["columns"] = [column(name, list(value), name, example)]
    for part in out["columns"]:
        part.pop("levels", None) if part["type"] != "text" else None
    return out


def column(name: str, values: Any, label: Any, example: int = 0) -> Dict[str, Any]:
    """One column: type, dtype, nullability, levels, range, example; as plain JSON data."""
    import pandas

    series = values if kinds.is_series(values) else pandas.Series(values)
    dtype = getattr(values, "dtype", None)
    out: Dict[str, Any] = {"name": name, "dtype": str(dtype if dtype is not None else series.dtype)}
    null = series.isna().to_numpy()
    good = series[~null]
    out["type"] = _type(series, good)
    out["nullable"] = bool(null.any())
    if (
        label != name
        and isinstance(label, (str, int, float, tuple))
        and not isinstance(label, bool)
    ):
        out["label"] = label
    if hasattr(series.dtype, "categories"):
        out["categories"] = [plain(item) for item in series.dtype.categories]
        out["ordered"] = bool(series.dtype.ordered)
    if out["dtype"] == "object" and null.any():
        first = series[null].iloc[0]
        out["null"] = "none" if first is None else "NA" if first is pandas.NA else "nan"
    if out["type"] == "text":
        levels = good.unique()
        out["level_count"] = len(levels)
        if len(levels) <= LEVELS and len(levels) <= max(20, len(good) // 4):
            out["levels"] = sorted(str(item) for item in levels)
    elif len(good) and out["type"] in ("int", "float", "datetime", "date", "timedelta"):
        out["minimum"], out["maximum"] = plain(good.min()), plain(good.max())
    if len(good):
        place = min(example, len(series) - 1)
        out["example"] = plain(good.iloc[0] if null[place] else series.iloc[place])
    return {key: value for key, value in out.items() if value is not None}


def _title(label: Any) -> str:
    """The name of a column in the signature; one level alone, as of ``columns=[names]``, is it."""
    return str(label[0] if isinstance(label, tuple) and len(label) == 1 else label)


def _type(series: Any, good: Any) -> str:
    import pandas

    kind = getattr(series.dtype, "kind", "O")
    if hasattr(series.dtype, "categories"):
        return _type(series.dtype.categories, series.dtype.categories)
    if str(series.dtype) in ("str", "string"):
        return "text"
    if kind == "b":
        return "bool"
    if kind in "iu":
        return "int"
    if kind == "f":
        return "float"
    if kind == "M" or isinstance(series.dtype, pandas.DatetimeTZDtype):
        return "datetime"
    if kind == "m":
        return "timedelta"
    found = {type(item) for item in good}
    if found and found <= {str}:
        return "text"
    if found and found <= {bool, np.bool_}:
        return "bool"
    if found and found <= {datetime.date}:
        return "date"
    return "object"


def plain(value: Any) -> Any:
    """A single value as JSON has it: times as ISO 8601 text, null and NaN as None."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return None if math.isnan(value) else float(value)
    if hasattr(value, "isoformat"):
        text = value.isoformat()
        return None if text == "NaT" else text
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if str(value) in ("<NA>", "NaT"):
        return None
    return str(value)


def cells(values: Any, dtype: Optional[str] = None) -> List[Any]:
    """A column's values as JSON has them; null as None."""
    if kinds.is_series(values):
        return [plain(item) for item in values.tolist()]
    if kinds.is_array(values):
        return [plain(item) for item in values.tolist()]
    return [plain(item) for item in values]
