"""Records what a rewritten program does to its tables: the hooks that it calls."""

from __future__ import annotations

import inspect
import operator
import sys
import types
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from . import callers, kinds
from .followed import DEEP, Followed
from .rewrite import Site, Spelling
from .snapshot import OWN, snapshot
from .trace import Const, Context, Op, Recording, Ref, Source

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
# Methods that use what an object has learned and change nothing in it.
_PURE = ("predict", "transform", "decision_function", "score", "inverse_transform", "get_", "apply")


class Recorder(Followed):
    """The hooks, and what they have seen.

    ``wanted`` is the input's name with the line of its binding (0: the first), or None: then
    every table that the program binds to a name is followed.
    """

    slice = staticmethod(slice)

    def __init__(self, sites: List[Site], wanted: Optional[Tuple[str, int]]) -> None:
        super().__init__(sites)
        self.wanted = wanted
        self.own_files: Set[str] = set()
        self.keep: Set[str] = set()
        """Names whose last value is held: outputs may be local to a function."""
        self.ops: List[Op] = []
        self.sources: List[Source] = []
        self.bound: Dict[str, List[Tuple[int, int, Any]]] = {}
        self.names: Dict[int, List[Tuple[str, int, Context]]] = {}
        self.fits: List[Tuple[int, Tuple[int, ...], Tuple[int, ...]]] = []
        self.calls: Dict[Tuple[Any, ...], Any] = {}
        self.context: Context = ()
        self.paused = False
        self._calls = 0
        self._last_atom: Tuple[int, Any] = (-1, None)

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
        random = _random_state() if kind in ("call", "method") else None
        nodes = self._before(where, args, kwargs)
        self.paused = True
        try:
            result = run()
        finally:
            self.paused = False
        if random is not None and _random_state() == random:
            random = None
        known = self.node_of(result)
        if kinds.is_atom(result):
            followed = result is not None
        else:
            followed = kinds.is_data(result) or _plain_list(result)
        writes = kind in ("setitem", "setattr", "delitem", "inplace")
        self._learn(kind, where, name, args, kwargs, None if followed else result)
        if not followed and not writes:
            if not self._changes_rows(kind, name, args, kwargs, result):
                return result
        operands, keywords = nodes()
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
            self._elements(op.result, result, site)
        return result

    def _before(
        self, where: Site, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Callable[[], Tuple[Tuple[Any, ...], Dict[str, Any]]]:
        """Nodes are looked up before the operation, values frozen after it.

        Followed values are the same objects before and after; of the others the state after
        the operation is the one wanted (an encoder as ``fit_transform`` left it).
        """
        spelled = where.operands

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
        if name.startswith(("fit", "partial_fit", "train", "cross_val")):
            data = [self.node_of(value) for value in args[1:]]
            found = [node for node in data if node is not None]
            towards = kwargs.get("y")
            target = [self.node_of(towards)] if towards is not None else found[1:2]
            self.fits.append(
                (where.line, tuple(found[:1]), tuple(node for node in target if node is not None))
            )

    def _changes_rows(
        self, kind: str, name: str, args: Any, kwargs: Dict[str, Any], result: Any
    ) -> bool:
        if result is not None:
            return False
        if kind == "method" and args and self.node_of(args[0]) is not None:
            return True
        return kind == "call" and name.rpartition(".")[2] in (
            "shuffle", "put", "place", "copyto", "putmask", "fill_diagonal", "setattr", "delattr"
        )  # fmt: skip

    def _elements(self, node: int, value: Any, site: int) -> None:
        if not isinstance(value, (list, tuple, dict)):
            return
        pairs = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        for key, item in pairs[:DEEP]:
            if kinds.is_data(item) and self.node_of(item) is None:
                made = self._follow(item)
                args = (Ref(node), Const(key))
                self.ops.append(
                    Op(len(self.ops), "element", site, self.context, "", args, {}, made)
                )
                self._elements(made, item, site)

    # ---- hooks: expressions

    def call(self, site: int, f: Any, /, *args: Any, **kwargs: Any) -> Any:
        run = f
        if callers.reads_caller(f):
            run, kwargs = self._seen_from(sys._getframe(1), site, f, args, kwargs)
        if self.paused or id(f) in _ITERATORS or not self._any(site, 1, args, kwargs):
            return self._plain(site, run, args, kwargs)
        if self._own(f):
            return self._descend(site, f, args, kwargs)
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
        followed = self._involved(owner, self._spelled(site, 0))
        if name == "pipe" and followed and args and self._own(args[0]):
            return self._descend(site, args[0], (owner, *args[1:]), kwargs)
        if not followed and not self._any(site, 1, args, kwargs):
            return self._plain(site, run, args, kwargs, owner)
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
        return self._operate(
            "method", site, name, lambda: run(*args, **kwargs), (owner, *args), kwargs
        )

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
        if not (kinds.is_data(value) or kinds.is_atom(value) or _plain_list(value)):
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
        mark = len(self.ops)
        result = function(*values)
        if kinds.is_data(result):
            return result
        del self.ops[mark:]
        where = self.sites[site]
        operands = tuple(self._operand(value, ("name", name)) for name, value in zip(names, values))
        op = Op(
            len(self.ops), "comprehension", site, self.context, "",
            (Const(function), *operands), {}, self._follow(result), None, ",".join(names),
        )  # fmt: skip
        self.ops.append(op)
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
        return self._operate(
            "inplace", site, symbol, lambda: function(old, value), (old, value), {}
        )

    def loop(self, site: int, iterable: Any, names: Any, /) -> Iterator[Any]:
        if self.paused:
            yield from iterable
            return
        before = self.context
        followed = self.node_of(iterable)
        try:
            for turn, item in enumerate(iterable):
                label = repr(item) if isinstance(item, (str, int, float)) else ""
                self.context = (*before, ("loop", site, turn, label))
                if followed is not None and kinds.is_data(item) and self.node_of(item) is None:
                    node = self._follow(item)
                    args = (Ref(followed), Const(turn))
                    self.ops.append(
                        Op(len(self.ops), "element", site, self.context, "", args, {}, node)
                    )
                    self._elements(node, item, site)
                self._name(site, names, item)
                yield item
        finally:
            self.context = before

    def tick(self, site: int, /) -> None:
        """A turn of a ``while`` loop."""

    def bind(self, site: int, targets: Tuple[Any, ...], value: Any, /) -> Any:
        if not self.paused:
            for names in targets:
                self._name(site, names, value)
        return value

    # ---- names

    def _name(self, site: int, names: Any, value: Any) -> None:
        if names is None:
            return
        if isinstance(names, tuple):
            if isinstance(value, (list, tuple)) and len(value) == len(names):
                for name, item in zip(names, value):
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
            if kinds.is_atom(value) or kinds.rows_of(value) is None:
                return None
        node = self._follow(value)
        self.sources.append(Source(node, name, site, snapshot(value)))
        self.ops.append(Op(len(self.ops), "source", site, self.context, name, (), {}, node))
        return node

    # ---- calls

    def _spelled(self, site: int, place: int) -> Spelling:
        operands = self.sites[site].operands
        return operands[place] if place < len(operands) else ("other", None)

    def _any(self, site: int, first: int, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> bool:
        if not self._live:
            return False
        where = self.sites[site]
        spelled = where.operands
        for place, value in enumerate(args, first):
            if self._involved(value, spelled[place] if place < len(spelled) else ("other", None)):
                return True
        for key, value in kwargs.items():
            if self._involved(value, where.keywords.get(key, ("other", None))):
                return True
        return False

    def _plain(self, site: int, f: Any, args: Any, kwargs: Any, owner: Any = None) -> Any:
        """A call without followed operands; what was learned stays marked as learned."""
        if self.paused:
            return f(*args, **kwargs)
        if self._own(f):
            return self._descend(site, f, args, kwargs)
        result = f(*args, **kwargs)
        if self._touched or self._live:
            held = (owner, *args)
            if any(id(value) in self._touched or id(value) in self._live for value in held):
                if not kinds.is_atom(result) and self.node_of(result) is None:
                    self._touch(result, self.sites[site].line)
        return result

    def _foreign_store(self, site: int, owner: Any, values: Tuple[Any, ...]) -> None:
        if not self.paused and any(self.node_of(value) is not None for value in values):
            self._touch(owner, self.sites[site].line)

    def _own(self, f: Any) -> bool:
        """Whether a callable is the program's own, so that its statements are followed."""
        if isinstance(f, type):
            return id(getattr(sys.modules.get(f.__module__), "__dict__", None)) in OWN
        function = getattr(f, "__func__", f)
        code = getattr(function, "__code__", None)
        if code is None and not isinstance(f, types.BuiltinFunctionType):
            code = getattr(vars(type(f)).get("__call__"), "__code__", None)
        return code is not None and code.co_filename in self.own_files

    def _descend(self, site: int, f: Any, args: Any, kwargs: Any) -> Any:
        before, scope = self.context, self._scope
        self._calls += 1
        name = getattr(f, "__name__", type(f).__name__)
        self.context = (*before, ("call", site, self._calls, name))
        number = self._calls
        passed = self._passed(site, f, args, kwargs)
        self._scope = number
        for parameter, node, value in passed:
            self._shadow[number, parameter] = (node, value)
        try:
            result = f(*args, **kwargs)
        finally:
            self.context, self._scope = before, scope
        if self._last_atom[1] is result and kinds.is_atom(result) and self._last_atom[0] >= 0:
            self._atoms[site] = self._last_atom
        if not isinstance(f, type):
            self.calls[(*before, ("call", site, number, name))] = f
        return result

    def _passed(self, site: int, f: Any, args: Any, kwargs: Any) -> List[Tuple[str, int, Any]]:
        """Names that a function gives to the followed values it is called with."""
        if not self._any(site, 1, args, kwargs):
            return []
        try:
            bound = inspect.signature(f).bind(*args, **kwargs).arguments
        except (TypeError, ValueError):
            return []
        where = self.sites[site]
        spelling: Dict[int, Spelling] = {}
        for place, value in enumerate(args, 1):
            if place < len(where.operands):
                spelling[id(value)] = where.operands[place]
        atoms = []
        for parameter, value in bound.items():
            node = self.node_of(value)
            if node is not None:
                self.names.setdefault(node, []).append((parameter, site, self.context))
                continue
            atom = self._atom(spelling.get(id(value), ("other", None)), value)
            if atom is not None:
                atoms.append((parameter, atom, value))
        return atoms


def _plain_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > 0 and kinds.is_atom(value[0])


def _random_state() -> Any:
    numpy = sys.modules.get("numpy")
    random = sys.modules.get("random")
    parts: List[Any] = []
    if numpy is not None and hasattr(numpy, "random"):
        name, keys, position, *rest = numpy.random.get_state()
        parts.append((name, keys.tobytes(), position, tuple(rest)))
    if random is not None:
        parts.append(random.getstate())
    return tuple(parts) or None


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
