"""The flow's operations as plain data: operands spelled, frozen values named, code quoted."""

from __future__ import annotations

import ast
import builtins
import functools
import keyword
import math
import re
import sys
import textwrap
import types
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from . import frozen as apply_frozen
from . import kinds
from .analysis import Analysis
from .blocks import Snippet
from .functions import function_node
from .liveness import FlowStep
from .overrides import said
from .refusal import Refusal
from .rewrite import Site
from .snapshot import OWN, free_names
from .trace import VIEW, Const, Op, Pack, Ref, is_module

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_INLINE = 120
"""The longest literal that is written where it is used."""


_ENCODERS = ("LabelEncoder", "OneHotEncoder", "OrdinalEncoder")


class Frozen(NamedTuple):
    """A value that goes into the flow's state."""

    name: str
    value: Any
    line: int
    learned: bool


class Describer:
    """Describes steps; collects state, imports and definitions on the way."""

    def __init__(
        self,
        analysis: Analysis,
        files: Dict[str, str],
        sites: List[Site],
        cells: Sequence[str] = (),
    ) -> None:
        self.analysis = analysis
        self.files = files
        self.sites = sites
        self.state: Dict[str, Frozen] = {}
        self.imports: Dict[str, str] = {}
        self.definitions: Dict[str, Dict[str, Any]] = {}
        self.constants: Dict[str, str] = {}
        self.named: Dict[str, Set[str]] = {}
        """Name -> the texts of the plain values that the author read by it."""
        self._by_identity: Dict[int, str] = {}
        self._busy: Set[types.CodeType] = set()
        self._trees = {path: ast.parse(text) for path, text in files.items()}
        self._defined = {
            node.name for tree in self._trees.values() for node in ast.walk(tree)
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        }  # fmt: skip
        self._imported = {path: _imports(tree) for path, tree in self._trees.items()}
        for label in cells:
            self._imported[label] = {
                name: line for each in cells for name, line in self._imported[each].items()
            }

    # ---- steps

    def step(self, step: FlowStep) -> Dict[str, Any]:
        """One step as plain data."""
        step = _guarded(step, self.sites[step.op.site].line)
        op, site = step.op, self.sites[step.op.site]
        names = self.analysis.recording.names.get(step.source.result or -1, [])
        return {
            "index": op.index,
            "kind": op.kind,
            "name": "" if op.name == VIEW else op.name,
            "args": [self.operand(item, step, place) for place, item in enumerate(op.args)],
            "kwargs": {key: self.operand(item, step, key) for key, item in op.kwargs.items()},
            "result": step.source.result,
            "writes": self.analysis.writes(step.source),
            "alias": step.alias,
            "columns": step.columns,
            "rejects": step.rejects,
            "file": site.file,
            "line": site.line,
            "statement": site.statement,
            "end_line": site.end_line,
            "source": self.segment(site),
            "hint": self._hint(step.source),
            "context": [list(frame) for frame in step.source.context],
            "names": [
                {"name": name, "line": self.sites[where].line, "context": len(context)}
                for name, where, context in names
            ],
        }

    def loops(self, steps: List[Dict[str, Any]]) -> Dict[str, Any]:
        """Site of a loop -> its variable and line, for loops over one name around the steps."""
        out: Dict[str, Any] = {}
        for frame in {tuple(frame) for step in steps for frame in step["context"]}:
            if frame[0] != "loop":
                continue
            site = self.sites[frame[1]]
            for node in ast.walk(self._trees.get(site.file, ast.Module([], []))):
                if isinstance(node, ast.For) and isinstance(node.target, ast.Name):
                    if (node.iter.lineno, node.iter.col_offset) == (site.line, site.column):
                        found = {"variable": node.target.id, "line": node.lineno, "over": ""}
                        if isinstance(node.iter, ast.Name):
                            found["over"] = node.iter.id
                            self.named.setdefault(node.iter.id, set()).add(_turns(steps, frame[1]))
                        out[str(frame[1])] = found
        return out

    def segment(self, site: Site) -> str:
        """The program's text at a site."""
        text = self.files.get(site.file)
        if text is None:
            return ""
        lines = text.split("\n")[site.line - 1 : site.end_line]
        if not lines:
            return ""
        whole = [line.encode() for line in lines]
        whole[-1] = whole[-1][: site.end_column]
        whole[0] = whole[0][site.column :]
        return b"\n".join(whole).decode(errors="replace")

    # ---- operands

    def operand(self, operand: Any, step: FlowStep, place: Any) -> Dict[str, Any]:
        """An operand as plain data: ref, literal, code, state or pack."""
        if isinstance(operand, Ref):
            if operand.node in step.frozen:
                return self._frozen_node(operand.node, step)
            return {"ref": operand.node}
        if isinstance(operand, Pack):
            return {
                "pack": operand.kind,
                "items": [self.operand(item, step, place) for item in operand.items],
                "keys": [repr(key) for key in operand.keys],
            }
        return self.constant(operand, step.op, place)

    def _frozen_node(self, node: int, step: FlowStep) -> Dict[str, Any]:
        producer = self.analysis.producer.get(node)
        names = self.analysis.recording.names.get(node, [])
        hint = names[0][0] if names else self._hint(producer)
        if producer is not None and producer.index in self.analysis.taught:
            producer = self.analysis.taught[producer.index].op
        line = self.sites[producer.site].line if producer is not None else 0
        learned = node in self.analysis.derived
        return self._state(step.frozen[node], hint, line, learned)

    def _hint(self, op: Optional[Op]) -> str:
        """A name for what an operation gave: ``age_median``, ``columns``."""
        if op is None:
            return "value"
        if op.kind == "comprehension":
            return "columns"
        parts: List[str] = []
        current: Optional[Op] = op
        while current is not None:
            if current.kind in ("method", "call") and not parts and not _says_little(current):
                parts.append(current.name.rpartition(".")[2])
            column = self._column(current)
            if column:
                parts.append(column)
                break
            first = current.args[0] if current.args else None
            if current.kind == "call" and len(current.args) > 1:
                first = current.args[1]
            current = self.analysis.producer.get(first.node) if isinstance(first, Ref) else None
        return "_".join(reversed(parts)) or "value"

    @staticmethod
    def _column(op: Op) -> str:
        """The column that an operation reads, where it reads one by its name."""
        if op.kind == "attr" and op.name not in ("loc", "iloc", "values", "index", "dt", "str"):
            return op.name
        if op.kind == "item" and len(op.args) > 1 and isinstance(op.args[1], Const):
            key = op.args[1]
            return key.value if isinstance(key.value, str) else key.name
        return ""

    def constant(self, const: Const, op: Op, place: Any) -> Dict[str, Any]:
        """A value that is no row value: written out, named as code, or put into the state."""
        value = const.value
        if isinstance(value, Snippet):
            return self._snippet(value, op)
        if is_module(value) or _is_named_code(value):
            return self.code(value, op.spelled if place == 0 else "", op)
        if type(value).__module__ == "torch" and type(value).__name__ == "dtype":
            self.imports.setdefault("torch", "import torch")
            return {"code": str(value)}
        text = literal(value)
        if text is not None and not const.learned:
            if len(text) <= _INLINE or kinds.is_atom(value):
                return self._written(text, value, op, place)
            if const.name:
                return {"constant": self._constant(const.name, text)}
            return {"literal": text}
        if text is not None and kinds.is_atom(value) and not const.name:
            return {"literal": text}
        hint = const.name or self._value_hint(value, op)
        return self._state(value, hint, const.learned, bool(const.learned))

    def _written(self, text: str, value: Any, op: Op, place: Any) -> Dict[str, Any]:
        """A literal, with the name by which the author read it where it is a display."""
        site = self.sites[op.site]
        if isinstance(place, str):
            spelled = site.keywords.get(place)
        else:
            spelled = site.operands[place] if place < len(site.operands) else None
        if spelled is None or spelled[0] != "name" or kinds.is_atom(value) or not value:
            return {"literal": text}
        self.named.setdefault(spelled[1], set()).add(text)
        return {"literal": text, "named": spelled[1]}

    def settled_constants(self) -> Dict[str, str]:
        """All constants: also those that the author named, where a name has one value."""
        out = dict(self.constants)
        for name, texts in self.named.items():
            taken = name in self.imports or name in self.definitions or name in out
            if len(texts) == 1 and not taken and identifier(name) == name:
                (out[name],) = texts
        return out

    def _value_hint(self, value: Any, op: Op) -> str:
        if kinds.is_atom(value) or isinstance(value, (list, dict, set, tuple)):
            return "value"
        name = type(value).__name__
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()

    def _constant(self, name: str, text: str) -> str:
        name = identifier(name)
        while self.constants.get(name, text) != text:
            name += "_"
        self.constants[name] = text
        return name

    def _state(self, value: Any, hint: str, line: int, learned: bool) -> Dict[str, Any]:
        known = self._by_identity.get(id(value))
        if known is not None and self.state[known].value is value:
            return {"state": known}
        base = identifier(hint)
        name, number = base, 1
        while name in self.state:
            if _equal(self.state[name].value, value):
                return {"state": name}
            number += 1
            name = "%s_%d" % (base, number)
        self.state[name] = Frozen(name, value, line, learned)
        self._by_identity[id(value)] = name
        self._classes_of(value)
        return {"state": name}

    # ---- code

    def code(self, value: Any, spelled: str, op: Op) -> Dict[str, Any]:
        """A module, function or class as an expression, with what it needs imported or defined."""
        site = self.sites[op.site]
        if isinstance(value, types.FunctionType) and id(value.__globals__) in self._own_scopes(
            value
        ):
            return self._own_function(value, op)
        if isinstance(value, type) and self._is_own(value):
            return {"code": self._own_class(value, op)}
        if getattr(value, "__module__", "") == "roadworthy_runtime.frozen":
            return {"frozen": value.__name__}
        root = spelled.partition(".")[0]
        imported = self._imported.get(site.file, {})
        if spelled and root in imported and _resolves(spelled, value, imported[root]):
            self.imports[root] = imported[root]
            return {"code": spelled}
        return {"code": self._library(value, op)}

    def _snippet(self, snippet: Snippet, op: Op) -> Dict[str, Any]:
        for name, value in sorted(snippet.scope.items()):
            self._global(name, value, snippet.file, op)
        name, number = snippet.name, 1
        taken = {name for names in self._imported.values() for name in names} | self._defined
        while name in taken or self._otherwise(name, snippet.parts.written(name)):
            number += 1
            name = "%s_%d" % (snippet.name, number)
        self._define(name, snippet.parts.written(name), snippet.file, snippet.line)
        return {"code": name}

    def _otherwise(self, name: str, text: str) -> bool:
        return name in self.definitions and self.definitions[name]["source"] != text

    def _own_scopes(self, function: types.FunctionType) -> Set[int]:
        own = function.__code__.co_filename in self.files or (
            function.__code__.co_filename == "<output>"
        )
        return {id(function.__globals__)} if own else OWN

    def _is_own(self, value: type) -> bool:
        module = sys.modules.get(value.__module__)
        return module is not None and id(module.__dict__) in OWN

    def _library(self, value: Any, op: Op) -> str:
        if isinstance(value, types.ModuleType):
            self.imports[value.__name__] = "import " + value.__name__
            return value.__name__
        bound = getattr(value, "__self__", None)
        if isinstance(bound, type):
            return "%s.%s" % (self._library(bound, op), value.__name__)
        module = str(getattr(value, "__module__", None) or "builtins")
        name = str(getattr(value, "__qualname__", None) or getattr(value, "__name__", ""))
        if type(value).__name__ == "ufunc":
            module = "numpy" if hasattr(sys.modules["numpy"], name) else "scipy.special"
        if module == "builtins" and hasattr(builtins, name):
            return str(name)
        public = _public(module, name, value)
        if public is None:
            raise Refusal(
                "%r can't be written down: it has no name in a module" % (value,),
                "give it a name at the top level of the program", self.sites[op.site].line,
            )  # fmt: skip
        owner, attribute = public
        self.imports[attribute] = "from %s import %s" % (owner, attribute)
        return attribute

    def _own_function(self, function: types.FunctionType, op: Op) -> Dict[str, Any]:
        code = function.__code__
        if code.co_filename == "<output>":
            raise Refusal("the output expression defines a function", "define it in the program")
        tree = self._trees[code.co_filename]
        first = op.args[0] if op.args else None
        if op.kind == "comprehension" and getattr(first, "value", None) is function:
            node = _node_at(tree, self.sites[op.site])
        else:
            node = function_node(tree, code)
        if node is None:
            raise Refusal(
                "the source of function %s can't be found" % function.__name__,
                "define it in a file", self.sites[op.site].line,
            )  # fmt: skip
        if code in self._busy:
            return {"code": function.__name__}
        self._busy.add(code)
        known = {**function.__globals__, **_default_names(node, function)}
        for name in sorted(free_names(code) | _signature_names(node)):
            if name in known:
                self._global(name, known[name], code.co_filename, op)
        text = _source(self.files[code.co_filename], node)
        for name, cell in zip(code.co_freevars, function.__closure__ or ()):
            self._global(name, cell.cell_contents, code.co_filename, op)
        self._busy.discard(code)
        if isinstance(node, ast.Lambda):
            return {"code": text}
        if isinstance(node, _COMPREHENSIONS):
            return {"expression": text, "names": list(code.co_varnames[: code.co_argcount])}
        self._define(function.__name__, text, code.co_filename, node.lineno)
        return {"code": function.__name__}

    def _own_class(self, value: type, op: Op) -> str:
        module = sys.modules[value.__module__]
        path = getattr(module, "__file__", None) or self._cell_of(value.__name__)
        tree = self._trees.get(path)
        node = next(
            (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == value.__name__),
            None,
        ) if tree is not None else None  # fmt: skip
        if node is None:
            raise Refusal("the source of class %s can't be found" % value.__name__, "", 0)
        if value.__name__ in self.definitions:
            return value.__name__
        self._define(value.__name__, _source(self.files[path], node), path, node.lineno)
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        for name in sorted(names & set(vars(module))):
            if name != value.__name__:
                self._global(name, vars(module)[name], path, op)
        return value.__name__

    def _cell_of(self, name: str) -> str:
        """The last cell of a notebook that defines a class of this name."""
        for label in reversed(self._trees):
            if any(isinstance(n, ast.ClassDef) and n.name == name for n in self._trees[label].body):
                return label
        return ""

    def _define(self, name: str, text: str, path: str, line: int) -> None:
        known = self.definitions.get(name)
        if known is not None and known["source"] != text:
            raise Refusal(
                "two functions or classes are called %s" % name, "rename one of them", line
            )
        self.definitions[name] = {"name": name, "source": text, "file": path, "line": line}

    def _global(self, name: str, value: Any, path: str, op: Op) -> None:
        """What code of the program reads by a global name."""
        imported = self._imported.get(path, {})
        if name in imported:
            self.imports[name] = imported[name]
            return
        if isinstance(value, types.FunctionType) and value.__code__.co_filename in self.files:
            self._own_function(value, op)
            return
        if isinstance(value, type) and self._is_own(value):
            self._own_class(value, op)
            return
        if is_module(value):
            self._library(value, op)
            return
        text = literal(value)
        if text is None:
            text = "state." + self._state(value, name, 0, False)["state"]
        if self.constants.setdefault(name, text) != text:
            raise Refusal(
                "code that the flow needs reads %s, which had another value each time" % name,
                "give the code its values as arguments", self.sites[op.site].line,
            )  # fmt: skip

    def _classes_of(self, value: Any) -> None:
        """Classes of the program that a frozen object needs to be read again."""
        op = self.analysis.rules[0].op
        seen: Set[int] = set()
        stack = [value]
        while stack and len(seen) < 500:
            item = stack.pop()
            if id(item) in seen or kinds.is_atom(item):
                continue
            seen.add(id(item))
            if isinstance(item, types.FunctionType):
                if item.__code__.co_filename in self.files and item.__name__ != "<lambda>":
                    self._own_function(item, op)
                continue
            if isinstance(item, functools.partial):
                stack += [item.func, item.args, item.keywords]
            elif isinstance(item, (list, tuple, set)):
                stack.extend(list(item)[:50])
            elif isinstance(item, dict):
                stack.extend(list(item.values())[:50])
            elif not isinstance(item, type) and hasattr(item, "__dict__"):
                if self._is_own(type(item)):
                    self._own_class(type(item), op)
                stack.extend(list(vars(item).values())[:50])


