"""How columns of a request enter the fast form: their types, and which rows are left at once."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .graph import LARGE, SMALL, Graph, Leave, Node, Unsupported, plain

EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)
_EARLIEST = datetime.datetime(1678, 1, 1)
_LATEST = datetime.datetime(2262, 1, 1)
_TEXTS = ("str", "object", "string")


class Entry:
    """One column of the signature.

    Rows are left that the flow would reject, convert with an error, or answer with a warning:
    null where creation had none, a text that creation never saw, numbers out of bounds.
    """

    def __init__(self, graph: Graph, spec: Mapping[str, Any]) -> None:
        self.name: str = spec["name"]
        label: Any = spec.get("label", self.name)
        # As support's label_of has it: this package stands alone beside a flow, of any version.
        self.label: Any = tuple(label) if isinstance(label, list) else label
        self.nullable: bool = spec.get("nullable", False)
        type_, dtype = spec["type"], str(spec["dtype"])
        self.levels: Optional[frozenset[Any]] = None
        if type_ == "text" and spec.get("levels"):
            self.levels = frozenset(spec["levels"]) | ({None} if self.nullable else set())
        self.codes: dict[Any, int] = {}
        self.bound = SMALL
        self.type = self._type(type_, dtype)
        levels = None
        if self.type == "code":
            levels = [plain(level) for level in spec.get("categories", spec.get("levels")) or ()]
            self.codes = {level: code for code, level in enumerate(levels)}
        if self.type == "int":
            extremes = (abs(spec.get("minimum", 0)), abs(spec.get("maximum", 0)))
            self.bound = SMALL if max(extremes) < SMALL else LARGE
        self.node: Node = graph.add(
            "input", (), self.type, self.name, self.bound + 1, levels=levels
        )
        if self.type == "time":
            self.node.data = "naive"
        example = spec.get("example")
        self.example = None
        if example is not None and self.type not in ("time",):
            self.example = self.one(example)

    def _type(self, type_: str, dtype: str) -> str:
        if dtype == "category" and type_ == "text":
            return "code"
        known = {"float64": "float", "int64": "int", "bool": "bool"}.get(dtype)
        if type_ in ("float", "int", "bool") and known == type_:
            if self.nullable and known != "float":
                raise Unsupported(f"column {self.name}: {dtype} with nulls")
            return known
        if type_ == "text" and dtype in _TEXTS:
            return "text"
        if type_ == "datetime" and dtype in ("datetime64[ns]", "datetime64[us]"):
            return "time"
        raise Unsupported(f"column {self.name} of type {dtype}")

    def one(self, value: Any) -> Any:
        """One value as it came (None: null), as the program for one row takes it. Raises Leave."""
        if value is None and not self.nullable:
            raise Leave
        kind = self.type
        if kind == "float":
            if value is None:
                return math.nan
            if value != value and not self.nullable:
                raise Leave
            return float(value)
        if kind == "int":
            if not -self.bound <= value <= self.bound:
                raise Leave
        elif kind == "time":
            return self._moment(value)
        else:
            if self.levels is not None and value not in self.levels:
                raise Leave
            if kind == "code":
                return -1 if value is None else self.codes.get(value, -1)
        return value

    def listed(self, values: Sequence[Any]) -> Sequence[Any]:
        """Many values for the program for one row, if none of their rows has to be left.

        Raises Leave otherwise.
        """
        kind = self.type
        if kind == "text" or kind == "bool":
            if self.levels is not None:
                if not self.levels.issuperset(values):
                    raise Leave
            elif not self.nullable and None in values:
                raise Leave
            return values
        if kind == "int" and (max(values) > self.bound or min(values) < -self.bound):
            raise Leave
        if kind == "int" or (kind == "float" and not self.nullable and None not in values):
            return values
        return [self.one(value) for value in values]

    def many(self, values: Any, left: Any) -> Any:
        """A whole column, an array of its type or a list; sets ``left`` where rows are left.

        Raises Leave where this can't be told row by row.
        """
        import numpy

        kind = self.type
        if kind == "float":
            if not self.nullable:
                left |= numpy.isnan(values)
            return values
        if kind in ("int", "bool"):
            if not isinstance(values, numpy.ndarray):
                raise Leave
            if kind == "int":
                left |= (values > self.bound) | (values < -self.bound)
            return values
        if kind == "time":
            return [self._moment(value) for value in _microseconds(values)]
        levels, codes = getattr(values, "levels", ()), getattr(values, "codes", None)
        if self.levels is not None and not self.levels.issuperset(levels or values):
            left |= numpy.array([value not in self.levels for value in values])
        elif self.levels is None and not self.nullable and None in values:
            left |= numpy.array([value is None for value in values])
        if kind == "code" and codes is not None:
            return numpy.array([self.codes.get(each, -1) for each in levels], numpy.int64)[codes]
        if kind == "code":
            return numpy.array([self.codes.get(value, -1) for value in values], dtype=numpy.int64)
        return values

    def _moment(self, value: Any) -> Optional[datetime.datetime]:
        if value is None:
            if not self.nullable:
                raise Leave
            return None
        found: datetime.datetime = EPOCH + value * MICROSECOND
        if not _EARLIEST <= found < _LATEST:
            raise Leave
        return found


def _microseconds(values: Any) -> list[Any]:
    if not hasattr(values, "dtype"):
        raise Leave
    found: list[Any] = values.view("int64").tolist()
    return [None if value == -(2**63) else value for value in found]
