"""Calls of the program's own functions, whose statements are followed."""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any, Dict, List, Set, Tuple

from . import kinds
from .followed import Followed
from .rewrite import Site, Spelling
from .snapshot import OWN
from .trace import Context


class OwnCalls(Followed):
    """Where the program is: inside which of its functions and loops."""

    def __init__(self, sites: List[Site]) -> None:
        super().__init__(sites)
        self.own_files: Set[str] = set()
        self.names: Dict[int, List[Tuple[str, int, Context]]] = {}
        self.calls: Dict[Tuple[Any, ...], Any] = {}
        self.context: Context = ()
        self._calls = 0
        self._last_atom: Tuple[int, Any] = (-1, None)

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
