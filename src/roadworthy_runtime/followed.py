"""Which of a program's values are followed, and how an operation's operands are written down."""

from __future__ import annotations

import functools
import weakref
from typing import Any, Dict, List, Optional, Sequence, Tuple

from . import kinds
from .rewrite import Site, Spelling
from .snapshot import snapshot
from .trace import Const, Pack, Ref, is_module

DEEP = 2000
"""Lists and dictionaries with more elements are not searched for followed values."""


class Followed:
    """The followed values by identity, and the numbers that stand for them.

    Numbers and texts have no identity of their own: they are followed by the site that gave them
    and by the names that they are bound to.
    """

    def __init__(self, sites: List[Site]) -> None:
        self.sites = sites
        self._live: Dict[int, Tuple[Any, int]] = {}
        self._touched: Dict[int, Tuple[Any, int, int]] = {}
        self._declared: Dict[int, Any] = {}
        """Values of which the program says that they are state."""
        self._copies: Dict[int, Tuple[int, Any]] = {}
        self._atoms: Dict[int, Tuple[int, Any]] = {}
        self._shadow: Dict[Tuple[int, str], Tuple[int, Any]] = {}
        self._scope = 0
        self._nodes = 0

    def node_of(self, value: Any) -> Optional[int]:
        """The node of a value that is followed."""
        entry = self._live.get(id(value))
        if entry is None:
            return None
        held = entry[0]
        if isinstance(held, weakref.ref):
            held = held()
        return entry[1] if held is value else None

    def _follow(self, value: Any) -> int:
        self._nodes += 1
        self._follow_as(value, self._nodes)
        return self._nodes

    def _follow_as(self, value: Any, node: int) -> None:
        key, live = id(value), self._live
        held: Any = value
        if not isinstance(value, (list, tuple, dict)):
            try:
                held = weakref.ref(value, functools.partial(_forget, live, key, node))
            except TypeError:
                held = value
        live[key] = (held, node)

    def _forget_after(self, node: int, line: int) -> None:
        """What was followed since this node is followed no longer: it was learned at this line."""
        for key, (held, made) in list(self._live.items()):
            if made > node:
                del self._live[key]
                value = held() if isinstance(held, weakref.ref) else held
                self._touch(value, line)

    def _touch(self, value: Any, line: int) -> None:
        """Notes that an operation on rows may have changed a value that is not followed."""
        if kinds.is_atom(value) or is_module(value) or value is None:
            return
        version = self._touched.get(id(value), (None, 0, 0))[2]
        self._touched[id(value)] = (value, line, version + 1)

    def _atom(self, spelling: Spelling, value: Any) -> Optional[int]:
        kind, key = spelling
        if kind == "site":
            found = self._atoms.get(key)
        elif kind == "name":
            found = self._shadow.get((self._scope, key)) or self._shadow.get((0, key))
        else:
            return None
        return found[0] if found is not None and found[1] is value else None

    def _involved(self, value: Any, spelling: Spelling, depth: int = 0) -> bool:
        if id(value) in self._live and self.node_of(value) is not None:
            return True
        kind = type(value)
        if depth < 3:
            if kind is list or kind is tuple:
                inner = spelling[1] if spelling[0] == "list" else ()
                if len(value) > DEEP:
                    return False
                for place, item in enumerate(value):
                    spelled = inner[place] if place < len(inner) else ("other", None)
                    if self._involved(item, spelled, depth + 1):
                        return True
                return False
            if kind is dict:
                inner = spelling[1] if spelling[0] == "names" else ()
                return len(value) <= DEEP and any(
                    self._involved(
                        item, inner[place] if place < len(inner) else ("other", None), depth + 1
                    )
                    for place, item in enumerate(value.values())
                )
            if kind is slice:
                inner = spelling[1] if spelling[0] == "list" else (("other", None),) * 3
                return any(
                    self._involved(item, spelled, depth + 1)
                    for item, spelled in zip((value.start, value.stop, value.step), inner)
                )
        if self._atoms and spelling[0] in ("site", "name"):
            return self._atom(spelling, value) is not None
        return False

    def _operand(self, value: Any, spelling: Spelling, depth: int = 0) -> Any:
        node = self.node_of(value)
        if node is not None:
            return Ref(node)
        if depth < 3 and (spelling[0] == "names" or self._involved(value, spelling, depth)):
            kind = type(value)
            inner = spelling[1] if spelling[0] in ("list", "dict", "names") else ()
            if kind in (list, tuple, dict, slice):
                if kind is dict:
                    items: Sequence[Any] = list(value.values())
                elif kind is slice:
                    items = (value.start, value.stop, value.step)
                else:
                    items = value
                operands = tuple(
                    self._operand(
                        item, inner[place] if place < len(inner) else ("other", None), depth + 1
                    )
                    for place, item in enumerate(items)
                )
                keys = tuple(value) if kind is dict else ()
                return Pack(kind.__name__, operands, keys)
        atom = self._atom(spelling, value)
        if atom is not None:
            return Ref(atom)
        return self._const(value, spelling)

    def _const(self, value: Any, spelling: Spelling) -> Const:
        name = self._leaf(spelling) if kinds.is_atom(value) else self._root(spelling)
        if spelling[0] == "name":
            name = spelling[1]
        declared = self._declared.get(id(value), self) is value
        touched = self._touched.get(id(value))
        if touched is None or touched[0] is not value:
            return Const(snapshot(value), name, 0, declared)
        kept = self._copies.get(id(value))
        if kept is None or kept[0] != touched[2]:
            kept = (touched[2], snapshot(value))
            self._copies[id(value)] = kept
        return Const(kept[1], name, touched[1], declared)

    def _root(self, spelling: Spelling) -> str:
        """The variable at the root of an expression such as ``planes[["tailnum", "year"]]``."""
        while spelling[0] == "site" and self.sites[spelling[1]].operands:
            spelling = self.sites[spelling[1]].operands[0]
        return str(spelling[1]) if spelling[0] == "name" else ""

    def _leaf(self, spelling: Spelling) -> str:
        """The last name of a dotted one such as ``self.mean``."""
        if spelling[0] != "site":
            return ""
        return self.sites[spelling[1]].callee.rpartition(".")[2]


def _forget(live: Dict[int, Tuple[Any, int]], key: int, node: int, _: Any) -> None:
    entry = live.get(key)
    if entry is not None and entry[1] == node:
        del live[key]


def plain_list(value: Any) -> bool:
    """Whether a value is a list of numbers and texts, or of records of them."""
    if not isinstance(value, (list, tuple)) or not value:
        return False
    return kinds.is_atom(value[0]) or type(value[0]) in (list, tuple, dict)
