"""The flow as a list of steps, and which input columns it requires.

A column is not required if the steps give the same answers without it. What can't be computed
then is *absent*: a step on something absent is absent too, an assignment of it leaves the column
out, a list of columns goes without it, a condition that needs it selects every row.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from . import axes, kinds
from .analysis import ROW, Analysis, Rule
from .beside import BESIDE, entries
from .lanes import duplicate, inplace_rows, run
from .liveness import FlowStep, alive
from .narrowing import is_snippet, narrowed
from .reading import columns_read
from .rows import is_opaque, same
from .support.basis import without_gradients
from .support.segment import Segment
from .trace import Const, Op, Pack, Ref, fill, looked_at, refs


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT: Any = _Absent()

_READ_BY_NAME = ("apply", "eval", "get", "itertuples", "pop", "transform")
# Operations on a table that take lists of its columns, and mean the same with fewer.
_BY_COLUMN = frozenset(
    {
        "drop", "dropna", "drop_duplicates", "astype", "fillna", "replace", "round", "sort_values",
        "reindex", "rename", "filter", "assign", "frozen.get_dummies", "frozen.as_category", "",
    }
)  # fmt: skip


class Step(NamedTuple):
    """One operation of the flow. ``alias``: the node that the result is, for a bypass."""

    op: Op
    rule: Rule
    alias: Optional[int] = None

    @property
    def applied(self) -> Op:
        """The operation in the form in which it is applied."""
        return self.rule.form.op if self.rule.rule == "form" else self.op


def steps_for(analysis: Analysis, goals: Sequence[int]) -> List[Step]:
    """The steps that the goals need, in order of execution."""
    splits = {r.op.result: r for r in analysis.rules if r.note == "split"}
    needed: Set[int] = set(goals)
    kept: List[Step] = []
    for rule in reversed(analysis.rules):
        op = rule.op
        if rule.rule == "state":
            continue
        changed = analysis.writes(op)
        if op.result not in needed and (changed is None or changed not in needed):
            continue
        alias = _alias(rule, splits)
        step = Step(op, rule, alias)
        kept.append(step)
        if alias is not None:
            needed.update((alias, analysis.base(alias)))
            continue
        for node in step.applied.refs():
            if analysis.roles.get(node) == ROW:
                needed.add(node)
                needed.add(analysis.base(node))
    return kept[::-1]


def _alias(rule: Rule, splits: Dict[Any, Rule]) -> Optional[int]:
    op = rule.op
    if rule.rule == "bypass" and not isinstance(op.args[0], Ref) and rule.note != "stack":
        return rule.operand
    if rule.rule == "bypass":
        return rule.operand
    if op.kind == "element" and isinstance(op.args[0], Ref) and op.args[0].node in splits:
        split = splits[op.args[0].node].op
        count = len(split.args) - 1
        total = len(rule_elements(splits[op.args[0].node]))
        operand = split.args[1 + op.args[1].value // max(1, total // count)]
        return operand.node if isinstance(operand, Ref) else None
    return None


def rule_elements(rule: Rule) -> List[Any]:
    """The parts that a split gave."""
    return list(rule.form or ())


class Trace(NamedTuple):
    """One evaluation of steps: values of nodes, and each step's result as it was then."""

    values: Dict[int, Any]
    results: Dict[int, Any]
    changed: Dict[int, Op]
    """Steps whose operands were trimmed, as they ran."""
    absent: Set[int]
    bypassed: Dict[int, int]
    """Steps that select every row now: the node whose rows go on."""
    columns: Dict[Tuple[int, int], List[Any]]
    """(operation, node) -> the columns that a table among its operands had then."""
    intact: Set[int]
    """Nodes that hold what they held with all columns."""
    axes: Dict[int, axes.Axis]
    """Arrays whose columns are columns of the input."""


def _empty() -> Trace:
    return Trace({}, {}, {}, set(), {}, {}, set(), {})


