"""Which columns of the input table the answers need, found by trying without them."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set

import numpy as np

from . import beside, kinds
from .analysis import ROW, STATE, Analysis
from .lanes import duplicate, fresh
from .planner import ABSENT, Runner, Step, Trace, flow_steps, steps_for
from .reading import formula_target
from .rows import same, take
from .trace import Const, Pack

_MOST = 12
_LONG = 1000
"""A list of texts that is as long as this names no columns one by one."""


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
    if kinds.is_frame(value):
        names = list(value.columns)
    elif kinds.is_array(value) and value.ndim == 2:
        names = list(range(value.shape[1]))
    else:
        return Columns([], [], [], None)
    output = next(iter(analysis.outputs.values()))
    answered = analysis.full.ids[output]
    lane = analysis.lanes[0].rows
    places = analysis.places(answered)
    survivors = lane[places[lane] >= 0]
    with _one_thread():
        kept = _Trial(analysis, runner, take(value, survivors))
        everyone = _Trial(analysis, runner, take(value, lane))
        beside.check(analysis, runner.steps, kept.equal(set()))
        towards = _influences(analysis, targets, take(value, survivors), runner.steps)
        forced = _formula_targets(kept, names)
        return _tried(names, kept, everyone, towards, forced | ({wanted} if wanted else set()))


def _formula_targets(kept: _Trial, names: List[Any]) -> Set[Any]:
    """The columns that the left sides of formulas speak of, by the names that the input has."""
    found: Set[Any] = set()
    for step in kept.runner.steps:
        owner = step.op.args[0] if step.op.args else None
        spoken = formula_target(owner.value) if isinstance(owner, Const) else set()
        found |= spoken & set(names)
        for name in names if spoken - found else []:
            lost = kept.runner.lost(step, kept.trace_without({name}), kept.base)
            found |= {name} if lost & spoken else set()
    return found


def _tried(
    names: List[Any], kept: _Trial, everyone: _Trial, towards: List[_Influence], forced: Set[Any]
) -> Columns:
    """Tries to do without the columns, those together first that no step names."""
    runner = kept.runner
    dropped: Set[Any] = set()
    target: List[Any] = []

    def learned_towards(name: Any) -> bool:
        left = flow_steps(kept.analysis, runner.steps, kept.trace_without(dropped | {name}))
        still = {step.source.index for step in left}
        return name in forced or any(f.some([name]) and f.counts(still) for f in towards)

    def attempt(group: List[Any]) -> None:
        if kept.equal(dropped | set(group)):
            trace = everyone.trace_without(dropped | set(group))
            asked = _asked(trace) == _asked(everyone.trace_without(dropped))
            if everyone.agrees(trace) and asked and not set(trace.bypassed) - set(runner.bypassed):
                dropped.update(group)
                return
            if len(group) == 1 and learned_towards(group[0]):
                target.extend(group)
                dropped.update(group)
                runner.bypassed.update(kept.trace_without(dropped).bypassed)
                kept.restart()
                everyone.restart()
                return
        if len(group) > 1:
            attempt(group[: len(group) // 2])
            attempt(group[len(group) // 2 :])

    spoken = set(_spoken(runner.steps))
    attempt([name for name in names if name not in spoken])
    for name in names:
        if name in spoken:
            attempt([name])
    required = [name for name in names if name not in dropped]
    others = [name for name in names if name in dropped and name not in target]
    influential = {name for f in towards for name in f.among(others)} | forced
    target += [name for name in others if name in influential]
    unused = [name for name in others if name not in target]
    return Columns(required, target, unused, everyone.trace_without(dropped))


def _asked(trace: Trace) -> Dict[int, Any]:
    """The columns that each ``dropna(subset=…)`` asks for a null, where some are missing.

    A column that no row of creation lacks can be lacking in a request: a word never seen, mapped.
    """
    return {
        index: repr(op.kwargs["subset"].value)
        for index, op in trace.changed.items()
        if op.name == "dropna" and isinstance(op.kwargs.get("subset"), Const)
    }


def _spoken(steps: Sequence[Step]) -> Iterator[str]:
    """The texts that steps are told, names of columns among them."""
    for step in steps:
        op = step.applied
        if op.kind in ("attr", "setattr"):
            yield op.name
        for operand in [*op.args[1:], *op.kwargs.values()]:
            yield from _texts(operand)


def _texts(operand: Any) -> Iterator[str]:
    if isinstance(operand, str):
        yield operand
    elif isinstance(operand, Const):
        yield from _texts(operand.value)
    elif isinstance(operand, Pack):
        for item in operand.items:
            yield from _texts(item)
    elif isinstance(operand, (list, tuple)) and len(operand) < _LONG:
        for item in operand:
            yield from _texts(item)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Numeric libraries use one thread meanwhile: for a few rows, more cost time."""
    try:
        pools: Any = importlib.import_module("threadpoolctl")
    except ImportError:
        yield
        return
    with pools.threadpool_limits(1):
        yield


