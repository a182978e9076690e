"""The words of a flow: what can go wrong with rows, and what comes out."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

PACKED: dict[str, dict[str, bytes]] = {}
"""Flows in archives: the folder where each would lie -> its files by path."""


def read_bytes(path: Path) -> bytes:
    """A file's bytes, on disk or in an archive. Raises OSError."""
    for folder in path.parents if PACKED else ():
        if str(folder) in PACKED:
            found = PACKED[str(folder)].get(path.relative_to(folder).as_posix())
            if found is not None:
                return found
    return path.read_bytes()


class FlowError(ValueError):
    """The rows or the state can't be used; the text says which, why and what to do."""


class MissingColumn(FlowError):
    """A column that the flow needs is not there."""


class UnknownLevel(UserWarning):
    """A text that creation never saw, treated as the frozen encoder treats it; and what a flow that
    is asked by this one says of its rows.
    """


class Rejected(NamedTuple):
    """A row (from 0) that is not answered, why, and the program's line that says so."""

    row: int
    reason: str
    line: Optional[int]


class Warned(NamedTuple):
    """Something about a row (from 0) that its answer should be read with."""

    row: Optional[int]
    column: str
    message: str


class Answers(NamedTuple):
    """``values[output][column]`` has one answer per row, null where the row was rejected."""

    values: dict[str, dict[str, Any]]
    rejected: list[Rejected]
    warnings: list[Warned]


class Module:
    """A library that is imported when it is first used: a flow on plain lists needs none."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(importlib.import_module(self._name), attribute)
        setattr(self, attribute, value)
        return value


numpy: Any = Module("numpy")
pandas: Any = Module("pandas")


def without_gradients() -> Any:
    """A context in which PyTorch, where the program uses it, only computes."""
    torch: Any = sys.modules.get("torch")
    return contextlib.nullcontext() if torch is None else torch.no_grad()


def take(value: Any, positions: Sequence[int]) -> Any:
    """The rows of a table, array or list at these positions, in this order."""
    if hasattr(value, "iloc"):
        return value.iloc[list(positions)]
    if isinstance(value, list):
        return [value[i] for i in positions]
    if isinstance(value, tuple):
        return tuple(value[i] for i in positions)
    return value[numpy.asarray(positions, dtype=numpy.intp)]


def length(value: Any) -> int:
    """How many rows a table, array or list has."""
    shape = getattr(value, "shape", None)
    return int(shape[0]) if shape else len(value)


def label_of(spec: Mapping[str, Any]) -> Any:
    """What the program's table calls a column of the signature; of several levels a tuple."""
    label = spec.get("label", spec["name"])
    return tuple(label) if isinstance(label, list) else label


def is_null(value: Any) -> bool:
    """Whether a single value is None, NaN, NaT or pandas.NA."""
    if value is None:
        return True
    if isinstance(value, (str, int, bytes)):
        return False
    if sys.modules.get("pandas") and (value is pandas.NA or value is pandas.NaT):
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return False
