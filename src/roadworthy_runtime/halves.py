"""Rows that are worked on in parts and put together again: by a mask, or as tables of their own.

A selection that is put back is no filter: no row is rejected by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Set

import numpy as np

from . import frozen, kinds
from .rows import same, take
from .trace import Const, Op, Pack, Ref

if TYPE_CHECKING:
    from .analysis import Analysis, Rule

TOGETHER = "frozen.together"


def together(analysis: Analysis, op: Op, pack: Pack) -> Optional[Rule]:
    """``concat`` of disjoint selections of the same rows: they stand in their old order again.

    In creation the rows stay as the program put them; None where the parts are no selections of
    one table by what its rows hold.
    """
    from .analysis import Rule
    from .forms import Form

    parts = [item.node for item in pack.items if isinstance(item, Ref)]
    whole = _whole(analysis, parts[0])
    if len(parts) != len(pack.items) or whole is None or op.result is None:
        return None
    if any(_whole(analysis, part) != whole for part in parts):
        return None
    args = (Const(frozen.together), pack, Ref(whole))
    form = Op(op.index, "call", op.site, op.context, TOGETHER, args, {}, op.result)
    made = analysis.evaluate(op, analysis.full)
    ids = np.concatenate([analysis.full.ids[part] for part in parts])
    places = analysis.places(ids)
    if places is None or kinds.rows_of(made) != len(ids):
        return None
    found: List[Any] = []
    for lane in analysis.alive():
        held = lane.ids[whole]
        mine = np.concatenate([lane.ids[part] for part in parts])
        expected = held[np.isin(held, mine)]
        if len(mine) != len(expected):
            return None
        got = analysis.evaluate(form, lane)
        known = np.flatnonzero(places[expected] >= 0)
        if not same(take(made, places[expected[known]]), take(got, known)):
            return None
        found.append((lane, got, expected))
    analysis.full.values[op.result], analysis.full.ids[op.result] = made, ids
    for lane, got, expected in found:
        lane.values[op.result], lane.ids[op.result] = got, expected
    note = "parts of the rows, brought together in the request's order"
    return Rule(op, "form", True, Form(form, note), note=note)


def _whole(analysis: Analysis, node: int) -> Optional[int]:
    """The table that a part was selected from by a condition on its rows."""
    rules = {rule.op.result: rule for rule in analysis.rules if rule.op.result is not None}
    while node in rules:
        rule = rules[node]
        first = rule.op.args[0] if rule.op.args else None
        if rule.rule != "apply" or not isinstance(first, Ref):
            return None
        node = analysis.behind(first.node, analysis.full)
        if rule.rejects:
            return node if kinds.is_frame(analysis.full.values.get(node)) else None
    return None


def by_others(analysis: Analysis, op: Op) -> bool:
    """Whether an operation selects rows by a condition that a row can't answer alone.

    ``df[np.abs(zscore(df["y"])) < 3]``: creation chose rows to learn from; a request's go on.
    """
    if op.kind != "item" or op.result is None or not isinstance(op.args[0], Ref):
        return False
    key = op.args[1]
    if isinstance(key, Pack) and key.kind == "tuple" and key.items:
        key = key.items[0]
    if not isinstance(key, Ref) or analysis.roles.get(key.node) != "state":
        return False
    mask = analysis.full.values.get(key.node)
    owner = analysis.full.ids.get(analysis.behind(op.args[0].node, analysis.full))
    if not isinstance(owner, np.ndarray) or getattr(mask, "ndim", 0) != 1 or mask is None:
        return False
    kind = getattr(getattr(mask, "dtype", None), "kind", "")
    return (kind == "b" and len(mask) == len(owner)) or kind in "iu"


def positions_of_fold(op: Op) -> Any:
    """The rows of ``oof[held] = …`` in a loop over folds; None for anything else."""
    key = op.args[1] if op.kind == "setitem" else None
    if not isinstance(key, Const) or not key.learned:
        return None
    first = key.value[0] if isinstance(key.value, tuple) and key.value else key.value
    looped = any(frame[0] == "loop" for frame in op.context)
    return first if looped and kinds.is_array(first) and first.dtype.kind in "iu" else None


def keep_rows_put_back(analysis: Analysis) -> None:
    """Takes back that a selection rejects rows, where all that comes of it is put back."""
    for place, rule in enumerate(analysis.rules):
        if rule.rejects and rule.rule == "apply" and rule.op.kind == "item":
            if not _reaches_output(analysis, place):
                analysis.rules[place] = rule._replace(rejects=False)


def _reaches_output(analysis: Analysis, start: int) -> bool:
    """Whether rows go on from a selection to an output without being put back into others."""
    reached: Set[int] = {analysis.rules[start].op.result or 0}
    back = 0
    for rule in analysis.rules[start + 1 :]:
        op = rule.form.op if isinstance(rule.form, _form()) else rule.op
        read = {node for node in op.refs() if node in reached}
        if not read:
            continue
        changed = analysis.writes(rule.op)
        if op.name == TOGETHER or (op.kind == "setitem" and changed not in reached):
            back += 1
            continue
        if op.result is not None:
            reached.add(op.result)
        if changed is not None:
            reached.add(changed)
    return back == 0 or bool(reached & set(analysis.outputs.values()))


def _form() -> Any:
    from .forms import Form

    return Form
