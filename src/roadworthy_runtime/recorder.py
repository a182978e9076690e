"""Records what a rewritten program does to its tables: the hooks that it calls."""

from __future__ import annotations

import functools
import operator
import sys
import types
import weakref
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from . import callers, chained, facade, kinds
from .chance import as_now, random_state
from .dropped import condition_of, dropped_labels
from .followed import DEEP, plain_list
from .rewrite import Site
from .rowloops import RowLoops
from .snapshot import snapshot
from .trace import ONLY, VIEW, Const, Context, Fit, Op, Recording, Ref, Source

BINARY: Dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "//": operator.floordiv, "%": operator.mod, "**": operator.pow, "<<": operator.lshift,
    ">>": operator.rshift, "|": operator.or_, "^": operator.xor, "&": operator.and_,
    "@": operator.matmul, "==": operator.eq, "!=": operator.ne, "<": operator.lt,
    "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
INPLACE: Dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.iadd, "-": operator.isub, "*": operator.imul, "/": operator.itruediv,
    "//": operator.ifloordiv, "%": operator.imod, "**": operator.ipow, "<<": operator.ilshift,
    ">>": operator.irshift, "|": operator.ior, "^": operator.ixor, "&": operator.iand,
    "@": operator.imatmul,
}  # fmt: skip
UNARY: Dict[str, Callable[[Any], Any]] = {
    "-": operator.neg, "+": operator.pos, "~": operator.invert
}  # fmt: skip
_WRITES = frozenset(("setitem", "setattr", "delitem", "inplace"))
_ITERATORS = frozenset(map(id, (enumerate, zip, map, filter, reversed, iter, isinstance, type, id)))
_OVERRIDES = frozenset((id(facade.learned), id(facade.row_wise)))
# Methods that use what an object has learned and change nothing in it.
_PURE = ("predict", "transform", "decision_function", "score", "inverse_transform", "get_", "apply")
# Methods of objects that learn, which take the rows that they learn from or answer.
_LEARNS = ("fit", "predict", "transform")
_PREPARES = ("fit_transform", "transform")
# Methods that print, draw or write what a value holds, and give nothing.
_SHOWS = ("to_", "info", "hist", "plot", "tofile", "dump")
MOST_FOLDS = 50
"""Of more folds the loop over them is one step."""


