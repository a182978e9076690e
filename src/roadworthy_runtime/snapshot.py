"""Freezes values as they are at this moment, so that later changes do not leak in."""

from __future__ import annotations

import copy
import types
from typing import Any, Dict, Set

from . import kinds
from .trace import is_module

_DEPTH = 6
OWN: Set[int] = set()
"""Identities of the namespaces of the program's own modules."""


def snapshot(value: Any, depth: int = 0) -> Any:
    """A copy that nobody else holds; modules, classes and values without state as they are.

    What can't be copied (an open file, say) is returned as it is: saving it is what fails,
    with the name of the value.
    """
    if kinds.is_atom(value) or is_module(value):
        return freeze_function(value) if isinstance(value, types.FunctionType) else value
    if depth < _DEPTH:
        kind = type(value)
        if kind in (list, tuple, set, frozenset):
            return kind(snapshot(item, depth + 1) for item in value)
        if kind is dict:
            return {key: snapshot(item, depth + 1) for key, item in value.items()}
    if kinds.is_frame(value) or kinds.is_series(value) or kinds.is_array(value):
        return value.copy()
    if kinds.is_index(value):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


def free_names(code: types.CodeType) -> Set[str]:
    """The global names that a function's code, and code inside it, reads."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= free_names(constant)
    return names


def freeze_function(function: types.FunctionType, seen: Any = None) -> types.FunctionType:
    """The function with the globals and closure that it reads as they are now."""
    seen = {} if seen is None else seen
    if id(function) in seen:
        frozen: types.FunctionType = seen[id(function)]
        return frozen
    own = function.__globals__
    scope: Dict[str, Any] = dict(own)
    cells = tuple(types.CellType() for _ in function.__closure__ or ())
    made = types.FunctionType(
        function.__code__, scope, function.__name__, function.__defaults__, cells or None
    )
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__ = function.__qualname__
    made.__module__ = function.__module__
    made.__doc__ = function.__doc__
    seen[id(function)] = made
    if id(own) not in OWN:
        return function
    for name in free_names(function.__code__) & set(own):
        scope[name] = _inner(own[name], seen)
    for cell, old in zip(cells, function.__closure__ or ()):
        try:
            cell.cell_contents = _inner(old.cell_contents, seen)
        except ValueError:
            pass
    return made


def _inner(value: Any, seen: Any) -> Any:
    if isinstance(value, types.FunctionType):
        return freeze_function(value, seen) if id(value.__globals__) in OWN else value
    return snapshot(value, 1)
