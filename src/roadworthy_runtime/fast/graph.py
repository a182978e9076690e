"""The columns of a flow as a graph of known operations, each with a type and a bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Optional

NUMERIC = ("float", "int", "bool")
SMALL = 2.0**31
"""Whole numbers beyond this are left to the reference form, unless creation had greater ones."""
LARGE = 2.0**53
MOST = 2.0**62
"""Where whole numbers may reach this, arithmetic could wrap around: there is no fast form."""


class Unsupported(Exception):
    """The flow does something that has no fast form; the text says what."""


class Leave(Exception):
    """This row is not for the fast form: the reference form answers it."""


class Node:
    """One column: an operation on columns, with what else it needs as ``data``.

    ``type``: float (null is NaN), int, bool, text (null is None), time, or code: a number of
    ``levels``, -1 where it is none of them. ``bound``: no whole number is greater.
    """

    __slots__ = ("args", "bound", "data", "levels", "op", "serial", "type")

    def __init__(
        self,
        serial: int,
        op: str,
        args: tuple[Node, ...],
        type: str,
        data: Any = None,
        bound: float = SMALL,
        levels: Optional[Sequence[Any]] = None,
    ) -> None:
        self.serial = serial
        self.op = op
        self.args = args
        self.type = type
        self.data = data
        self.bound = bound
        self.levels = levels


class Graph:
    """The nodes in the order in which they were made, and the guards that every row must pass."""

    def __init__(self) -> None:
        self.guards: list[Node] = []
        self._made: dict[Any, Node] = {}
        self._count = 0

    def add(
        self,
        op: str,
        args: Sequence[Node],
        type: str,
        data: Any = None,
        bound: float = SMALL,
        levels: Optional[Sequence[Any]] = None,
    ) -> Node:
        """A node; the same operation on the same columns is made once."""
        key = (op, tuple(arg.serial for arg in args), type, _key(data))
        if key not in self._made:
            if type == "int" and bound >= MOST:
                raise Unsupported("whole numbers could grow beyond 64 bits")
            self._count += 1
            self._made[key] = Node(self._count, op, tuple(args), type, data, bound, levels)
        return self._made[key]

    def constant(self, value: Any) -> Node:
        """The same value in every row. Raises Unsupported for other than plain values."""
        value = plain(value)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return self.add("const", (), "float", math.nan)
        if isinstance(value, int) and not isinstance(value, bool):
            return self.add("const", (), "int", value, abs(value) + 1.0)
        for type_, kind in (("bool", bool), ("float", float), ("text", str)):
            if isinstance(value, kind):
                return self.add("const", (), type_, value)
        raise Unsupported(f"a constant of type {type(value).__name__}")

    def numeric(self, node: Node) -> Node:
        """The column as floats."""
        if node.type == "float":
            return node
        if node.type not in ("int", "bool"):
            raise Unsupported(f"{node.type} where numbers are wanted")
        if node.op == "const":
            return self.constant(float(node.data))
        return self.add("to_float", (node,), "float")

    def text_of(self, node: Node) -> Node:
        """A category's levels as text, or the text itself."""
        if node.type == "code":
            if not all(isinstance(level, str) for level in node.levels or ()):
                raise Unsupported("categories that are not text")
            return self.add("level", (node,), "text", tuple(node.levels or ()))
        if node.type != "text":
            raise Unsupported(f"{node.type} where text is wanted")
        return node

    def choose(self, condition: Node, yes: Node, no: Node) -> Node:
        """``yes`` where the condition holds, else ``no``."""
        if condition.type != "bool":
            raise Unsupported(f"a condition of type {condition.type}")
        types = {yes.type, no.type}
        if "text" in types or "code" in types:
            null = [one for one in (yes, no) if is_null(one)]
            yes, no = (
                self.add("const", (), "text", None) if one in null else self.text_of(one)
                for one in (yes, no)
            )
        elif types == {"int"} or types == {"bool"}:
            pass
        elif types <= set(NUMERIC):
            yes, no = self.numeric(yes), self.numeric(no)
        else:
            raise Unsupported(f"a choice between {' and '.join(sorted(types))}")
        op = "text_choose" if yes.type == "text" else "choose"
        return self.add(op, (condition, yes, no), yes.type, None, max(yes.bound, no.bound))

    def missing(self, node: Node) -> Node:
        """Where the column is null."""
        if node.type in ("int", "bool"):
            return self.constant(False)
        if node.type == "code":
            return self.add("lt", (node, self.constant(0)), "bool")
        return self.add("is_nan" if node.type == "float" else "is_none", (node,), "bool")


def is_null(node: Node) -> bool:
    """Whether a node is the constant null."""
    return node.op == "const" and node.type == "float" and node.data != node.data


def plain(value: Any) -> Any:
    """NumPy's numbers as Python's own."""
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        if value.dtype.kind in "biuf" and str(value.dtype) not in ("float32", "float16"):
            return value.item()
        if value.dtype.kind == "U":
            return str(value)
        raise Unsupported(f"a constant of type {value.dtype}")
    return value


def _key(data: Any) -> Any:
    if isinstance(data, float) and math.isnan(data):
        return "nan"
    try:
        hash(data)
    except TypeError:
        return id(data)
    return (type(data).__name__, repr(data) if isinstance(data, (float, tuple)) else data)
