"""Rolls statements that a loop of the program ran once per turn back into a loop."""

from __future__ import annotations

import ast
from typing import Any

from roadworthy.capture.emit import Statement
from roadworthy.capture.expressions import name, parsed

Loops = dict[int, tuple[str, int, str]]
"""Number of a loop's site -> its variable, its line, and the name of what it goes over."""
Constants = dict[str, str]


def rolled(statements: list[Statement], targets: Loops, constants: Constants) -> list[Statement]:
    """The statements, with loops where turns differ only in the loop's variable and in state."""
    out: list[Statement] = []
    place = 0
    while place < len(statements):
        loop = _loop_at(statements, place)
        made = _roll(loop, targets, constants) if loop is not None else None
        if loop is None or made is None:
            out.append(statements[place])
            place += 1
            continue
        out.extend(made)
        place += sum(len(turn) for turn in loop)
    return out


def _frame(statement: Statement) -> tuple[Any, ...] | None:
    """The innermost loop around a statement, if nothing was called inside it."""
    if statement.context and statement.context[-1][0] == "loop":
        return statement.context[-1]
    return None


def _loop_at(statements: list[Statement], place: int) -> list[list[Statement]] | None:
    """The turns of the loop that begins here, each a list of statements."""
    first = _frame(statements[place])
    if first is None:
        return None
    turns: dict[int, list[Statement]] = {}
    around = statements[place].context[:-1]
    for statement in statements[place:]:
        frame = _frame(statement)
        if frame is None or frame[1] != first[1] or statement.context[:-1] != around:
            break
        turns.setdefault(frame[2], []).append(statement)
    return list(turns.values()) if len(turns) > 1 else None


def _roll(
    turns: list[list[Statement]], targets: Loops, constants: Constants
) -> list[Statement] | None:
    frames = [turn[0].context[-1] for turn in turns]
    labels = [frame[3] for frame in frames]
    first = turns[0][0]
    variable, line, over = targets.get(frames[0][1], ("", 0, ""))
    if not variable or "" in labels or len(set(labels)) != len(labels):
        return None
    if len({len(turn) for turn in turns}) != 1:
        return None
    values = [ast.literal_eval(label) for label in labels]
    tables: dict[tuple[str, ...], str] = {}
    body: list[ast.stmt] = []
    for parallel in zip(*turns, strict=True):
        if len({statement.line for statement in parallel}) != 1:
            return None
        merged = _merge([statement.tree for statement in parallel], values, variable, tables)
        if not isinstance(merged, ast.stmt):
            return None
        body.append(merged)
    known = constants.get(over) == repr(values)
    turned = name(over) if known else parsed(repr(values))
    loop = ast.For(ast.Name(variable, ast.Store()), turned, body, [], None)
    made: list[ast.stmt] = []
    for names, table in tables.items():
        pairs = ", ".join(
            f"{label}: state.{entry}" for label, entry in zip(labels, names, strict=True)
        )
        made.append(ast.parse(f"{table} = {{{pairs}}}").body[0])
    made.append(loop)
    context = first.context[:-1]
    return [Statement(ast.fix_missing_locations(tree), first.file, line, context) for tree in made]


def _merge(
    nodes: list[Any], values: list[Any], variable: str, tables: dict[tuple[str, ...], str]
) -> Any:
    """One tree for all turns, or None where they differ in anything else."""
    first = nodes[0]
    if isinstance(first, ast.Constant) and all(isinstance(node, ast.Constant) for node in nodes):
        found = [node.value for node in nodes]
        if found == values and [type(v) for v in found] == [type(v) for v in values]:
            return name(variable)
        return first if all(v == found[0] and type(v) is type(found[0]) for v in found) else None
    if all(_is_state(node) for node in nodes) and len({node.attr for node in nodes}) > 1:
        key = tuple(node.attr for node in nodes)
        if key not in tables:
            tables[key] = _table_name(key, tables)
        return ast.Subscript(name(tables[key]), name(variable), ast.Load())
    if isinstance(first, ast.AST):
        if any(type(node) is not type(first) for node in nodes):
            return None
        if isinstance(first, ast.Attribute) and len({node.attr for node in nodes}) > 1:
            return _merge_attribute(nodes, values, variable, tables)
        fields: dict[str, Any] = {}
        for field in first._fields:
            parts = [getattr(node, field, None) for node in nodes]
            merged = _merge(parts, values, variable, tables)
            if merged is None and any(part is not None for part in parts):
                return None
            fields[field] = merged
        return type(first)(**fields)
    if isinstance(first, list):
        if len({len(node) for node in nodes}) != 1:
            return None
        items = [_merge(list(part), values, variable, tables) for part in zip(*nodes, strict=True)]
        return None if any(item is None for item in items) else items
    return first if all(node == first for node in nodes) else None


def _merge_attribute(
    nodes: list[Any], values: list[Any], variable: str, tables: dict[tuple[str, ...], str]
) -> Any:
    """``df.lat``, ``df.lon`` as ``df[column]``."""
    if [node.attr for node in nodes] != values:
        return None
    owner = _merge([node.value for node in nodes], values, variable, tables)
    return None if owner is None else ast.Subscript(owner, name(variable), nodes[0].ctx)


def _is_state(node: Any) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "state"
    )


def _table_name(entries: tuple[str, ...], tables: dict[tuple[str, ...], str]) -> str:
    """``lat_mean``, ``lon_mean`` → ``means``; ``encoder``, ``encoder_2`` → ``encoders``."""
    words = [entry.split("_") for entry in entries]
    common = [
        word for word in words[0] if all(word in other for other in words) and not word.isdigit()
    ]
    base = ("_".join(common) or "learned").rstrip("s") + "s"
    found, number = base, 1
    while found in tables.values():
        number += 1
        found = f"{base}_{number}"
    return found
