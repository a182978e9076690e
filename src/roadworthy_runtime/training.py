"""Whether rows are prepared for an answer as they were for learning.

A program may prepare its test side with statistics of its own (``test.fillna(test.mean())``, an
encoder fitted again). Replaying the answers can't tell; preparing rows that a model learned from
can: what the model would be given for them now must be what it was given then.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from . import kinds
from .analysis import ROW, Analysis
from .halves import positions_of_fold
from .lanes import duplicate, fresh
from .planner import Runner, Step
from .rows import same, take
from .testside import Unequal
from .trace import Const, Ref

_MOST = 200


def learned_from(analysis: Analysis) -> List[int]:
    """The nodes that estimators were fitted on."""
    return [fit.nodes[0] for fit in analysis.recording.fits if fit.nodes]


def check_training(analysis: Analysis, steps: List[Step]) -> None:
    """Raises Unequal where an estimator would be given other values than it learned from."""
    runner = Runner(analysis, steps)
    for step in steps:
        found = _pair(analysis, step)
        if found is None:
            continue
        now, then, at = found
        ids = analysis.full.ids[then]
        rows = np.sort(np.random.Generator(np.random.PCG64(11)).permutation(ids)[:_MOST])
        places = analysis.places(ids)
        if places is None or not len(rows) or (rows < 0).any():
            continue
        given = _given(runner, rows, step, now)
        if given is None:
            continue
        before = take(analysis.as_fitted.get(then, analysis.full.values[then]), places[rows])
        if kinds.is_array(before) != kinds.is_array(given):
            before, given = np.asarray(before), np.asarray(given)
        if same(before, given):
            continue
        if _predicted(analysis, now) and _predicted(analysis, then):
            text = "line %d: learned from predictions of models that did not know the rows (out of "
            text += "fold); answers use those of the models as they were last fitted"
            analysis.warnings.append(text % analysis.line(step.op))
            continue
        if _differing(before, given) <= _put_together(analysis, then):
            text = "line %d: learned from values that were put together fold by fold, each row's "
            text += "from the other folds; answers use what was learned from all of them"
            analysis.warnings.append(text % analysis.line(step.op))
            continue
        unequal = Unequal(
            "%s was fitted on rows prepared otherwise than those it answers%s"
            % (type(step.op.args[0].value).__name__, _where(before, given)),
            "prepare both with what was learned from the training rows: fit on them once, then "
            "transform; or fill with the training side's own mean",
            analysis.line(step.op), "law-broken",
        )  # fmt: skip
        unequal.asked, unequal.fitted = (now, step.op.index), (then, at)
        raise unequal


def _given(runner: Runner, rows: Any, step: Step, node: int) -> Any:
    """What a step would be given for rows of the input; None where it can't be computed.

    Conditions that chose the test side lose these rows: then none is asked.
    """
    value = take(runner.analysis.source.value, rows)
    runner.rows = rows
    for bypassed in ({}, _conditions(runner)):
        runner.bypassed = bypassed
        try:
            given = runner.run(duplicate(fresh(value)), until=step).values[node]
        except Exception:
            continue
        if kinds.rows_of(given) == len(rows):
            return given
    return None


def _conditions(runner: Runner) -> Dict[int, int]:
    """The steps that select rows of a table by a mask, and the table's node."""
    found: Dict[int, int] = {}
    for step in runner.steps:
        op = step.applied
        if step.rule.rejects and op.kind == "item" and isinstance(op.args[1], Ref):
            if isinstance(op.args[0], Ref):
                found[op.index] = runner.analysis.behind(op.args[0].node, runner.analysis.full)
    return found


def _pair(analysis: Analysis, step: Step) -> Optional[Tuple[int, int, int]]:
    """(node given to an estimator now, node that it was fitted on, when) of such a step."""
    op = step.op
    if step.rule.rule != "apply" or op.kind != "method" or len(op.args) < 2:
        return None
    if op.name.startswith("inverse_"):
        return None  # takes what fitting would give, not what it takes
    if not isinstance(op.args[0], Const) or not isinstance(op.args[1], Ref):
        return None
    line, owner = op.args[0].learned, type(op.args[0].value).__name__
    fits = [fit for fit in analysis.recording.fits if fit.line == line and fit.owner == owner]
    fitted = [(fit.nodes[0], fit.at) for fit in fits if fit.nodes]
    now = op.args[1].node
    if not fitted or now in [node for node, _ in fitted]:
        return None
    values = analysis.full.values
    alike = [(node, at) for node, at in fitted if _columns_of(op.args[0].value, values.get(node))]
    if not alike:
        return None
    then, at = alike[-1]
    if analysis.roles.get(then) != ROW or analysis.roles.get(now) != ROW:
        return None
    return (now, then, at) if isinstance(analysis.full.ids.get(then), np.ndarray) else None


def _columns_of(estimator: Any, value: Any) -> bool:
    """Whether an estimator can have been fitted on a value: several are on one line of a loop."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and kinds.is_frame(value):
        return list(names) == list(value.columns)
    width = getattr(estimator, "n_features_in_", None)
    return width is None or np.ndim(value) != 2 or np.shape(value)[1] == width


def _predicted(analysis: Analysis, node: int) -> bool:
    """Whether a value is made of what other estimators predict."""
    needed = analysis.needed([node])
    return any(
        op.index in needed and op.kind == "method" and op.name.startswith(("predict", "decision_"))
        for op in analysis.recording.ops
    )


def _put_together(analysis: Analysis, node: int) -> int:
    """How many columns a value is made of that a loop put together of disjoint parts of rows."""
    needed = analysis.needed([node])
    parts: Dict[Tuple[int, str], List[Any]] = {}
    for op in analysis.recording.ops:
        places = positions_of_fold(op) if op.index in needed else None
        if places is not None:
            rest = op.args[1].value[1:] if isinstance(op.args[1].value, tuple) else ()
            parts.setdefault((analysis.writes(op) or 0, repr(rest)), []).append(places)
    found = 0
    for (changed, _), places in parts.items():
        rows = kinds.rows_of(analysis.full.values.get(changed))
        filled = np.sort(np.concatenate(places))
        found += int(len(places) > 1 and bool(np.array_equal(filled, np.arange(rows or 0))))
    return found


def _differing(before: Any, given: Any) -> int:
    """How many columns of two values with the same rows differ."""
    if kinds.is_frame(before) and kinds.is_frame(given):
        if list(before.columns) != list(given.columns):
            return len(before.columns) + 1
        pairs = [(before.iloc[:, i], given.iloc[:, i]) for i in range(before.shape[1])]
    elif np.ndim(before) == 2 and np.shape(before) == np.shape(given):
        pairs = [(before[:, i], given[:, i]) for i in range(before.shape[1])]
    else:
        pairs = [(before, given)]
    return len([1 for one, other in pairs if not same(one, other)])


def _where(before: Any, given: Any) -> str:
    """The first column that differs, in words."""
    if kinds.is_frame(before) and kinds.is_frame(given):
        for name in before.columns:
            if name not in given.columns:
                return ": column %s is missing" % name
            if not same(before[name], given[name]):
                return ": column %s differs" % name
        return ": other columns"
    return ""
