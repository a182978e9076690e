"""Rewrites a program's syntax tree so that each operation reports itself to the recorder.

Calls, attribute and subscript reads and writes, operators, loops, comprehensions and bindings
become calls of hooks on the recorder (recorder.py), which stands in the code as a constant: code
that is pickled takes it along. What the program computes, prints and raises stays the same.
"""

from __future__ import annotations

import ast
import types
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from .blocks import Block, block_of, block_of_body, lines_that_read
from .refusal import Line

HOOK = "roadworthy: the recorder"
"""Stands for the recorder in a rewritten tree."""
# These look at the frame that calls them, so nothing may stand in between.
FRAME_READERS = frozenset(
    {"super", "locals", "globals", "vars", "dir", "eval", "exec", "__import__", "breakpoint"}
)
FRAME_CALLS = frozenset({"sys._getframe", "inspect.currentframe", "inspect.stack", "inspect.trace"})
OPERATORS: Dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**", ast.LShift: "<<", ast.RShift: ">>", ast.BitOr: "|", ast.BitXor: "^",
    ast.BitAnd: "&", ast.MatMult: "@",
}  # fmt: skip
COMPARISONS: Dict[type, str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
UNARY: Dict[type, str] = {ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}

# How an operand is written: ("site", 12) the result of another site, ("name", "df") a variable,
# ("list", (…)) a display of operands, ("names", (…)) the variables that a text names,
# ("other", None) anything else.
Spelling = Tuple[str, Any]


class Site(NamedTuple):
    """A place in a program's text where an operation stands."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    statement: int
    """First line of the statement around it."""
    operands: Tuple[Spelling, ...]
    keywords: Dict[str, Spelling]
    callee: str
    """The dotted name that is called, where it is one."""
    block: Optional[Block] = None
    """Of a loop: the statement as a function of its own."""


class Rewriter(ast.NodeTransformer):
    """Rewrites one module; ``sites`` is shared by all modules of a program."""

    def __init__(self, file: str, sites: List[Site], source: str, tree: ast.Module) -> None:
        self.file = file
        self.sites = sites
        self._lines = source.split("\n")
        self._loads = lines_that_read(tree)
        self._statement = 0
        self._classes: List[str] = []
        self._fresh = 0
        self._numbers: Dict[int, int] = {}
        self._slices: Dict[int, Tuple[Spelling, ...]] = {}

    # ---- helpers

    def _spell(self, node: ast.AST) -> Spelling:
        number = self._numbers.get(id(node))
        if number is not None:
            return ("site", number)
        if id(node) in self._slices:
            return ("list", self._slices[id(node)])
        if isinstance(node, ast.Name):
            return ("name", node.id)
        if isinstance(node, ast.Constant):
            return ("literal", None)
        if isinstance(node, (ast.List, ast.Tuple)):
            return ("list", tuple(self._spell(item) for item in node.elts))
        if isinstance(node, ast.Dict):
            return ("dict", tuple(self._spell(item) for item in node.values))
        return ("other", None)

    def _site(
        self,
        node: Any,
        operands: Sequence[ast.AST] = (),
        keywords: Optional[Dict[str, ast.expr]] = None,
        callee: str = "",
        block: Optional[Block] = None,
    ) -> ast.Constant:
        self.sites.append(
            Site(
                self.file, Line(node.lineno, self.file), node.col_offset,
                node.end_lineno, node.end_col_offset,
                self._statement or node.lineno,
                tuple(self._spell(operand) for operand in operands),
                {name: self._spell(value) for name, value in (keywords or {}).items()},
                callee,
                block,
            )
        )  # fmt: skip
        return ast.copy_location(ast.Constant(len(self.sites) - 1), node)

    def _hook(self, node: Any, name: str, args: List[Any], keywords: Any = ()) -> ast.Call:
        call = ast.Call(
            func=ast.Attribute(ast.Constant(HOOK), name, ast.Load()),
            args=args,
            keywords=list(keywords),
        )
        for part in (call, call.func, call.func.value):  # type: ignore[attr-defined]
            ast.copy_location(part, node)
        if args and isinstance(args[0], ast.Constant) and isinstance(args[0].value, int):
            self._numbers[id(call)] = args[0].value
        return call

    def _text(self, node: Any, text: str) -> ast.Constant:
        return ast.copy_location(ast.Constant(text), node)

    def _mangled(self, name: str) -> str:
        if self._classes and name.startswith("__") and not name.endswith("__"):
            return "_" + self._classes[-1].lstrip("_") + name
        return name

    # ---- statements

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.stmt):
            before, self._statement = self._statement, node.lineno
            try:
                return super().visit(node)
            finally:
                self._statement = before
        return super().visit(node)

    def visit_FunctionDef(self, node: Any) -> Any:
        node.decorator_list = [self.visit(item) for item in node.decorator_list]
        node.args.defaults = [self.visit(item) for item in node.args.defaults]
        node.args.kw_defaults = [item and self.visit(item) for item in node.args.kw_defaults]
        classes, self._classes = self._classes, self._classes
        node.body = self._body(node.body)
        self._classes = classes
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        node.decorator_list = [self.visit(item) for item in node.decorator_list]
        node.bases = [self.visit(item) for item in node.bases]
        self._classes.append(node.name)
        node.body = self._body(node.body)
        self._classes.pop()
        return node

    def _body(self, statements: List[ast.stmt]) -> List[ast.stmt]:
        out: List[ast.stmt] = []
        for statement in statements:
            result = self.visit(statement)
            out.extend(result if isinstance(result, list) else [result])
        return out

    def visit_Assign(self, node: ast.Assign) -> Any:
        value = self.visit(node.value)
        if all(_plain_target(target) for target in node.targets):
            names = tuple(_names(target) for target in node.targets)
            node.value = self._bind(node, names, value)
            return node
        if len(node.targets) == 1 and isinstance(node.targets[0], (ast.Subscript, ast.Attribute)):
            return self._store(node, node.targets[0], value)
        return self._spread(node, node.targets, value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return node
        value = self.visit(node.value)
        if isinstance(node.target, ast.Name):
            node.value = self._bind(node, (node.target.id,), value)
            return node
        return self._store(node, node.target, value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> Any:
        node.value = self._bind(node, (node.target.id,), self.visit(node.value))
        return node

    def _bind(self, node: Any, names: Tuple[Any, ...], value: ast.expr) -> ast.expr:
        literal = ast.copy_location(_literal(names), node)
        return self._hook(node, "bind", [self._site(node, [value]), literal, value])

    def _spread(self, node: Any, targets: Sequence[ast.expr], value: ast.expr) -> List[ast.stmt]:
        """``a, d["x"] = v`` as single stores from temporary names."""
        self._fresh += 1
        whole = "__rw_%d" % self._fresh
        out: List[ast.stmt] = [_assign(node, ast.Name(whole, ast.Store()), value)]
        for target in targets:
            load = ast.copy_location(ast.Name(whole, ast.Load()), node)
            if isinstance(target, (ast.Subscript, ast.Attribute)):
                out.append(self._store(node, target, load))
            elif _plain_target(target):
                out.append(_assign(node, target, self._bind(node, (_names(target),), load)))
            else:
                parts: List[ast.expr] = []
                stores: List[ast.stmt] = []
                for element in target.elts:  # type: ignore[attr-defined]
                    if isinstance(element, (ast.Subscript, ast.Attribute)):
                        self._fresh += 1
                        part = "__rw_%d" % self._fresh
                        parts.append(ast.Name(part, ast.Store()))
                        stores.append(self._store(node, element, ast.Name(part, ast.Load())))
                    else:
                        parts.append(element)
                out.append(_assign(node, ast.Tuple(parts, ast.Store()), load))
                out.extend(stores)
        for statement in out:
            ast.fix_missing_locations(statement)
        return out

    def _store(self, node: Any, target: Any, value: ast.expr) -> ast.stmt:
        owner = self.visit(target.value)
        if isinstance(target, ast.Attribute):
            name = self._text(node, self._mangled(target.attr))
            call = self._hook(
                node, "setattr", [self._site(node, [owner, value]), value, owner, name]
            )
        else:
            key = self._key(target.slice)
            call = self._hook(
                node, "setitem", [self._site(node, [owner, key, value]), value, owner, key]
            )
        return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        value = self.visit(node.value)
        symbol = self._text(node, OPERATORS[type(node.op)])
        target = node.target
        if isinstance(target, ast.Name):
            load = ast.copy_location(ast.Name(target.id, ast.Load()), node)
            call = self._hook(
                node, "augment", [self._site(node, [load, value]), symbol, load, value]
            )
            return _assign(node, target, self._bind(node, (target.id,), call))
        owner = self.visit(target.value)
        if isinstance(target, ast.Attribute):
            key: ast.expr = self._text(node, self._mangled(target.attr))
            hook = "augment_attr"
        else:
            key = self._key(target.slice)
            hook = "augment_item"
        call = self._hook(
            node, hook, [self._site(node, [owner, key, value]), symbol, owner, key, value]
        )
        return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))

    def visit_Delete(self, node: ast.Delete) -> Any:
        out: List[ast.stmt] = []
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                owner, key = self.visit(target.value), self._key(target.slice)
                call = self._hook(node, "delitem", [self._site(node, [owner, key]), owner, key])
                out.append(ast.copy_location(ast.Expr(call), node))
            else:
                out.append(ast.copy_location(ast.Delete([target]), node))
        return out

    def visit_For(self, node: ast.For) -> Any:
        block = block_of(node, self._lines, self._loads)
        whole = self._site(node, block=block)
        end = ast.copy_location(ast.Expr(self._hook(node, "after", [whole])), node)
        iterable = self.visit(node.iter)
        names = ast.copy_location(_literal(_names(node.target)), node)
        site = self._site(node.iter, [iterable])
        node.iter = self._hook(node, "loop", [site, whole, iterable, names])
        node.body, node.orelse = self._body(node.body), self._body(node.orelse)
        return [node, end] if block is not None else node

    def visit_With(self, node: ast.With) -> Any:
        name = _captured_name(node)
        if name is None:
            return self.generic_visit(node)
        block = block_of_body(node.body, _body_line(node), name, self._lines, self._loads)
        begin = self._hook(node, "opaque", [self._site(node, block=block)])
        assert isinstance(begin.args[0], ast.Constant)
        end = self._hook(
            node, "after", [ast.copy_location(ast.Constant(begin.args[0].value), node)]
        )
        return [
            ast.copy_location(ast.Expr(begin), node), node, ast.copy_location(ast.Expr(end), node)
        ]  # fmt: skip

    def visit_While(self, node: ast.While) -> Any:
        node.test = self.visit(node.test)
        tick = self._hook(node, "tick", [self._site(node)])
        node.body = [
            ast.fix_missing_locations(ast.copy_location(ast.Expr(tick), node)),
            *self._body(node.body),
        ]
        node.orelse = self._body(node.orelse)
        return node

    # ---- expressions

    def visit_Call(self, node: ast.Call) -> Any:
        func = node.func
        if isinstance(func, ast.Name) and func.id in FRAME_READERS:
            return self.generic_visit(node)
        callee = _dotted(func)
        if callee in FRAME_CALLS:
            return self.generic_visit(node)
        args = [
            # As a function's argument it is used at once: what it reads does not change until then.
            self.visit_ListComp(item) if isinstance(item, ast.GeneratorExp) else self.visit(item)
            for item in node.args
        ]
        keywords = [ast.keyword(item.arg, self.visit(item.value)) for item in node.keywords]
        for new, old in zip(keywords, node.keywords):
            ast.copy_location(new, old)
        named = {item.arg: item.value for item in keywords if item.arg}
        if isinstance(func, ast.Attribute):
            owner = self.visit(func.value)
            site = self._site(node, [owner, *args], named, callee)
            name = self._text(node, self._mangled(func.attr))
            return self._hook(node, "method", [site, owner, name, *args], keywords)
        target = self.visit(func)
        site = self._site(node, [target, *args], named, callee)
        return self._hook(node, "call", [site, target, *args], keywords)

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        if not isinstance(node.ctx, ast.Load):
            return self.generic_visit(node)
        dotted = _dotted(node)
        owner = self.visit(node.value)
        name = self._text(node, self._mangled(node.attr))
        return self._hook(node, "attr", [self._site(node, [owner], callee=dotted), owner, name])

    def _key(self, node: Any) -> ast.expr:
        """A subscript as an ordinary expression: slices become calls of ``slice``."""
        if isinstance(node, ast.Index):  # pragma: no cover  (3.8 and older)
            node = node.value  # type: ignore[attr-defined]
        if isinstance(node, ast.Slice):
            parts = [
                self.visit(p) if p else ast.copy_location(ast.Constant(None), node)
                for p in (node.lower, node.upper, node.step)
            ]
            made = ast.Call(ast.Attribute(ast.Constant(HOOK), "slice", ast.Load()), parts, [])
            self._slices[id(made)] = tuple(self._spell(part) for part in parts)
            return ast.fix_missing_locations(ast.copy_location(made, node))
        if isinstance(node, ast.Tuple) and any(isinstance(e, ast.Slice) for e in node.elts):
            made_tuple = ast.Tuple([self._key(e) for e in node.elts], ast.Load())
            return ast.copy_location(made_tuple, node)
        result: ast.expr = self.visit(node)
        return result

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        if not isinstance(node.ctx, ast.Load):
            return self.generic_visit(node)
        owner, key = self.visit(node.value), self._key(node.slice)
        return self._hook(node, "item", [self._site(node, [owner, key]), owner, key])

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.visit(node.left), self.visit(node.right)
        symbol = self._text(node, OPERATORS[type(node.op)])
        return self._hook(node, "binary", [self._site(node, [left, right]), symbol, left, right])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        operand = self.visit(node.operand)
        if type(node.op) not in UNARY or isinstance(operand, ast.Constant):
            node.operand = operand
            return node
        symbol = self._text(node, UNARY[type(node.op)])
        return self._hook(node, "unary", [self._site(node, [operand]), symbol, operand])

    def visit_Compare(self, node: ast.Compare) -> Any:
        if len(node.ops) != 1 or type(node.ops[0]) not in COMPARISONS:
            return self.generic_visit(node)
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        symbol = self._text(node, COMPARISONS[type(node.ops[0])])
        return self._hook(node, "binary", [self._site(node, [left, right]), symbol, left, right])

    def visit_ListComp(self, node: Any) -> Any:
        """``[f(x) for x in xs]`` also as a function of the names it reads."""
        if any(isinstance(n, (ast.NamedExpr, ast.Await, ast.Yield)) for n in ast.walk(node)):
            return self.generic_visit(node)
        free = sorted(_free_names(node))
        body = self.generic_visit(node)
        arguments = ast.arguments(
            posonlyargs=[], args=[ast.arg(name) for name in free], kwonlyargs=[],
            kw_defaults=[], defaults=[],
        )  # fmt: skip
        assert isinstance(body, ast.expr)
        function = ast.Lambda(arguments, body)
        loads: List[ast.expr] = [ast.Name(name, ast.Load()) for name in free]
        values = ast.Tuple(loads, ast.Load())
        names = _literal(tuple(free))
        call = self._hook(node, "comprehension", [self._site(node), function, names, values])
        return ast.fix_missing_locations(call)

    visit_SetComp = visit_ListComp
    visit_DictComp = visit_ListComp


def _captured_name(node: ast.With) -> Optional[str]:
    """The name that ``with rw.captured("name"):`` gives; None for any other ``with``."""
    call = node.items[0].context_expr
    if len(node.items) > 1 or not isinstance(call, ast.Call) or len(call.args) != 1:
        return None
    if _dotted(call.func).rpartition(".")[2] != "captured":
        return None
    name = call.args[0]
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None


def _body_line(node: ast.With) -> int:
    """The first line below a ``with``: comments belong to what stands there."""
    head = node.items[0].context_expr
    return min(int(head.end_lineno or node.lineno) + 1, node.body[0].lineno)


def _assign(node: Any, target: ast.expr, value: ast.expr) -> ast.stmt:
    statement = ast.Assign(targets=[target], value=value)
    return ast.fix_missing_locations(ast.copy_location(statement, node))


def _plain_target(node: ast.AST) -> bool:
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(_plain_target(item) for item in node.elts)
    return isinstance(node, (ast.Name, ast.Starred))


def _names(node: ast.AST) -> Any:
    """The names of a target: a text, a tuple of them, or None where there is none."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_names(item) for item in node.elts)
    return None


def _literal(names: Any) -> ast.expr:
    if isinstance(names, tuple):
        return ast.Tuple([_literal(name) for name in names], ast.Load())
    return ast.Constant(names)


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return owner and owner + "." + node.attr
    return ""


def _free_names(node: ast.AST) -> Set[str]:
    """Names that an expression reads and does not bind itself, without builtins."""
    import builtins

    bound: Set[str] = set()
    read: Set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            (read if isinstance(part.ctx, ast.Load) else bound).add(part.id)
        elif isinstance(part, ast.arg):
            bound.add(part.arg)
    return {name for name in read - bound if not hasattr(builtins, name)}


def rewrite(source: str, file: str, sites: List[Site]) -> ast.Module:
    """The rewritten tree of a module's source; its sites are appended to ``sites``."""
    return rewrite_tree(ast.parse(source, filename=file), file, sites, source)


def rewrite_tree(tree: ast.Module, file: str, sites: List[Site], source: str) -> ast.Module:
    """The same of a module's tree, with its text."""
    rewriter = Rewriter(file, sites, source, tree)
    docstring = ast.get_docstring(tree, clean=False) is not None
    head = tree.body[:1] if docstring else []
    tree.body = head + rewriter._body(tree.body[len(head) :])
    return ast.fix_missing_locations(tree)


class _Named(ast.NodeTransformer):
    """Has a name stand for the recorder, where compiled code can't be changed."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        """The name, for what stands for the recorder."""
        if type(node.value) is str and node.value == HOOK:
            return ast.copy_location(ast.Name(self.name, ast.Load()), node)
        return node


def named(tree: ast.Module, name: str) -> ast.Module:
    """A rewritten tree that finds the recorder under a name."""
    found = _Named(name).visit(tree)
    assert isinstance(found, ast.Module)
    return ast.fix_missing_locations(found)


def link(code: types.CodeType, recorder: Any) -> types.CodeType:
    """The compiled code of a rewritten tree with its recorder put in."""
    constants: List[Any] = []
    for item in code.co_consts:
        if isinstance(item, types.CodeType):
            constants.append(link(item, recorder))
        else:
            constants.append(recorder if type(item) is str and item == HOOK else item)
    return code.replace(co_consts=tuple(constants))
