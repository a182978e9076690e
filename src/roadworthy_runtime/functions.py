"""The text of a program's own functions, and which columns of a row they read by name."""

from __future__ import annotations

import ast
import types
from typing import Any, Dict, List, Optional, Set


def columns_of_row(function: Any, files: Dict[str, str], columns: Any) -> Optional[Set[str]]:
    """The columns that ``function(row)`` reads; None where it may read others.

    ``files``: path -> source of the program's modules; ``columns``: those that the table has.
    """
    if not isinstance(function, types.FunctionType):
        return None
    text = files.get(function.__code__.co_filename)
    node = text and function_node(ast.parse(text), function.__code__)
    if not isinstance(node, (ast.FunctionDef, ast.Lambda)) or not node.args.args:
        return None
    return names_read(node, node.args.args[0].arg, set(columns))


def names_read(node: ast.AST, row: str, columns: Set[Any]) -> Optional[Set[str]]:
    """The texts by which a name is subscripted, and columns read as its attributes.

    None where the name is used in any other way.

    >>> names_read(ast.parse("row['a'] + row.b * len(row['c'])"), "row", {"a", "b", "c"}) == {
    ...     "a", "b", "c"}
    True
    >>> names_read(ast.parse("row['a'] + row.sum()"), "row", {"a"})
    """
    found: Set[str] = set()
    known: Set[int] = set()
    for part in ast.walk(node):
        owner = getattr(part, "value", None)
        if not isinstance(owner, ast.Name) or owner.id != row:
            continue
        if isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Load):
            key = getattr(part.slice, "value", None)
        elif isinstance(part, ast.Attribute) and part.attr in columns:
            key = part.attr
        else:
            return None
        if not isinstance(key, str):
            return None
        found.add(key)
        known.add(id(owner))
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name) and part.id == row]
    return found if all(id(name) in known for name in names) else None


def function_node(tree: ast.AST, code: types.CodeType) -> Any:
    """The syntax tree of a function, found by where its code begins."""
    wanted = code.co_name
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == wanted:
            first = min([node.lineno] + [d.lineno for d in node.decorator_list])
            if code.co_firstlineno in (node.lineno, first):
                return node
        if wanted == "<lambda>" and node_line(node) == code.co_firstlineno:
            if isinstance(node, ast.Lambda) and _arguments(node) == _code_arguments(code):
                found.append(node)
    return found[0] if len(found) == 1 else _by_names(found, code)


def _by_names(nodes: List[Any], code: types.CodeType) -> Any:
    """Of several lambdas on one line the one whose constants and names are the code's."""
    wanted = {c for c in code.co_consts if isinstance(c, (str, int, float)) and c is not None}
    fitting = []
    for node in nodes:
        mine = {n.value for n in ast.walk(node.body) if isinstance(n, ast.Constant)}
        if mine <= wanted | {None}:
            fitting.append(node)
    return fitting[0] if len(fitting) == 1 else None


def node_line(node: ast.AST) -> int:
    """The first line of a node; 0 where it has none."""
    return int(getattr(node, "lineno", 0))


def _arguments(node: ast.Lambda) -> List[str]:
    return [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]


def _code_arguments(code: types.CodeType) -> List[str]:
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
