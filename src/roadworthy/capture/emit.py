"""Writes the flow's steps as Python statements, in the author's order, names and comments."""

from __future__ import annotations

import ast
import math
from collections import Counter
from typing import Any, NamedTuple

from roadworthy.capture.expressions import (
    Operand,
    assign,
    attribute,
    augmented,
    call,
    constant,
    expression,
    key,
    name,
    operand,
    parsed,
    subscript,
)  # fmt: skip

Step = dict[str, Any]
RESHAPING = frozenset(
    {"dropna", "drop_duplicates", "sort_values", "sort_index", "reset_index", "query", "set_index"}
)


class Statement(NamedTuple):
    """One statement of the flow and where it comes from."""

    tree: ast.stmt
    file: str
    line: int
    """First line of the program's statement."""
    context: tuple[tuple[Any, ...], ...]


class Emitter:
    """Turns a plan's steps into statements."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.steps: list[Step] = [_with_names(step, plan["constants"]) for step in plan["steps"]]
        self.outputs: dict[str, int] = plan["outputs"]
        self.statements: list[Statement] = []
        self.variables: dict[int, str] = {}
        self.inlined: dict[int, ast.expr] = {}
        self.unpacked: set[int] = set()
        self.uses: Counter[int] = Counter()
        self.last: dict[int, float] = {}
        self.users: dict[int, list[int]] = {}
        for place, step in enumerate(self.steps):
            for node in _reads(step):
                self.uses[node] += 1
                self.last[node] = place
                self.users.setdefault(node, []).append(place)
            if step["writes"] is not None:
                self.last[step["writes"]] = max(place, self.last.get(step["writes"], -1))
        for node in self.outputs.values():
            self.uses[node] += 1
            self.last[node] = math.inf

    def run(self) -> list[Statement]:
        """All statements, in order."""
        done = 0
        for place, step in enumerate(self.steps):
            if place < done:
                continue
            if step["kind"] == "source":
                self.variables[step["result"]] = input_name(self.plan)
            elif step["alias"] is not None:
                self._alias(place, step)
            elif self._augmented(place):
                done = place + 3
            elif step["result"] not in self.unpacked:
                self._step(place, step)
        return self.statements

    def result(self) -> ast.expr:
        """What the flow returns: the output, or a dictionary of several."""
        values = {title: self.resolve(node) for title, node in self.outputs.items()}
        if len(values) == 1:
            return next(iter(values.values()))
        keys: list[ast.expr | None] = [constant(title) for title in values]
        return ast.Dict(keys, list(values.values()))

    # ---- values

    def resolve(self, node: int) -> ast.expr:
        """The expression that has a node's value here."""
        if node in self.inlined:
            return self.inlined.pop(node)
        return name(self.variables[node])

    def _operand(self, item: Operand) -> ast.expr:
        return operand(item, self.resolve)

    def _variable(self, place: int, node: int, step: Step) -> str:
        """A free name for a node, its author's where there is one."""
        named = sorted(step["names"], key=lambda entry: int(entry["context"]))
        wanted = named[0]["name"] if named else step["hint"]
        if wanted == OUTPUT:
            wanted = next((title for title, out in self.outputs.items() if out == node), "answers")
        wanted = "".join(c if c.isalnum() else "_" for c in wanted).strip("_") or "value"
        if wanted[0].isdigit() or wanted in _TAKEN or wanted in self.plan["constants"]:
            wanted = wanted + "_" if not wanted[0].isdigit() else "v" + wanted
        free, number = wanted, 1
        while any(
            other != node and variable == free and self.last.get(other, -1) > place
            for other, variable in self.variables.items()
        ) or (free in self._imported() and free not in {entry["name"] for entry in named}):
            number += 1
            free = f"{wanted}_{number}"
        return free

    def _imported(self) -> set[str]:
        defined = {entry["name"] for entry in self.plan["definitions"]}
        return set(self.plan["imports"]) | defined

    # ---- steps

    def _step(self, place: int, step: Step) -> None:
        kind = step["kind"]
        if kind in ("setitem", "setattr", "delitem"):
            return self._store(step)
        if step["rejects"]:
            value = self._filter(step)
        elif kind == "method" and step["name"] in RESHAPING and _inplace(step):
            step = {**step, "kwargs": {k: v for k, v in step["kwargs"].items() if k != "inplace"}}
            value = expression(step, self.resolve)
        else:
            value = expression(step, self.resolve)
        if step["writes"] is not None and (
            step["result"] is None or _inplace(step) or kind == "inplace"
        ):
            return self._written(place, step, value)
        node = step["result"]
        parts = self._parts(place, node) if kind == "call" else []
        if parts:
            return self._unpack(place, step, parts, value)
        if self._inlines(place, step):
            self.inlined[node] = value
            return None
        variable = self._variable(place, node, step)
        self.variables[node] = variable
        self._add(assign(name(variable), value), step)

    def _parts(self, place: int, node: int) -> list[Step]:
        """The steps that take a result apart, if they follow at once and nothing else reads it."""
        users = self.users.get(node, [])
        steps = [self.steps[user] for user in users]
        if len(users) < 2 or users != list(range(place + 1, place + 1 + len(users))):
            return []
        taken = [step["args"][1].get("literal") for step in steps if step["kind"] == "element"]
        return steps if taken == [str(number) for number in range(len(users))] else []

    def _unpack(self, place: int, step: Step, parts: list[Step], value: ast.expr) -> None:
        for part in parts:
            self.variables[part["result"]] = self._variable(place, part["result"], part)
            self.unpacked.add(part["result"])
        names: list[ast.expr] = [name(self.variables[part["result"]]) for part in parts]
        self._add(assign(ast.Tuple(names, ast.Load()), value), step)

    def _written(self, place: int, step: Step, value: ast.expr) -> None:
        """A method that changes its object; rows that it drops make it a new object."""
        node = step["writes"]
        reshaped = step["kind"] == "method" and step["name"] in RESHAPING
        if reshaped:
            return self._add(assign(name(self.variables[node]), value), step)
        if step["kind"] == "inplace":
            assert isinstance(value, ast.BinOp)
            return self._add(augmented(value), step)
        self._add(ast.Expr(value), step)

    def _augmented(self, place: int) -> bool:
        """Writes ``df["x"] -= mean`` as one statement; whether it is one."""
        steps = self.steps[place : place + 3]
        if [step["kind"] for step in steps[1:]] not in (
            ["inplace", "setitem"],
            ["inplace", "setattr"],
        ):
            return False
        read, change, store = steps
        if len({(s["file"], s["statement"], repr(s["context"])) for s in steps}) > 1:
            return False
        kind = {"setitem": "item", "setattr": "attr"}[store["kind"]]
        if read["kind"] != kind or read["rejects"] or read["name"] != store["name"]:
            return False
        old, new = {"ref": read["result"]}, {"ref": change["result"]}
        if (
            change["args"][0] != old
            or store["args"][-1] != new
            or read["args"] != store["args"][:-1]
        ):
            return False
        later = [step for step in self.steps[place + 3 :] if read["result"] in _reads(step)]
        later += [step for step in self.steps[place + 3 :] if change["result"] in _reads(step)]
        if later or {read["result"], change["result"]} & set(self.outputs.values()):
            return False
        owner = self._operand(read["args"][0])
        if kind == "attr":
            target: ast.expr = attribute(owner, read["name"])
        else:
            target = subscript(owner, self._operand(read["args"][1]))
        value = expression({**change, "args": [{"code": "_"}, change["args"][1]]}, self.resolve)
        assert isinstance(value, ast.BinOp)
        self._add(augmented(ast.BinOp(target, value.op, value.right)), store)
        return True

    def _inlines(self, place: int, step: Step) -> bool:
        """Whether a value is written where it is used: once, in the same statement, unnamed."""
        node = step["result"]
        if self.uses[node] != 1:
            return False
        if node in self.outputs.values():
            unnamed = {entry["name"] for entry in step["names"]} <= {OUTPUT}
            return unnamed and len(self.outputs) == 1 and place == len(self.steps) - 1
        if {entry["name"] for entry in step["names"]} - {OUTPUT} and step["kind"] != "element":
            return False
        (user,) = self.users.get(node, [-1])
        other = self.steps[user]
        return bool(
            (other["file"], other["statement"], other["context"])
            == (step["file"], step["statement"], step["context"])
        )

    def _store(self, step: Step) -> None:
        owner = self._operand(step["args"][0])
        if step["kind"] == "setattr":
            target: ast.expr = attribute(owner, step["name"])
            return self._add(assign(target, self._operand(step["args"][1])), step)
        # Operands were evaluated in the order value, owner, key; what is inlined has no effects.
        target = subscript(owner, self._operand(step["args"][1]))
        if step["kind"] == "delitem":
            tree = ast.parse("del " + ast.unparse(target)).body[0]
            return self._add(tree, step)
        self._add(assign(target, self._operand(step["args"][2])), step)

    def _alias(self, place: int, step: Step) -> None:
        """Rows go on as they are: the same variable, or a copy if either is changed later."""
        node, origin = step["result"], step["alias"]
        if node is None:
            node = step["writes"]
            if node is None or node == origin:
                return
        value = self.resolve(origin) if origin in self.inlined else name(self.variables[origin])
        columns = step["columns"]
        if columns is not None:
            value = subscript(value, parsed(repr(columns)))
        elif origin in self.variables and not self._diverge(place, node, origin):
            self.variables[node] = self.variables[origin]
            return
        else:
            value = call(attribute(value, "copy"))
        variable = self._variable(place, node, step)
        self.variables[node] = variable
        self._add(assign(name(variable), value), step)

    def _diverge(self, place: int, node: int, origin: int) -> bool:
        """Whether one of two names for the same rows is changed while the other is still read."""
        for later in range(place + 1, len(self.steps)):
            changed = self.steps[later]["writes"]
            if changed == node and self.last.get(origin, -1) > later:
                return True
            if changed == origin and self.last.get(node, -1) >= later:
                return True
        return self.last.get(origin, -1) > place and any(
            step["writes"] in (node, origin) for step in self.steps[place + 1 :]
        )

    def _filter(self, step: Step) -> ast.expr:
        """A condition on rows: those it rejects are answered as rejected."""
        cell = step["file"] if step["file"] in self.plan.get("cells", ()) else ""
        line, kind = constant(None if cell else step["line"]), step["kind"]
        where = f" ({cell}, line {step['line']})" if cell else ""
        follow = name("rows")
        words = {
            word: self._operand(item) for word, item in step["kwargs"].items() if word != "inplace"
        }
        if kind == "item":
            owner, mask = (self._operand(item) for item in step["args"])
            columns: ast.expr | None = None
            if isinstance(owner, ast.Attribute) and owner.attr in ("loc", "iloc"):
                owner = owner.value
                if isinstance(mask, ast.Tuple):
                    mask, columns = mask.elts
            reason = constant("not " + _condition(step["source"], mask) + where)
            made: ast.expr = call(
                attribute(follow, "filter"), owner, mask, line=line, reason=reason
            )
            if columns is None or ast.unparse(key(columns)) == ":":
                return made
            return subscript(
                attribute(made, "loc"), ast.Tuple([parsed("slice(None)"), columns], ast.Load())
            )
        if step["name"] == "frozen.together":
            function, parts, whole = (self._operand(item) for item in step["args"])
            rejoined = call(function, parts, whole)
            return call(attribute(follow, "together"), rejoined, whole, line=line)
        if step["name"].endswith("merge"):
            args = [self._operand(item) for item in step["args"]]
            if kind == "call":
                args = args[1:]
            reason = constant("no partner in the joined table" + where)
            return call(attribute(follow, "merge"), *args, line=line, reason=reason, **words)
        owner = self._operand(step["args"][0])
        args = [self._operand(item) for item in step["args"][1:]]
        if step["name"] == "dropna":
            if where:
                words["reason"] = constant("is null" + where)
            for word, value in zip(("axis",), args, strict=False):
                words[word] = value
            return call(attribute(follow, "dropna"), owner, line=line, **words)
        inner = call(attribute(name("table"), step["name"]), *args, **words)
        arguments = ast.arguments([], [ast.arg("table")], None, [], [], None, [])
        condition = ast.unparse(call(name(step["name"]), *args, **words))
        reason = constant("not " + condition + where)
        return call(
            attribute(follow, "filter"),
            owner,
            ast.Lambda(arguments, inner),
            line=line,
            reason=reason,
        )

    def _add(self, tree: ast.stmt, step: Step) -> None:
        context = tuple(tuple(frame) for frame in step["context"])
        self.statements.append(
            Statement(ast.fix_missing_locations(tree), step["file"], step["statement"], context)
        )


