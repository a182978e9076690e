"""Makes the table that a program was given from its columns, without finding out anything twice."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any

from .basis import numpy, pandas


class Tables:
    """Tables with the same columns, each in creation's type.

    Of the first one is kept what pandas found out: the labels, and which columns lie together.
    The others are put together from that, which takes a fifth of the time for one row.
    """

    def __init__(self, labels: Sequence[Any]) -> None:
        self._labels = labels
        self._columns: Any = None
        self._dtypes: list[Any] = []
        self._together: list[Any] = []
        self._alone: list[tuple[Any, int]] = []

    def make(self, arrays: Sequence[Any], n: int) -> Any:
        """The table of these columns with ``n`` rows; it holds copies."""
        if self._columns is None or [array.dtype for array in arrays] != self._dtypes:
            return self._as_ever(arrays, n)
        blocks = [(numpy.vstack([arrays[at] for at in group]), group) for group in self._together]
        blocks += [(arrays[at].copy(), place) for place, at in self._alone]
        return _from_blocks()(blocks, index=pandas.RangeIndex(n), columns=self._columns.view())

    def _as_ever(self, arrays: Sequence[Any], n: int) -> Any:
        columns = {label: _column(array) for label, array in zip(self._labels, arrays)}
        made = pandas.DataFrame(columns, index=pandas.RangeIndex(n))
        dtypes = [getattr(array, "dtype", None) for array in arrays]
        if len(columns) == len(arrays) and _from_blocks() and all(map(_is_simple, dtypes)):
            self._keep(made.columns.view(), dtypes)
        return made

    def _keep(self, columns: Any, dtypes: list[Any]) -> None:
        groups: dict[Any, list[int]] = {}
        for at, dtype in enumerate(dtypes):
            if isinstance(dtype, numpy.dtype):
                groups.setdefault(dtype, []).append(at)
        self._together = [numpy.array(group) for group in groups.values()]
        grouped = {at for group in groups.values() for at in group}
        self._alone = [(numpy.array([at]), at) for at in range(len(dtypes)) if at not in grouped]
        self._dtypes = dtypes
        self._columns = columns


def _column(array: Any) -> Any:
    """An array as a table takes it without guessing another type."""
    if isinstance(array, numpy.ndarray) and array.dtype.kind == "O":
        return pandas.Series(array, dtype=object)
    return array


def _is_simple(dtype: Any) -> bool:
    """Whether arrays of the type can be put into a table as they are; times can't."""
    if isinstance(dtype, numpy.dtype):
        return dtype.kind in "fiubO"
    return isinstance(dtype, (pandas.StringDtype, pandas.CategoricalDtype))


@functools.cache
def _from_blocks() -> Any:
    """pandas' own way to a table from what lies together; None before pandas 3."""
    try:
        return importlib.import_module("pandas.api.internals").create_dataframe_from_blocks
    except (ImportError, AttributeError):
        return None
