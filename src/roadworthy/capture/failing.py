"""Finds the program's line behind a failed check of its flow, and what helps there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from roadworthy.core.certificate import Check

Plan = dict[str, Any]
SEE = "see what differs with: roadworthy capture PROGRAM --to FOLDER"
_EFFECTS = {
    "clock": "pass the time as a column of the input",
    "file": "read the file once, before the rows are used, and look rows up in what was read",
    "network": "fetch it once, before the rows are used, and look rows up in what was fetched",
    "process": "run it once, before the rows are used, and keep what it gave",
    "randomness": "leave chance out of the answers, or seed a generator for each row",
}
_CURES = {
    "fresh-keys": "learn from columns that say something of new rows too, not from a key",
    "law": "compute each row's value from that row, and what all rows say before, as a value",
}


def program_line(check: Check, plan: Plan, flow: str) -> int | None:
    """The line of the program that a check failed at; None where nothing tells.

    ``flow`` is the text of ``flow.py``.
    """
    at = _flow_line(check)
    if at is not None:
        return _origin(at, plan, flow)
    key = re.match(r"keys of (.*?): ", check.measured)
    if check.id == "fresh-keys" and key is not None:
        literal = {"literal": repr(key[1])}
        return next((s["line"] for s in _own(plan) if literal in s["args"]), None)
    return None


def cure_of(check: Check) -> str:
    """What to do about a failed check."""
    effects = check.evidence.get("effects")
    if check.id == "effects" and effects:
        return _EFFECTS.get(effects[0]["kind"], SEE)
    return _CURES.get(check.id, _CURES["law"] if check.id.startswith("law-") else SEE)


def _flow_line(check: Check) -> int | None:
    places = [*check.evidence.get("effects", []), check.evidence.get("starts_at") or {}]
    for place in places:
        if place.get("file") == "flow.py" and place.get("line"):
            return int(place["line"])
    found = re.search(r"\bat flow\.py line (\d+)", check.measured)
    return int(found[1]) if found else None


def _origin(line: int, plan: Plan, flow: str) -> int | None:
    """Where the program has what stands at a line of the flow."""
    for node in ast.parse(flow).body:
        if not node.lineno <= line <= (node.end_lineno or node.lineno):
            continue
        statement = _innermost(node, line)
        if getattr(node, "name", "") == "steps":
            return _step_line(ast.unparse(statement), plan)
        return _definition_line(node, ast.unparse(statement), plan)
    return None


def _step_line(text: str, plan: Plan) -> int | None:
    """The line of the longest of the program's expressions that the statement holds."""
    found = [(len(s["source"]), s["line"]) for s in _own(plan) if _tidy(s["source"]) in text]
    return max(found, key=lambda each: each[0], default=(0, None))[1]


def _definition_line(node: ast.stmt, text: str, plan: Plan) -> int | None:
    """The line of a statement of a function or class that was taken over as it is."""
    for entry in plan["definitions"]:
        if entry["file"] != plan["program"]:
            continue
        tree = ast.parse(entry["source"])
        if getattr(tree.body[0], "name", None) != getattr(node, "name", ""):
            continue
        for each in ast.walk(tree):
            if isinstance(each, ast.stmt) and ast.unparse(each) == text:
                return int(entry["line"]) + each.lineno - 1
    return None


def _own(plan: Plan) -> Iterator[dict[str, Any]]:
    """The steps of the program's own file that stand in the flow."""
    for step in plan["steps"]:
        if step["file"] == plan["program"] and step["alias"] is None and step["kind"] != "source":
            yield step


def _innermost(node: ast.stmt, line: int) -> ast.stmt:
    """The smallest statement at a line."""
    found = node
    for each in ast.walk(node):
        if isinstance(each, ast.stmt) and each.lineno <= line <= (each.end_lineno or each.lineno):
            found = each
    return found


def _tidy(source: str) -> str:
    """Source as it is unparsed; what can't be parsed is in no statement."""
    try:
        return ast.unparse(ast.parse(source.strip()).body[0])
    except (SyntaxError, IndexError):
        return "\0"
