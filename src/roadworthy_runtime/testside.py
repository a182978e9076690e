"""A test side prepared with statistics of its own: what training learned takes their place.

The operations that lead to what a model is asked are laid beside those that lead to what it was
fitted on, in order. Where both sides learned, the side that is asked gets what training learned.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Tuple

from . import kinds
from .compare import difference
from .refusal import Refusal
from .rows import same, take
from .trace import Const, Op

if TYPE_CHECKING:
    from .analysis import Analysis, Rule

_LEARNS = {"fit_transform": "transform", "fit_predict": "predict"}


class Unequal(Refusal):
    """What a model is asked was prepared otherwise than what it was fitted on.

    ``asked`` and ``fitted``: each a node, and the number of operations that came before its use.
    """

    asked: Tuple[int, int]
    fitted: Tuple[int, int]


class Lesson(NamedTuple):
    """What an operation of the test side gets from its counterpart on the training side."""

    op: Op
    """The counterpart."""
    applied: Optional[Op]
    """The test side's operation with what training learned; None: it is ``value`` instead."""
    value: Any = None


def lessons(analysis: Analysis, unequal: Unequal) -> Dict[int, Lesson]:
    """Operation of the test side -> what training learned; empty where nothing was learned."""
    fitted, asked = (_before(analysis, *use) for use in (unequal.fitted, unequal.asked))
    shared = {op.index for op in fitted} & {op.index for op in asked}
    ours = [op for op in fitted if op.index not in shared]
    theirs = [op for op in asked if op.index not in shared]
    rules = {rule.op.index: rule for rule in analysis.rules}
    matcher = difflib.SequenceMatcher(
        None, list(map(_key, ours)), list(map(_key, theirs)), autojunk=False
    )
    found: Dict[int, Lesson] = {}
    for first, second, count in matcher.get_matching_blocks():
        for one, other in zip(ours[first : first + count], theirs[second : second + count]):
            lesson = _lesson(analysis, rules, one, other)
            if lesson is not None:
                found[other.index] = lesson
    return found


def tell(before: Analysis, after: Analysis) -> None:
    """Warns of each lesson, and of how many of the program's own answers are not the flow's."""
    needed = after.needed(list(after.outputs.values()))
    lines = {
        (after.line(op), after.line(after.taught[op.index].op))
        for op in after.recording.ops
        if op.index in after.taught and op.index in needed
    }
    for own, training in sorted(lines):
        text = "line %d: what the test side learned by itself is not used, but what the training "
        text += "side learned" + (" at line %d" % training if training != own else "")
        after.warnings.append(text % own)
    for name, node in after.outputs.items():
        count, differs = _changed(before, after, node)
        if differs:
            share = "all %d" % count if differs == count else "%d of %d" % (differs, count)
            text = "output %s: %s of the program's own answers are not the flow's, which prepares "
            after.warnings.append(
                (text + "rows with what the training side learned") % (name, share)
            )


def _changed(before: Analysis, after: Analysis, node: int) -> Tuple[int, int]:
    """How many answers there are, and how many of them differ."""
    one, other = before.full.values[node], after.full.values[node]
    count = kinds.rows_of(one) or 0
    return count, sum(not same(take(one, [i]), take(other, [i])) for i in range(count))


def _before(analysis: Analysis, node: int, end: int) -> List[Op]:
    needed = analysis.needed([node], end)
    return [op for op in analysis.recording.ops[:end] if op.index in needed]


def _key(op: Op) -> str:
    """What two operations have in common that do the same on two sides."""
    spelled = [repr(o.value) for o in op.args[1:] if isinstance(o, Const) and not o.learned]
    column = spelled[0] if op.kind in ("item", "setitem") and spelled else ""
    return " ".join((op.kind, _LEARNS.get(op.name, op.name), column))


def _lesson(analysis: Analysis, rules: Dict[int, Rule], one: Op, other: Op) -> Optional[Lesson]:
    nodes = [op.result or 0 for op in (one, other)]
    if all(analysis.roles.get(node) == "state" for node in nodes):
        learned, own = (analysis.full.values.get(node) for node in nodes)
        by_heart = one.result in analysis.memorised
        if by_heart or type(learned) is not type(own) or difference(learned, own) is None:
            return None
        return Lesson(one, None, learned)
    if one.index not in rules or other.index not in rules:
        return None
    training, test = (_applied(rules[op.index]) for op in (one, other))
    if training is None or test is None or (training.kind, training.name) != (test.kind, test.name):
        return None
    args = tuple(map(_learned, training.args, test.args))
    if all(own is given for own, given in zip(test.args, args)):
        return None
    return Lesson(one, test.having(args, test.result))


def _applied(rule: Rule) -> Optional[Op]:
    """The operation as it is applied to rows, of one that keeps its rows."""
    if rule.rule not in ("apply", "form") or rule.rejects:
        return None
    op: Op = rule.form.op if rule.rule == "form" else rule.op
    return op if op.kind in ("call", "method") else None


def _learned(training: Any, own: Any) -> Any:
    """What training learned, in place of the same kind of thing that the test side learned."""
    both = isinstance(training, Const) and isinstance(own, Const) and training.learned
    if not both or type(training.value) is not type(own.value):
        return own
    return own if difference(training.value, own.value) is None else training
