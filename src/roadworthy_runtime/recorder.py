"""Records what a rewritten program does to its tables: the hooks that it calls."""

from __future__ import annotations

import operator
import sys
import types
import weakref
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from . import callers, chained, facade, kinds
from .followed import plain_list
from .operations import OVERRIDES
from .respelled import Respelled
from .rewrite import Site
from .snapshot import snapshot
from .trace import ONLY, Const, Context, Op, Recording, Ref, Source

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
_ITERATORS = frozenset(map(id, (enumerate, zip, map, filter, reversed, iter, isinstance, type, id)))
# Methods of objects that learn, which take the rows that they learn from or answer.
_LEARNS = ("fit", "predict", "transform")
_PREPARES = ("fit_transform", "transform")


class Recorder(Respelled):
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
        self.sources: List[Source] = []
        self.unfit: List[int] = []
        """Lines of blocks under ``rw.captured`` that can't stand in a function."""
        self.unfollowed: List[Tuple[int, str]] = []
        """(line, type) of values given to ``rw.row_wise`` whose making was not followed."""
        self.prepared: Dict[int, Tuple[int, str]] = {}
        """Sources that an object which learned had prepared already: line, what prepared them."""
        self._preparations: Dict[int, Tuple[Any, int, str]] = {}
        self._held: List[bool] = []
        self._blocks: List[Tuple[Context, Dict[str, int]]] = []

    def __reduce__(self) -> Tuple[Any, ...]:
        return installed, ()

    def recording(self, files: Dict[str, str]) -> Recording:
        """What was seen so far."""
        return Recording(
            self.ops, self.sites, self.sources, self.bound, self.names, self.fits, files, self.calls
        )

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
        respelled = self._respelled(site, owner, name, args, kwargs)
        if respelled is not None:
            return respelled()
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

    def _mapped(self, site: int, f: Any, several: Tuple[Any, ...]) -> Iterator[Any]:
        """``map(np.radians, (lat, lon))``: a call for each of a few values."""
        spelling = self._spelled(site, 1)
        spelled = spelling[1] if spelling[0] == "name" else ""
        inner = self._unspelled(site, spelled)
        for items in zip(*several):
            yield self.call(inner, f, *items)

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
        if chained.column_of(owner, name) is value and self._read_before(value):
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
        where = self.sites[site]
        inner = self._unspelled(site, where.callee, (("other", None), where.operands[-1]))
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
        if id(f) in OVERRIDES:
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