def _guarded(step: FlowStep, line: int) -> FlowStep:
    """``encoder.transform(words)`` so that rows with a word that is not known are rejected."""
    op = step.op
    owner = op.args[0].value if op.args and isinstance(op.args[0], Const) else None
    if op.kind != "method" or op.name != "transform" or len(op.args) != 2 or op.kwargs:
        return step
    strict = getattr(owner, "handle_unknown", "error") == "error"
    if kinds.root(owner) != "sklearn" or type(owner).__name__ not in _ENCODERS or not strict:
        return step
    args, kwargs = (Const(apply_frozen.encoded), *op.args), {"line": Const(int(line))}
    name = "frozen.encoded"
    made = Op(op.index, "call", op.site, op.context, name, args, kwargs, op.result, None, name)
    return step._replace(op=made)


def _turns(steps: List[Dict[str, Any]], site: int) -> str:
    """What a loop went over in the steps, as the text of a list."""
    labels: Dict[str, None] = {}
    for step in steps:
        for frame in step["context"]:
            if frame[0] == "loop" and frame[1] == site:
                labels[frame[3]] = None
    return "[%s]" % ", ".join(labels)


def _signature_names(node: ast.AST) -> Set[str]:
    """What a function's defaults and annotations read when it is defined."""
    parts = [getattr(node, "args", None), getattr(node, "returns", None)]
    walked = [each for part in parts if part is not None for each in ast.walk(part)]
    return {each.id for each in walked if isinstance(each, ast.Name)}


