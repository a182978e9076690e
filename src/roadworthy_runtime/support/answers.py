"""Gives every input row its answer: null where it was rejected, typed where no row is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .basis import FlowError, is_null, label_of, length, numpy, pandas


class Output:
    """One output of the signature: its name, its kind and its columns."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.name: str = spec["name"]
        self.kind: str = spec["kind"]
        self.columns: list[str] = [column["name"] for column in spec["columns"]]
        self.dtypes: list[str] = [column["dtype"] for column in spec["columns"]]
        self.labels: list[Any] = [label_of(column) for column in spec["columns"]]
        self.ndim: int = spec.get("ndim", 1 if len(self.columns) == 1 else 2)

    def check(self, value: Any, n: int) -> None:
        """Raise FlowError where the steps' result does not have one answer per row."""
        try:
            found = length(value)
        except TypeError:
            raise FlowError(f"output {self.name} is a {type(value).__name__}, not rows") from None
        if found != n:
            raise FlowError(f"output {self.name} has {found} answers for {n} rows")

    def by_column(self, value: Any, positions: Optional[Sequence[int]], n: int) -> dict[str, Any]:
        """The answers as arrays or lists by column; ``positions`` are the rows that have one."""
        parts = self._split(value)
        if len(parts) != len(self.columns):
            raise FlowError(
                f"output {self.name} has {len(parts)} columns, the signature {len(self.columns)}"
            )
        spread = (_spread(_plain(part), positions, n) for part in parts)
        return dict(zip(self.columns, spread))

    def empty(self) -> Any:
        """An answer without rows, of the output's own kind and types."""
        if self.kind == "list":
            return []
        if self.kind == "series":
            return pandas.Series([], dtype=self._dtype(0), name=self.labels[0])
        if self.kind == "dataframe":
            columns = [pandas.Series([], dtype=self._dtype(i)) for i in range(len(self.columns))]
            frame = pandas.DataFrame(dict(enumerate(columns)))
            frame.columns = pandas.Index(self.labels)
            return frame
        shape = (0,) if self.ndim == 1 else (0, len(self.columns))
        return numpy.empty(shape, dtype=_array_dtype(self.dtypes[0]))

    def whole(self, value: Any, positions: Optional[Sequence[int]], n: int, index: Any) -> Any:
        """The answers in their own kind, one per row, with the labels of the input."""
        if hasattr(value, "iloc"):
            return _whole_pandas(value, positions, n, index)
        if positions is None:
            return value
        if hasattr(value, "dtype"):
            return _whole_array(value, positions, n)
        filled: list[Any] = [None] * n
        for at, item in zip(positions, value):
            filled[at] = item
        return tuple(filled) if isinstance(value, tuple) else filled

    def _dtype(self, i: int) -> Any:
        return "object" if self.dtypes[i] == "category" else self.dtypes[i]

    def _split(self, value: Any) -> list[Any]:
        if hasattr(value, "columns") and hasattr(value, "iloc"):
            return [value.iloc[:, i] for i in range(value.shape[1])]
        if getattr(value, "ndim", 1) == 2:
            return [value[:, i] for i in range(value.shape[1])]
        if len(self.columns) > 1:  # a list of tuples
            return [[item[i] for item in value] for i in range(len(self.columns))]
        return [value]


def _array_dtype(name: str) -> Any:
    try:
        return numpy.dtype("object" if name == "str" else name)
    except TypeError:
        return numpy.dtype(object)


def _plain(part: Any) -> Any:
    """A column as a NumPy array of numbers or times, or else as a list with None for null."""
    if hasattr(part, "iloc"):
        if isinstance(part.dtype, numpy.dtype):
            part = part.to_numpy()
        else:
            part = part.array
            if hasattr(part, "_mask") and not part.isna().any():
                part = part.to_numpy(dtype=part.dtype.numpy_dtype)
    dtype = getattr(part, "dtype", None)
    if dtype is not None and isinstance(part, numpy.ndarray) and dtype.kind in "biufmM":
        return part
    items = part.tolist() if hasattr(part, "tolist") else list(part)
    return [None if is_null(item) else _own(item) for item in items]


def _own(item: Any) -> Any:
    """A number of NumPy's as Python's own; anything else as it is."""
    if type(item).__module__ == "numpy" and getattr(item, "shape", None) == ():
        return item if item.dtype.kind in "mM" else item.item()
    return item


def _spread(values: Any, positions: Optional[Sequence[int]], n: int) -> Any:
    if positions is None:
        return values
    if hasattr(values, "dtype") and values.dtype.kind in "fmM":
        return _whole_array(values, positions, n)
    spread: list[Any] = [None] * n
    for at, item in zip(positions, values.tolist() if hasattr(values, "tolist") else values):
        spread[at] = item
    return spread


def _whole_array(value: Any, positions: Sequence[int], n: int) -> Any:
    shape = (n, *value.shape[1:])
    if value.dtype.kind in "fc":
        filled = numpy.full(shape, numpy.nan, dtype=value.dtype)
    elif value.dtype.kind in "mM":
        filled = numpy.full(shape, "NaT", dtype=value.dtype)
    else:
        filled = numpy.full(shape, None, dtype=object)
    if len(positions):
        filled[list(positions)] = value
    return filled


def _whole_pandas(value: Any, positions: Optional[Sequence[int]], n: int, index: Any) -> Any:
    answer = value.copy(deep=False)
    if positions is not None:
        if hasattr(answer, "columns"):
            nullable = {i: _nullable(dtype) for i, dtype in enumerate(answer.dtypes)}
            columns = {i: answer.iloc[:, i].astype(dtype) for i, dtype in nullable.items()}
            names = answer.columns
            answer = pandas.DataFrame(columns, index=answer.index)
            answer.columns = names
        else:
            answer = answer.astype(_nullable(answer.dtype))
        answer.index = pandas.Index(list(positions), dtype="int64")
        answer = answer.reindex(range(n))
    answer.index = pandas.RangeIndex(n) if index is None else index
    return answer


def _nullable(dtype: Any) -> Any:
    """The type that takes null beside what this one takes."""
    if isinstance(dtype, numpy.dtype):
        if dtype.kind == "b":
            return "boolean"
        if dtype.kind in "iu":
            name = str(dtype)
            return name.replace("uint", "UInt") if dtype.kind == "u" else name.capitalize()
    return dtype
