"""Writes a graph as two functions: one of plain values for one row, one of arrays for many."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .graph import Graph, Leave, Node
from .models import Labels
from .operations import OPERATIONS, names
from .trees import one_row

ARRAYS = ("float", "int", "bool", "code", "many")
"""Types that are arrays where there are many rows; texts and times are lists."""


class Program:
    """The nodes that answers need, as source of one function."""

    def __init__(self, inputs: Sequence[Node], outputs: Sequence[Node], graph: Graph) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.guards = list(dict.fromkeys(graph.guards, None))
        self.nodes = _needed([*self.outputs, *self.guards])
        self.world: dict[str, Any] = {}
        self.lines: list[str] = []

    def _bind(self, value: Any) -> str:
        for name, known in self.world.items():
            if known is value:
                return name
        name = f"k{len(self.world)}"
        self.world[name] = value
        return name

    def _name(self, node: Node) -> str:
        if node.op == "const":
            if node.type in ("int", "bool") or (node.type == "float" and math.isfinite(node.data)):
                text = repr(node.data)
                return f"({text})" if text.startswith("-") else text
            return self._bind(node.data)
        return f"v{node.serial}"

    def _template(self, template: str, node: Node) -> str:
        data = "" if "{d}" not in template else self._data(node.data)
        return template.format(*(self._name(arg) for arg in node.args), d=data)

    def _data(self, data: Any) -> str:
        if isinstance(data, (int, float)) and math.isfinite(data):
            return repr(data)
        return self._bind(data)

    def _made(self, source: str, function: str) -> Callable[..., Any]:
        import numpy

        world = {**names(numpy), "_greatest": _greatest, **_HELPERS, **self.world}
        exec(compile(source, f"<{function}>", "exec"), world)
        made: Callable[..., Any] = world[function]
        return made

    # -- one row -------------------------------------------------------------------------------

    def one(self) -> Callable[..., tuple[Any, ...]]:
        """A function of a row's values that gives its answers, or raises: the row is left."""
        lines = [f"def one({', '.join(self._name(node) for node in self.inputs)}):"]
        pending = set(self.guards)
        for node in self.nodes:
            if node.op not in ("input", "const"):
                lines.append(f"    {self._name(node)} = {self._one(node)}")
            if node in pending:
                lines += [f"    if not {self._name(node)}:", "        raise Leave"]
        lines.append(f"    return ({', '.join(map(self._name, self.outputs))},)")
        return self._made("\n".join(lines), "one")

    def _one(self, node: Node) -> str:
        data, args = node.data, [self._name(arg) for arg in node.args]
        if node.op == "linear":
            plain_parts, tables = data.parts(node.args)
            terms = [repr(data.intercept)]
            terms += [f"{c!r} * {self._name(node.args[p])}" for p, c in plain_parts if c]
            terms += [f"{self._bind(table)}[{self._name(code)}]" for code, table in tables.values()]
            return f"_finite({' + '.join(terms)})"
        if node.op == "trees":
            return f"{self._bind(one_row(data))}({', '.join(args)})"
        if node.op == "softmax":
            return f"_softmax(({', '.join(args)},), {data})"
        if node.op == "label_of_sign":
            return f"_sign({self._bind(data)}, {args[0]})"
        if node.op == "label_of_greatest":
            return f"_label({self._bind(data)}, ({', '.join(args)},))"
        if node.op == "greatest":
            return f"_greatest(({', '.join(args)},))"
        return self._template(OPERATIONS[node.op].one, node)

    # -- many rows -----------------------------------------------------------------------------

    def many(self) -> Callable[..., tuple[Any, ...]]:
        """A function of ``n`` and columns that gives the answers and which rows are left."""
        inputs = ", ".join(["n", *(self._name(node) for node in self.inputs)])
        lines = [f"def many({inputs}):", "    left = np.zeros(n, dtype=bool)"]
        pending = set(self.guards)
        for node in self.nodes:
            if node.op not in ("input", "const"):
                lines += self._many(node)
            if node in pending and node.op != "const":
                lines.append(f"    left |= ~{self._name(node)}")
        outputs = ", ".join(f"_column({self._name(node)}, n)" for node in self.outputs)
        lines.append(f"    return ({outputs},), left")
        return self._made("\n".join(lines), "many")

    def _many(self, node: Node) -> list[str]:
        name, args = self._name(node), [self._name(arg) for arg in node.args]
        if node.op == "linear":
            plain_parts, tables = node.data.parts(node.args)
            terms = [repr(node.data.intercept)]
            terms += [f"{c!r} * {self._name(node.args[p])}" for p, c in plain_parts if c]
            for code, table in tables.values():
                terms.append(f"_table({self._bind(table)})[{self._name(code)}]")
            return [f"    {name} = {' + '.join(terms)}", f"    left |= ~np.isfinite({name})"]
        if node.op == "trees":
            stacked = f"_stacked(n, ({', '.join(args)},))"
            lines = [f"    x{node.serial} = {stacked}"]
            if node.data.finite:
                lines.append(f"    left |= ~(np.abs(x{node.serial}) < 3.4e38).all(axis=1)")
                lines.append(f"    x{node.serial}[left] = 0.0")
            return [*lines, f"    {name} = {self._bind(node.data.many)}(x{node.serial})"]
        if node.op in ("softmax", "label_of_sign", "label_of_greatest", "greatest"):
            data = node.data if node.op == "softmax" else self._bind(node.data)
            return [f"    {name} = _many_{node.op}({data}, left, ({', '.join(args)},))"]
        operation = OPERATIONS[node.op]
        if operation.many is not None and all(_is_array(arg) for arg in node.args):
            lines = []
            if operation.guard:
                lines.append(f"    left |= {self._template(operation.guard, node)}")
            return [*lines, f"    {name} = {self._template(operation.many, node)}"]
        return [f"    {name} = {self._looped(node)}"]

    def _looped(self, node: Node) -> str:
        """The operation for one row, on each row."""
        own = list(dict.fromkeys(arg for arg in node.args if arg.op != "const"))
        if not own:
            return self._template(OPERATIONS[node.op].one, node)
        template = self._template(OPERATIONS[node.op].one, node)
        if node.op in ("lookup", "exact_lookup") and node.type in _KINDS and not _is_array(own[0]):
            table = f"{self._bind(node.data)}[0]" if node.op == "lookup" else self._bind(node.data)
            default = f"{self._bind(node.data)}[1]" if node.op == "lookup" else "None"
            found = f"_looked_up({table}, {default}, {self._name(own[0])})"
            return f"np.array({found}, dtype={_KINDS[node.type]})"
        each = ", ".join(map(self._name, own))
        columns = [
            f"_listed({self._name(arg)})" if _is_array(arg) else self._name(arg) for arg in own
        ]
        source = columns[0] if len(own) == 1 else f"zip({', '.join(columns)})"
        found = f"[{template} for {each} in {source}]"
        return f"np.array({found}, dtype={_KINDS[node.type]})" if node.type in _KINDS else found