class Runner:
    """Evaluates steps on an input, with or without some of its columns."""

    def __init__(self, analysis: Analysis, steps: List[Step]) -> None:
        self.analysis = analysis
        self.steps = steps
        self.rows: Any = None
        """Which input rows are evaluated, where that is known."""
        self.bypassed: Dict[int, int] = {}
        """Conditions that are not asked: the node whose rows go on instead."""

    def run(self, value: Any, until: Optional[Step] = None) -> Trace:
        """All steps on this input, or those before ``until``. Raises what they raise."""
        trace = _empty()
        for step in self.steps:
            if step is until:
                break
            op = step.applied
            for node in op.refs():
                table = self._table(node, trace)
                if kinds.is_frame(table):
                    trace.columns[op.index, node] = list(table.columns)
            if op.kind == "source":
                result = value
            elif op.index in self.bypassed:
                result = duplicate(trace.values[self.bypassed[op.index]])
            elif step.alias is not None:
                result = self._alias(step, trace.values[step.alias])
            else:
                result = self._evaluate(op, step, trace.values)
            self._store(step, result, trace)
        return trace

    def _alias(self, step: Step, value: Any) -> Any:
        columns = step.rule.form if step.rule.note == "" else None
        return duplicate(value if columns is None else value[columns])

    def _evaluate(self, op: Op, step: Step, values: Dict[int, Any]) -> Any:
        frozen = step.rule.frozen

        def value_of(node: int) -> Any:
            return frozen[node] if node in frozen else values[node]

        args = [fill(operand, value_of) for operand in op.args]
        kwargs = {key: fill(operand, value_of) for key, operand in op.kwargs.items()}
        if inplace_rows(op):
            kwargs["inplace"] = False
        if step.rule.note == BESIDE:
            args[2] = entries(args[2], self.rows, len(args[0]))
        with without_gradients():
            return run(op, args, kwargs)

    def _store(self, step: Step, result: Any, trace: Trace) -> None:
        op = step.op
        if inplace_rows(op):
            trace.values[op.args[0].node] = result
        elif op.result is not None:
            trace.values[op.result] = result
        self._follow_axis(step, result, trace)
        changed = self.analysis.writes(op)
        shown = trace.values.get(changed, result) if changed is not None else result
        trace.results[op.index] = shown if is_opaque(shown) else duplicate(shown)

    def _follow_axis(self, step: Step, result: Any, trace: Trace) -> None:
        op = step.op
        if op.result is None or op.result in trace.axes:
            return
        if op.kind == "source":
            axis = axes.whole(result)
        elif step.alias is not None or op.index in self.bypassed:
            node = step.alias if step.alias is not None else self.bypassed[op.index]
            axis = trace.axes.get(node)
        else:
            axis = axes.after(_settled(step), trace.axes.get(axes.owner(op)), result)
        if axis is not None:
            trace.axes[op.result] = axis

    # ---- with columns missing

    def without(self, value: Any, base: Trace, names: Set[Any]) -> Trace:
        """The steps on an input that lacks these columns of the one ``base`` was made from."""
        trace = _empty()
        source = self.analysis.source.node
        if source in base.axes:
            trace.axes[source] = [column for column in base.axes[source] if column not in names]
        shared = self._writes_arrays(base)
        for step in self.steps:
            op = step.applied
            changed = self.analysis.writes(step.op)
            intact = changed is None and self._intact(step, trace)
            known = base.results.get(step.op.index, ABSENT) if intact else ABSENT
            if known is not ABSENT and not (is_opaque(known) or (shared and kinds.is_array(known))):
                trace.values[step.op.result] = duplicate(known)  # type: ignore[index]
                trace.intact.add(step.op.result)  # type: ignore[arg-type]
                continue
            if op.kind == "source":
                result = value
            elif op.index in self.bypassed:
                trace.bypassed[op.index] = self.bypassed[op.index]
                result = duplicate(trace.values[self.bypassed[op.index]])
            elif step.alias is not None:
                result = self._aliased_without(step, trace)
            else:
                result = self._step_without(step, trace, base)
            if changed is not None:
                trace.intact.discard(changed)
            if result is ABSENT:
                trace.absent.add(step.op.index)
                if step.op.result is not None and changed is None:
                    trace.values[step.op.result] = ABSENT
                continue
            self._store(step, result, trace)
            if changed is None and not inplace_rows(step.op) and not is_opaque(result):
                if same(base.results[step.op.index], result):
                    trace.intact.add(step.op.result)  # type: ignore[arg-type]
        return trace

    def _writes_arrays(self, base: Trace) -> bool:
        """Whether a step changes an array, which other values may look into."""
        changed = (self.analysis.writes(step.op) for step in self.steps)
        return any(kinds.is_array(base.values.get(node)) for node in changed if node is not None)

    def _intact(self, step: Step, trace: Trace) -> bool:
        """Whether a step would do just what it did with all columns."""
        op = step.applied
        if op.kind == "source" or inplace_rows(step.op) or step.op.result is None:
            return False
        if op.index in self.bypassed:
            return False
        read = [step.alias] if step.alias is not None else list(op.refs())
        return all(node in trace.intact or node in step.rule.frozen for node in read)

    def _aliased_without(self, step: Step, trace: Trace) -> Any:
        assert step.alias is not None
        value = trace.values[step.alias]
        if value is ABSENT:
            return ABSENT
        columns = step.rule.form if step.rule.note == "" else None
        if isinstance(columns, list):
            columns = [name for name in columns if name in value.columns]
        elif columns is not None and columns not in value.columns:
            return ABSENT
        return duplicate(value if columns is None else value[columns])

    def _step_without(self, step: Step, trace: Trace, base: Trace) -> Any:
        op = step.applied
        values, frozen = trace.values, step.rule.frozen
        if step.rule.note == BESIDE:
            self._lose(step.op, op.args[0].node, values)
            return ABSENT
        missing = self._missing(op, trace, base)
        absent = [n for n in op.refs() if n not in frozen and values.get(n, ABSENT) is ABSENT]
        if absent:
            return self._on_absent(step, trace, base, absent)
        then, now = (found.axes.get(axes.owner(op)) for found in (base, trace))
        if then is not None and now is not None and then != now:
            return self._selected(step, trace, base, then, now)
        changed = None if inplace_rows(step.op) else self.analysis.writes(step.op)
        return self._attempted(step, trace, base, missing, changed)

    def _attempted(
        self, step: Step, trace: Trace, base: Trace, missing: Set[Any], changed: Optional[int]
    ) -> Any:
        """The step as it is, or with the missing columns left out of its lists of columns."""
        op, values, frozen = step.applied, trace.values, step.rule.frozen
        then = base.columns.get((op.index, axes.owner(op)), [])
        named = self._named(op, then, missing) if missing else None
        trimmed = _trimmed(op, missing, frozen, then) if missing and named is None else None
        if op.name == "reindex" and trimmed is not None:
            attempts: Tuple[Optional[Op], ...] = (trimmed,)  # it would make them anew, of nulls
        else:
            attempts = (named or op, trimmed)
        for attempt in attempts:
            if attempt is None:
                continue
            before = duplicate(values[changed]) if changed is not None else None
            try:
                result = self._evaluate(attempt, step, values)
            except Exception:
                if changed is not None and before is not None:
                    values[changed] = before
                continue
            if changed is not None:
                self._settle_change(changed, before, values, base.results[step.op.index], step.op)
                if attempt is not op:
                    trace.changed[op.index] = attempt
                return result
            unread = bool(missing) and _unread(attempt, missing)
            fewer = (bool(missing) and not unread) or op.kind == "element"
            kept = self._agreeing(attempt, result, base.results[step.op.index], fewer)
            if kept is not ABSENT:
                if attempt is not op:
                    trace.changed[op.index] = attempt
                return kept
        if changed is not None:
            self._lose(step.op, changed, values)
            return ABSENT
        if step.rule.rejects:
            return self._whole(step, trace)
        return ABSENT

    def _named(self, op: Op, then: Sequence[Any], missing: Set[Any]) -> Optional[Op]:
        """``df.iloc[:, 1:4]`` by the names that it meant; None for anything else."""
        maker = self.analysis.producer.get(axes.owner(op))
        key = op.args[1] if op.kind == "item" else None
        if maker is None or maker.kind != "attr" or maker.name != "iloc":
            return None
        value = key.value if isinstance(key, Const) else None
        if not isinstance(value, tuple) or len(value) != 2 or value[0] != slice(None):
            return None
        names = np.asarray(then, dtype=object)[value[1]]
        wanted = [n for n in names if n not in missing] if np.ndim(names) else names
        return op.having((maker.args[0], Const(wanted)), op.result)

    def _selected(
        self, step: Step, trace: Trace, base: Trace, then: axes.Axis, now: axes.Axis
    ) -> Any:
        """What a selection by position takes of an array that lacks columns of the input."""
        op = _settled(step)
        found = axes.without(op, then, now)
        if found is None:
            return ABSENT
        attempt, kept = found
        result = self._evaluate(attempt, step, trace.values)
        before = base.results[step.op.index]
        if kept:
            had = base.axes.get(step.op.result, [])  # type: ignore[arg-type]
            before = before[:, [had.index(column) for column in kept]] if had else None
        if before is None or len(before) != len(result) or not same(before, result):
            return ABSENT
        if kept:
            trace.axes[step.op.result] = kept  # type: ignore[index]
        if attempt is not op:
            trace.changed[op.index] = attempt
        return result

    def lost(self, step: Step, trace: Trace, base: Trace) -> Set[Any]:
        """Columns that tables given to a step lack at the end of a trace, and had in ``base``."""
        return self._missing(step.applied, trace, base)

    def _missing(self, op: Op, trace: Trace, base: Trace) -> Set[Any]:
        """Columns that tables among the operands had, and now lack."""
        out: Set[Any] = set()
        for node in op.refs():
            now = self._table(node, trace)
            then = base.columns.get((op.index, node))
            if kinds.is_frame(now) and then is not None:
                out |= set(then) - set(now.columns)
        return out

    def _table(self, node: int, trace: Trace) -> Any:
        """A node's value, or what it only looks at: the table behind ``df.loc``."""
        value = trace.values.get(node)
        while value is not None and value is not ABSENT and is_opaque(value):
            node = looked_at(self.analysis.producer[node]) or -1
            value = trace.values.get(node)
        return value

    def _on_absent(self, step: Step, trace: Trace, base: Trace, absent: List[int]) -> Any:
        op, values = step.applied, trace.values
        changed = self.analysis.writes(step.op)
        if changed is not None and not inplace_rows(step.op):
            if values.get(changed) is ABSENT or changed not in values:
                return ABSENT
            self._lose(step.op, changed, values)
            return ABSENT
        if op.kind == "binary" and op.name in ("&", "|") and len(set(op.refs())) == 2:
            other = next((n for n in op.refs() if n not in absent), None)
            if other is not None and not (op.name == "&" and self._negated(op.result)):
                trace.bypassed[step.op.index] = other
                return values[other]
        owner = op.args[0].node if op.args and isinstance(op.args[0], Ref) else None
        if owner is None or owner in absent:
            return ABSENT
        if step.rule.rejects:
            return self._whole(step, trace)
        return self._assigned_without(step, trace, base, set(absent))

    def _negated(self, node: Any) -> bool:
        """Whether rows that a condition selects are left out: ``df[~(condition & other)]``."""
        for op in (step.op for step in self.steps):
            if node in op.refs():
                if op.kind == "unary" and op.name == "~":
                    return True
                if op.kind == "binary" and self._negated(op.result):
                    return True
        return False

    def _assigned_without(self, step: Step, trace: Trace, base: Trace, absent: Set[int]) -> Any:
        """``df.assign(a=…, b=…)`` without those of its columns that can't be computed."""
        op = step.applied
        if op.kind != "method" or op.name != "assign":
            return ABSENT
        left = {name: v for name, v in op.kwargs.items() if not absent & set(refs(v))}
        less = op.having(op.args, op.result, left)
        try:
            result = self._evaluate(less, step, trace.values)
        except Exception:
            return ABSENT
        kept = self._agreeing(less, result, base.results[step.op.index], True)
        if kept is not ABSENT:
            trace.changed[op.index] = less
        return kept

    def _whole(self, step: Step, trace: Trace) -> Any:
        """A condition that can't be asked selects every row."""
        node = next(n for n in step.applied.refs() if n in trace.values)
        while is_opaque(trace.values[node]):
            node = looked_at(self.analysis.producer[node]) or -1
        trace.bypassed[step.op.index] = node
        return duplicate(trace.values[node])

    def _lose(self, op: Op, changed: int, values: Dict[int, Any]) -> None:
        """What an assignment would have set can't be computed: the column goes."""
        value = values[changed]
        for name in keys_of(op):
            if kinds.is_frame(value) and name in value.columns:
                del value[name]
        if not kinds.is_frame(value):
            values[changed] = ABSENT

    def _settle_change(
        self, changed: int, before: Any, values: Dict[int, Any], base: Any, op: Op
    ) -> None:
        value = values[changed]
        if kinds.is_frame(value) and kinds.is_frame(base) and len(value) == len(base):
            for name in keys_of(op) or list(value.columns):
                if name not in value.columns:
                    continue
                if name not in base.columns or not same(base[name], value[name]):
                    del value[name]
        elif not same(base, value):
            values[changed] = ABSENT

    def _agreeing(self, op: Op, result: Any, base: Any, trimmed: bool) -> Any:
        """The result, or what of it equals the one with all columns; else ABSENT."""
        if is_opaque(result):
            return result
        if kinds.is_frame(result) and kinds.is_frame(base):
            if len(result) != len(base):
                return ABSENT
            good = _alike(base, result)
            if len(good) == len(base.columns) == len(result.columns):
                return result if list(result.columns) == list(base.columns) else ABSENT
            return result[good] if trimmed and good else ABSENT
        if op.kind == "attr" and op.name == "shape" and result[0] == base[0]:
            return result
        if isinstance(base, tuple) and isinstance(result, tuple) and is_snippet(op):
            parts = [self._agreeing(op, r, b, trimmed) for r, b in zip(result, base)]
            return tuple(parts)
        if op.name == "to_dict" and isinstance(base, list) and isinstance(result, list):
            less = [{k: v for k, v in b.items() if k in r} for b, r in zip(base, result)]
            return result if len(base) == len(result) and same(less, result) else ABSENT
        if trimmed and not _reads_columns(op):
            return ABSENT
        try:
            return result if same(base, result) else ABSENT
        except Exception:
            return ABSENT


