"""The capture report: each line of the program with its role, and the flow as a graph."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from roadworthy.capture.graph import flow_graph
from roadworthy.core.capture import (
    CaptureReport,
    Decision,
    LineRole,
    Mark,
    SourceFile,
    SourceLine,
    StateEntry,
)  # fmt: skip

_RANK: dict[LineRole, int] = {"blank": 0, "dropped": 1, "frozen": 2, "kept": 3}


def make_report(plan: dict[str, Any], files: dict[str, str]) -> CaptureReport:
    """The report of a captured program; ``files``: path -> source, the program itself first."""
    folder = Path(plan["program"]).parent
    marked = [_Marked(path, source, plan) for path, source in files.items()]
    own = marked if plan.get("cells") else marked[:1]
    roles = [each.role_of(statement) for each in own for statement in each.top_level()]
    nodes, edges = flow_graph(plan, lambda path: relative(path, folder))
    return CaptureReport(
        files=[SourceFile(path=relative(m.path, folder), lines=m.lines()) for m in marked],
        decisions=[
            Decision(
                line=item["line"], decision=item["decision"], because=item["because"],
                override=item["override"], file=relative(item["file"], folder),
            )
            for item in plan["decisions"]
        ],
        state=[
            StateEntry(
                name=entry["name"], summary=entry["summary"], file=entry["file"],
                format=entry["format"], digest=entry["digest"], bytes=entry["bytes"],
                line=entry.get("line"), learned=entry.get("learned", True),
                origin=relative(entry.get("in", ""), folder),
            )
            for entry in plan["state"]
        ],
        nodes=nodes,
        edges=edges,
        statements=len(roles),
        kept=roles.count("kept"),
        frozen=roles.count("frozen"),
        dropped=roles.count("dropped"),
        warnings=list(plan["warnings"]),
        details={
            "target": plan["target"], "unused": plan["unused"], "cells": plan.get("cells", []),
            "explained": plan.get("explained", []),
        },
    )  # fmt: skip


def relative(path: str, folder: Path) -> str:
    """A file of the program as people read it: from the program's folder on."""
    try:
        return Path(path).relative_to(folder).as_posix()
    except ValueError:
        return Path(path).name