_KINDS = {"float": "np.float64", "int": "np.int64", "bool": "bool", "code": "np.int64"}


def _needed(wanted: Iterable[Node]) -> list[Node]:
    """All nodes that some nodes need, in the order of their making."""
    found: dict[int, Node] = {}
    pending = list(wanted)
    while pending:
        node = pending.pop()
        if node.serial in found:
            continue
        found[node.serial] = node
        if node.op == "linear":
            plain_parts, tables = node.data.parts(node.args)
            pending += [node.args[place] for place, _ in plain_parts]
            pending += [code for code, _ in tables.values()]
        else:
            pending += node.args
    return [found[serial] for serial in sorted(found)]


def _is_array(node: Node) -> bool:
    return node.type in ARRAYS


# -- what the functions use ---------------------------------------------------------------------


def _looked_up(table: dict[Any, Any], default: Any, values: Any) -> Any:
    """What a table has for each value; quickest where they come by levels, or it has them all."""
    levels = getattr(values, "levels", ())
    if levels and (default is not None or table.keys() >= set(levels)):
        return _table([table.get(level, default) for level in levels])[values.codes]
    try:
        return list(map(table.__getitem__, values))
    except KeyError:
        if default is None:
            raise
        return [table.get(value, default) for value in values]


def _finite(value: float) -> float:
    if value - value != 0.0:
        raise Leave
    return value