def _less(value: Any, names: Any) -> Any:
    """A copy of the table or array that lacks these columns."""
    if kinds.is_array(value):
        return np.delete(value, sorted(names), axis=1)
    return duplicate(value.drop(columns=list(names)))


def learned_from_rows(analysis: Analysis) -> List[int]:
    """The row values that something frozen was computed from, where a program calls no ``fit``.

    Whole tables are none: what is learned of each of their columns (``df.mean()``) has no target.
    """
    found: Dict[int, None] = {}
    for rule in analysis.rules:
        if rule.rule == "state":
            for node in rule.op.refs():
                if analysis.roles.get(node) == ROW:
                    if not kinds.is_frame(analysis.full.values.get(node)):
                        found[node] = None
    return list(found)[-_MOST:]


def _readers(analysis: Analysis, steps: Sequence[Step], node: int) -> Set[int]:
    """The steps that read what was learned from a row value; none where an object learned it."""
    learned: Set[int] = set()
    for op in analysis.recording.ops:
        result = op.result
        if result is not None and analysis.roles.get(result) == STATE:
            if node in op.refs() or learned & set(op.refs()):
                learned.add(result)
    return {step.op.index for step in steps if learned & set(step.rule.frozen)}


class _Trial:
    """The outputs on some rows, and whether they stay the same without some columns."""

    def __init__(self, analysis: Analysis, runner: Runner, value: Any) -> None:
        self.analysis = analysis
        self.runner = runner
        self.value = fresh(value)
        self.restart()

    def restart(self) -> None:
        """From here on, what is answered without the bypassed conditions counts."""
        self.base = self.runner.run(duplicate(self.value))
        self.outputs = [self.base.values[node] for node in self.analysis.outputs.values()]

    def trace_without(self, names: Set[Any]) -> Trace:
        return self.runner.without(_less(self.value, names), self.base, set(names))

    def equal(self, names: Set[Any]) -> bool:
        """Whether the outputs stay the same without these columns."""
        return self.agrees(self.trace_without(names))

    def agrees(self, trace: Trace) -> bool:
        """Whether the outputs in a trace are those of all columns."""
        for node, before in zip(self.analysis.outputs.values(), self.outputs):
            after = trace.values.get(node, ABSENT)
            if after is ABSENT or not same(before, after):
                return False
        return True


class _Influence:
    """Which columns take part in what a model was fitted towards."""

    def __init__(self, analysis: Analysis, node: int, value: Any) -> None:
        self.node = node
        self.value = fresh(value)
        self.runner = Runner(analysis, steps_for(analysis, [node]))
        self.base = self.runner.run(duplicate(self.value))
        self.before = duplicate(self.base.values[node])
        self.readers: Set[int] = set()

    def counts(self, steps: Set[int]) -> bool:
        """Whether what was learned is still read where only these steps are left."""
        return not self.readers or bool(self.readers & steps)

    def some(self, names: List[Any]) -> bool:
        """Whether what was fitted towards changes without these columns."""
        less = _less(self.value, names)
        after = self.runner.without(less, self.base, set(names)).values.get(self.node, ABSENT)
        return after is ABSENT or not same(self.before, after)

    def among(self, names: List[Any]) -> List[Any]:
        """Those of the columns that take part."""
        if not names or not self.some(names):
            return []
        if len(names) == 1:
            return names
        half = len(names) // 2
        return self.among(names[:half]) + self.among(names[half:])


def _influences(
    analysis: Analysis, nodes: Sequence[int], value: Any, steps: Sequence[Step]
) -> List[_Influence]:
    found: Dict[int, _Influence] = {}
    for node in nodes:
        origin = node
        for step in reversed(steps_for(analysis, [node])):
            if step.alias is not None and step.op.result == origin:
                origin = step.alias
        if origin in found:
            continue
        try:
            influence = _Influence(analysis, origin, value)
            if not influence.some([]):
                influence.readers = _readers(analysis, steps, node)
                found[origin] = influence
        except Exception:
            continue
    return list(found.values())
