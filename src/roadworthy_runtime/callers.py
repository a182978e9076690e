"""Lets functions that look at the frame that calls them see the program's, not a hook's."""

from __future__ import annotations

import functools
import os
import re
import sys
import types
from typing import Any, Callable, Dict, Tuple

from . import kinds

_HERE = os.path.dirname(os.path.abspath(__file__))
_KINDS = frozenset((types.FunctionType, types.MethodType, types.BuiltinFunctionType))
_EXPRESSIONS = frozenset(("query", "eval"))
_LOGGED = frozenset(
    ("debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log")
)
# The depth that means "my caller" where a formula's names are looked up.
_FORMULAS = {"from_formula": 1, "dmatrix": 0, "dmatrices": 0}
# SQL over the program's variables: duckdb.sql("select … from df").
_STATEMENTS = ("sql", "query", "execute")
_DATABASES = frozenset(("duckdb", "_duckdb", "polars"))
_READERS = frozenset((*_EXPRESSIONS, *_LOGGED, *_FORMULAS))
_CALL = compile("_called[0](*_called[1], **_called[2])", __file__, "eval")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_MARKED = re.compile(r"@\s*([^\W\d]\w*)")
_WORD = re.compile(r"(?<![\w.])[^\W\d]\w*")


def reads_caller(f: Any) -> bool:
    """Whether a callable may be one of those; cheap, for every call of a program."""
    if type(f) not in _KINDS and not type(f).__name__.startswith("nb_"):
        return False
    name = getattr(f, "__name__", "")
    return name in _READERS or name.endswith(_STATEMENTS)


def is_expression(f: Any) -> bool:
    """Whether this is a table's ``query`` or ``eval``, or ``pandas.eval``."""
    if f.__name__ not in _EXPRESSIONS:
        return False
    if isinstance(f, types.MethodType):
        return kinds.is_frame(f.__self__)
    return isinstance(f, types.FunctionType) and f.__module__.partition(".")[0] == "pandas"


def names_read(f: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any], frame: Any) -> Dict[str, Any]:
    """The program's variables that an expression of pandas names, with their values.

    Empty where the call says itself what its names mean.
    """
    if "local_dict" in kwargs or "level" in kwargs:
        return {}
    text = args[0] if args else kwargs.get("expr")
    method = isinstance(f, types.MethodType)
    if not isinstance(text, str) or (not method and len(args) > 3):
        return {}
    words = (_MARKED if method else _WORD).findall(_QUOTED.sub("", text))
    found: Dict[str, Any] = {}
    for word in words:
        for scope in (frame.f_locals, frame.f_globals):
            if word in scope:
                found[word] = scope[word]
                break
    return found


def placed(f: Any, frame: Any) -> Callable[..., Any]:
    """``f`` for a hook to call, so that it finds ``frame`` where it looks for its caller."""
    name, module = f.__name__, getattr(f, "__module__", None) or ""
    if name == "warn" and module in ("warnings", "_warnings"):
        return functools.partial(_levelled, f, frame, 2)
    if name in _LOGGED and module == "logging":
        return functools.partial(_levelled, f, frame, sys.maxsize)
    if name in _FORMULAS and module.startswith(("statsmodels.", "patsy")):
        if name != "from_formula" or f.__qualname__ == "Model.from_formula":
            return functools.partial(_deepened, f, frame)
    if name.endswith(_STATEMENTS) and _package(f) in _DATABASES:
        return functools.partial(_among, f, frame)
    result: Callable[..., Any] = f
    return result


def _package(f: Any) -> str:
    """The package that a function, or the owner of a method, is from."""
    owner = getattr(f, "__self__", None)
    made = f if owner is None or isinstance(owner, types.ModuleType) else type(owner)
    return str(getattr(made, "__module__", None) or "").partition(".")[0]


def _among(f: Any, frame: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Calls ``f`` from a frame that has the program's names."""
    return eval(_CALL, frame.f_globals, {**frame.f_locals, "_called": (f, args, kwargs)})


def _levelled(f: Any, frame: Any, place: int, /, *args: Any, **kwargs: Any) -> Any:
    """Calls ``f`` with the ``stacklevel`` that leads to the place which the program meant."""
    given = args[place] if len(args) > place else kwargs.get("stacklevel", 1)
    if not isinstance(given, int):
        return f(*args, **kwargs)
    level = _level(sys._getframe(), frame, max(given, 1))
    if len(args) > place:
        return f(*args[:place], level, *args[place + 1 :], **kwargs)
    return f(*args, **{**kwargs, "stacklevel": level})


def _level(walk: Any, frame: Any, left: int) -> int:
    level, inside = 1, False
    while walk is not None:
        inside = inside or walk is frame
        if inside and not walk.f_code.co_filename.startswith(_HERE):
            left -= 1
            if left == 0:
                return level
        walk = walk.f_back
        if walk is not None and not _imports(walk.f_code.co_filename):
            level += 1
    return level + left


def _imports(file: str) -> bool:
    return "importlib" in file and "_bootstrap" in file


def _deepened(f: Any, frame: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Calls ``f`` with the ``eval_env`` that leads to the program's frame."""
    if "eval_env" in kwargs:
        return f(*args, **kwargs)
    depth = _FORMULAS[f.__name__]
    walk: Any = sys._getframe()
    while walk is not None and walk is not frame:
        walk = walk.f_back
        depth += 1
    return f(*args, **kwargs, eval_env=depth)
