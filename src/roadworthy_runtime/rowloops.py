"""Loops over single rows, recorded as one operation: the author's loop as a function.

Following such a loop turn by turn would be endless and would tell nothing: each turn sees other
rows. As one operation it has to obey the law as a whole, as any other.
"""

from __future__ import annotations

import copy
import sys
from typing import Any, Dict, Iterator, List, NamedTuple, Set, Tuple

from . import blocks, kinds
from .calls import OwnCalls
from .compare import difference
from .rewrite import Site
from .snapshot import freeze_function, snapshot
from .trace import Const, Op, Ref, is_module, refs

# What gives a table's columns, or what its rows say together, with as many entries by chance only.
_NOT_ROWS = frozenset(
    {
        "columns", "dtypes", "T", "keys", "unique", "value_counts", "nunique", "describe", "corr",
        "cov", "groupby", "groups", "categories", "mode", "items", "iteritems", "cycle",
    }
)  # fmt: skip
# What gives other rows of the same table.
_SELECTS = frozenset(
    {
        "dropna", "drop_duplicates", "head", "tail", "sample", "query", "nlargest", "nsmallest",
        "merge", "join", "concat", "concatenate", "vstack", "filter", "train_test_split", "shuffle",
        "resample", "append", "compress", "loc", "iloc",
    }
)  # fmt: skip
_PASSED_ON = frozenset(map(id, (zip, enumerate, map, filter, reversed, iter)))


class Pending(NamedTuple):
    """A loop that is running."""

    site: int
    frame: int
    operands: Dict[str, Any]
    before: Dict[str, Any]
    """Copies of what the loop might change."""
    scope: Dict[str, Any]
    """Modules, functions and classes that its text names."""


class RowLoops(OwnCalls):
    """Which followed values have the rows of a table, and the loops over them."""

    ops: List[Op]
    bound: Dict[str, List[Any]]
    paused: bool

    def __init__(self, sites: List[Site]) -> None:
        super().__init__(sites)
        self._rows: Dict[int, int] = {}
        """Node -> how many rows it has, for values whose elements are rows."""
        self._counters: Set[int] = set()
        """Nodes of numbers that count rows."""
        self._ranges: Dict[int, range] = {}
        self._pending: List[Pending] = []

    # ---- which values have rows

    def _note_rows(self, op: Op, result: Any, owner: Any = None) -> None:
        """Notes whether an operation's result has rows. ``owner``: of a method, its object."""
        node = op.result
        if node is None or op.kind == "source":
            if node is not None:
                self._rows[node] = kinds.rows_of(result) or 0
            return
        last = op.name.rpartition(".")[2]
        if last in _NOT_ROWS and not (last == "items" and kinds.is_series(owner)):
            return
        known = [self._rows[ref] for ref in op.refs() if ref in self._rows]
        if not known:
            counted = any(ref in self._counters for ref in op.refs())
            if counted and not kinds.is_atom(result) and op.kind == "call":
                self._rows[node] = kinds.rows_of(result) or 0
            elif op.kind == "item" and counted and _is_first(op):
                self._counters.add(node)
            return
        rows = kinds.rows_of(result)
        if kinds.is_atom(result):
            if last == "len" and type(result) is int and result in known:
                self._counters.add(node)
        elif last == "shape":
            self._counters.add(node)
        elif rows is None or rows in known or last in _SELECTS or _takes_rows(op, result):
            self._rows[node] = known[0] if rows is None else rows

    def _passes_rows(self, f: Any, args: Tuple[Any, ...]) -> bool:
        """Whether ``zip``, ``enumerate`` and their like are given rows."""
        return id(f) in _PASSED_ON and any(self.node_of(value) in self._rows for value in args)

    def _gives_rows(self, kind: str, result: Any, operands: Tuple[Any, ...]) -> bool:
        """Whether a call on rows gave an iterator over them; a range over rows is noted."""
        nodes = [ref for operand in operands for ref in refs(operand)]
        if type(result) is range and any(node in self._counters for node in nodes):
            self._ranges[id(result)] = result
        if kind not in ("call", "method") or not hasattr(result, "__next__"):
            return False
        endless = type(result).__module__ == "itertools" or hasattr(result, "read")
        return not endless and any(node in self._rows for node in nodes)

    def _goes_over_rows(self, iterable: Any) -> bool:
        node = self.node_of(iterable)
        if node is not None:
            return node in self._rows and not kinds.is_frame(iterable)
        return id(iterable) in self._ranges

    # ---- a loop as one operation

    def after(self, whole: int, /) -> None:
        """The end of a loop."""
        if self._pending and not self.paused:
            self._finish(whole, sys._getframe(1))

    def _unfollowed(self, iterator: Iterator[Any]) -> Iterator[Any]:
        self.paused = True
        try:
            yield from iterator
        finally:
            self.paused = False

    def _begin(self, site: int, frame: Any) -> None:
        block = self.sites[site].block
        assert block is not None
        operands: Dict[str, Any] = {}
        before: Dict[str, Any] = {}
        scope: Dict[str, Any] = {}
        for name in block.reads:
            found, value = _look_up(name, frame)
            if not found:
                continue
            if is_module(value):
                scope[name] = _frozen_code(value)
                continue
            operands[name] = self._operand(value, ("name", name))
            if not kinds.is_atom(value):
                held = operands[name]
                before[name] = held.value if isinstance(held, Const) else snapshot(value)
        self._pending.append(Pending(site, id(frame), operands, before, scope))

    def _finish(self, site: int, frame: Any) -> None:
        """After a loop: what it bound and changed is its result."""
        while self._pending and self._pending[-1][:2] != (site, id(frame)):
            self._pending.pop()
        if not self._pending:
            return
        pending, where = self._pending.pop(), self.sites[site]
        block = where.block
        assert block is not None
        results: Dict[str, Any] = {}
        changed: List[str] = []
        for name, before in pending.before.items():
            value = _look_up(name, frame)[1]
            if value is not before and not _equal(before, value):
                changed.append(name)
                results[name] = value
        for name in block.stores:
            found, value = _look_up(name, frame)
            if found and not is_module(value):
                results[name] = value
        if not any(node for operand in pending.operands.values() for node in refs(operand)):
            return
        kept = {name: value for name, value in results.items() if _followable(value)}
        for name in set(results) - set(kept):
            self._touch(results[name], where.line)
        if kept:
            self._record_loop(site, pending, kept, set(changed))

    def _record_loop(
        self, site: int, pending: Pending, results: Dict[str, Any], changed: Set[str]
    ) -> None:
        where = self.sites[site]
        block = where.block
        assert block is not None
        first: List[str] = []
        parameters: List[str] = []
        operands: List[Any] = []
        for name, operand in pending.operands.items():
            begins = isinstance(operand, Const) and not operand.learned
            if begins and (name in changed or name in block.binds) and _is_start(operand.value):
                first.append("%s = %r" % (name, operand.value))
                continue
            if name in changed:
                first.append(blocks.copying(name, pending.before[name]))
            parameters.append(name)
            operands.append(operand)
        if any(line.endswith("= deepcopy(%s)" % name) for name in changed for line in first):
            pending.scope["deepcopy"] = copy.deepcopy
        old = tuple(name for name in results if name in changed)
        parts = blocks.Text(block, tuple(parameters), tuple(first), tuple(results), old)
        title = parts.title()
        snippet = blocks.Snippet(title, parts, pending.scope, where.file, block.line)
        whole = results if len(results) > 1 else None
        value = tuple(results.values()) if whole else next(iter(results.values()))
        op = Op(
            len(self.ops), "call", site, self.context, title, (Const(snippet), *operands), {}, None
        )
        self._nodes += 1
        op.result = self._nodes if whole else self._loop_node(value)
        self.ops.append(op)
        if whole:
            self._rows[op.result] = next((self._rows[n] for n in op.refs() if n in self._rows), 0)
        else:
            self._note_rows(op, value)
        for place, (name, part) in enumerate(results.items()):
            node = op.result
            if whole:
                args = (Ref(op.result), Const(place))
                node = self._loop_node(part)
                part_op = Op(len(self.ops), "element", site, self.context, "", args, {}, node)
                self.ops.append(part_op)
                self._note_rows(part_op, part)
            if kinds.is_atom(part):
                self._shadow[self._scope, name] = (node, part)
            self.names.setdefault(node, []).append((name, site, self.context))
            self.bound.setdefault(name, []).append((site, node, None))

    def _dimension(self, site: int, name: str, shape: Any, place: int, size: int) -> None:
        """``rows, columns = X.shape``: each name as ``X.shape[0]`` would have it."""
        self._nodes += 1
        node, args = self._nodes, (Ref(shape), Const(place))
        op = Op(len(self.ops), "item", site, self.context, "", args, {}, node)
        self.ops.append(op)
        self._note_rows(op, size)
        self._shadow[self._scope, name] = (node, size)
        self.names.setdefault(node, []).append((name, site, self.context))
        self.bound.setdefault(name, []).append((site, node, size))

    def _loop_node(self, value: Any) -> int:
        if kinds.is_atom(value):
            self._nodes += 1
            return self._nodes
        return self._follow(value)