def _alike(base: Any, result: Any) -> List[Any]:
    """The columns that two tables of as many rows have in common, and hold the same."""
    there = set(result.columns)
    both = [name for name in base.columns if name in there]
    if base[both].equals(result[both]):  # column by column takes ten times as long
        return both
    return [name for name in both if same(base[name], result[name])]


def _settled(step: Step) -> Op:
    """The operation with what is frozen among its operands' parts as plain values."""
    op, frozen = step.applied, step.rule.frozen

    def settled(operand: Any) -> Any:
        if isinstance(operand, Ref) and operand.node in frozen:
            return Const(frozen[operand.node])
        if isinstance(operand, Pack):
            return operand._replace(items=tuple(map(settled, operand.items)))
        return operand

    return op.having((*op.args[:1], *map(settled, op.args[1:])), op.result)


def _unread(op: Op, missing: Set[Any]) -> bool:
    """Whether a library's object is known to read none of the missing columns."""
    if op.kind == "call" and isinstance(op.args[0], Const):
        return isinstance(op.args[0].value, Segment) and not op.args[0].value.labels & missing
    if op.kind != "method" or not isinstance(op.args[0], Const):
        return False
    if isinstance(op.args[0].value, Segment):
        return op.name == "predict" and not op.args[0].value.labels & missing
    read = columns_read(op.args[0].value, op.name)
    return read is not None and not read & missing


