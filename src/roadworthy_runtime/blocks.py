"""Parts of a program's own text that become functions, kept as the author wrote them."""

from __future__ import annotations

import ast
import builtins
import keyword
import textwrap
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

_LEAVES = (
    ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal, ast.Import,
    ast.ImportFrom, ast.AsyncFor, ast.AsyncWith, ast.Delete,
)  # fmt: skip
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class Block(NamedTuple):
    """A statement that can become a function of the names it reads."""

    text: str
    """The author's lines, without their indentation."""
    reads: Tuple[str, ...]
    """Names that it reads before it binds them, in order."""
    stores: Tuple[str, ...]
    """Names that it binds and that are read elsewhere, in order."""
    binds: Tuple[str, ...]
    """All names that it binds."""
    sets: Tuple[str, ...]
    """Columns that it assigns to by name."""
    line: int
    end_line: int
    name: str = ""
    """What the author calls it, with ``rw.captured``."""


class Text(NamedTuple):
    """The parts of a function's text."""

    block: Block
    parameters: Tuple[str, ...]
    first: Tuple[str, ...]
    """Statements before the author's own."""
    results: Tuple[str, ...]
    changed: Tuple[str, ...]
    """Results that were there before, and are given back changed."""

    def title(self) -> str:
        """A name for the function: what it makes, or the columns that it sets."""
        if self.block.name:
            return self.block.name
        made = [name for name in self.results if name not in self.changed or name in self._fresh()]
        verb = "make" if made else "set"
        names = made or list(self.block.sets) or list(self.results)
        return "_".join([verb, "_and_".join(name.strip("_").lower() for name in names[:2])])

    def _fresh(self) -> List[str]:
        return [line.partition(" = ")[0] for line in self.first if not _copies(line)]

    def written(self, name: str) -> str:
        """The function's text.

        >>> block = Block("ys = [2 * x for x in xs]", ("xs",), ("ys",), ("ys",), (), 1, 1)
        >>> print(Text(block, ("xs",), (), ("ys",), ()).written("double"))
        def double(xs):
            ys = [2 * x for x in xs]
            return ys
        <BLANKLINE>
        """
        body = [*self.first, self.block.text, "return " + ", ".join(self.results)]
        return "def %s(%s):\n%s\n" % (
            name, ", ".join(self.parameters), textwrap.indent("\n".join(body), "    ")
        )  # fmt: skip


class Snippet:
    """A part of a program as a function: called with what it reads, it gives what it binds.

    ``scope`` holds the modules, functions and classes that its text names; with several ``results``
    it gives a tuple of them.
    """

    def __init__(self, name: str, parts: Text, scope: Dict[str, Any], file: str, line: int) -> None:
        self.name = self.__name__ = name
        self.parts = parts
        self.scope = scope
        self.file = file
        self.line = line
        made = dict(scope)
        exec(compile(parts.written(name), file, "exec", dont_inherit=True), made)
        self.function = made[name]

    @property
    def results(self) -> Tuple[str, ...]:
        """The names whose values it gives."""
        return self.parts.results

    def giving(self, places: Sequence[int]) -> Snippet:
        """The same with only these of its results."""
        parts = self.parts._replace(results=tuple(self.results[place] for place in places))
        return Snippet(parts.title(), parts, self.scope, self.file, self.line)

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def __deepcopy__(self, memo: Any) -> Snippet:
        return self


def block_of(node: ast.stmt, lines: Sequence[str], loads: Dict[str, List[int]]) -> Optional[Block]:
    """What a statement reads and binds; None where it can't stand in a function of its own.

    ``loads``: name -> the lines of the module that read it.
    """
    if any(isinstance(part, _LEAVES) for part in _inside(node)):
        return None
    first, last = node.lineno, node.end_lineno or node.lineno
    text = textwrap.dedent("\n".join(lines[first - 1 : last]))
    if any(_spreads(part) for part in ast.walk(node)):
        text = ast.unparse(node)
    reads = _Reads()
    reads.visit(node)
    stores = [
        name for name in reads.stored
        if any(not first <= line <= last for line in loads.get(name, ()))
    ]  # fmt: skip
    return Block(
        text, tuple(reads.found), tuple(stores), tuple(reads.stored), _sets(node), first, last
    )


def block_of_body(
    body: List[ast.stmt], first: int, name: str, lines: Sequence[str], loads: Dict[str, List[int]]
) -> Optional[Block]:
    """The same of the statements inside ``with rw.captured(name):``; ``first`` is their line."""
    whole = ast.If(ast.Constant(True), body, [])
    ast.copy_location(whole, body[0])
    ast.copy_location(whole.test, body[0])
    whole.lineno, whole.end_lineno = first, body[-1].end_lineno
    found = block_of(whole, lines, loads)
    title = "".join(c if c.isalnum() else "_" for c in name)
    fits = title.isidentifier() and not keyword.iskeyword(title)
    return found and found._replace(name=title if fits else "step")


def _copies(line: str) -> bool:
    name, _, value = line.partition(" = ")
    return value in ("%s.copy()" % name, "list(%s)" % name, "deepcopy(%s)" % name)


