"""A column as the flow's own statements see it: what they do to it becomes nodes of the graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Callable, Optional

from .graph import NUMERIC, Graph, Node, Unsupported, plain
from .operations import Applied

Evaluate = Callable[[Node], Any]


class Column:
    """One column: of a table (``series``), or a NumPy array of one dimension (``array``)."""

    __array_ufunc__ = None  # NumPy's numbers leave arithmetic to us

    def __init__(self, graph: Graph, node: Node, kind: str = "series", name: Any = None) -> None:
        self.graph = graph
        self.node = node
        self.kind = kind
        self.name = name

    def __getattr__(self, name: str) -> Any:
        raise Unsupported(f"a column's {name}")

    def made(self, node: Node) -> Column:
        """Another column in this one's place."""
        return Column(self.graph, node, self.kind, self.name)

    # -- arithmetic ----------------------------------------------------------------------------

    def _arithmetic(self, op: str, other: Any, swapped: bool = False) -> Any:
        left, right = self.node, operand(self.graph, other)
        if right is None:
            return NotImplemented
        if swapped:
            left, right = right, left
        if "text" in (left.type, right.type) and op == "add":
            return self.made(self.graph.add("joined", (left, right), "text"))
        return self.made(arithmetic(self.graph, op, left, right))

    def __add__(self, other: Any) -> Any:
        return self._arithmetic("add", other)

    def __radd__(self, other: Any) -> Any:
        return self._arithmetic("add", other, True)

    def __sub__(self, other: Any) -> Any:
        return self._arithmetic("sub", other)

    def __rsub__(self, other: Any) -> Any:
        return self._arithmetic("sub", other, True)

    def __mul__(self, other: Any) -> Any:
        return self._arithmetic("mul", other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self._arithmetic("div", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._arithmetic("div", other, True)

    def __floordiv__(self, other: Any) -> Any:
        return self._arithmetic("floordiv", other)

    def __mod__(self, other: Any) -> Any:
        return self._arithmetic("mod", other)

    def __pow__(self, other: Any) -> Any:
        exponent = plain(other)
        if exponent == 2:
            return self * self
        if exponent == 0.5:
            return self.function("sqrt")
        if type(exponent) is not float or not exponent > 0:
            raise Unsupported(f"a power of {exponent!r}")
        return self._arithmetic("power", exponent)

    def __neg__(self) -> Any:
        return self.made(self._numbers("neg"))

    def __abs__(self) -> Any:
        return self.made(self._numbers("abs"))

    abs = __abs__
    add, radd, sub, rsub = __add__, __radd__, __sub__, __rsub__
    mul, rmul, div, truediv = __mul__, __rmul__, __truediv__, __truediv__
    rdiv, rtruediv, pow, mod, floordiv = __rtruediv__, __rtruediv__, __pow__, __mod__, __floordiv__

    def _numbers(self, op: str) -> Node:
        node = self.node
        if node.type not in ("int", "float"):
            raise Unsupported(f"{op} of {node.type}")
        return self.graph.add(op, (node,), node.type, None, node.bound)

    def function(self, op: str, data: Any = None) -> Column:
        """A function of floats that gives floats."""
        node = self.graph.numeric(self.node)
        return self.made(self.graph.add(op, (node,), "float", data))

    # -- comparison and logic ------------------------------------------------------------------

    def _compared(self, op: str, other: Any) -> Any:
        right = operand(self.graph, other)
        if right is None:
            return NotImplemented
        left = self.node
        if left.type in ("text", "code"):
            if op not in ("eq", "ne"):
                raise Unsupported("an order among texts")
            if right.type not in ("text", "code"):
                raise Unsupported("texts compared with numbers")
            pair = (self.graph.text_of(left), self.graph.text_of(right))
            return self.made(self.graph.add("text_" + op, pair, "bool"))
        if left.type not in NUMERIC or right.type not in NUMERIC:
            raise Unsupported(f"{left.type} compared with {right.type}")
        return self.made(self.graph.add(op, (left, right), "bool"))

    def __eq__(self, other: Any) -> Any:
        return self._compared("eq", other)

    def __ne__(self, other: Any) -> Any:
        return self._compared("ne", other)

    def __lt__(self, other: Any) -> Any:
        return self._compared("lt", other)

    def __le__(self, other: Any) -> Any:
        return self._compared("le", other)

    def __gt__(self, other: Any) -> Any:
        return self._compared("gt", other)

    def __ge__(self, other: Any) -> Any:
        return self._compared("ge", other)

    eq, ne, lt, le, gt, ge = __eq__, __ne__, __lt__, __le__, __gt__, __ge__
    __hash__ = None  # type: ignore[assignment]

    def _logic(self, op: str, other: Any) -> Any:
        right = operand(self.graph, other)
        if right is None or self.node.type != "bool" or right.type != "bool":
            raise Unsupported("logic of other than conditions")
        return self.made(self.graph.add(op, (self.node, right), "bool"))

    def __and__(self, other: Any) -> Any:
        return self._logic("and", other)

    def __or__(self, other: Any) -> Any:
        return self._logic("or", other)

    def __xor__(self, other: Any) -> Any:
        return self._logic("xor", other)

    __rand__, __ror__ = __and__, __or__

    def __invert__(self) -> Any:
        if self.node.type != "bool":
            raise Unsupported("~ of other than a condition")
        return self.made(self.graph.add("not", (self.node,), "bool"))

    def __bool__(self) -> bool:
        raise Unsupported("a decision that depends on rows")

    def __len__(self) -> int:
        raise Unsupported("the number of rows")

    def __iter__(self) -> Any:
        raise Unsupported("a loop over rows")

    def between(self, low: Any, high: Any, inclusive: str = "both") -> Any:
        if inclusive != "both":
            raise Unsupported("between with an open end")
        return (self >= low) & (self <= high)

    def isin(self, values: Any) -> Column:
        known = frozenset(plain(value) for value in listed(values))
        text = self.node.type in ("text", "code")
        if any(isinstance(value, str) != text for value in known):
            raise Unsupported("isin with values of another type")
        node = self.graph.text_of(self.node) if text else self.node
        return self.made(self.graph.add("among", (node,), "bool", known))

    def isna(self) -> Column:
        return self.made(self.graph.missing(self.node))

    def notna(self) -> Any:
        return ~self.isna()

    isnull, notnull = isna, notna

    # -- filling, choosing, looking up ---------------------------------------------------------

    def fillna(self, value: Any, inplace: bool = False) -> Column:
        if inplace:
            raise Unsupported("fillna of a column in place")
        node = self.node
        if node.type in ("int", "bool"):
            return self
        if isinstance(value, Mapping):
            raise Unsupported("fillna of a column with a mapping")
        other = operand(self.graph, value)
        if other is None or (node.type == "float") != (other.type in NUMERIC):
            raise Unsupported("fillna with another type")
        return self.made(self.graph.choose(self.graph.missing(node), other, node))

    def where(self, condition: Any, other: Any = math.nan) -> Column:
        return self.made(self._choice(condition, self.node, other))

    def mask(self, condition: Any, other: Any = math.nan) -> Column:
        return self.made(self._choice(~condition, self.node, other))

    def _choice(self, condition: Any, yes: Node, other: Any) -> Node:
        no = operand(self.graph, other)
        if no is None or not isinstance(condition, Column):
            raise Unsupported("a choice among other than columns")
        return self.graph.choose(condition.node, yes, no)

    def clip(self, lower: Any = None, upper: Any = None) -> Column:
        node = self.node
        for op, limit in (("at_least", lower), ("at_most", upper)):
            if limit is None:
                continue
            other = operand(self.graph, limit)
            if other is None or other.op != "const" or other.data != other.data:
                raise Unsupported("clip at other than numbers")
            if node.type == "int" and other.type != "int":
                node = self.graph.numeric(node)
            if node.type == "float":
                other = self.graph.numeric(other)
            if node.type not in ("int", "float"):
                raise Unsupported(f"clip of {node.type}")
            bound = max(node.bound, other.bound)
            node = self.graph.add(op, (node, other), node.type, None, bound)
        return self.made(node)

    def map(self, how: Any) -> Column:
        if callable(how) and not isinstance(how, Mapping):
            return self.apply(how)
        return self.made(looked_up(self.graph, self.node, table_of(how)))

    def replace(self, how: Any, value: Any = None) -> Column:
        if not isinstance(how, Mapping):
            how = dict.fromkeys(listed(how) if not isinstance(how, str) else [how], value)
        table = {plain(key): plain(item) for key, item in how.items()}
        node = self.node
        kinds = {type(each) for each in (*table, *table.values())}
        if node.type == "text" and kinds <= {str}:
            return self.made(self.graph.add("replaced", (node,), "text", table))
        if node.type == "int" and kinds <= {int}:
            bound = max([node.bound, *(abs(item) + 1.0 for item in table.values())])
            return self.made(self.graph.add("replaced", (node,), "int", table, bound))
        raise Unsupported(f"replace of {node.type}")

    def apply(self, function: Any) -> Column:
        evaluate: Optional[Evaluate] = getattr(self.graph, "evaluate", None)
        if getattr(function, "roadworthy_function", None) is not None:
            function = function.roadworthy_function
        node = self.node
        if evaluate is None or not callable(function) or node.type == "time":
            raise Unsupported("apply")
        try:
            example = function(evaluate(node))
        except Exception as error:
            raise Unsupported(f"apply of a function that raises {error!r}") from None
        types: dict[type, str] = {str: "text", int: "int", float: "float", bool: "bool"}
        if type(example) not in types:
            raise Unsupported(f"apply of a function that gives {type(example).__name__}")
        data = Applied(function, type(example))
        return self.made(self.graph.add("applied", (node,), types[type(example)], data, 2.0**53))

    # -- types and shapes ----------------------------------------------------------------------

    def astype(self, dtype: Any, copy: bool = True) -> Column:
        return self.made(cast(self.graph, self.node, dtype))

    def round(self, decimals: int = 0) -> Column:
        return self if self.node.type == "int" else self.function("round", decimals)

    def copy(self, deep: bool = True) -> Column:
        return self.made(self.node)

    def rename(self, name: Any) -> Column:
        return Column(self.graph, self.node, self.kind, name)

    def reset_index(self, drop: bool = False) -> Column:
        if not drop:
            raise Unsupported("reset_index of a column without drop")
        return self

    def to_numpy(self, dtype: Any = None) -> Column:
        node = self.node if dtype is None else cast(self.graph, self.node, dtype)
        if node.type == "code":
            raise Unsupported("categories as an array")
        return Column(self.graph, node, "array")

    @property
    def values(self) -> Column:
        return self.to_numpy()

    def ravel(self) -> Column:
        return self.to_numpy()

    flatten = ravel

    def squeeze(self) -> Column:
        return self

    def to_frame(self, name: Any = None) -> Any:
        from .tables import Table

        return Table(self.graph, {self.name if name is None else name: self.node})

    def reshape(self, *shape: Any) -> Any:
        from .tables import Matrix

        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        if wanted in ((-1,), (-1, 1)):
            return Matrix(self.graph, [self.node]) if wanted == (-1, 1) else self
        raise Unsupported(f"reshape to {wanted}")

    @property
    def index(self) -> Any:
        return "rows"

    @property
    def str(self) -> Any:
        from .texts import Texts

        return Texts(self)

    @property
    def dt(self) -> Any:
        from .texts import Times

        return Times(self)

    @property
    def cat(self) -> Any:
        from .texts import Categories

        return Categories(self)


def arithmetic(graph: Graph, op: str, left: Node, right: Node) -> Node:
    """An operation on two columns of numbers, with pandas' types."""
    types = {left.type, right.type}
    if not types <= set(NUMERIC) or types == {"bool"}:
        raise Unsupported(f"{op} of {left.type} and {right.type}")
    if op == "div" or op == "power" or "float" in types:
        return graph.add(op, (graph.numeric(left), graph.numeric(right)), "float")
    bound = left.bound * right.bound if op == "mul" else left.bound + right.bound
    left, right = (_whole(graph, node) for node in (left, right))
    return graph.add(op, (left, right), "int", None, bound)


def _whole(graph: Graph, node: Node) -> Node:
    if node.type == "int":
        return node
    if node.op == "const":
        return graph.constant(int(node.data))
    return graph.add("bool_to_int", (node,), "int", None, 2.0)


def cast(graph: Graph, node: Node, dtype: Any) -> Node:
    """The column in another type, as ``astype`` makes it."""
    name = getattr(dtype, "__name__", None) or str(dtype)
    if name in ("float", "float64"):
        return graph.numeric(node)
    if name in ("int", "int64"):
        if node.type == "float":
            return graph.add("to_int", (node,), "int")
        return _whole(graph, node) if node.type in ("int", "bool") else _fail(name, node)
    if name == "bool" and node.type in ("int", "bool"):
        return node if node.type == "bool" else graph.add("to_bool", (node,), "bool")
    if name in ("str", "string") and node.type in ("text", "int"):
        return node if node.type == "text" else graph.add("to_text", (node,), "text")
    if name in ("str", "object") and node.type == "code":
        return graph.text_of(node)
    if name == "object" and node.type == "text":
        return node
    return _fail(name, node)


def _fail(name: str, node: Node) -> Node:
    raise Unsupported(f"astype({name}) of {node.type}")


def operand(graph: Graph, value: Any) -> Optional[Node]:
    """The node of a column or of a plain value; None for anything else."""
    if isinstance(value, Column):
        return value.node
    if value is None or isinstance(value, (bool, int, float, str)) or hasattr(value, "item"):
        if getattr(value, "shape", ()) == ():
            return graph.constant(value)
    return None


def listed(values: Any) -> list[Any]:
    """The values of a list, array, index or set."""
    values = getattr(values, "roadworthy_value", values)
    if isinstance(values, (str, Column)) or not hasattr(values, "__iter__"):
        raise Unsupported(f"{type(values).__name__} where a list is wanted")
    return [plain(value) for value in values]


def table_of(how: Any) -> dict[Any, Any]:
    """The pairs of a dictionary, or of a frozen column's index and values."""
    how = getattr(how, "roadworthy_value", how)
    if type(how) is dict:
        pairs = list(how.items())
    elif hasattr(how, "index") and hasattr(how, "to_numpy") and how.index.is_unique:
        if how.index.nlevels > 1:
            raise Unsupported("a column with an index of several levels")
        pairs = list(zip(how.index.tolist(), how.tolist()))
    else:
        raise Unsupported(f"map by a {type(how).__name__}")
    return {plain(key): plain(value) for key, value in pairs}


def looked_up(graph: Graph, node: Node, table: Mapping[Any, Any], op: str = "lookup") -> Node:
    """What a table has for the column's values; null where it has nothing."""
    if any(key is None or key != key for key in table):
        raise Unsupported("a table with null among its keys")
    values, type_ = typed(table.values())
    found = dict(zip(table, values))
    if op == "lookup":
        if node.type == "code":
            node = graph.text_of(node)
        if node.type not in ("text", "int", "float", "bool"):
            raise Unsupported(f"map of {node.type}")
        op = "float_lookup" if node.type == "float" else "lookup"
    if type_ == "bool":
        return graph.add("exact_lookup", (node,), "bool", found)
    return graph.add(op, (node,), type_, (found, None if type_ == "text" else math.nan))


def typed(values: Any) -> tuple[list[Any], str]:
    """Values of one type (numbers as floats, null among them or not), and that type."""
    items = list(values)
    kinds = {type(item) for item in items if not _null(item)}
    if kinds and kinds <= {str}:
        return [None if _null(item) else item for item in items], "text"
    if kinds <= {int, float}:
        if any(isinstance(item, int) and abs(item) > 2**53 for item in items):
            raise Unsupported("a table of very large numbers")
        return [math.nan if _null(item) else float(item) for item in items], "float"
    if kinds == {bool} and not any(_null(item) for item in items):
        return items, "bool"
    raise Unsupported(f"a table of {', '.join(sorted(kind.__name__ for kind in kinds))}")


def _null(item: Any) -> bool:
    return item is None or bool(item != item)
