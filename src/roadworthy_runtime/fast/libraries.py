"""What stands for pandas, NumPy, the frozen forms and the state while steps are followed."""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .columns import Column, cast, listed, operand, typed
from .estimators import Estimator, is_estimator
from .graph import Graph, Node, Unsupported, plain
from .operations import Edges, Moments, shape_of
from .tables import Matrix, Table

Function = Callable[..., Any]
SYMBOLIC = (Column, Table, Matrix)


class Library:
    """A module of which the given functions can be followed; it answers all that has no rows."""

    def __init__(self, wrapper: Wrapper, module: Any, functions: Mapping[str, Function]) -> None:
        self.__dict__.update(_wrapper=wrapper, _module=module, _functions=functions)

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._module, name)
        followed = self._functions.get(name)
        if followed is None and (isinstance(real, type) or not callable(real)):
            return real if isinstance(real, type) else self._wrapper.wrap(real)

        @functools.wraps(real, updated=())
        def called(*args: Any, **kwargs: Any) -> Any:
            if any(map(has_rows, (*args, *kwargs.values()))):
                if followed is None:
                    raise Unsupported(f"{self._module.__name__}.{name}")
                return followed(self._wrapper.graph, *args, **kwargs)
            return self._wrapper.wrap(real(*map(unwrap, args), **_unwrapped(kwargs)))

        return called


class Frozen:
    """A value without rows; what is taken from it has none either."""

    __array_ufunc__ = None

    def __init__(self, wrapper: Wrapper, value: Any) -> None:
        self.__dict__.update(_wrapper=wrapper, roadworthy_value=value)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.roadworthy_value, name)
        if not callable(found):
            return self._wrapper.wrap(found)

        def called(*args: Any, **kwargs: Any) -> Any:
            if any(map(has_rows, (*args, *kwargs.values()))):
                raise Unsupported(f"{name} of a frozen value on rows")
            return self._wrapper.wrap(found(*map(unwrap, args), **_unwrapped(kwargs)))

        return called

    def __getitem__(self, key: Any) -> Any:
        if has_rows(key):
            raise Unsupported("a frozen value looked up by rows")
        return self._wrapper.wrap(self.roadworthy_value[unwrap(key)])

    def __iter__(self) -> Any:
        return (self._wrapper.wrap(item) for item in self.roadworthy_value)

    def __len__(self) -> int:
        return len(self.roadworthy_value)

    def __contains__(self, item: Any) -> bool:
        return item in self.roadworthy_value


class Wrapper:
    """Puts what can be followed in the place of values, modules and functions of a flow."""

    def __init__(self, graph: Graph, directory: Path) -> None:
        self.graph = graph
        self._directory = str(directory)
        self._worlds: dict[int, dict[str, Any]] = {}

    def wrap(self, value: Any) -> Any:
        """The value as steps see it while they are followed."""
        value = plain(value) if type(value).__module__ == "numpy" else value
        if value is None or isinstance(value, (bool, int, float, str, type, slice)):
            return value
        if type(value) in (list, tuple):
            return type(value)(self.wrap(item) for item in value)
        if type(value) is dict:
            return {key: self.wrap(item) for key, item in value.items()}
        if isinstance(value, types.FunctionType):
            return self.rebind(value)
        if is_estimator(value):
            return Estimator(self.graph, value)
        if isinstance(value, types.ModuleType):
            return self._library(value)
        if type(value).__name__ == "State" and type(value).__module__.startswith("flow_support"):
            wrapped = {name: self.wrap(item) for name, item in vars(value).items()}
            return types.SimpleNamespace(**wrapped)
        return Frozen(self, value)

    def rebind(self, function: Any) -> Any:
        """A function of the flow's own in a world where everything can be followed."""
        world = function.__globals__
        if not str(world.get("__file__", "")).startswith(self._directory):
            return Library(self, types.SimpleNamespace(__name__="", f=function), {}).f
        if id(world) not in self._worlds:
            followed: dict[str, Any] = {}
            self._worlds[id(world)] = followed
            for name, value in world.items():
                own = name.startswith("__") or name in ("flow", "predict", "answer")
                followed[name] = value if own else self.wrap(value)
        followed = self._worlds[id(world)]
        made = types.FunctionType(
            function.__code__, followed, function.__name__, function.__defaults__,
            function.__closure__,
        )  # fmt: skip
        made.__kwdefaults__ = function.__kwdefaults__
        return made

    def _library(self, module: Any) -> Any:
        name = module.__name__
        if name == "numpy":
            return Library(self, module, _NUMPY)
        if name == "pandas":
            return Library(self, module, _PANDAS)
        if name == "flow_frozen":
            return Library(self, module, _FROZEN)
        if str(getattr(module, "__file__", "")).startswith(self._directory):
            functions = {n: v for n, v in vars(module).items() if isinstance(v, types.FunctionType)}
            return types.SimpleNamespace(**{n: self.rebind(v) for n, v in functions.items()})
        return Library(self, module, {})


