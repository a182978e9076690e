"""The flow as a graph: lines as steps, with the rows, the state and the columns that meet there."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from roadworthy.core.capture import GraphNode

Edges = list[tuple[str, str]]
_LABEL = 120


def flow_graph(plan: dict[str, Any], named: Callable[[str], str]) -> tuple[list[GraphNode], Edges]:
    """Nodes in the order in which they run, and which go into which.

    ``named`` gives a path as people read it.
    """
    return _Graph(plan, named).drawn()


class _Graph:
    def __init__(self, plan: dict[str, Any], named: Callable[[str], str]) -> None:
        self.plan = plan
        self.named = named
        self.labels: dict[str, str] = {}
        self.places: dict[str, tuple[str, int]] = {}
        self.reads: dict[str, dict[str, None]] = {}
        self.makes: dict[str, dict[str, None]] = {}
        self.states: dict[str, None] = {}
        self.edges: dict[tuple[str, str], None] = {}
        self.made_at: dict[int, str] = {plan["input"]: "input"}
        self.required = [column["name"] for column in plan["signature"]["columns"]]
        self.columns = {*self.required, *plan["unused"]}

    def drawn(self) -> tuple[list[GraphNode], Edges]:
        """All nodes and edges."""
        for step in self.plan["steps"]:
            if step["kind"] != "source":
                self._step(step)
        for output, node in self.plan["outputs"].items():
            self.edges[self.made_at.get(node, "input"), f"output-{output}"] = None
        return [*self._nodes()], list(self.edges)

    def _nodes(self) -> Iterator[GraphNode]:
        signature = self.plan["signature"]
        yield GraphNode(id="input", kind="input", label=signature["input"], makes=self.required)
        for name in self.states:
            yield GraphNode(id=f"state-{name}", kind="state", label=name)
        for key, label in self.labels.items():
            file, line = self.places[key]
            makes = self.makes[key]
            reads = [name for name in self.reads[key] if name not in makes]
            yield GraphNode(
                id=key, kind="step", label=label, line=line, file=file,
                reads=reads, makes=list(makes),
            )  # fmt: skip
        for output in self.plan["outputs"]:
            yield GraphNode(id=f"output-{output}", kind="output", label=output)

    def _step(self, step: dict[str, Any]) -> None:
        if step["alias"] is not None:
            self.made_at[step["result"]] = self.made_at.get(step["alias"], "input")
            return
        file = self.named(step["file"])
        here = f"line-{step['line']}" + ("" if step["file"] == self.plan["program"] else f"-{file}")
        label = step["source"].split("\n")[0][:_LABEL]
        if len(label) > len(self.labels.get(here, "")):
            self.labels[here] = label
        self.places[here] = (file, step["line"])
        self._columns(step, here)
        for item in _flat([*step["args"], *step["kwargs"].values()]):
            if "ref" in item and self.made_at.get(item["ref"], here) != here:
                self.edges[self.made_at[item["ref"]], here] = None
            elif "state" in item:
                self.states[item["state"]] = None
                self.edges[f"state-{item['state']}", here] = None
        for node in (step["result"], step["writes"]):
            if node is not None:
                self.made_at[node] = here

    def _columns(self, step: dict[str, Any], here: str) -> None:
        """Which columns a step names, and which it sets."""
        reads, makes = self.reads.setdefault(here, {}), self.makes.setdefault(here, {})
        if step["kind"] == "setitem":
            keys = [step["args"][1]]
            if keys[0].get("pack") == "tuple":
                keys = keys[0]["items"][-1:]
            named = _texts(keys, self.plan["constants"])
            self.columns.update(named)
            makes.update(dict.fromkeys(named))
            return
        if step["kind"] in ("attr", "setattr"):
            if step["name"] in self.columns:
                (makes if step["kind"] == "setattr" else reads)[step["name"]] = None
            return
        operands = [*step["args"][1:], *step["kwargs"].values()]
        for name in _texts(operands, self.plan["constants"]):
            if name in self.columns:
                reads[name] = None


def _flat(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield item
        yield from _flat(item.get("items", []))


def _texts(items: list[dict[str, Any]], constants: dict[str, str]) -> list[str]:
    """The texts among operands that are written out, alone, in a list, or under a name."""
    found: list[str] = []
    for item in _flat(items):
        text = constants.get(item["constant"], "") if "constant" in item else item.get("literal")
        try:
            value = ast.literal_eval(text or "None")
        except (ValueError, SyntaxError):
            continue
        parts = value if isinstance(value, list | tuple | set | dict) else [value]
        found.extend(part for part in parts if isinstance(part, str))
    return found