def _condition(source: str, mask: ast.expr) -> str:
    """The condition as the author wrote it: what stands between the brackets."""
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except SyntaxError:
        return ast.unparse(mask)
    if not isinstance(tree, ast.Subscript):
        return ast.unparse(mask)
    written = ast.get_source_segment(source.strip(), tree.slice) or ast.unparse(tree.slice)
    return " ".join(written.split())


def input_name(plan: dict[str, Any]) -> str:
    """What the flow calls its input: as the author did, unless the flow needs the name."""
    wanted: str = plan["signature"]["input"]
    return wanted + "_" if wanted in _TAKEN else wanted


_TAKEN = frozenset({"state", "rows", "frozen", "flow", "predict", "answer", "steps"})


OUTPUT = "__rw_output__"
"""What the recorder binds an output to that was named by an expression."""


def _with_names(step: Step, constants: dict[str, str]) -> Step:
    """A step whose plain values go by the author's names, where these have become constants."""

    def settled(item: Operand) -> Operand:
        if "items" in item:
            return {**item, "items": [settled(part) for part in item["items"]]}
        if item.get("named") and constants.get(item["named"]) == item["literal"]:
            return {"constant": item["named"]}
        return item

    args = [settled(item) for item in step["args"]]
    return {**step, "args": args, "kwargs": {k: settled(v) for k, v in step["kwargs"].items()}}


def _inplace(step: Step) -> bool:
    item = step["kwargs"].get("inplace")
    return item is not None and item.get("literal") == "True"


def _reads(step: Step) -> list[int]:
    """The nodes that a step reads, once for each time."""
    if step["alias"] is not None:
        return [step["alias"]]
    out: list[int] = []

    def walk(item: Operand) -> None:
        if "ref" in item:
            out.append(item["ref"])
        for part in item.get("items", ()):
            walk(part)

    for item in (*step["args"], *step["kwargs"].values()):
        walk(item)
    return out
