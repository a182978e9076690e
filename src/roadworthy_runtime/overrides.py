"""Carries out what a program says itself of its values: learned, one per row, of creation only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Set, Tuple

import numpy as np

from . import facade, kinds
from .lanes import duplicate, inplace_rows
from .refusal import Refusal
from .rows import take
from .snapshot import snapshot
from .trace import ONLY, Const, Op, Recording, Ref, fill

if TYPE_CHECKING:
    from .analysis import Analysis

_SAID = {id(facade.learned): "learned", id(facade.row_wise): "row_wise"}
BLOCK = "with rw.creation_only():"


def said(op: Op) -> str:
    """What the program says with this operation: ``learned``, ``row_wise``, or nothing."""
    if op.kind != "call" or len(op.args) < 2 or not isinstance(op.args[0], Const):
        return ""
    return _SAID.get(id(op.args[0].value), "")


def in_creation_only(op: Op) -> bool:
    """Whether an operation ran inside ``with rw.creation_only():``."""
    return any(frame[0] == ONLY for frame in op.context)


def declared_rows(recording: Recording) -> Set[int]:
    """The nodes of which the program says that they have one entry per row."""
    found: Set[int] = set()
    for op in recording.ops:
        if said(op) == "row_wise" and isinstance(op.args[1], Ref):
            found.add(op.args[1].node)
    return found


def check_declared(unfollowed: List[Tuple[int, str]], unfit: List[int]) -> None:
    """Raises Refusal where ``rw.row_wise`` or ``rw.captured`` says what can't be carried out."""
    for line in unfit:
        raise Refusal(
            "what stands under rw.captured can't be a function of its own: it returns, yields, "
            "deletes or imports",
            "move that statement out of the block", line,
        )  # fmt: skip
    for line, kind in unfollowed:
        raise Refusal(
            "rw.row_wise is given a value (%s) that was not followed from the input to here" % kind,
            'put the lines that make it into one step: with rw.captured("name"):', line,
        )  # fmt: skip


def settle(analysis: Analysis, op: Op) -> bool:
    """Decides on an operation of which the program says what it is; whether it says anything."""
    word = said(op)
    if word == "learned":
        _learned(analysis, op)
    elif op.kind == ONLY:
        _left_out(analysis, op)
    elif word == "row_wise":
        _passed_on(analysis, op)
    elif op.kind != "source" and in_creation_only(op):
        _creation_only(analysis, op)
    elif op.result in analysis.per_row:
        _per_row(analysis, op)
    else:
        return False
    return True


def _learned(analysis: Analysis, op: Op) -> None:
    value = fill(op.args[1], lambda node: analysis.value(analysis.full, node))
    assert op.result is not None
    analysis.full.values[op.result] = (
        duplicate(value) if kinds.rows_of(value) is not None else snapshot(value)
    )
    analysis.roles[op.result] = "state"
    analysis.derived.add(op.result)
    analysis.declared.add(op.result)
    analysis.rules.append(_rule(op, "state", note="declared"))


def _rule(op: Op, rule: str, **more: Any) -> Any:
    from .analysis import Rule

    return Rule(op, rule, **more)


# ---- one entry per row


def _passed_on(analysis: Analysis, op: Op) -> None:
    """``rw.row_wise(value)``: the value itself, if it has rows by now."""
    node = op.args[1].node if isinstance(op.args[1], Ref) else -1
    if analysis.roles.get(node) != "row" or not isinstance(analysis.full.ids.get(node), np.ndarray):
        raise Refusal(
            "rw.row_wise is given a value that has no entry for each row of %s"
            % analysis.source.name,
            "give it the value that has: one entry for each row, in the order of the rows",
            analysis.line(op), "law-broken",
        )  # fmt: skip
    _same_rows(analysis, op, node)
    analysis.rules.append(_rule(op, "bypass", operand=node, note="row_wise"))


def _same_rows(analysis: Analysis, op: Op, node: int) -> None:
    assert op.result is not None
    analysis.roles[op.result] = "row"
    analysis.derived.add(op.result)
    for lane in [analysis.full, *analysis.alive()]:
        lane.values[op.result] = duplicate(lane.values[node])
        lane.ids[op.result] = lane.ids[node]


def _per_row(analysis: Analysis, op: Op) -> None:
    """What gives a value that is said to have one entry per row: kept, judged or not."""
    assert op.result is not None
    held = len(analysis.rules)
    try:
        analysis.judged(op)
        if analysis.roles.get(op.result) == "row":
            return
    except Refusal:
        pass
    del analysis.rules[held:]
    analysis.memorised.pop(op.result, None)
    result = analysis.evaluate(op, analysis.full)
    rows = _length(result)
    fitting = [
        node for node, _, ids in analysis.row_operands(op, analysis.full) if len(ids) == rows
    ]
    if not fitting:
        raise Refusal(
            "rw.row_wise is given %s, and no table of this line has as many rows"
            % ("a value without length" if rows is None else "%d entries" % rows),
            "give it one entry for each row of %s" % analysis.source.name,
            analysis.line(op), "law-broken",
        )  # fmt: skip
    analysis.full.values[op.result] = result
    analysis.full.ids[op.result] = analysis.full.ids[fitting[0]]
    for lane in analysis.alive():
        try:
            got = analysis.evaluate(op, lane)
        except Exception:
            lane.dead = True
            continue
        if _length(got) != len(lane.ids[fitting[0]]):
            lane.dead = True
            continue
        lane.values[op.result], lane.ids[op.result] = got, lane.ids[fitting[0]]
    analysis.roles[op.result] = "row"
    analysis.derived.add(op.result)
    analysis.rules.append(_rule(op, "apply", frozen=analysis.frozen_operands(op)))


