"""The flow as a list of steps, and which input columns it requires.

A column is not required if the steps give the same answers without it. What can't be computed
then is *absent*: a step on something absent is absent too, an assignment of it leaves the column
out, a list of columns goes without it, a condition that needs it selects every row.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from . import kinds
from .analysis import ROW, Analysis, Rule
from .lanes import duplicate, inplace_rows, run
from .rows import is_opaque, same, take
from .trace import Const, Op, Pack, Ref, fill


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT: Any = _Absent()

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
            needed.add(alias)
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


def _empty() -> Trace:
    return Trace({}, {}, {}, set(), {}, {})


class Runner:
    """Evaluates steps on an input, with or without some of its columns."""

    def __init__(self, analysis: Analysis, steps: List[Step]) -> None:
        self.analysis = analysis
        self.steps = steps
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
                if kinds.is_frame(trace.values.get(node)):
                    trace.columns[op.index, node] = list(trace.values[node].columns)
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
        return run(op, args, kwargs)

    def _store(self, step: Step, result: Any, trace: Trace) -> None:
        op = step.op
        if inplace_rows(op):
            trace.values[op.args[0].node] = result
        elif op.result is not None:
            trace.values[op.result] = result
        changed = self.analysis.writes(op)
        shown = trace.values.get(changed, result) if changed is not None else result
        trace.results[op.index] = shown if is_opaque(shown) else duplicate(shown)

    # ---- with columns missing

    def without(self, value: Any, base: Trace) -> Trace:
        """The steps on an input that lacks columns of the one ``base`` was made from."""
        trace = _empty()
        for step in self.steps:
            op = step.applied
            if op.kind == "source":
                result = value
            elif op.index in self.bypassed:
                trace.bypassed[op.index] = self.bypassed[op.index]
                result = duplicate(trace.values[self.bypassed[op.index]])
            elif step.alias is not None:
                result = self._aliased_without(step, trace)
            else:
                result = self._step_without(step, trace, base)
            changed = self.analysis.writes(step.op)
            if result is ABSENT:
                trace.absent.add(step.op.index)
                if step.op.result is not None and changed is None:
                    trace.values[step.op.result] = ABSENT
                continue
            self._store(step, result, trace)
        return trace

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
        missing = self._missing(op, trace, base)
        absent = [n for n in op.refs() if n not in frozen and values.get(n, ABSENT) is ABSENT]
        if absent:
            return self._on_absent(step, trace, base, absent)
        changed = None if inplace_rows(step.op) else self.analysis.writes(step.op)
        for attempt in (op, _trimmed(op, missing, frozen) if missing else None):
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
            kept = self._agreeing(attempt, result, base.results[step.op.index], bool(missing))
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

    def _missing(self, op: Op, trace: Trace, base: Trace) -> Set[Any]:
        """Columns that tables among the operands had, and now lack."""
        out: Set[Any] = set()
        for node in op.refs():
            now: Any = trace.values.get(node)
            then = base.columns.get((op.index, node))
            if kinds.is_frame(now) and then is not None:
                out |= set(then) - set(now.columns)
        return out

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
            if other is not None:
                trace.bypassed[step.op.index] = other
                return values[other]
        owner = op.args[0].node if op.args and isinstance(op.args[0], Ref) else None
        if owner is not None and owner not in absent and step.rule.rejects:
            return self._whole(step, trace)
        return ABSENT

    def _whole(self, step: Step, trace: Trace) -> Any:
        """A condition that can't be asked selects every row."""
        node = next(n for n in step.applied.refs() if n in trace.values)
        while is_opaque(trace.values[node]):
            node = self.analysis.producer[node].args[0].node
        trace.bypassed[step.op.index] = node
        return duplicate(trace.values[node])

    def _lose(self, op: Op, changed: int, values: Dict[int, Any]) -> None:
        """What an assignment would have set can't be computed: the column goes."""
        value = values[changed]
        for name in _keys(op):
            if kinds.is_frame(value) and name in value.columns:
                del value[name]
        if not kinds.is_frame(value):
            values[changed] = ABSENT

    def _settle_change(
        self, changed: int, before: Any, values: Dict[int, Any], base: Any, op: Op
    ) -> None:
        value = values[changed]
        if kinds.is_frame(value) and kinds.is_frame(base) and len(value) == len(base):
            for name in _keys(op) or list(value.columns):
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
            good = [
                name for name in base.columns
                if name in result.columns and same(base[name], result[name])
            ]  # fmt: skip
            if len(good) == len(base.columns) == len(result.columns):
                return result if list(result.columns) == list(base.columns) else ABSENT
            return result[good] if trimmed and good else ABSENT
        if op.kind == "attr" and op.name == "shape" and result[0] == base[0]:
            return result
        if trimmed and not _reads_columns(op):
            return ABSENT
        try:
            return result if same(base, result) else ABSENT
        except Exception:
            return ABSENT


def _reads_columns(op: Op) -> bool:
    """Whether an operation on a table names the columns it reads."""
    if op.kind in ("item", "attr"):
        return op.name not in ("values", "T", "size", "shape")
    if op.kind == "call":
        return op.name in ("frozen.by_group", "len")
    if op.kind == "comprehension":
        return True
    return op.kind == "method" and op.name in ("apply", "eval", "get", "pop", "itertuples")


def _keys(op: Op) -> List[Any]:
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


def _trimmed(op: Op, missing: Set[Any], frozen: Dict[int, Any]) -> Optional[Op]:
    """The operation with the missing columns left out of its lists of columns."""
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
    return Op(
        op.index,
        op.kind,
        op.site,
        op.context,
        op.name,
        args,
        kwargs,
        op.result,
        op.random,
        op.spelled,
    )


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