class FollowedRows:
    """What stands for ``rows``: a row that a filter would drop is left to the reference form."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def filter(self, value: Any, keep: Any, *, line: Any = None, reason: str = "") -> Any:
        if callable(keep) and not isinstance(keep, Column):
            keep = keep(value.copy())
        if not isinstance(keep, Column) or keep.node.type != "bool":
            raise Unsupported("a filter by other than a condition")
        self._graph.guards.append(keep.node)
        return value.copy()

    def dropna(
        self, frame: Any, *, line: Any = None, reason: str = "", subset: Any = None,
        how: str = "any", inplace: bool = False, axis: Any = 0, ignore_index: bool = False,
    ) -> Any:  # fmt: skip
        if how != "any" or axis not in (0, "index") or not isinstance(frame, Table):
            raise Unsupported("dropna otherwise than of rows with any null")
        names = [subset] if isinstance(subset, str) else subset
        for name in frame.columns if names is None else listed(names):
            there = (~frame[name].isna()).node
            self._graph.guards.append(there)
        return frame.copy()

    def merge(
        self, frame: Any, other: Any, *, line: Any = None, reason: str = "", **how: Any
    ) -> Any:
        return frame.merge(other, **how)


def has_rows(value: Any) -> bool:
    """Whether a value is of rows, or holds such a value."""
    if isinstance(value, SYMBOLIC):
        return True
    if isinstance(value, (list, tuple)):
        return any(map(has_rows, value))
    return isinstance(value, dict) and any(map(has_rows, value.values()))


def unwrap(value: Any) -> Any:
    """The value itself."""
    if isinstance(value, Frozen):
        return value.roadworthy_value
    if type(value) in (list, tuple):
        return type(value)(map(unwrap, value))
    return _unwrapped(value) if type(value) is dict else value


def _unwrapped(values: Mapping[str, Any]) -> dict[Any, Any]:
    return {name: unwrap(value) for name, value in values.items()}


# -- pandas -------------------------------------------------------------------------------------


def _get_dummies(
    graph: Graph, rows: Any, prefix: Any = None, prefix_sep: str = "_", columns: Any = None,
    drop_first: bool = False, dtype: Any = None, dummy_na: bool = False,
) -> Table:  # fmt: skip
    if dummy_na:
        raise Unsupported("dummies of null")
    if isinstance(rows, Column):
        found = _dummies(graph, rows.node, prefix, prefix_sep, drop_first, dtype)
        return Table(graph, found)
    wanted = listed(columns) if columns is not None else [
        name for name, node in rows.nodes.items() if node.type in ("text", "code")
    ]  # fmt: skip
    titles = _prefixes(prefix, wanted)
    made = {name: node for name, node in rows.nodes.items() if name not in wanted}
    for name in wanted:
        node = rows.nodes[name]
        made.update(_dummies(graph, node, titles[name], prefix_sep, drop_first, dtype))
    return Table(graph, made)


def _prefixes(prefix: Any, wanted: list[Any]) -> dict[Any, Any]:
    if prefix is None:
        return {name: name for name in wanted}
    if isinstance(prefix, Mapping):
        return {name: prefix[name] for name in wanted}
    if isinstance(prefix, str):
        return dict.fromkeys(wanted, prefix)
    return dict(zip(wanted, listed(prefix)))


def _dummies(
    graph: Graph, node: Node, prefix: Any, separator: str, drop_first: bool, dtype: Any
) -> dict[Any, Node]:
    if node.type != "code":
        raise Unsupported("dummies of a column without frozen levels")
    made = {}
    for code, level in enumerate(node.levels or ()):
        if code == 0 and drop_first:
            continue
        dummy = graph.add("dummy", (node,), "bool", code)
        title = level if prefix is None else f"{prefix}{separator}{level}"
        made[title] = dummy if dtype is None else cast(graph, dummy, dtype)
    return made


def _cut(
    graph: Graph, x: Any, bins: Any, right: bool = True, labels: Any = None,
    include_lowest: bool = False, **more: Any,
) -> Column:  # fmt: skip
    if more or not isinstance(x, Column) or isinstance(bins, int):
        raise Unsupported("cut into bins that are not given")
    edges = [float(edge) for edge in listed(bins)]
    if any(a >= b for a, b in zip(edges, edges[1:])):
        raise Unsupported("edges that don't ascend")
    node = graph.numeric(x.node)
    if labels is False:
        data = Edges(tuple(edges), right, include_lowest, math.nan)
        return x.made(graph.add("cut", (node,), "float", data))
    if labels is None:
        raise Unsupported("bins as intervals")
    data = Edges(tuple(edges), right, include_lowest, -1)
    levels = listed(labels)
    return x.made(graph.add("cut", (node,), "code", data, levels=levels))


def _to_datetime(
    graph: Graph, values: Any, utc: bool = False, format: Any = None, errors: str = "raise"
) -> Column:
    node = values.node
    if node.type == "time" and not utc:
        return values  # type: ignore[no-any-return]
    evaluate = getattr(graph, "evaluate", None)
    if node.type != "text" or errors != "raise" or evaluate is None:
        raise Unsupported("to_datetime of other than text")
    if format not in (None, "ISO8601", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"):
        raise Unsupported(f"times in the format {format}")
    shape = shape_of(str(evaluate(node)))
    if shape not in _SHAPES:
        raise Unsupported(f"times as {shape}")
    aware = utc or shape.endswith("Z")
    return values.made(graph.add("moment", (node,), "time", Moments(shape, aware)))  # type: ignore[no-any-return]


_SHAPES = ("0000-00-00", "0000-00-00 00:00:00", "0000-00-00T00:00:00", "0000-00-00T00:00:00Z")


def _concat(graph: Graph, objects: Any, axis: Any = 0, **more: Any) -> Table:
    if axis not in (1, "columns") or more:
        raise Unsupported("concat of rows")
    made: dict[Any, Node] = {}
    for each in objects:
        table = each.to_frame() if isinstance(each, Column) else each
        if not isinstance(table, Table) or set(table.nodes) & set(made):
            raise Unsupported("concat of other than tables with different columns")
        made.update(table.nodes)
    return Table(graph, made)


def _data_frame(
    graph: Graph, data: Any, columns: Any = None, index: Any = None, dtype: Any = None
) -> Table:
    if dtype is not None:
        raise Unsupported("a table made with a type")
    if isinstance(data, Table):
        return data[columns] if columns is not None else data.copy()
    if isinstance(data, Matrix):
        titles = range(len(data.columns)) if columns is None else listed(columns)
        return Table(graph, dict(zip(titles, data.columns)))
    if isinstance(data, dict) and columns is None:
        made = Table(graph, {})
        for name, value in data.items():
            made[name] = value
        return made
    raise Unsupported("a table made otherwise")


def _categorical(graph: Graph, values: Any, categories: Any = None, ordered: Any = None) -> Column:
    return values.made(coded(graph, values.node, listed(categories)))  # type: ignore[no-any-return]


def coded(graph: Graph, node: Node, levels: list[Any]) -> Node:
    """A column as numbers of these levels, -1 for null and for anything else."""
    if node.type == "code":
        if list(node.levels or ()) == levels:
            return node
        node = graph.text_of(node)
    table = {level: code for code, level in enumerate(levels)}
    if node.type not in ("text", "int", "float") or None in table:
        raise Unsupported(f"categories of {node.type}")
    op = "float_lookup" if node.type == "float" else "lookup"
    return graph.add(op, (node,), "code", (table, -1), levels=levels)


def _merge(graph: Graph, left: Any, right: Any, **how: Any) -> Table:
    return left.merge(right, **how)  # type: ignore[no-any-return]


# -- frozen forms -------------------------------------------------------------------------------


def _with_levels(graph: Graph, rows: Any, levels: Any, *_: Any, **__: Any) -> Any:
    if isinstance(rows, Column):
        (known,) = levels.values()
        return rows.made(coded(graph, rows.node, listed(known)))
    made = rows.copy()
    for name, known in levels.items():
        if name in made:
            made.nodes[name] = coded(graph, made.nodes[name], listed(known))
    return made


def _frozen_dummies(graph: Graph, rows: Any, levels: Any, names: Any, **how: Any) -> Table:
    made = _get_dummies(graph, _with_levels(graph, rows, levels), **how)
    return made[[name for name in listed(names) if name in made]]  # type: ignore[no-any-return]


def _codes(graph: Graph, values: Any, levels: Any) -> Column:
    node = coded(graph, values.node, listed(levels))
    zero = graph.constant(0)
    number = graph.add("add", (node, zero), "int", None, len(node.levels or ()) + 1.0)
    return Column(graph, number, "array")


def _by_group(graph: Graph, rows: Any, keys: Any, table: Any) -> Column:
    table = unwrap(table)
    names = listed(keys)
    if len(names) == 1:
        return rows[names[0]].map(Frozen(None, table))  # type: ignore[arg-type, no-any-return]
    if len(names) != 2 or not table.index.is_unique:
        raise Unsupported("groups by more than two keys")
    found, type_ = typed(table.tolist())
    pairs = [tuple(plain(part) for part in key) for key in table.index.tolist()]
    nodes = [rows[name].node for name in names]
    if any(node.type not in ("text", "int", "float") for node in nodes):
        raise Unsupported("groups by other than texts and numbers")
    data = (dict(zip(pairs, found)), None if type_ == "text" else math.nan)
    return Column(graph, graph.add("pair_lookup", nodes, type_, data))


# -- NumPy --------------------------------------------------------------------------------------


def _elementwise(op: str) -> Function:
    def followed(graph: Graph, values: Any) -> Any:
        if isinstance(values, Table):
            return Table(graph, {n: values[n].function(op).node for n in values})
        if isinstance(values, Matrix):
            return values._each(lambda column: column.function(op))
        return values.function(op)

    return followed


def _where(graph: Graph, condition: Any, yes: Any, no: Any) -> Column:
    first, second = operand(graph, yes), operand(graph, no)
    if not isinstance(condition, Column) or first is None or second is None:
        raise Unsupported("where of other than columns")
    return Column(graph, graph.choose(condition.node, first, second), "array")


def _concatenate(graph: Graph, parts: Any, axis: int = 0) -> Matrix:
    if axis != 1:
        raise Unsupported("arrays put below one another")
    return _hstack(graph, parts)


def _hstack(graph: Graph, parts: Any) -> Matrix:
    columns: list[Node] = []
    for each in parts:
        whole = each.to_numpy() if isinstance(each, Table) else each
        columns += whole.columns if isinstance(whole, Matrix) else [whole.node]
    return Matrix(graph, columns)


def _round(graph: Graph, values: Any, decimals: int = 0) -> Any:
    return values.round(decimals)


def _argmax(graph: Graph, values: Any, axis: Any = None) -> Any:
    return values.argmax(axis)


def _as_array(graph: Graph, values: Any, dtype: Any = None) -> Any:
    return values.to_numpy(dtype) if hasattr(type(values), "to_numpy") else values


_FUNCTIONS = (
    "log", "log2", "log10", "log1p", "sqrt", "exp", "expm1", "sin", "cos", "tanh", "floor", "ceil"
)  # fmt: skip
_NUMPY: dict[str, Function] = {
    **{name: _elementwise(name) for name in _FUNCTIONS},
    "abs": lambda graph, values: abs(values),
    "absolute": lambda graph, values: abs(values),
    "isnan": lambda graph, values: values.isna(),
    "where": _where,
    "hstack": _hstack,
    "column_stack": _hstack,
    "concatenate": _concatenate,
    "round": _round,
    "argmax": _argmax,
    "asarray": _as_array,
    "array": _as_array,
    "ravel": lambda graph, values: values.ravel(),
    "clip": lambda graph, values, low=None, high=None: values.clip(low, high),
}

_PANDAS: dict[str, Function] = {
    "get_dummies": _get_dummies,
    "cut": _cut,
    "to_datetime": _to_datetime,
    "concat": _concat,
    "DataFrame": _data_frame,
    "Categorical": _categorical,
    "merge": _merge,
    "isna": lambda graph, values: values.isna(),
    "isnull": lambda graph, values: values.isna(),
    "notna": lambda graph, values: values.notna(),
}

_FROZEN: dict[str, Function] = {
    "get_dummies": _frozen_dummies,
    "with_levels": _with_levels,
    "as_category": _with_levels,
    "codes": _codes,
    "by_group": _by_group,
    "encoded": lambda graph, encoder, values, line=None: encoder.transform(values),
}