def _default_names(node: ast.AST, function: types.FunctionType) -> Dict[str, Any]:
    """The names that are defaults as they stand, with what they meant when it was defined."""
    arguments = getattr(node, "args", None)
    given = [] if arguments is None else arguments.defaults
    values = zip(given, function.__defaults__ or ())
    return {each.id: value for each, value in values if isinstance(each, ast.Name)}


def _says_little(op: Op) -> bool:
    """Whether an operation's name tells nothing of the value that it gives."""
    return bool(said(op)) or op.name in ("astype", "copy", "to_numpy", "item", "round", "float")


def _equal(left: Any, right: Any) -> bool:
    from .rows import same

    if type(left) is not type(right):
        return False
    try:
        if kinds.is_data(left) or kinds.is_atom(left) or isinstance(left, (list, dict, tuple, set)):
            if kinds.is_series(left) and not left.index.equals(right.index):
                return False
            if kinds.is_frame(left) and not left.index.equals(right.index):
                return False
            return left == right if isinstance(left, set) else same(left, right)
        import pickle

        return pickle.dumps(left) == pickle.dumps(right)
    except Exception:
        return False


def _is_named_code(value: Any) -> bool:
    """Whether a callable is a library's function: found again by its name."""
    name = getattr(value, "__name__", None)
    if not callable(value) or not isinstance(name, str):
        return False
    if type(value).__name__ == "ufunc":
        return True
    return _public(getattr(value, "__module__", None) or "builtins", name, value) is not None