def _length(value: Any) -> Any:
    rows = kinds.rows_of(value)
    if rows is None and hasattr(value, "__len__") and not isinstance(value, (str, bytes)):
        return len(value)
    return rows


# ---- creation only


def _creation_only(analysis: Analysis, op: Op) -> None:
    """What happens inside the block: the rows of creation take part in it, requests do not."""
    changed = analysis.writes(op)
    if inplace_rows(op) and analysis.roles.get(op.args[0].node) == "row":
        return _fewer_rows(analysis, op)
    if changed is not None and analysis.roles.get(changed) == "row":
        return _changed(analysis, op, changed)
    held = len(analysis.rules)
    try:
        analysis.judged(op)
    except Refusal:
        del analysis.rules[held:]
        if op.result is None:
            return None
        analysis.full.values[op.result] = analysis.evaluate(op, analysis.full)
        rule = analysis.bypass(op)
        analysis.roles[op.result] = "state" if rule is None else "row"
        analysis.derived.add(op.result)
        analysis.rules.append(_rule(op, "state") if rule is None else rule._replace(note="only"))


def _fewer_rows(analysis: Analysis, op: Op) -> None:
    """``df.dropna(inplace=True)`` inside: creation goes on with fewer rows, requests with all."""
    node = op.args[0].node
    result = analysis.evaluate(op, analysis.full)
    for _, primary, ids in analysis.candidates(op, result, analysis.full):
        if primary == node:
            analysis.full.values[node], analysis.full.ids[node] = result, ids
            return
    raise Refusal(
        "which rows are left after this line can't be told",
        "write it as an assignment: df = df.%s(…)" % op.name, analysis.line(op), "law-broken",
    )  # fmt: skip


def _changed(analysis: Analysis, op: Op, changed: int) -> None:
    """A change in place inside: the trial goes on with creation's values, the flow without."""
    analysis.touch_version(changed)
    result = analysis.evaluate(op, analysis.full)
    for lane in analysis.alive():
        _from_full(analysis, lane, changed, changed, lane.ids[changed])
    if op.result is not None and op.result != changed:
        analysis.full.values[op.result] = result
        analysis.roles[op.result] = "state"
        analysis.derived.add(op.result)


def _from_full(analysis: Analysis, lane: Any, node: int, origin: int, ids: Any) -> None:
    """Gives a lane the values that creation has at its rows; rows that creation lacks go."""
    places = analysis.places(analysis.full.ids[origin])
    if places is None:
        lane.dead = True
        return
    there = np.flatnonzero(places[ids] >= 0)
    made = duplicate(take(analysis.full.values[origin], places[ids[there]]))
    before = lane.values.get(node)
    if len(there) == len(ids) and hasattr(made, "index") and hasattr(before, "index"):
        made.index = before.index
    lane.values[node], lane.ids[node] = made, ids[there]


def _left_out(analysis: Analysis, op: Op) -> None:
    """At a block's end: a name that was bound anew inside means again what it meant before."""
    before, after = op.args[0].node, op.args[1].node
    if analysis.roles.get(before) != "row":
        return _learned(analysis, op)
    if analysis.roles.get(after) != "row" or not isinstance(
        analysis.full.ids.get(after), np.ndarray
    ):
        _same_rows(analysis, op, before)
    else:
        _back(analysis, op, before, after)
    analysis.rules.append(_rule(op, "bypass", operand=before, note="only"))


def _back(analysis: Analysis, op: Op, before: int, after: int) -> None:
    from .rows import same

    assert op.result is not None
    full = analysis.full
    ids = full.ids[after]
    places = analysis.places(full.ids[before])
    unchanged = False
    if places is not None and len(ids) and (ids >= 0).all() and (places[ids] >= 0).all():
        unchanged = same(full.values[after], take(full.values[before], places[ids]))
    full.values[op.result] = duplicate(full.values[after])
    full.ids[op.result] = ids
    analysis.roles[op.result] = "row"
    analysis.derived.add(op.result)
    for lane in analysis.alive():
        if unchanged:
            lane.values[op.result] = duplicate(lane.values[before])
            lane.ids[op.result] = lane.ids[before]
        else:
            _from_full(analysis, lane, op.result, after, lane.ids[before])


# ---- the line that decides otherwise


def freezing(analysis: Analysis, op: Op) -> str:
    """What the program would say to have what an operation takes from all rows frozen."""
    recording = analysis.recording
    for node in op.refs():
        producer = analysis.producer.get(node)
        if node in analysis.counted and producer is not None:
            site = recording.sites[producer.site]
            text = recording.files.get(site.file, "").split("\n")[site.line - 1 : site.end_line]
            if len(text) == 1:
                return "rw.learned(%s)" % text[0][site.column : site.end_column]
    names = recording.names.get(op.result or -1)
    return "%s = rw.learned(%s)" % (names[0][0], names[0][0]) if names else "rw.learned(…)"


def overriding(rule: Any, name: str) -> str:
    """The line of the program that would override a rule on the variable ``name``."""
    if rule.note == "only":
        return "take the line out of " + BLOCK
    if rule.note == "row_wise":
        return ""
    if rule.rule == "bypass":
        return "%s = rw.learned(%s)" % (name, name)
    if rule.rejects:
        return BLOCK
    return 'with rw.captured("%s"):' % name