class Recorder(RowLoops):
    """The hooks, and what they have seen.

    ``wanted`` is the input's name with the line of its binding (0: the first), or None: then
    every table that the program binds to a name is followed.
    """

    slice = staticmethod(slice)

    def __init__(self, sites: List[Site], wanted: Optional[Tuple[str, int]]) -> None:
        super().__init__(sites)
        self.wanted = wanted
        self.keep: Set[str] = set()
        """Names whose last value is held: outputs may be local to a function."""
        self.ops: List[Op] = []
        self.sources: List[Source] = []
        self.bound: Dict[str, List[Tuple[int, int, Any]]] = {}
        self.fits: List[Fit] = []
        self.paused = False
        self.unfit: List[int] = []
        """Lines of blocks under ``rw.captured`` that can't stand in a function."""
        self.unfollowed: List[Tuple[int, str]] = []
        """(line, type) of values given to ``rw.row_wise`` whose making was not followed."""
        self.prepared: Dict[int, Tuple[int, str]] = {}
        """Sources that an object which learned had prepared already: line, what prepared them."""
        self._preparations: Dict[int, Tuple[Any, int, str]] = {}
        self._designs: Dict[int, Tuple[Any, Any]] = {}
        """Models of statsmodels: the model, and the rows that it is to learn from."""
        self._held: List[bool] = []
        self._blocks: List[Tuple[Context, Dict[str, int]]] = []
        self._inner: Dict[int, int] = {}
        """Site of ``df["x"] += y`` -> that of the addition alone."""

    def __reduce__(self) -> Tuple[Any, ...]:
        return installed, ()

    def recording(self, files: Dict[str, str]) -> Recording:
        """What was seen so far."""
        return Recording(
            self.ops, self.sites, self.sources, self.bound, self.names, self.fits, files, self.calls
        )

    # ---- recording one operation

    def _operate(
        self,
        kind: str,
        site: int,
        name: str,
        run: Callable[[], Any],
        args: Tuple[Any, ...],
        kwargs: Dict[str, Any],
        spelled: str = "",
    ) -> Any:
        """Runs an operation on followed operands and records it."""
        where = self.sites[site]
        random = random_state() if kind in ("call", "method") else None
        nodes = self._before(where, args, kwargs)
        self.paused = True
        try:
            result = run()
        finally:
            self.paused = False
        if random is not None and random_state() == random:
            random = None
        known = self.node_of(result)
        if kind == "call" and id(args[0]) in _OVERRIDES:
            known = None
        if kinds.is_atom(result):
            followed = result is not None
        else:
            followed = kinds.is_data(result) or plain_list(result)
        if not followed and (type(result) is range or hasattr(result, "__next__")):
            followed = not _splits(kind, name, args, kwargs) and self._gives_rows(
                kind, result, nodes()[0]
            )
        writes = kind in _WRITES
        self._learn(kind, where, name, args, kwargs, None if followed else result)
        if not followed and not writes:
            if not self._changes_rows(kind, name, args, kwargs, result):
                return result
        operands, keywords = nodes()
        if kind == "item" and kinds.is_view(result, args[0]):
            name = VIEW
        op = Op(
            len(self.ops), kind, site, self.context, name, operands, keywords, None, random, spelled
        )
        if followed and known is None:
            if kinds.is_atom(result):
                self._nodes += 1
                op.result = self._nodes
                self._atoms[site] = self._last_atom = (op.result, result)
            else:
                op.result = self._follow(result)
        elif followed:
            op.result = known
        self.ops.append(op)
        if op.result is not None and known is None:
            self._note_rows(op, result, args[0])
            self._elements(op.result, result, site)
        return result

    def _read_before(self, column: Any) -> bool:
        """Whether a column that a table shows was read from it, and nothing is changed since."""
        node = self.node_of(column)
        if node is None:
            return False
        for op in reversed(self.ops):
            if op.result == node:
                return op.kind == "item"
            if op.kind in _WRITES or op.result is None:
                return False
        return False

    def _before(
        self, where: Site, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Callable[[], Tuple[Tuple[Any, ...], Dict[str, Any]]]:
        """Nodes are looked up before the operation, values frozen after it.

        Followed values are the same objects before and after; of the others the state after
        the operation is the one wanted (an encoder as ``fit_transform`` left it), of random
        generators the state before.
        """
        spelled = where.operands
        args = tuple(map(as_now, args))
        kwargs = {key: as_now(value) for key, value in kwargs.items()}

        def operands() -> Tuple[Tuple[Any, ...], Dict[str, Any]]:
            made = tuple(
                self._operand(value, spelled[place] if place < len(spelled) else ("other", None))
                for place, value in enumerate(args)
            )
            named = {
                key: self._operand(value, where.keywords.get(key, ("other", None)))
                for key, value in kwargs.items()
            }
            return made, named

        return operands

    def _learn(
        self, kind: str, where: Site, name: str, args: Any, kwargs: Dict[str, Any], result: Any
    ) -> None:
        """Notes which values that are not followed may have learned from rows here."""
        if kind not in ("call", "method"):
            return
        taught = (args[0], result) if kind == "method" and not name.startswith(_PURE) else (result,)
        for value in taught:
            if self.node_of(value) is None:
                self._touch(value, where.line)
        if kind == "call" and kinds.root(result) == "statsmodels":
            self._design(where, args, kwargs, result)
        if name.startswith(("fit", "partial_fit", "train", "cross_val")):
            data = [self.node_of(value) for value in args[1:]]
            found = [node for node in data if node is not None]
            towards = kwargs.get("y")
            target = [self.node_of(towards)] if towards is not None else found[1:2]
            self.fits.append(
                Fit(
                    where.line,
                    tuple(found[:1]),
                    tuple(node for node in target if node is not None),
                    type(args[0]).__name__ if args else "",
                    len(self.ops),
                )
            )

    def _design(self, where: Site, args: Any, kwargs: Dict[str, Any], model: Any) -> None:
        """Notes which rows a model of statsmodels is to learn from, and towards what."""
        rows = kwargs.get("exog", kwargs.get("data", args[2] if len(args) > 2 else None))
        self._designs[id(model)] = (model, rows)
        found = self.node_of(rows), self.node_of(kwargs.get("endog", args[1] if args[1:] else None))
        nodes, towards = (() if node is None else (node,) for node in found)
        self.fits.append(Fit(where.line, nodes, towards, type(model).__name__, len(self.ops)))

    def _changes_rows(
        self, kind: str, name: str, args: Any, kwargs: Dict[str, Any], result: Any
    ) -> bool:
        if result is not None:
            return False
        if kind == "method" and args and self.node_of(args[0]) is not None:
            return not name.startswith(_SHOWS)
        return kind == "call" and name.rpartition(".")[2] in (
            "shuffle", "put", "place", "copyto", "putmask", "fill_diagonal", "setattr", "delattr"
        )  # fmt: skip

    def _elements(self, node: int, value: Any, site: int) -> None:
        if not isinstance(value, (list, tuple, dict)):
            return
        pairs = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        for key, item in pairs[:DEEP]:
            if kinds.is_data(item) and self.node_of(item) is None:
                self._element(node, key, item, site)

    def _element(self, node: int, key: Any, item: Any, site: int) -> None:
        made = self._note(site, "element", "", (Ref(node), Const(key)), item)
        self._elements(made, item, site)

    # ---- hooks: expressions

    def call(self, site: int, f: Any, /, *args: Any, **kwargs: Any) -> Any:
        run = f
        if callers.reads_caller(f):
            run, kwargs = self._seen_from(sys._getframe(1), site, f, args, kwargs)
        if f is map and not self.paused and not kwargs and self._any(site, 1, args, kwargs):
            if all(type(part) in (list, tuple) and self.node_of(part) is None for part in args[1:]):
                return self._mapped(site, args[0], args[1:])
        passed_on = id(f) in _ITERATORS and not self._passes_rows(f, args)
        if self.paused or passed_on or not self._any(site, 1, args, kwargs):
            return self._plain(site, run, args, kwargs)
        if self._own(f):
            return self._descend(site, f, args, kwargs)
        if f is dict and not args and not any(map(kinds.is_atom, kwargs.values())):
            return dict(**kwargs)  # as {"name": column}, which is looked into where it is used
        name = self.sites[site].callee or getattr(f, "__name__", type(f).__name__)
        return self._operate(
            "call", site, name, lambda: run(*args, **kwargs), (f, *args), kwargs,
            self.sites[site].callee,
        )  # fmt: skip

    def method(self, site: int, owner: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
        run = f = getattr(owner, name)
        if callers.reads_caller(f):
            run, kwargs = self._seen_from(sys._getframe(1), site, f, args, kwargs)
        if self.paused:
            return run(*args, **kwargs)
        if self.wanted is None and args and name.startswith(_LEARNS):
            self._follow_unnamed(site, owner, args[0])
        followed = self._involved(owner, self._spelled(site, 0))
        if name == "pipe" and followed and args and self._own(args[0]):
            return self._descend(site, args[0], (owner, *args[1:]), kwargs)
        if not followed and not self._any(site, 1, args, kwargs):
            return self._plain_method(site, owner, name, run, args, kwargs)
        if self._own(f):
            return self._descend(site, f, args, kwargs)
        if name == "assign" and kinds.is_frame(owner) and any(map(self._own, kwargs.values())):
            return self._assign(site, owner, kwargs)
        spelled = self.sites[site].callee
        if isinstance(owner, (types.ModuleType, type)):
            return self._operate(
                "call",
                site,
                spelled or name,
                lambda: run(*args, **kwargs),
                (f, *args),
                kwargs,
                spelled,
            )
        condition = self._dropping(owner, args, kwargs) if name == "drop" else None
        if condition is not None:
            return self._drop(site, owner, args, kwargs, condition)
        if name in chained.FILLING and kwargs.get("inplace") is True:
            shown = self._shown_of(owner)
            if shown is not None:
                return self._fill_in(site, owner, name, args, kwargs, *shown)
        return self._operate(
            "method", site, name, lambda: run(*args, **kwargs), (owner, *args), kwargs
        )

    def _plain_method(
        self, site: int, owner: Any, name: str, run: Any, args: Any, kwargs: Dict[str, Any]
    ) -> Any:
        """A method of an object that is not followed, without followed operands."""
        result = self._plain(site, run, args, kwargs, owner)
        if name in _PREPARES and kinds.is_data(result):
            what = "%s.%s" % (type(owner).__name__, name)
            self._preparations[id(result)] = (result, self.sites[site].line, what)
        if name == "predict" and not args and not kwargs and kinds.root(owner) == "statsmodels":
            self._of_own_rows(site, owner, result)
        return result

    def _of_own_rows(self, site: int, owner: Any, result: Any) -> None:
        """``results.predict()`` is ``results.predict(X)`` of the rows that it learned from."""
        learned = self._designs.get(id(getattr(owner, "model", None)))
        rows = None if learned is None else self.node_of(learned[1])
        if learned is None or rows is None or kinds.rows_of(result) != kinds.rows_of(learned[1]):
            return
        made = owner.predict(learned[1])
        operands = (self._operand(owner, self._spelled(site, 0)), Ref(rows))
        if type(made) is type(result):
            self._note(site, "method", "predict", operands, result)
        elif hasattr(made, "to_numpy") and kinds.is_array(result):
            series = self._note(site, "method", "predict", operands, made)
            self._note(site, "method", "to_numpy", (Ref(series),), result)

    def _assign(self, site: int, table: Any, columns: Dict[str, Any]) -> Any:
        """``df.assign(a=lambda t: t["b"] * 2)``, as df.assign(a=df["b"] * 2), column by column."""
        for label, value in columns.items():
            made = self._descend(site, value, (table,), {}) if self._own(value) else value
            table = self._operate(
                "method", self._unspelled(site), "assign",
                functools.partial(table.assign, **{label: made}), (table,), {label: made},
            )  # fmt: skip
        return table

    def _dropping(self, owner: Any, args: Any, kwargs: Any) -> Optional[int]:
        """The condition by which ``df.drop(df[df["a"] > 3].index)`` drops rows; None otherwise."""
        labels = dropped_labels(owner, args, kwargs)
        condition = condition_of(self.ops, self.node_of(labels), self.node_of(owner))
        return condition if self._rows.get(condition or 0) == len(owner) else None

    def _drop(self, site: int, owner: Any, args: Any, kwargs: Any, condition: int) -> Any:
        """``df.drop(df[df["a"] > 3].index)``, as df[~(df["a"] > 3)]."""
        labels = dropped_labels(owner, args, kwargs)
        others, table = ~owner.index.isin(labels), self._operand(owner, ("other", None))
        result = owner.drop(*args, **kwargs)
        kept = Ref(self._note(site, "unary", "~", (Ref(condition),), others))
        made = owner if result is None else result
        node = self._note(site, "item", "", (table, kept), made)
        if result is None:
            self._rename(site, table.node, node)
        return result

    def _shown_of(self, column: Any) -> Optional[Tuple[Any, Any]]:
        """The followed table that a column is shown of, and its label there."""
        shown = chained.table_of(column)
        return shown if shown is not None and self.node_of(shown[0]) is not None else None

    def _fill_in(
        self, site: int, column: Any, name: str, args: Any, kwargs: Any, table: Any, label: Any
    ) -> None:
        """``df["a"].fillna(0, inplace=True)`` changes ``df``: df["a"] = df["a"].fillna(0)."""
        given = {key: value for key, value in kwargs.items() if key != "inplace"}
        function = getattr(column, name)
        made = self._operate(
            "method", site, name, lambda: function(*args, **given), (column, *args), given
        )

        def write() -> None:
            function(*args, **kwargs)
            chained.renew(table, label)

        self._operate("setitem", self._unspelled(site), "", write, (table, label, made), {})
        old, node = self.node_of(column), self.node_of(made)
        if old is not None and node is not None:
            self._follow_as(column, node)
            self._rename(site, old, node)

    def _unspelled(self, site: int, callee: str = "") -> int:
        """The site of another operation on the same line, which the program does not spell."""
        inner = self._inner.get(site)
        if inner is None:
            inner = self._inner[site] = len(self.sites)
            self.sites.append(self.sites[site]._replace(callee=callee, operands=(), keywords={}))
        return inner

    def _mapped(self, site: int, f: Any, several: Tuple[Any, ...]) -> Iterator[Any]:
        """``map(np.radians, (lat, lon))``: a call for each of a few values."""
        spelling = self._spelled(site, 1)
        spelled = spelling[1] if spelling[0] == "name" else ""
        inner = self._unspelled(site, spelled)
        for items in zip(*several):
            yield self.call(inner, f, *items)

    def _note(self, site: int, kind: str, name: str, operands: Tuple[Any, ...], result: Any) -> int:
        """Records an operation that the program did not spell so; the node of its result."""
        node = self._follow(result)
        op = Op(len(self.ops), kind, site, self.context, name, operands, {}, node)
        self.ops.append(op)
        self._note_rows(op, result)
        return node

    def _rename(self, site: int, old: int, new: int) -> None:
        """An object goes on as another node: so do the names that it is bound to."""
        for name, seen in self.bound.items():
            if seen and seen[-1][1] == old:
                seen.append((site, new, None))
                self.names.setdefault(new, []).append((name, site, self.context))

    def _seen_from(
        self, frame: Any, site: int, f: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Tuple[Any, Dict[str, Any]]:
        """What to call instead of a function that looks at its caller's frame, and with what."""
        if not callers.is_expression(f):
            return callers.placed(f, frame), kwargs
        names = callers.names_read(f, args, kwargs, frame)
        if not names:
            return f, kwargs
        if not self.paused:
            spelled = ("names", tuple(("name", name) for name in names))
            self.sites[site].keywords["local_dict"] = spelled
        return f, {**kwargs, "local_dict": names}

    def attr(self, site: int, owner: Any, name: str, /) -> Any:
        value = getattr(owner, name)
        if self.paused or not self._live:
            return value
        if self.node_of(owner) is None or (callable(value) and not kinds.is_data(value)):
            return value
        if not (kinds.is_data(value) or kinds.is_atom(value) or plain_list(value)):
            return value
        return self._operate("attr", site, name, lambda: value, (owner,), {})

    def item(self, site: int, owner: Any, key: Any, /) -> Any:
        if self.paused or not self._live:
            return owner[key]
        if self._involved(owner, self._spelled(site, 0)) or self._involved(
            key, self._spelled(site, 1)
        ):
            if isinstance(owner, (list, tuple, dict)) and self.node_of(owner[key]) is not None:
                return owner[key]
            shown = chained.column_of(owner, key)
            if shown is not None and self._read_before(shown):
                return shown
            return self._operate("item", site, "", lambda: owner[key], (owner, key), {})
        return owner[key]

    def binary(self, site: int, symbol: str, left: Any, right: Any, /) -> Any:
        function = BINARY[symbol]
        if self.paused or not self._live:
            return function(left, right)
        spelled = self.sites[site].operands
        if self._involved(left, spelled[0]) or self._involved(right, spelled[1]):
            return self._operate(
                "binary", site, symbol, lambda: function(left, right), (left, right), {}
            )
        return function(left, right)

    def unary(self, site: int, symbol: str, operand: Any, /) -> Any:
        function = UNARY[symbol]
        if self.paused or not self._involved(operand, self._spelled(site, 0)):
            return function(operand)
        return self._operate("unary", site, symbol, lambda: function(operand), (operand,), {})

    def comprehension(
        self, site: int, function: Any, names: Tuple[str, ...], values: Tuple[Any, ...], /
    ) -> Any:
        if self.paused or not any(self.node_of(value) is not None for value in values):
            return function(*values)
        mark, inner = len(self.ops), self._nodes
        result = function(*values)
        if kinds.is_data(result):
            return result
        del self.ops[mark:]
        self._forget_after(inner, self.sites[site].line)
        where = self.sites[site]
        operands = tuple(self._operand(value, ("name", name)) for name, value in zip(names, values))
        op = Op(
            len(self.ops), "comprehension", site, self.context, "",
            (Const(function), *operands), {}, self._follow(result), None, ",".join(names),
        )  # fmt: skip
        self.ops.append(op)
        self._note_rows(op, result)
        self._touch(result, where.line)
        return result

    # ---- hooks: statements

    def setitem(self, site: int, value: Any, owner: Any, key: Any, /) -> None:
        def run() -> None:
            owner[key] = value

        if self.paused or self.node_of(owner) is None:
            self._foreign_store(site, owner, (key, value))
            return run()
        where = self.sites[site].operands
        involved = (owner, key, value)
        assert len(where) == 3
        self._operate("setitem", site, "", run, involved, {})
        shown = self._shown_of(owner)
        if shown is not None:
            table, label = shown
            changed = getattr(owner, "obj", owner)
            self._operate(
                "setitem", self._unspelled(site), "", lambda: chained.renew(table, label),
                (table, label, changed), {},
            )  # fmt: skip

    def setattr(self, site: int, value: Any, owner: Any, name: str, /) -> None:
        if self.paused or self.node_of(owner) is None:
            self._foreign_store(site, owner, (value,))
            return setattr(owner, name, value)
        self._operate(
            "setattr", site, name, lambda: setattr(owner, name, value), (owner, value), {}
        )

    def delitem(self, site: int, owner: Any, key: Any, /) -> None:
        if self.paused or self.node_of(owner) is None:
            del owner[key]
            return
        self._operate("delitem", site, "", lambda: operator.delitem(owner, key), (owner, key), {})

    def augment(self, site: int, symbol: str, owner: Any, value: Any, /) -> Any:
        function = INPLACE[symbol]
        if self.paused:
            return function(owner, value)
        spelled = self.sites[site].operands
        followed = self._involved(owner, spelled[0])
        if not followed and not self._involved(value, spelled[1]):
            return function(owner, value)
        before = owner if followed else snapshot(owner)
        return self._operate(
            "inplace", site, symbol, lambda: function(owner, value), (before, value), {}
        )

    def augment_item(self, site: int, symbol: str, owner: Any, key: Any, value: Any, /) -> None:
        old = self.item(site, owner, key)
        self.setitem(site, self._augmented(site, symbol, old, value), owner, key)

    def augment_attr(self, site: int, symbol: str, owner: Any, name: str, value: Any, /) -> None:
        old = self.attr(site, owner, name)
        self.setattr(site, self._augmented(site, symbol, old, value), owner, name)

    def _augmented(self, site: int, symbol: str, old: Any, value: Any) -> Any:
        function = INPLACE[symbol]
        if self.paused or (self.node_of(old) is None and self.node_of(value) is None):
            return function(old, value)
        inner = self._inner.get(site)
        if inner is None:
            where = self.sites[site]
            inner = self._inner[site] = len(self.sites)
            self.sites.append(where._replace(operands=(("other", None), where.operands[-1])))
        return self._operate(
            "inplace", inner, symbol, lambda: function(old, value), (old, value), {}
        )

    def loop(self, site: int, whole: int, iterable: Any, names: Any, /) -> Iterator[Any]:
        if self.paused:
            return iter(iterable)
        if self.sites[whole].block is not None and self._goes_over_rows(iterable):
            self._begin(whole, sys._getframe(1))
            return self._unfollowed(iter(iterable))
        return self._turns(site, iterable, names)

    def _turns(self, site: int, iterable: Any, names: Any) -> Iterator[Any]:
        before = self.context
        followed = self.node_of(iterable)
        learned = self._touched.get(id(iterable))
        try:
            for turn, item in enumerate(iterable):
                if learned is not None and learned[0] is iterable:
                    self._touch_parts(item, learned[1])
                label = repr(item) if isinstance(item, (str, int, float)) else ""
                self.context = (*before, ("loop", site, turn, label))
                if followed is not None and kinds.is_data(item) and self.node_of(item) is None:
                    self._element(followed, turn, item, site)
                self._name(site, names, item)
                yield item
        finally:
            self.context = before

    def _touch_parts(self, item: Any, line: int, depth: int = 0) -> None:
        """Marks the arrays of what a learned iterator gives, such as the rows of a fold."""
        if kinds.is_array(item):
            self._touch(item, line)
        elif isinstance(item, tuple) and depth < 2:
            for part in item:
                self._touch_parts(part, line, depth + 1)

    def tick(self, site: int, /) -> None:
        """A turn of a ``while`` loop."""

    def bind(self, site: int, targets: Tuple[Any, ...], value: Any, /) -> Any:
        if not self.paused:
            for names in targets:
                self._name(site, names, value)
        return value

    # ---- what the program says itself

    def opaque(self, whole: int, /) -> None:
        """The next statement is one step: ``with rw.captured("name"):``."""
        if self.paused:
            return
        if self.sites[whole].block is None:
            self.unfit.append(self.sites[whole].line)
        else:
            self._begin(whole, sys._getframe(1))

    def _declare(self, site: int, f: Any, value: Any) -> None:
        """``rw.learned`` and ``rw.row_wise`` of values that no table led to."""
        if f is facade.learned:
            self._declared[id(value)] = value
        elif self.wanted is None and not kinds.is_atom(value) and kinds.rows_of(value) is not None:
            self._follow_source(site, self._root(self._spelled(site, 1)) or "rows", value)
        else:
            self.unfollowed.append((self.sites[site].line, type(value).__name__))

    def enter(self, kind: str, name: str) -> None:
        """A block begins of which the program says what it is."""
        if kind == "captured":
            self._held.append(self.paused)
            self.paused = True
            return
        meant = {n: seen[-1][1] for n, seen in self.bound.items() if seen[-1][1] > 0}
        self._blocks.append((self.context, meant))
        self.context = (*self.context, (ONLY, 0, len(self._blocks), ""))

    def leave(self, kind: str, name: str) -> None:
        """It ends: names mean in production what they meant before it."""
        if kind == "captured":
            self.paused = self._held.pop()
            return
        self.context, meant = self._blocks.pop()
        objects = {node: held for held, node in self._live.values()}
        for title, before in meant.items():
            site, after, _ = self.bound[title][-1]
            held = objects.get(after)
            value = held() if isinstance(held, weakref.ref) else held
            if after <= 0 or after == before or value is None:
                continue
            node = self._follow(value)
            args = (Ref(before), Ref(after))
            self.ops.append(Op(len(self.ops), ONLY, site, self.context, title, args, {}, node))
            self.names.setdefault(node, []).append((title, site, self.context))
            self.bound[title].append((site, node, None))

    # ---- names

    def _name(self, site: int, names: Any, value: Any) -> None:
        if names is None:
            return
        if isinstance(names, tuple):
            if isinstance(value, (list, tuple)) and len(value) == len(names):
                whole = self.node_of(value) if type(value) is tuple else None
                for place, (name, item) in enumerate(zip(names, value)):
                    if whole in self._counters and isinstance(name, str):
                        self._dimension(site, name, whole, place, item)
                    else:
                        self._name(site, name, item)
            elif kinds.is_array(value) and len(value) == len(names):
                return
            return
        node = self.node_of(value)
        if node is None:
            node = self._source(site, names, value)
        spelled = self.sites[site].operands
        if node is None and spelled:
            atom = self._atom(spelled[0], value)
            if atom is not None:
                self._shadow[self._scope, names] = (atom, value)
                node = atom
            else:
                self._shadow.pop((self._scope, names), None)
        if node is not None:
            self.names.setdefault(node, []).append((names, site, self.context))
        shown = value if kinds.is_atom(value) or names in self.keep else None
        self.bound.setdefault(names, []).append((site, -1 if node is None else node, shown))

    def _source(self, site: int, name: str, value: Any) -> Optional[int]:
        if self.wanted is None:
            rows = kinds.rows_of(value) if kinds.is_data(value) else None
            if (
                rows is None
                or isinstance(value, (list, tuple))
                or kinds.is_index(value)
                or rows < 2
            ):
                return None
        else:
            wanted, line = self.wanted
            if name != wanted or self.sources or (line and self.sites[site].line != line):
                return None
            value = kinds.rows_within(value)
            if kinds.is_atom(value) or not kinds.rows_of(value):
                return None  # an empty list, too: its rows come later, and then another binding
        return self._follow_source(site, name, value)

    def _follow_source(self, site: int, name: str, value: Any) -> int:
        """From here on this value is followed: rows of a request may come in its place."""
        node = self._follow(value)
        self.sources.append(Source(node, name, site, snapshot(value)))
        op = Op(len(self.ops), "source", site, self.context, name, (), {}, node)
        self.ops.append(op)
        self._note_rows(op, value)
        made = self._preparations.get(id(value))
        if made is not None and made[0] is value:
            self.prepared[node] = made[1:]
        return node

    def _follow_unnamed(self, site: int, owner: Any, value: Any) -> None:
        """``scaler.fit_transform(cancer.data)``: a table that no name is bound to."""
        spelled = self._spelled(site, 1)
        if spelled[0] != "site" or self.paused or not kinds.is_data(value):
            return
        if self.node_of(value) is not None or isinstance(owner, (types.ModuleType, type)):
            return
        inner = self.sites[spelled[1]].operands
        born = len(inner) == 1 or (len(inner) == 2 and inner[1][0] == "literal")
        if born and (kinds.is_frame(value) or getattr(value, "ndim", 0) == 2) and len(value) > 1:
            self._follow_source(site, self._leaf(spelled) or self._root(spelled) or "rows", value)

    # ---- calls

    def _plain(self, site: int, f: Any, args: Any, kwargs: Any, owner: Any = None) -> Any:
        """A call without followed operands; what was learned stays marked as learned."""
        if self.paused:
            return f(*args, **kwargs)
        if self._own(f):
            return self._descend(site, f, args, kwargs)
        result = f(*args, **kwargs)
        if id(f) in _OVERRIDES:
            self._declare(site, f, result)
        if self._touched or self._live:
            held = (owner, *args)
            if any(id(value) in self._touched or id(value) in self._live for value in held):
                if not kinds.is_atom(result) and self.node_of(result) is None:
                    self._touch(result, self.sites[site].line)
        return result

    def _foreign_store(self, site: int, owner: Any, values: Tuple[Any, ...]) -> None:
        if not self.paused and any(self.node_of(value) is not None for value in values):
            self._touch(owner, self.sites[site].line)


def _splits(kind: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> bool:
    """Whether a call gives a few folds: pairs of positions, each a turn to follow, and no rows."""
    if kind != "method" or name != "split" or not hasattr(args[0], "get_n_splits"):
        return False
    try:
        return int(args[0].get_n_splits(*args[1:], **kwargs)) <= MOST_FOLDS
    except Exception:
        return False


_INSTALLED: List[Recorder] = []


def install(recorder: Recorder) -> None:
    """Makes this the recorder of rewritten code that is unpickled in this process."""
    _INSTALLED[:] = [recorder]


def installed() -> Recorder:
    """This process's recorder; in a worker process of the program, one that only computes."""
    if not _INSTALLED:
        passive = Recorder([], None)
        passive.paused = True
        install(passive)
    return _INSTALLED[0]