def _expit_of(value: float) -> float:
    return float(_special().expit(value))


def _expit_many(values: Any) -> Any:
    return _special().expit(values)


@functools.lru_cache(maxsize=1)
def _special() -> Any:
    return importlib.import_module("scipy.special")


def _softmax(values: tuple[float, ...], place: int) -> float:
    import numpy

    greatest = max(values)
    powers = numpy.exp([value - greatest for value in values])
    return float(powers[place] / powers.sum())


def _many_softmax(place: int, left: Any, columns: tuple[Any, ...]) -> Any:
    import numpy

    values = numpy.column_stack(columns)
    values -= values.max(axis=1, keepdims=True)
    numpy.exp(values, out=values)
    return values[:, place] / values.sum(axis=1)


def _sign(labels: Labels, score: float) -> Any:
    if abs(score) <= labels.near:
        raise Leave
    return labels.labels[score > 0]


def _many_label_of_sign(labels: Labels, left: Any, columns: tuple[Any, ...]) -> Any:
    import numpy

    left |= numpy.abs(columns[0]) <= labels.near
    return _taken(labels, (columns[0] > 0).astype(int))


def _label(labels: Labels, scores: tuple[float, ...]) -> Any:
    best = max(scores)
    if labels.near:
        if sum(score >= best - labels.near * (1.0 + abs(best)) for score in scores) > 1:
            raise Leave
    return labels.labels[scores.index(best)]


def _many_label_of_greatest(labels: Labels, left: Any, columns: tuple[Any, ...]) -> Any:
    import numpy

    scores = numpy.column_stack(columns)
    if labels.near:
        best = scores.max(axis=1, keepdims=True)
        left |= (scores >= best - labels.near * (1.0 + numpy.abs(best))).sum(axis=1) > 1
    return _taken(labels, scores.argmax(axis=1))


def _taken(labels: Labels, places: Any) -> Any:
    import numpy

    if isinstance(labels.labels[0], str):
        return [labels.labels[place] for place in places.tolist()]
    return numpy.asarray(labels.labels)[places]


def _greatest(values: tuple[float, ...]) -> int:
    if any(value != value for value in values):
        raise Leave
    return values.index(max(values))


def _many_greatest(_: Any, left: Any, columns: tuple[Any, ...]) -> Any:
    import numpy

    return numpy.column_stack(columns).argmax(axis=1)


def _stacked(n: int, columns: tuple[Any, ...]) -> Any:
    import numpy

    made = numpy.empty((n, len(columns)))
    for place, column in enumerate(columns):
        made[:, place] = column
    return made


def _table(values: list[float]) -> Any:
    import numpy

    return numpy.asarray(values)


def _column(values: Any, n: int) -> Any:
    """An answer as a column, also where it is the same for every row."""
    import numpy

    if isinstance(values, (numpy.ndarray, list)):
        return values
    return list(values) if hasattr(values, "codes") else [values] * n


def _listed(values: Any) -> Any:
    return values.tolist() if hasattr(values, "tolist") else values


_HELPERS: dict[str, Any] = {
    "_finite": _finite, "_looked_up": _looked_up, "_expit": _expit_of,
    "_expit_many": _expit_many, "_softmax": _softmax, "_sign": _sign, "_label": _label,
    "_many_softmax": _many_softmax, "_many_label_of_sign": _many_label_of_sign,
    "_many_label_of_greatest": _many_label_of_greatest, "_many_greatest": _many_greatest,
    "_stacked": _stacked, "_table": _table, "_column": _column, "_listed": _listed,
}  # fmt: skip