class _Marked:
    """One file, line by line."""

    def __init__(self, path: str, source: str, plan: dict[str, Any]) -> None:
        self.path = path
        self.plan = plan
        self.tree = ast.parse(source)
        self.statements = list(_statements(self.tree))
        self.text = source.split("\n")
        self.roles: dict[int, LineRole] = {}
        self.whys: dict[int, str] = {}
        self.marks: dict[int, list[Mark]] = {}
        for statement in self.statements:
            self._set(statement.lineno, _end(statement), "dropped", _why_dropped(statement))
        self._mark_input()
        self._mark_names()
        self._mark_steps()

    def lines(self) -> list[SourceLine]:
        """Every line of the file; comments take the role of the line below them."""
        out: list[SourceLine] = []
        below: LineRole = "blank"
        for number in range(len(self.text), 0, -1):
            text = self.text[number - 1]
            role = self.roles.get(number)
            if role is None:
                comment = text.lstrip().startswith("#")
                role = below if comment and below != "blank" else "blank"
            if not text.strip():
                role = "blank"
            below = role
            shown = self.whys.get(number, "") if role != "blank" else ""
            marks = self.marks.get(number, [])
            out.append(SourceLine(number=number, text=text, role=role, why=shown, marks=marks))
        while out and not out[0].text.strip():
            out.pop(0)
        return out[::-1]

    def top_level(self) -> list[ast.stmt]:
        """The program's own statements, its docstring aside."""
        body = self.tree.body
        return body[1:] if ast.get_docstring(self.tree) is not None else body

    def role_of(self, statement: ast.stmt) -> LineRole:
        """The strongest role among a statement's lines."""
        found = [self.roles.get(n, "blank") for n in range(statement.lineno, _end(statement) + 1)]
        return max(found, key=lambda role: _RANK[role], default="dropped")

    def _set(self, first: int, last: int, role: LineRole, why: str) -> None:
        for number in range(first, last + 1):
            if _RANK[self.roles.get(number, "blank")] <= _RANK[role]:
                self.roles[number] = role
                if number == first:
                    self.whys[number] = why
                elif number in self.whys:
                    del self.whys[number]

    def _at(self, line: int) -> ast.stmt | None:
        """The innermost statement that begins at a line."""
        found = None
        for statement in self.statements:
            if statement.lineno == line:
                found = statement
        return found

    def _mark_input(self) -> None:
        for step in self.plan["steps"]:
            if step["kind"] == "source" and step["file"] == self.path:
                self.whys[step["statement"]] = "the input: rows come with the request"

    def _mark_names(self) -> None:
        """Imports, definitions and constants that the flow uses."""
        imports = set(self.plan["imports"].values())
        constants = {
            n for n, text in self.plan["constants"].items() if not text.startswith("state.")
        }
        for statement in self.statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                if any(line in imports for line in _single_imports(statement)):
                    self._set(statement.lineno, _end(statement), "kept", "")
            elif isinstance(statement, ast.Assign):
                names = {n.id for n in statement.targets if isinstance(n, ast.Name)}
                if names & constants and statement in self.tree.body:
                    self._set(statement.lineno, _end(statement), "kept", "")
        for entry in self.plan["definitions"]:
            if entry["file"] == self.path:
                last = entry["line"] + entry["source"].count("\n")
                self._set(entry["line"], last, "kept", "")

    def _mark_steps(self) -> None:
        summaries = {entry["name"]: entry["summary"] for entry in self.plan["state"]}
        learned: dict[int, list[str]] = {}
        for item in self.plan["lines"]["frozen"]:
            statement = self._at(item["line"])
            if item["file"] == self.path:
                learned.setdefault(item["line"], []).append(summaries.get(item["state"], ""))
            if statement is not None and item["file"] == self.path:
                why = summaries.get(item["state"], "")
                self._set(statement.lineno, _header_end(statement), "frozen", why)
        for file, first, last in self.plan["lines"]["kept"]:
            statement = self._at(first)
            if file == self.path and statement is not None:
                self._set(first, max(last, _header_end(statement)), "kept", "")
                self._open(first)
        for mark in self.plan["lines"]["marks"]:
            if mark["file"] == self.path and mark["line"] == mark["end_line"]:
                width = len(self.text[mark["line"] - 1].encode()[: mark["start"]].decode())
                end = len(self.text[mark["line"] - 1].encode()[: mark["end"]].decode())
                note = mark["note"] or ", ".join(learned.get(mark["line"], ()))
                found = Mark(start=width, end=end, note=note)
                self.marks.setdefault(mark["line"], []).append(found)
                if self.roles.get(mark["line"]) == "kept":
                    self.whys[mark["line"]] = "the marked part is frozen" + (
                        f": {note}" if note else ""
                    )

    def _open(self, line: int) -> None:
        """The loops, conditions and functions around a kept line are kept."""
        for statement in self.statements:
            if statement.lineno < line <= _end(statement) and hasattr(statement, "body"):
                self._set(statement.lineno, _header_end(statement), "kept", "")


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.stmt))


def _end(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno


def _header_end(statement: ast.stmt) -> int:
    """The last line before a compound statement's body; the last of a simple one."""
    body = getattr(statement, "body", None)
    if isinstance(body, list) and body:
        return max(statement.lineno, int(body[0].lineno) - 1)
    return _end(statement)


def _single_imports(statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    for alias in statement.names:
        renamed = f" as {alias.asname}" if alias.asname else ""
        if isinstance(statement, ast.Import):
            yield f"import {alias.name}{renamed}"
        else:
            yield f"from {statement.module} import {alias.name}{renamed}"


def _why_dropped(statement: ast.stmt) -> str:
    """Why a statement has no part in production, as far as its text tells."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return "not needed in production"
    text = ast.unparse(statement)
    if isinstance(statement, ast.Expr) and text.startswith("print("):
        return "prints"
    if any(word in text for word in ("plt.", "sns.", ".plot", "savefig", ".hist(")):
        return "plots"
    if ".fit(" in text:
        return "training"
    if any(word in text for word in ("_score(", ".score(", "classification_report", "metric")):
        return "evaluation"
    return "the answers do not need it"
