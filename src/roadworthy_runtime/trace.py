"""What a recording consists of: operations on values that derive from the program's tables."""

from __future__ import annotations

import types
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

Context = Tuple[Tuple[str, int, int, str], ...]
"""Where an operation ran: frames ("call", site, count, function), ("loop", site, turn, value)."""

ONLY = "only"
"""Kind of a frame around what is of creation only, and of the operation at its end."""


class Ref(NamedTuple):
    """An operand that derives from a table of the program."""

    node: int


class Const(NamedTuple):
    """An operand that does not: its value as it was at the moment of use."""

    value: Any
    name: str = ""
    """The variable it was read from, where it was one."""
    learned: int = 0
    """Line at which an operation on rows last changed it; 0 where none did."""
    declared: bool = False
    """Whether the program itself says that it is state."""


class Pack(NamedTuple):
    """A list, tuple, dict or slice with operands inside; for a dict, ``keys`` are its keys."""

    kind: str
    items: Tuple[Any, ...]
    keys: Tuple[Any, ...] = ()


VIEW = "view"
"""The name of a subscript that gives columns of an array: changing them changes the array."""

ROW_LABELS = "row labels"
"""The name of the operation that gives the labels of a table's rows as a column."""


class Op:
    """One operation. ``args`` and ``kwargs`` hold Ref, Const and Pack.

    ``kind``: call, method, attr, item, setitem, setattr, delitem, binary, unary, inplace, element,
    comprehension, source, only.
    """

    __slots__ = (
        "args", "context", "index", "kind", "kwargs", "name", "random", "result", "site", "spelled"
    )  # fmt: skip

    def __init__(
        self,
        index: int,
        kind: str,
        site: int,
        context: Context,
        name: str,
        args: Tuple[Any, ...],
        kwargs: Dict[str, Any],
        result: Optional[int],
        random: Any = None,
        spelled: str = "",
    ) -> None:
        self.index = index
        self.kind = kind
        self.site = site
        self.context = context
        self.name = name
        self.args = args
        self.kwargs = kwargs
        self.result = result
        self.random = random
        self.spelled = spelled

    def refs(self) -> Iterator[int]:
        """The nodes it reads, in order."""
        for operand in (*self.args, *self.kwargs.values()):
            yield from refs(operand)

    def having(
        self, args: Tuple[Any, ...], result: Optional[int], kwargs: Optional[Dict[str, Any]] = None
    ) -> Op:
        """The same operation on other operands."""
        return Op(
            self.index, self.kind, self.site, self.context, self.name, args,
            self.kwargs if kwargs is None else kwargs, result, self.random, self.spelled,
        )  # fmt: skip

    def __repr__(self) -> str:
        return "<%d %s %s(%s) -> %s>" % (
            self.index, self.kind, self.name,
            ", ".join(map(_short, (*self.args, *self.kwargs.values()))), self.result,
        )  # fmt: skip


def _short(operand: Any) -> str:
    if isinstance(operand, Ref):
        return "#%d" % operand.node
    if isinstance(operand, Pack):
        return "[%s]" % ", ".join(map(_short, operand.items))
    return repr(operand.value)[:30]


def refs(operand: Any) -> Iterator[int]:
    """The nodes inside an operand."""
    if isinstance(operand, Ref):
        yield operand.node
    elif isinstance(operand, Pack):
        for item in operand.items:
            yield from refs(item)


def shows(op: Op) -> bool:
    """Whether an operation gives another way to its operand's own contents."""
    if op.kind == "attr":
        return op.name in ("loc", "iloc", "at", "iat", "values")
    return op.kind == "item" and op.name == VIEW


def written_column(op: Op) -> Optional[str]:
    """The column that is assigned: "a" in ``df["a"] = …`` and in ``df.loc[mask, "a"] = …``."""
    key = op.args[1] if op.kind == "setitem" else None
    if isinstance(key, Pack) and key.kind == "tuple" and len(key.items) == 2:
        key = key.items[1]
    return key.value if isinstance(key, Const) and isinstance(key.value, str) else None


def first_node(op: Op) -> Optional[int]:
    """The node of an operation's first operand."""
    return op.args[0].node if op.args and isinstance(op.args[0], Ref) else None


def looked_at(op: Optional[Op]) -> Optional[int]:
    """The node that a result only looks at: ``df`` of ``df.loc``, ``X`` of ``DMatrix(X)``."""
    operands = op.args[:2] if op is not None else ()
    return next((operand.node for operand in operands if isinstance(operand, Ref)), None)


def fill(operand: Any, value_of: Callable[[int], Any]) -> Any:
    """The operand's concrete value, nodes filled in by ``value_of``."""
    if isinstance(operand, Ref):
        return value_of(operand.node)
    if isinstance(operand, Const):
        return operand.value
    items = [fill(item, value_of) for item in operand.items]
    if operand.kind == "list":
        return items
    if operand.kind == "tuple":
        return tuple(items)
    if operand.kind == "dict":
        return dict(zip(operand.keys, items))
    return slice(*items)


class Source(NamedTuple):
    """A table (or array, or list) that the program bound to a name and that has rows."""

    node: int
    name: str
    site: int
    value: Any
    """A copy, made when it was bound."""


class Fit(NamedTuple):
    """One ``fit``: its line, the nodes learned from and towards, and the class of what learned.

    ``at``: how many operations came before it.
    """

    line: int
    nodes: Tuple[int, ...]
    towards: Tuple[int, ...]
    owner: str
    at: int


class Recording(NamedTuple):
    """Everything that one run of a program left behind."""

    ops: List[Op]
    sites: List[Any]
    sources: List[Source]
    bound: Dict[str, List[Tuple[int, int, Any]]]
    """Name -> (site, node or -1, value weakly held or None), in order of binding."""
    names: Dict[int, List[Tuple[str, int, Context]]]
    """Node -> the names it was bound to, each with site and context."""
    fits: List[Fit]
    """Each ``fit``, in order."""
    files: Dict[str, str]
    """Path -> source of each module of the program."""
    calls: Dict[Tuple[Any, ...], Any]


def is_module(value: Any) -> bool:
    """Whether a value is a module, function or class: named in a program, never stored."""
    return isinstance(
        value,
        (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type, types.MethodType),
    )
