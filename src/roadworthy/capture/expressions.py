"""Operations as Python expressions and statements (syntax trees)."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

Operand = dict[str, Any]
Resolve = Callable[[int], ast.expr]

BINARY: dict[str, type[ast.operator]] = {
    "+": ast.Add, "-": ast.Sub, "*": ast.Mult, "/": ast.Div, "//": ast.FloorDiv, "%": ast.Mod,
    "**": ast.Pow, "<<": ast.LShift, ">>": ast.RShift, "|": ast.BitOr, "^": ast.BitXor,
    "&": ast.BitAnd, "@": ast.MatMult,
}  # fmt: skip
COMPARE: dict[str, type[ast.cmpop]] = {
    "==": ast.Eq, "!=": ast.NotEq, "<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE,
}  # fmt: skip
UNARY: dict[str, type[ast.unaryop]] = {"-": ast.USub, "+": ast.UAdd, "~": ast.Invert}


def parsed(text: str) -> ast.expr:
    """An expression's tree."""
    return ast.parse(text, mode="eval").body


def name(text: str) -> ast.Name:
    """A variable, read."""
    return ast.Name(text, ast.Load())


def attribute(owner: ast.expr, text: str) -> ast.Attribute:
    """An attribute, read."""
    return ast.Attribute(owner, text, ast.Load())


def call(function: ast.expr, *args: ast.expr, **keywords: ast.expr) -> ast.Call:
    """A call."""
    return ast.Call(
        function, list(args), [ast.keyword(key, value) for key, value in keywords.items()]
    )


def constant(value: Any) -> ast.Constant:
    """A plain value."""
    return ast.Constant(value)


def operand(item: Operand, resolve: Resolve) -> ast.expr:
    """An operand's expression; nodes are resolved by the caller."""
    if "ref" in item:
        return resolve(item["ref"])
    if "literal" in item:
        return parsed(item["literal"])
    if "constant" in item:
        return name(item["constant"])
    if "code" in item:
        return parsed(item["code"])
    if "state" in item:
        return attribute(name("state"), item["state"])
    if "frozen" in item:
        return attribute(name("frozen"), item["frozen"])
    parts = [operand(part, resolve) for part in item["items"]]
    if item["pack"] == "list":
        return ast.List(parts, ast.Load())
    if item["pack"] == "tuple":
        return ast.Tuple(parts, ast.Load())
    if item["pack"] == "dict":
        keys: list[ast.expr | None] = [parsed(key) for key in item["keys"]]
        return ast.Dict(keys, parts)
    return call(name("slice"), *parts)


def key(expression: ast.expr) -> ast.expr:
    """A subscript's key: calls of ``slice`` become slices.

    >>> ast.unparse(ast.Subscript(name("x"), key(parsed("(slice(None, 3), 1)")), ast.Load()))
    'x[:3, 1]'
    """
    if isinstance(expression, ast.Tuple):
        return ast.Tuple([key(part) for part in expression.elts], ast.Load())
    if (
        isinstance(expression, ast.Call)
        and isinstance(expression.func, ast.Name)
        and expression.func.id == "slice"
    ):
        parts = list(expression.args)
        if len(parts) == 1:
            parts = [ast.Constant(None), *parts]
        parts += [ast.Constant(None)] * (3 - len(parts))
        return ast.Slice(*[None if _is_none(part) else part for part in parts])
    return expression


def _is_none(expression: ast.expr) -> bool:
    return isinstance(expression, ast.Constant) and expression.value is None


def subscript(owner: ast.expr, place: ast.expr) -> ast.Subscript:
    """``owner[place]``, read."""
    return ast.Subscript(owner, key(place), ast.Load())


def assign(target: ast.expr, value: ast.expr) -> ast.Assign:
    """``target = value``; a value already stored is read as a target."""
    stored = ast.parse(ast.unparse(target) + " = 0").body[0]
    assert isinstance(stored, ast.Assign)
    return ast.Assign(stored.targets, value)


def augmented(value: ast.BinOp) -> ast.AugAssign:
    """``x += y`` for ``x + y``."""
    stored = ast.parse(ast.unparse(value.left) + " = 0").body[0]
    assert isinstance(stored, ast.Assign)
    target = stored.targets[0]
    assert isinstance(target, (ast.Name, ast.Attribute, ast.Subscript))
    return ast.AugAssign(target, value.op, value.right)


class Renamed(ast.NodeTransformer):
    """Replaces names by expressions."""

    def __init__(self, names: dict[str, ast.expr]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The expression that stands for a name that is read."""
        return self.names.get(node.id, node) if isinstance(node.ctx, ast.Load) else node


def expression(step: dict[str, Any], resolve: Resolve) -> ast.expr:
    """The value that a step gives (not for stores and deletions)."""
    args = [operand(item, resolve) for item in step["args"] if "expression" not in item]
    keywords = {word: operand(item, resolve) for word, item in step["kwargs"].items()}
    kind = step["kind"]
    if kind == "call":
        return call(args[0], *args[1:], **keywords)
    if kind == "method":
        return call(attribute(args[0], step["name"]), *args[1:], **keywords)
    if kind == "attr":
        return attribute(args[0], step["name"])
    if kind in ("item", "element"):
        return subscript(args[0], args[1])
    if kind in ("binary", "inplace"):
        symbol = step["name"]
        if symbol in COMPARE:
            return ast.Compare(args[0], [COMPARE[symbol]()], [args[1]])
        return ast.BinOp(args[0], BINARY[symbol](), args[1])
    if kind == "unary":
        return ast.UnaryOp(UNARY[step["name"]](), args[0])
    if kind == "comprehension":
        quoted = step["args"][0]
        names = dict(zip(quoted["names"], args, strict=True))
        made = Renamed(names).visit(parsed(quoted["expression"]))
        assert isinstance(made, ast.expr)
        return made
    raise AssertionError(kind)
