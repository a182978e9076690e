"""Whether an operation obeys the law: each selection's result is the selection of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

import numpy as np

from . import forms, kinds
from .lanes import Lane
from .narrowing import gives_several
from .rows import is_opaque, same, take
from .trace import Const, Op, first_node

if TYPE_CHECKING:
    from .analysis import Analysis

InLane = Callable[[Lane], Any]


def judge(analysis: Analysis, op: Op, result: Any, in_lane: Any) -> Optional[bool]:
    """Whether ``in_lane`` obeys the law for this full result; then, whether it drops rows.

    Sets values and row numbers of the result in all lanes. None: the law does not hold.
    """
    assert op.result is not None
    operands = analysis.row_operands(op, analysis.full)
    outcome: Dict[int, Any] = {}
    for number, lane in enumerate(analysis.alive()):
        try:
            outcome[id(lane)] = in_lane(lane)
        except Exception:
            if number == 0 or any(len(ids) for _, _, ids in analysis.row_operands(op, lane)):
                return None
            lane.dead = True
    if kinds.is_atom(result) or forms.is_shape(result):
        return _count(analysis, op, result, operands, outcome)
    if is_opaque(result) or (op.kind == "attr" and op.name == "index"):
        ids = next((ids for _, _, ids in operands), None)
        if ids is None:
            return None
        _view(analysis, op.result, result, ids, outcome, op)
        return False
    if op.kind == "element":
        return _element(analysis, op, result, outcome)
    packed = isinstance(result, (list, tuple, dict)) and kinds.is_data(result)
    if gives_several(op) or (packed and not isinstance(result, list)):
        return _container(analysis, op, result, outcome)
    for how, primary, ids in analysis.candidates(op, result, analysis.full):
        matched = _matches(analysis, op, result, ids, how, primary, outcome)
        if matched is not None:
            for lane in analysis.alive():
                lane.values[op.result] = outcome[id(lane)]
                lane.ids[op.result] = matched[id(lane)]
            analysis.full.ids[op.result] = ids
            before = analysis.full.ids[primary]
            return int((ids >= 0).sum()) < int((before >= 0).sum())
    return _container(analysis, op, result, outcome) if packed else None


def _view(
    analysis: Analysis, node: int, result: Any, ids: Any, outcome: Dict[int, Any], op: Op
) -> None:
    analysis.full.values[node], analysis.full.ids[node] = result, ids
    for lane in analysis.alive():
        lane.values[node] = outcome[id(lane)]
        lane.ids[node] = next((i for _, _, i in analysis.row_operands(op, lane)), lane.rows)


def _count(
    analysis: Analysis, op: Op, result: Any, operands: Any, outcome: Dict[int, Any]
) -> Optional[bool]:
    """A number of rows (or a shape that starts with one) is as long as the request is."""
    assert op.result is not None
    if op.kind not in ("attr", "call", "item", "element"):
        return None
    first = result[0] if isinstance(result, tuple) else result
    if isinstance(first, bool) or not isinstance(first, int):
        return None
    source = next((node for node, value, _ in operands if kinds.rows_of(value) == first), None)
    owner = first_node(op)
    if op.kind == "item" and owner in analysis.counted:
        if not (isinstance(op.args[1], Const) and op.args[1].value == 0):
            return None
        source = analysis.counted[owner]
    if source is None:
        return None
    for lane in analysis.alive():
        got = outcome[id(lane)]
        if isinstance(result, tuple):
            if got[1:] != result[1:]:
                return None
            got = got[0]
        if got != len(lane.ids[source]):
            return None
    for lane in analysis.alive():
        lane.values[op.result] = outcome[id(lane)]
        lane.ids[op.result] = None
    analysis.counted[op.result] = source
    return False


def _element(analysis: Analysis, op: Op, result: Any, outcome: Dict[int, Any]) -> Optional[bool]:
    owner, key = op.args[0].node, op.args[1].value
    assert op.result is not None
    held = analysis.full.ids.get(owner)
    if not isinstance(held, dict) or held.get(key) is None:
        return None
    analysis.full.ids[op.result] = held[key]
    for lane in analysis.alive():
        lane.values[op.result] = outcome[id(lane)]
        lane.ids[op.result] = lane.ids[owner][key]
    return False


def _container(analysis: Analysis, op: Op, result: Any, outcome: Dict[int, Any]) -> Optional[bool]:
    """Each part of a list, tuple or dict is a row value, or the same in all lanes."""
    assert op.result is not None
    keys = list(result) if isinstance(result, dict) else list(range(len(result)))
    full_ids: Dict[Any, Any] = {}
    lane_ids: Dict[int, Dict[Any, Any]] = {id(lane): {} for lane in analysis.alive()}
    any_row = False
    for key in keys:
        if any(
            not isinstance(value, type(result)) or len(value) != len(result)
            for value in outcome.values()
        ):
            return None
        part = result[key]
        parts = {name: value[key] for name, value in outcome.items()}
        full_ids[key] = None
        for how, primary, ids in analysis.candidates(op, part, analysis.full):
            matched = _matches(analysis, op, part, ids, how, primary, parts)
            if matched is not None and len(ids) == len(analysis.full.ids[primary]):
                full_ids[key], any_row = ids, True
                for name, found in matched.items():
                    lane_ids[name][key] = found
                break
        else:
            if (
                not gives_several(op)
                and kinds.is_data(part)
                and not all(same(part, p) for p in parts.values())
            ):
                return None
    if not any_row:
        return None
    analysis.full.ids[op.result] = full_ids
    for lane in analysis.alive():
        lane.values[op.result] = outcome[id(lane)]
        lane.ids[op.result] = lane_ids[id(lane)]
    return False


def _matches(
    analysis: Analysis,
    op: Op,
    result: Any,
    ids: Any,
    how: str,
    primary: int,
    outcome: Dict[int, Any],
) -> Optional[Dict[int, Any]]:
    """Row numbers of each lane's result, if all lanes agree with the full result."""
    places = analysis.places(ids)
    if places is None:
        return None
    before = analysis.places(analysis.full.ids[primary])
    if before is None:
        return None
    out: Dict[int, Any] = {}
    for lane in analysis.alive():
        got = outcome[id(lane)]
        found = _lane_ids(analysis, op, got, lane, how, primary)
        if found is None:
            return None
        held = lane.ids[primary]
        expected = held[(places[held] >= 0) & (before[held] >= 0)]
        if not np.array_equal(expected, found[before[found] >= 0]):
            return None
        mine = np.flatnonzero(places[found] >= 0)
        theirs = places[found[mine]]
        try:
            if len(found) and not same(take(result, theirs), take(got, mine)):
                return None
        except Exception:
            return None
        out[id(lane)] = found
    return out


def _lane_ids(analysis: Analysis, op: Op, got: Any, lane: Lane, how: str, primary: int) -> Any:
    for kind, node, ids in analysis.candidates(op, got, lane):
        if kind == how and node == primary:
            return ids
    return None
