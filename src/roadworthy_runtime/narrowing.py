"""Parts of a program that give several values, of which the flow reads only some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Tuple

from .blocks import Snippet
from .trace import Const, Op

if TYPE_CHECKING:
    from .liveness import FlowStep


def is_snippet(op: Op) -> bool:
    """Whether an operation is a part of the program's own text."""
    first = op.args[0] if op.args else None
    return isinstance(first, Const) and isinstance(first.value, Snippet)


def gives_several(op: Op) -> bool:
    """Whether it is one that gives several values."""
    return op.kind == "call" and is_snippet(op) and len(op.args[0].value.results) > 1


def narrowed(steps: List[FlowStep]) -> List[FlowStep]:
    """Parts of the program give only those of their values that the flow reads."""
    read: Dict[int, List[int]] = {}
    for step in steps:
        if step.op.kind == "element" and isinstance(step.op.args[1], Const):
            read.setdefault(step.op.args[0].node, []).append(step.op.args[1].value)
    made: List[FlowStep] = []
    parts: Dict[int, Tuple[FlowStep, List[int]]] = {}
    for step in steps:
        op = step.op
        owner = op.args[0].node if op.kind == "element" else None
        if op.result is not None and gives_several(op):
            places = read[op.result]
            snippet = op.args[0].value.giving(places)
            whole = step._replace(op=op.having((Const(snippet), *op.args[1:]), op.result))
            parts[op.result] = (whole, places)
            if len(places) > 1:
                made.append(whole)
        elif owner in parts:
            whole, places = parts[owner]
            made.append(_part(step, whole, places))
        else:
            made.append(step)
    return made


def _part(step: FlowStep, whole: FlowStep, places: List[int]) -> FlowStep:
    """The step that takes one value of several; where it is the only one, the whole step."""
    op = step.op
    if len(places) > 1:
        place = places.index(op.args[1].value)
        return step._replace(op=op.having((op.args[0], Const(place)), op.result))
    return whole._replace(
        op=whole.op.having(whole.op.args, op.result),
        source=whole.source.having(whole.source.args, op.result),
    )