class FlowStep(NamedTuple):
    """One operation of the flow, as it will be emitted."""

    op: Op
    source: Op
    """The operation as it was recorded."""
    frozen: Dict[int, Any]
    rejects: bool
    alias: Optional[int]
    columns: Any
    """For an alias: the columns that go on; None: all."""


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
        if op.kind == "method" and op.name == "drop" and alias is None and _drops_nothing(op):
            alias = op.args[0].node if isinstance(op.args[0], Ref) else None
        made.append(FlowStep(op, step.op, step.rule.frozen, step.rule.rejects, alias, columns))
    needed: Set[int] = set(analysis.outputs.values())
    kept: List[FlowStep] = []
    for flow_step in reversed(made):
        changed = analysis.writes(flow_step.source)
        if flow_step.source.result not in needed and (changed is None or changed not in needed):
            continue
        kept.append(flow_step)
        read = [flow_step.alias] if flow_step.alias is not None else list(flow_step.op.refs())
        for node in read:
            if node not in flow_step.frozen:
                needed.update((node, analysis.base(node)))
    return kept[::-1]


def _drops_nothing(op: Op) -> bool:
    lists = [*op.args[1:2], *(op.kwargs[k] for k in ("columns", "labels") if k in op.kwargs)]
    return bool(lists) and all(
        isinstance(item, Const) and isinstance(item.value, (list, tuple)) and not item.value
        for item in lists
    )


# ---- required columns


class Columns(NamedTuple):
    """What was found out about the input's columns."""

    required: List[Any]
    target: List[Any]
    """Columns that the program learned towards, and its conditions on them were bypassed."""
    unused: List[Any]
    trace: Optional[Trace]


def required_columns(
    analysis: Analysis, runner: Runner, targets: Sequence[int], wanted: Optional[str]
) -> Columns:
    """Which columns of the input table the answers need, by trial.

    ``targets``: nodes that models were fitted towards; ``wanted``: the target as the user named it.
    """
    value = analysis.source.value
    if not kinds.is_frame(value):
        return Columns([], [], [], None)
    names = list(value.columns)
    output = next(iter(analysis.outputs.values()))
    answered = analysis.full.ids[output]
    lane = analysis.lanes[0].rows
    places = analysis.places(answered)
    survivors = lane[places[lane] >= 0]
    kept = _Trial(analysis, runner, take(value, survivors))
    everyone = _Trial(analysis, runner, take(value, lane))
    towards = _influences(analysis, targets, take(value, survivors))
    dropped: Set[Any] = set()
    target: List[Any] = []
    forced = {wanted} if wanted else set()

    def learned_towards(group: Sequence[Any]) -> bool:
        return all(name in forced or any(f.some([name]) for f in towards) for name in group)

    def attempt(group: List[Any]) -> None:
        if kept.equal(dropped | set(group)):
            if everyone.equal(dropped | set(group)):
                dropped.update(group)
                return
            if len(group) == 1 and learned_towards(group):
                target.extend(group)
                dropped.update(group)
                runner.bypassed.update(kept.trace_without(dropped).bypassed)
                kept.restart()
                everyone.restart()
                return
        if len(group) > 1:
            attempt(group[: len(group) // 2])
            attempt(group[len(group) // 2 :])

    attempt(names)
    required = [name for name in names if name not in dropped]
    others = [name for name in names if name in dropped and name not in target]
    target += [name for name in others if name in forced or any(f.some([name]) for f in towards)]
    unused = [name for name in others if name not in target]
    return Columns(required, target, unused, everyone.trace_without(dropped))


class _Trial:
    """The outputs on some rows, and whether they stay the same without some columns."""

    def __init__(self, analysis: Analysis, runner: Runner, value: Any) -> None:
        self.analysis = analysis
        self.runner = runner
        self.value = value.reset_index(drop=True)
        self.restart()

    def restart(self) -> None:
        """From here on, what is answered without the bypassed conditions counts."""
        self.base = self.runner.run(duplicate(self.value))
        self.outputs = [self.base.values[node] for node in self.analysis.outputs.values()]

    def trace_without(self, names: Set[Any]) -> Trace:
        return self.runner.without(duplicate(self.value.drop(columns=list(names))), self.base)

    def equal(self, names: Set[Any]) -> bool:
        trace = self.trace_without(names)
        for node, before in zip(self.analysis.outputs.values(), self.outputs):
            after = trace.values.get(node, ABSENT)
            if after is ABSENT or not same(before, after):
                return False
        return True


class _Influence:
    """Which columns take part in what a model was fitted towards."""

    def __init__(self, analysis: Analysis, node: int, value: Any) -> None:
        self.node = node
        self.value = value.reset_index(drop=True)
        self.runner = Runner(analysis, steps_for(analysis, [node]))
        self.base = self.runner.run(duplicate(self.value))
        self.before = duplicate(self.base.values[node])

    def some(self, names: List[Any]) -> bool:
        """Whether what was fitted towards changes without these columns."""
        less = duplicate(self.value.drop(columns=names))
        after = self.runner.without(less, self.base).values.get(self.node, ABSENT)
        return after is ABSENT or not same(self.before, after)


def _influences(analysis: Analysis, nodes: Sequence[int], value: Any) -> List[_Influence]:
    found: Dict[int, _Influence] = {}
    for node in nodes:
        origin = node
        for step in reversed(steps_for(analysis, [node])):
            if step.alias is not None and step.op.result == origin:
                origin = step.alias
        if origin in found:
            continue
        try:
            found[origin] = _Influence(analysis, origin, value)
        except Exception:
            continue
    return list(found.values())
