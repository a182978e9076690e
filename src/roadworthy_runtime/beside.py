"""Columns that a program puts beside its rows from elsewhere: no request has them.

``df["target"] = iris.target`` stands beside the rows by position. In the trials each selection of
rows takes its own entries along; in production the column is absent, as if the input lacked it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

import numpy as np

from . import byheart, kinds
from .refusal import Refusal
from .trace import Const, Op, Ref

if TYPE_CHECKING:
    from .analysis import Analysis
    from .planner import Step

BESIDE = "beside"


def settle(analysis: Analysis, op: Op, changed: int) -> bool:
    """Decides on an assignment of such a column; whether it was one."""
    if not _is_column(analysis, op, changed):
        return False
    _put(analysis, op, changed)
    return True


def settle_by_heart(analysis: Analysis, op: Op, changed: int, culprit: Op) -> bool:
    """The same for ``df["place"] = df["fare"].rank()``, which only creation's rows have.

    ``culprit``: the operation that gives each row a value that depends on the others.
    """
    if op.kind != "setitem" or not _fits(analysis, op, changed, analysis.full.values):
        return False
    _put(analysis, op, changed)
    analysis.beside[op.index] = culprit
    return True


def settle_assigned(analysis: Analysis, op: Op, culprit: Op) -> bool:
    """The same for ``df.assign(place=df["fare"].rank())``: other columns stay assigned."""
    if op.kind != "method" or op.name != "assign" or op.result is None:
        return False
    lost = {
        name: value
        for name, value in op.kwargs.items()
        if isinstance(value, Ref) and value.node in analysis.memorised
    }
    rest = {name: value for name, value in op.kwargs.items() if name not in lost}
    if not lost or list(op.kwargs) != [*rest, *lost]:
        return False
    analysis.judged(op.having(op.args, op.result, rest))
    for name, value in lost.items():
        index = len(analysis.recording.ops) + len(analysis.beside)
        operands = (Ref(op.result), Const(name), value)
        put = Op(index, "setitem", op.site, op.context, "", operands, {}, None)
        if not settle_by_heart(analysis, put, op.result, culprit):
            raise byheart.refusal(analysis, culprit)
    return True


def _put(analysis: Analysis, op: Op, changed: int) -> None:
    from .analysis import Rule

    assert isinstance(op.args[1], Const)
    name = op.args[1].value
    analysis.touch_version(changed)
    analysis.evaluate(op, analysis.full)
    ids = analysis.full.ids[changed]
    column = analysis.full.values[changed][name].to_numpy()
    places = analysis.places(ids)
    for lane in analysis.alive():
        mine = np.maximum(places[lane.ids[changed]], 0)
        lane.values[changed][name] = column[mine]
    by_row = column[np.maximum(places[: analysis.count], 0)]
    held = op.having((op.args[0], op.args[1], Const(by_row)), None)
    analysis.rules.append(Rule(held, "apply", note=BESIDE))


def _is_column(analysis: Analysis, op: Op, changed: int) -> bool:
    if op.kind != "setitem" or not all(isinstance(item, Const) for item in op.args[1:]):
        return False
    return not op.args[2].learned and _fits(analysis, op, changed, {})


def _fits(analysis: Analysis, op: Op, changed: int, values: Any) -> bool:
    """Whether a column by one name is set in a table, with an entry for each of its rows."""
    key, given = op.args[1], op.args[2]
    table: Any = analysis.full.values.get(changed)
    if not isinstance(key, Const) or not isinstance(key.value, str) or not kinds.is_frame(table):
        return False
    if (
        not kinds.is_frame(analysis.source.value)
        or analysis.places(analysis.full.ids[changed]) is None
    ):
        return False
    value: Any = given.value if isinstance(given, Const) else values.get(getattr(given, "node", 0))
    plain = kinds.is_array(value) and value.ndim == 1
    if not (plain or kinds.is_series(value) or type(value) in (list, range)):
        return False
    return len(value) == len(table) > 1


def entries(by_row: Any, rows: Any, count: int) -> Any:
    """Entries for ``count`` rows: of these input rows, where it is known which they are.

    Where it is not, any will do: the answers may not depend on them.
    """
    if rows is not None and len(rows) == count:
        return by_row[rows]
    return np.resize(by_row, count)


def check(analysis: Analysis, steps: Sequence[Step], equal: bool) -> None:
    """Raises Refusal where the answers need such a column (without are not ``equal``)."""
    found = [step for step in steps if step.rule.note == BESIDE]
    if equal or not found:
        return
    for step in found:
        if step.op.index in analysis.beside:
            raise byheart.refusal(analysis, analysis.beside[step.op.index])
    names = ", ".join(str(step.op.args[1].value) for step in found)
    raise Refusal(
        "the answers need column %s, whose values do not come from the input's rows" % names,
        "if it is computed from the rows, do that with columns, apply or a list comprehension, "
        "which can be followed (a generator of your own can't); else put it into the input before "
        "the table is bound, so that a request brings it, or leave it out of what the model is "
        "given",
        analysis.line(found[0].op), "law-broken",
    )  # fmt: skip