def identifier(text: str) -> str:
    """A Python name that looks like this text."""
    name = re.sub(r"\W+", "_", str(text)).strip("_") or "value"
    if name[0].isdigit():
        name = "n" + name
    return name + "_" if keyword.iskeyword(name) or name in ("state", "rows") else name


def literal(value: Any, depth: int = 0) -> Optional[str]:
    """Python text that gives this plain value; None where there is none."""
    if value is None or isinstance(value, (bool, str, bytes)) or value is Ellipsis:
        return repr(value) if type(value) in (type(None), bool, str, bytes, type(...)) else None
    if type(value) is int:
        return repr(value)
    if type(value) is float:
        return repr(value) if math.isfinite(value) else 'float("%s")' % value
    if depth > 4:
        return None
    if type(value) in (list, tuple, set, frozenset):
        parts = [literal(item, depth + 1) for item in value]
        if any(part is None for part in parts):
            return None
        inner = ", ".join(part for part in parts if part is not None)
        if type(value) is list:
            return "[%s]" % inner
        if type(value) is tuple:
            return "(%s,)" % inner if len(value) == 1 else "(%s)" % inner
        inner = ", ".join(sorted(part for part in parts if part is not None))
        name = type(value).__name__
        return "{%s}" % inner if name == "set" and value else "%s([%s])" % (name, inner)
    if type(value) is dict:
        pairs = [(literal(k, depth + 1), literal(v, depth + 1)) for k, v in value.items()]
        if any(key is None or item is None for key, item in pairs):
            return None
        return "{%s}" % ", ".join("%s: %s" % pair for pair in pairs)
    if type(value) is slice:
        parts = [literal(p, depth + 1) for p in (value.start, value.stop, value.step)]
        return None if None in parts else "slice(%s)" % ", ".join(map(str, parts))
    return None