def copying(name: str, value: Any) -> str:
    """The statement that copies a value before it is changed."""
    if isinstance(value, tuple):
        return "%s = list(%s)" % (name, name)
    if hasattr(value, "copy"):
        return "%s = %s.copy()" % (name, name)
    return "%s = deepcopy(%s)" % (name, name)


def _sets(node: ast.AST) -> Tuple[str, ...]:
    found: Dict[str, None] = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store):
            keys = [n for n in ast.walk(part.slice) if isinstance(n, ast.Constant)]
            found.update((n.value, None) for n in keys if isinstance(n.value, str))
    return tuple(name for name in found if name.isidentifier())


def _spreads(node: ast.AST) -> bool:
    """Whether this is a text over several lines, which another indentation would change."""
    if not isinstance(node, (ast.Constant, ast.JoinedStr)):
        return False
    return (node.end_lineno or node.lineno) > node.lineno


def _inside(node: ast.AST) -> Iterable[ast.AST]:
    """All parts of a node that run where it runs: not the bodies of functions inside it."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _SCOPES):
            continue
        yield from _inside(child)


def lines_that_read(tree: ast.AST) -> Dict[str, List[int]]:
    """Name -> the lines that read it, but for loops that bind it themselves before they do."""
    found: Dict[str, List[int]] = {}

    def walk(node: ast.AST, own: Set[str]) -> None:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in own:
            found.setdefault(node.id, []).append(node.lineno)
        elif isinstance(node, ast.For):
            reads = _Reads()
            reads.visit(node)
            own = own | (set(reads.stored) - set(reads.found))
        for child in ast.iter_child_nodes(node):
            walk(child, own)

    walk(tree, set())
    return found


class _Reads(ast.NodeVisitor):
    """Which names statements read before they have surely bound them."""

    def __init__(self) -> None:
        self.found: Dict[str, None] = {}
        self.stored: Dict[str, None] = {}
        self.bound: Set[str] = set()

    def statements(self, nodes: Sequence[ast.stmt]) -> None:
        for node in nodes:
            self.visit(node)

    def apart(self, *bodies: Sequence[ast.stmt]) -> None:
        """Bodies of which one or none runs: only what all of them bind is surely bound."""
        before, after = set(self.bound), []
        for body in bodies:
            self.bound = set(before)
            self.statements(body)
            after.append(self.bound)
        self.bound = set.intersection(*after)

    def generic_visit(self, node: ast.AST) -> None:
        self.read(node)

    def visit_For(self, node: ast.For) -> None:
        self.read(node.iter)
        before = set(self.bound)
        self.store(node.target)
        self.statements(node.body)
        self.bound = before
        self.statements(node.orelse)

    def visit_While(self, node: ast.While) -> None:
        self.read(node.test)
        self.apart(node.body, [])
        self.statements(node.orelse)

    def visit_If(self, node: ast.If) -> None:
        self.read(node.test)
        self.apart(node.body, node.orelse)

    def visit_Try(self, node: ast.Try) -> None:
        self.apart(node.body, [])
        for handler in node.handlers:
            if handler.name:
                self.stored[handler.name] = None
            self.apart(handler.body, [])
        self.apart(node.orelse, [])
        self.statements(node.finalbody)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            self.read(item.context_expr)
            self.store(item.optional_vars)
        self.statements(node.body)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.name(node.target.id)
        self.read(node.value)
        self.store(node.target)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.read(node.value)
        for target in node.targets:
            self.store(target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.read(node.value)
        if node.value is not None:
            self.store(node.target)

    def visit_FunctionDef(self, node: Any) -> None:
        self.read(node)
        self.stored[node.name] = None
        self.bound.add(node.name)

    visit_ClassDef = visit_FunctionDef

    def name(self, name: str) -> None:
        if name not in self.bound:
            self.found[name] = None

    def read(self, node: Optional[ast.AST]) -> None:
        """Names that an expression loads and does not bind itself."""
        if node is None:
            return
        own: Set[str] = set()
        for part in ast.walk(node):
            if isinstance(part, ast.arg):
                own.add(part.arg)
            elif isinstance(part, ast.comprehension):
                own |= {n.id for n in ast.walk(part.target) if isinstance(n, ast.Name)}
            elif isinstance(node, _SCOPES) and isinstance(part, ast.Name):
                if isinstance(part.ctx, ast.Store):
                    own.add(part.id)
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id not in own:
                if isinstance(part.ctx, ast.Load):
                    self.name(part.id)
                else:
                    self.stored[part.id] = None

    def store(self, node: Optional[ast.AST]) -> None:
        if node is None:
            return
        if isinstance(node, ast.Name):
            self.stored[node.id] = None
            self.bound.add(node.id)
        elif isinstance(node, (ast.Tuple, ast.List)):
            for item in node.elts:
                self.store(item)
        elif isinstance(node, ast.Starred):
            self.store(node.value)
        else:
            self.read(node)


def is_builtin(name: str) -> bool:
    """Whether a name that nothing binds is one of Python's own."""
    return hasattr(builtins, name)
