"""A table, and an array of two dimensions, as the flow's own statements see them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .columns import Column, cast, listed, looked_up, operand
from .graph import Graph, Node, Unsupported


class Names(list):  # type: ignore[type-arg]
    """The names of a table's columns."""

    def tolist(self) -> list[Any]:
        return list(self)


class Table:
    """Columns by name, in order; statements that change it change this object."""

    __array_ufunc__ = None

    def __init__(self, graph: Graph, nodes: Mapping[Any, Node]) -> None:
        self.__dict__.update(graph=graph, nodes=dict(nodes))

    graph: Graph
    nodes: dict[Any, Node]

    def __getattr__(self, name: str) -> Any:
        if name in self.nodes:
            return self[name]
        raise Unsupported(f"a table's {name}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise Unsupported("a column set as an attribute")

    def __len__(self) -> int:
        raise Unsupported("the number of rows")

    def __iter__(self) -> Any:
        return iter(list(self.nodes))

    def __contains__(self, name: Any) -> bool:
        return name in self.nodes

    def _column(self, name: Any) -> Column:
        if name not in self.nodes:
            raise Unsupported(f"there is no column {name!r}")
        return Column(self.graph, self.nodes[name], "series", name)

    def _made(self, nodes: Mapping[Any, Node]) -> Table:
        return Table(self.graph, nodes)

    def __getitem__(self, key: Any) -> Any:
        key = getattr(key, "roadworthy_value", key)
        if isinstance(key, (Column, slice)):
            raise Unsupported("rows chosen without being followed")
        if isinstance(key, (str, int)):
            return self._column(key)
        return self._made({name: self._column(name).node for name in listed(key)})

    def __setitem__(self, key: Any, value: Any) -> None:
        key = getattr(key, "roadworthy_value", key)
        if isinstance(key, (list, tuple)):
            nodes = _columns_of(value)
            if len(nodes) != len(key):
                raise Unsupported("columns set to another number of columns")
            self.nodes.update(zip(key, nodes))
            return
        if not isinstance(key, (str, int)):
            raise Unsupported("rows set by a mask")
        if isinstance(value, Matrix) and len(value.columns) == 1:
            value = Column(self.graph, value.columns[0])
        node = operand(self.graph, value)
        if node is None:
            raise Unsupported(f"a column set to a {type(value).__name__}")
        self.nodes[key] = node

    def __delitem__(self, key: Any) -> None:
        del self.nodes[key]

    # -- shape ---------------------------------------------------------------------------------

    @property
    def columns(self) -> Names:
        return Names(self.nodes)

    @property
    def index(self) -> str:
        return "rows"

    @property
    def loc(self) -> Places:
        return Places(self, by_name=True)

    @property
    def iloc(self) -> Places:
        return Places(self, by_name=False)

    @property
    def values(self) -> Matrix:
        return self.to_numpy()

    def to_numpy(self, dtype: Any = None) -> Matrix:
        nodes = list(self.nodes.values())
        if dtype is not None:
            nodes = [cast(self.graph, node, dtype) for node in nodes]
        return Matrix(self.graph, nodes)

    def copy(self, deep: bool = True) -> Table:
        return self._made(self.nodes)

    def reset_index(self, drop: bool = False) -> Table:
        if not drop:
            raise Unsupported("reset_index without drop")
        return self.copy()

    def drop(
        self, labels: Any = None, axis: Any = 0, columns: Any = None, inplace: bool = False,
        errors: str = "raise",
    ) -> Optional[Table]:  # fmt: skip
        if columns is None:
            if axis not in (1, "columns"):
                raise Unsupported("rows dropped by their labels")
            columns = labels
        gone = set([columns] if isinstance(columns, str) else listed(columns))
        if errors == "raise" and not gone <= set(self.nodes):
            raise Unsupported("a column dropped that is not there")
        return self._kept({n: node for n, node in self.nodes.items() if n not in gone}, inplace)

    def rename(self, columns: Any = None, inplace: bool = False) -> Optional[Table]:
        if not isinstance(columns, Mapping):
            raise Unsupported("rename by other than a mapping of columns")
        return self._kept({columns.get(n, n): node for n, node in self.nodes.items()}, inplace)

    def reindex(self, columns: Any = None, fill_value: Any = float("nan")) -> Table:
        if columns is None:
            raise Unsupported("reindex of rows")
        other = operand(self.graph, fill_value)
        if other is None:
            raise Unsupported("reindex with other than a plain value")
        return self._made({name: self.nodes.get(name, other) for name in listed(columns)})

    def _kept(self, nodes: dict[Any, Node], inplace: bool) -> Optional[Table]:
        if not inplace:
            return self._made(nodes)
        self.nodes.clear()
        self.nodes.update(nodes)
        return None

    # -- values --------------------------------------------------------------------------------

    def assign(self, **columns: Any) -> Table:
        made = self.copy()
        for name, value in columns.items():
            made[name] = value(made) if callable(value) else value
        return made

    def pop(self, name: Any) -> Column:
        found = self._column(name)
        del self.nodes[name]
        return found

    def get(self, name: Any) -> Column:
        return self._column(name)

    def fillna(self, value: Any, inplace: bool = False) -> Optional[Table]:
        value = getattr(value, "roadworthy_value", value)
        by_name = value if isinstance(value, Mapping) or hasattr(value, "index") else None
        nodes = dict(self.nodes)
        for name in nodes:
            if by_name is not None and name not in by_name:
                continue
            filling = value if by_name is None else by_name[name]
            nodes[name] = self._column(name).fillna(filling).node
        return self._kept(nodes, inplace)

    def astype(self, dtype: Any, copy: bool = True) -> Table:
        nodes = dict(self.nodes)
        for name, node in self.nodes.items():
            if isinstance(dtype, Mapping) and name not in dtype:
                continue
            wanted = dtype[name] if isinstance(dtype, Mapping) else dtype
            nodes[name] = cast(self.graph, node, wanted)
        return self._made(nodes)

    def isna(self) -> Table:
        return self._made({n: self.graph.missing(node) for n, node in self.nodes.items()})

    isnull = isna

    def clip(self, lower: Any = None, upper: Any = None) -> Table:
        return self._made({n: self._column(n).clip(lower, upper).node for n in self.nodes})

    def merge(
        self, other: Any, on: Any = None, how: str = "inner", left_on: Any = None,
        right_on: Any = None, suffixes: Sequence[str] = ("_x", "_y"),
    ) -> Table:  # fmt: skip
        """A join with a frozen table by one key of its own; each row keeps its place."""
        table = getattr(other, "roadworthy_value", other)
        left, right = (on, on) if on is not None else (left_on, right_on)
        left, right = (one[0] if isinstance(one, list) and len(one) == 1 else one
                       for one in (left, right))  # fmt: skip
        if not hasattr(table, "columns") or not isinstance(left, str) or not isinstance(right, str):
            raise Unsupported("a join by other than one named key")
        if how not in ("left", "inner") or not table[right].is_unique:
            raise Unsupported("a join that repeats or reorders rows")
        keys = table[right].tolist()
        key = self._column(left).node
        nodes = dict(self.nodes)
        added = {name: table[name].tolist() for name in table.columns if on is None or name != on}
        for name in [name for name in added if name in nodes]:
            nodes = {n + suffixes[0] if n == name else n: node for n, node in nodes.items()}
        for name, values in added.items():
            title = name + suffixes[1] if name in self.nodes else name
            nodes[title] = looked_up(self.graph, key, dict(zip(keys, values)))
        if how == "inner":
            among = frozenset(keys)
            self.graph.guards.append(self.graph.add("among", (key,), "bool", among))
        return self._made(nodes)

    def sum(self, axis: Any = 0) -> Column:
        self._along_rows(axis)
        return self._folded()

    def mean(self, axis: Any = 0) -> Column:
        self._along_rows(axis)
        total: Column = self._folded() / len(self.nodes)
        return total

    def _folded(self) -> Column:
        columns = [Column(self.graph, node) for node in self.nodes.values()]
        if any(node.type not in ("int", "bool") for node in self.nodes.values()):
            raise Unsupported("a sum of floats by row, which skips nulls")
        zero = Column(self.graph, self.graph.constant(0))
        found: Column = functools.reduce(lambda a, b: a + b, columns, zero)
        return found

    def _along_rows(self, axis: Any) -> None:
        if axis not in (1, "columns"):
            raise Unsupported("a statistic of a column")


class Places:
    """``table.loc`` and ``table.iloc``, for whole columns, and for masks that are set."""

    def __init__(self, table: Table, by_name: bool) -> None:
        self._table, self._by_name = table, by_name

    def __getitem__(self, key: Any) -> Any:
        rows, columns = self._split(key)
        if rows != slice(None):
            raise Unsupported("rows chosen without being followed")
        return self._table[self._names(columns)]

    def __setitem__(self, key: Any, value: Any) -> None:
        rows, columns = self._split(key)
        name = self._names(columns)
        if not isinstance(name, (str, int)):
            raise Unsupported("several columns set by place")
        if isinstance(rows, slice) and rows == slice(None):
            self._table[name] = value
            return
        if not isinstance(rows, Column):
            raise Unsupported("rows set by their labels")
        graph = self._table.graph
        other = operand(graph, value)
        if other is None:
            raise Unsupported(f"rows set to a {type(value).__name__}")
        if name not in self._table.nodes:
            raise Unsupported("a column made by setting some rows")
        node = self._table.nodes[name]
        self._table.nodes[name] = graph.choose(rows.node, other, node)

    def _split(self, key: Any) -> tuple[Any, Any]:
        if isinstance(key, tuple) and len(key) == 2:
            return key
        if isinstance(key, Column):
            raise Unsupported("rows chosen without being followed")
        return key, slice(None)

    def _names(self, columns: Any) -> Any:
        columns = getattr(columns, "roadworthy_value", columns)
        every = self._table.columns
        if isinstance(columns, slice):
            if self._by_name and (columns.start is not None or columns.stop is not None):
                first = 0 if columns.start is None else every.index(columns.start)
                last = len(every) if columns.stop is None else every.index(columns.stop) + 1
                return list(every[first:last])
            return list(every[columns])
        if self._by_name:
            return columns if isinstance(columns, str) else listed(columns)
        return every[columns] if isinstance(columns, int) else [every[i] for i in listed(columns)]


class Matrix:
    """An array of two dimensions, by column."""

    __array_ufunc__ = None

    def __init__(self, graph: Graph, columns: Sequence[Node]) -> None:
        self.graph = graph
        self.columns = list(columns)

    def __getattr__(self, name: str) -> Any:
        raise Unsupported(f"an array's {name}")

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, tuple) or len(key) != 2 or key[0] != slice(None):
            raise Unsupported("rows of an array")
        if isinstance(key[1], int):
            return Column(self.graph, self.columns[key[1]], "array")
        if isinstance(key[1], slice):
            return Matrix(self.graph, self.columns[key[1]])
        return Matrix(self.graph, [self.columns[i] for i in listed(key[1])])

    def _each(self, function: Any) -> Matrix:
        made = [function(Column(self.graph, node, "array")).node for node in self.columns]
        return Matrix(self.graph, made)

    def round(self, decimals: int = 0) -> Matrix:
        return self._each(lambda column: column.round(decimals))

    def astype(self, dtype: Any) -> Matrix:
        return Matrix(self.graph, [cast(self.graph, node, dtype) for node in self.columns])

    def toarray(self) -> Matrix:
        return self

    todense = toarray

    def copy(self) -> Matrix:
        return Matrix(self.graph, self.columns)

    def ravel(self) -> Column:
        if len(self.columns) != 1:
            raise Unsupported("ravel of several columns")
        return Column(self.graph, self.columns[0], "array")

    flatten = squeeze = ravel

    def argmax(self, axis: Any = None) -> Column:
        if axis not in (1, -1) or any(node.type != "float" for node in self.columns):
            raise Unsupported("argmax of other than a row's numbers")
        node = self.graph.add("greatest", self.columns, "int", None, len(self.columns) + 1.0)
        return Column(self.graph, node, "array")

    def _arithmetic(self, name: str, other: Any) -> Matrix:
        if isinstance(other, (Table, Matrix, Column)) or operand(self.graph, other) is None:
            raise Unsupported("arithmetic of arrays")
        return self._each(lambda column: getattr(column, name)(other))

    def __add__(self, other: Any) -> Matrix:
        return self._arithmetic("__add__", other)

    def __sub__(self, other: Any) -> Matrix:
        return self._arithmetic("__sub__", other)

    def __mul__(self, other: Any) -> Matrix:
        return self._arithmetic("__mul__", other)

    def __truediv__(self, other: Any) -> Matrix:
        return self._arithmetic("__truediv__", other)

    __radd__, __rmul__ = __add__, __mul__


def _columns_of(value: Any) -> list[Node]:
    if isinstance(value, Matrix):
        return value.columns
    if isinstance(value, Table):
        return list(value.nodes.values())
    raise Unsupported(f"columns set to a {type(value).__name__}")