def _imports(tree: ast.Module) -> Dict[str, str]:
    """Name -> import statement, for every import of a module's text."""
    found: Dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                as_name = " as " + alias.asname if alias.asname else ""
                found[name] = "import %s%s" % (alias.name, as_name)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                as_name = " as " + alias.asname if alias.asname else ""
                found[alias.asname or alias.name] = "from %s import %s%s" % (
                    node.module, alias.name, as_name,
                )  # fmt: skip
    return found


def _resolves(spelled: str, value: Any, statement: str) -> bool:
    """Whether a dotted name, after this import, means the value."""
    scope: Dict[str, Any] = {}
    try:
        exec(statement, scope)
        parts = spelled.split(".")
        found = scope[parts[0]]
        for part in parts[1:]:
            found = getattr(found, part)
    except Exception:
        return False
    return found is value or found == value


def _public(module: str, name: str, value: Any) -> Optional[Tuple[str, str]]:
    """The shortest module path that gives the value by a plain name."""
    if "." in name or "<" in name:
        return None
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        path = ".".join(parts[:end])
        if any(part.startswith("_") for part in path.split(".")) and end < len(parts):
            continue
        if getattr(sys.modules.get(path), name, None) is value:
            return path, name
    return None


def _node_at(tree: ast.AST, site: Site) -> Any:
    """The comprehension at a site."""
    wanted = (site.line, site.column, site.end_line, site.end_column)
    for node in ast.walk(tree):
        if isinstance(node, _COMPREHENSIONS):
            if (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset) == wanted:
                return node
    return None


def _source(text: str, node: Any) -> str:
    """The author's own text of a node, decorators included, without indentation."""
    first = min([node.lineno] + [d.lineno for d in getattr(node, "decorator_list", [])])
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return textwrap.dedent("\n".join(text.split("\n")[first - 1 : node.end_lineno]))
    return ast.get_source_segment(text, node) or ast.unparse(node)
