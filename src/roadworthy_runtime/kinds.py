"""Which values can carry rows, and how many they carry, without importing the libraries."""

from __future__ import annotations

import datetime
import sys
from typing import Any, Optional

ATOMS = (
    bool, int, float, complex, str, bytes, type(None), type(Ellipsis), type(NotImplemented),
    datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo,
)  # fmt: skip
_CARRIERS = ("pandas", "numpy", "scipy", "torch", "polars", "xgboost", "tensorflow", "statsmodels")
_LIMIT = 64


def root(value: Any) -> str:
    """The package that a value's type comes from."""
    return (type(value).__module__ or "").partition(".")[0]


def is_atom(value: Any) -> bool:
    """Whether a value is a scalar: a number, text, time, missing value, dtype."""
    if isinstance(value, ATOMS):
        return True
    kind = type(value)
    name = kind.__name__
    if root(value) == "numpy":
        numpy = sys.modules["numpy"]
        return isinstance(value, (numpy.generic, numpy.dtype)) or (
            isinstance(value, numpy.ndarray) and value.ndim == 0
        )
    if root(value) == "pandas":
        return name in ("NAType", "NaTType", "Timestamp", "Timedelta", "Interval", "Period") or (
            name.endswith("Dtype")
        )
    return False


def is_data(value: Any, depth: int = 0) -> bool:
    """Whether a value can carry rows: a table, array, accessor of one, or a container of such."""
    if isinstance(value, ATOMS):
        return False
    if isinstance(value, (list, tuple)):
        return depth < 3 and any(is_data(item, depth + 1) for item in value[:_LIMIT])
    if isinstance(value, dict):
        return depth < 3 and any(is_data(v, depth + 1) for v in list(value.values())[:_LIMIT])
    package = root(value)
    if package not in _CARRIERS:
        return False
    if isinstance(value, type) or is_atom(value):
        return False
    if package == "scipy":
        return type(value).__module__.startswith("scipy.sparse")
    if package == "torch":
        return type(value).__name__ in ("Tensor", "Parameter")
    if package == "xgboost":
        return type(value).__name__ in ("DMatrix", "QuantileDMatrix")
    if package == "statsmodels":
        return type(value).__name__.startswith("PredictionResults")
    if package == "tensorflow":
        return type(value).__name__ == "EagerTensor"
    if package == "numpy":
        return type(value).__name__ in ("ndarray", "MaskedArray", "matrix")
    return "plotting" not in type(value).__module__


def rows_within(value: Any) -> Any:
    """The rows of what ``sklearn.datasets`` loads, a table or array with its target; or the value.

    It gives the same object each time that it is asked for them.
    """
    if root(value) == "sklearn" and type(value).__name__ == "Bunch":
        return value.get("data", value)
    return value


def is_frame(value: Any) -> bool:
    """Whether a value is a pandas DataFrame."""
    pandas = sys.modules.get("pandas")
    return (
        pandas is not None and hasattr(pandas, "DataFrame") and isinstance(value, pandas.DataFrame)
    )


def is_series(value: Any) -> bool:
    """Whether a value is a pandas Series."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and hasattr(pandas, "Series") and isinstance(value, pandas.Series)


def is_index(value: Any) -> bool:
    """Whether a value is a pandas Index."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and hasattr(pandas, "Index") and isinstance(value, pandas.Index)


def is_array(value: Any) -> bool:
    """Whether a value is a NumPy array with at least one axis."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray) and value.ndim > 0


def is_view(value: Any, owner: Any) -> bool:
    """Whether an array shows columns (or all) of another: changing it changes the other."""
    if not (is_array(value) and is_array(owner)) or len(value) != len(owner):
        return False
    return bool(sys.modules["numpy"].may_share_memory(value, owner))


def is_sparse(value: Any) -> bool:
    """Whether a value is a SciPy sparse matrix or array."""
    return type(value).__module__.startswith("scipy.sparse") and hasattr(value, "tocsr")


def rows_of(value: Any) -> Optional[int]:
    """The length of a value's row axis; None where it has none that is known."""
    if is_frame(value) or is_series(value) or is_index(value):
        return len(value)
    if is_array(value) or is_sparse(value):
        return int(value.shape[0])
    if isinstance(value, (list, tuple)):
        return len(value)
    if root(value) in ("torch", "tensorflow") and len(getattr(value, "shape", ())):
        return int(value.shape[0])
    if root(value) == "xgboost" and hasattr(value, "num_row"):
        return int(value.num_row())
    if root(value) == "pandas" and hasattr(value, "dtype") and hasattr(value, "__len__"):
        return len(value)
    return None