def _is_first(op: Op) -> bool:
    return len(op.args) > 1 and isinstance(op.args[1], Const) and op.args[1].value == 0


def _takes_rows(op: Op, result: Any) -> bool:
    """Whether a subscript or slice may select rows of its owner."""
    if op.kind != "item":
        return False
    return (
        kinds.is_frame(result)
        or not isinstance(op.args[1], Const)
        or (isinstance(op.args[1].value, slice))
    )


def _look_up(name: str, frame: Any) -> Tuple[bool, Any]:
    for scope in (frame.f_locals, frame.f_globals):
        if name in scope:
            return True, scope[name]
    return False, None


def _frozen_code(value: Any) -> Any:
    import types

    return freeze_function(value) if isinstance(value, types.FunctionType) else value


def _followable(value: Any) -> bool:
    if kinds.is_atom(value):
        return value is not None
    return isinstance(value, (list, tuple, dict, set)) or kinds.is_data(value)


def _equal(before: Any, after: Any) -> bool:
    if type(before) is not type(after):
        return False
    from .rows import same  # which needs NumPy, and programs on texts may have none

    try:
        if kinds.is_frame(before):
            return list(before.columns) == list(after.columns) and same(before, after)
        if kinds.is_data(before) or isinstance(before, (list, tuple, dict)):
            return same(before, after)
        if getattr(type(before), "__eq__", None) is object.__eq__:
            return difference(before, after) is None
        return bool(before == after)
    except Exception:
        return False


def _is_start(value: Any) -> bool:
    """Whether a value is what a loop begins with: nothing yet, or a plain number or text."""
    if type(value) in (list, dict, set):
        return not value
    return (
        type(value) in (bool, int, float, str, type(None))
        and value == value
        and (len(repr(value)) < 40 and repr(value) not in ("inf", "-inf"))
    )