def _reads_columns(op: Op) -> bool:
    """Whether an operation on a table names the columns it reads."""
    if op.kind in ("item", "attr"):
        return op.name not in ("values", "T", "size", "shape")
    if op.kind == "call":
        return op.name in ("frozen.by_group", "frozen.transform", "len") or is_snippet(op)
    if op.kind in ("comprehension", "element"):
        return True
    return op.kind == "method" and op.name in _READ_BY_NAME


def keys_of(op: Op) -> List[Any]:
    """The columns that an assignment names."""
    if op.kind == "setattr":
        return [op.name]
    key = op.args[1] if len(op.args) > 1 else None
    if isinstance(key, Pack) and key.kind == "tuple":
        key = key.items[-1]
    if isinstance(key, Const):
        value = key.value
        if isinstance(value, tuple):
            value = value[-1]
        return list(value) if isinstance(value, list) else [value] if isinstance(value, str) else []
    return []


def _trimmed(
    op: Op, missing: Set[Any], frozen: Dict[int, Any], then: Sequence[Any]
) -> Optional[Op]:
    """The operation with the missing columns left out of its lists of columns.

    ``then``: the columns that the table it is on had with none missing.
    """
    if op.kind == "setattr" and op.name == "columns":
        return _renamed(op, missing, frozen, then)
    name = op.name if op.kind in ("method", "call") else ""
    if name not in _BY_COLUMN or op.kind not in ("method", "call", "item", "setitem"):
        return None
    asked = op.kwargs.get("subset")
    if isinstance(asked, Const) and _less(asked.value, missing) in ([], ()):
        return None

    def cut(operand: Any) -> Any:
        if isinstance(operand, Ref) and operand.node in frozen:
            value = frozen[operand.node]
            less = _less(value, missing)
            return operand if less is value else Const(less, "")
        if isinstance(operand, Const):
            return operand._replace(value=_less(operand.value, missing))
        if isinstance(operand, Pack):
            return operand._replace(items=tuple(map(cut, operand.items)))
        return operand

    first = 1 if op.kind in ("item", "setitem", "method") else 2
    args = (*op.args[:first], *map(cut, op.args[first:]))
    kwargs = {key: cut(value) for key, value in op.kwargs.items()}
    return op.having(args, op.result, kwargs)


def _renamed(
    op: Op, missing: Set[Any], frozen: Dict[int, Any], then: Sequence[Any]
) -> Optional[Op]:
    """``df.columns = names`` for the columns that are left."""
    operand = op.args[1]
    known = isinstance(operand, Const) or (isinstance(operand, Ref) and operand.node in frozen)
    names = list(fill(operand, frozen.__getitem__)) if known else []
    if len(names) != len(then):
        return None
    left = [name for name, before in zip(names, then) if before not in missing]
    return op.having((op.args[0], Const(left)), op.result)


def _less(value: Any, missing: Set[Any]) -> Any:
    if isinstance(value, str):
        return [] if value in missing else value
    if isinstance(value, (list, tuple)) and any(_hashed(item) in missing for item in value):
        return type(value)(item for item in value if _hashed(item) not in missing)
    if isinstance(value, tuple) and value and isinstance(value[-1], list):
        return (*value[:-1], _less(value[-1], missing))
    if isinstance(value, dict) and any(key in missing for key in value):
        return {key: item for key, item in value.items() if key not in missing}
    if kinds.is_index(value) and any(item in missing for item in value):
        return [item for item in value if item not in missing]
    return value


def _hashed(value: Any) -> Any:
    return value if isinstance(value, (str, int, float)) else None


# ---- the flow as it will be


def flow_steps(analysis: Analysis, steps: List[Step], trace: Optional[Trace]) -> List[FlowStep]:
    """The steps without what is absent, with trimmed lists of columns and bypassed conditions."""
    made: List[FlowStep] = []
    for step in steps:
        index = step.op.index
        if trace is not None and index in trace.absent:
            continue
        op, alias = step.applied, step.alias
        columns = step.rule.form if alias is not None and step.rule.note == "" else None
        if trace is not None:
            op = trace.changed.get(op.index, op)
            alias = trace.bypassed.get(index, alias)
            if alias is None and op.kind == "method" and step.op.kind == "item":
                alias = axes.owner(op)  # every column that is left
            given: Any = trace.values.get(alias) if alias is not None else None
            if isinstance(columns, list) and kinds.is_frame(given):
                columns = [name for name in columns if name in given.columns]
        if op.kind == "method" and alias is None and _does_nothing(op):
            alias = op.args[0].node if isinstance(op.args[0], Ref) else None
        made.append(FlowStep(op, step.op, step.rule.frozen, step.rule.rejects, alias, columns))
    return narrowed(alive(analysis, made))


def _does_nothing(op: Op) -> bool:
    """Whether all columns that it assigned or dropped are gone: ``df.assign()``."""
    if op.name == "assign":
        return len(op.args) == 1 and not op.kwargs
    if op.name != "drop":
        return False
    lists = [*op.args[1:2], *(op.kwargs[k] for k in ("columns", "labels") if k in op.kwargs)]
    return bool(lists) and all(
        isinstance(item, Const) and isinstance(item.value, (list, tuple)) and not item.value
        for item in lists
    )
