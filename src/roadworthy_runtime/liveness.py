"""Which steps the answers need: backwards from the outputs, by the columns that are read later.

A column that is set and never read again is not set in production: the encoder that would raise on
a word that it does not know, for a column that no model gets, is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Set

from . import kinds
from .functions import columns_of_row
from .support.segment import Segment
from .trace import Const, Op, Pack, Ref

if TYPE_CHECKING:
    from .analysis import Analysis

Columns = Optional[Set[str]]
"""The columns of a table that are read later; None: it is read as a whole."""


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


def alive(analysis: Analysis, steps: List[FlowStep]) -> List[FlowStep]:
    """The steps that the outputs need, in order."""
    live: Dict[int, Columns] = dict.fromkeys(analysis.outputs.values())
    kept: List[FlowStep] = []
    for step in reversed(steps):
        changed = analysis.writes(step.source)
        if step.source.result not in live and (changed is None or changed not in live):
            continue
        columns = _assigned(step, changed)
        later = live.get(changed) if changed is not None else None
        if later is not None:
            some = columns or _partly_assigned(analysis, step)
            if some and not some & later:
                continue
            live[changed] = later - columns  # type: ignore[index]
        kept.append(step)
        for node, read in _reads(analysis, step, live, bool(columns)).items():
            for each in {node, analysis.base(node)}:
                _need(live, each, read)
    return kept[::-1]


def _assigned(step: FlowStep, changed: Optional[int]) -> Set[str]:
    """The columns that ``df["a"] = ...`` sets as a whole."""
    op = step.op
    if op.kind != "setitem" or op.args[0] != Ref(changed):  # type: ignore[arg-type]
        return set()
    return _names(op.args[1]) or set()


def _partly_assigned(analysis: Analysis, step: FlowStep) -> Set[str]:
    """The columns that ``df.loc[rows, "a"] = ...`` sets in some rows."""
    owner = step.op.args[0] if step.op.kind == "setitem" else None
    if not isinstance(owner, Ref) or not _is_loc(analysis, owner.node):
        return set()
    return _by_labels(step.op) or set()


def _names(key: Any) -> Columns:
    value = key.value if isinstance(key, Const) else None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return set(names)


def _reads(
    analysis: Analysis, step: FlowStep, live: Dict[int, Columns], assigns: bool
) -> Dict[int, Columns]:
    """The values that a step reads, each with the columns that it reads of it."""
    op = step.op
    wanted = None if step.source.result is None else live.get(step.source.result)
    if step.alias is not None:
        names = [step.columns] if isinstance(step.columns, str) else step.columns
        return {step.alias: wanted if names is None else set(names)}
    found: Dict[int, Columns] = {node: None for node in op.refs() if node not in step.frozen}
    if wanted is not None and _puts_beside(op):
        return {node: _among(analysis, node, wanted) for node in found}
    table = next((operand.node for operand in op.args if isinstance(operand, Ref)), -1)
    value = analysis.full.values.get(table)
    if table in found and _is_loc(analysis, table):
        found[table] = _by_labels(op)
    if table in found and type(value).__name__ == "DataFrameGroupBy" and op.kind == "item":
        found[table] = _names(op.args[1])
    if table in found and list(op.refs()).count(table) == 1 and kinds.is_frame(value):
        found[table] = set() if assigns else _read(analysis, op, value, wanted)
    return found


def _is_loc(analysis: Analysis, node: int) -> bool:
    """Whether a value is ``df.loc``."""
    maker = analysis.producer.get(node)
    return maker is not None and maker.kind == "attr" and maker.name in ("loc", "at")


def _by_labels(op: Op) -> Columns:
    """The columns that ``df.loc[rows, "a"]`` names, read or set."""
    key = op.args[1] if op.kind in ("item", "setitem") else None
    if isinstance(key, Pack) and key.kind == "tuple" and len(key.items) == 2:
        return _names(key.items[1])
    return None


def _puts_beside(op: Op) -> bool:
    """Whether it is ``pd.concat([a, b], axis=1)``: the columns of each, under their own names."""
    if op.kind != "call" or op.name.rpartition(".")[2] != "concat" or set(op.kwargs) != {"axis"}:
        return False
    axis = op.kwargs["axis"]
    return isinstance(axis, Const) and axis.value in (1, "columns") and len(op.args) == 2


def _among(analysis: Analysis, node: int, wanted: Set[str]) -> Columns:
    """Those of the columns that a table has; None where it is no table that is known."""
    value: Any = analysis.full.values.get(node)
    return wanted & set(value.columns) if kinds.is_frame(value) else None


def _of_rows(analysis: Analysis, op: Op, table: Any) -> Columns:
    """The columns that ``df.apply(function, axis=1)`` reads."""
    axis = op.kwargs.get("axis")
    if not isinstance(axis, Const) or axis.value not in (1, "columns") or len(op.kwargs) > 1:
        return None
    if len(op.args) != 2 or not isinstance(op.args[1], Const):
        return None
    return columns_of_row(op.args[1].value, analysis.recording.files, table.columns)


def _read(analysis: Analysis, op: Op, table: Any, wanted: Columns) -> Columns:
    """The columns that an operation reads of the table it is on, for these of its result."""
    if op.kind == "attr":
        if op.name in ("loc", "at"):
            return wanted
        if op.name not in table.columns:
            return set() if op.name == "index" else None
        return {op.name}
    if op.kind == "call" and isinstance(op.args[0], Const):
        if isinstance(op.args[0].value, Segment):
            return set(op.args[0].value.labels)
    if op.kind == "method" and op.name == "apply":
        return _of_rows(analysis, op, table)
    if op.kind == "item":
        return wanted if isinstance(op.args[1], Ref) else _names(op.args[1])
    if op.kind == "call" and op.name == "frozen.get_dummies":
        named = _names(op.kwargs.get("columns"))
        return None if wanted is None or named is None else wanted | named
    if op.kind == "call" and op.name == "frozen.by_group":
        return _names(op.args[2])
    if wanted is None or op.kind != "method" or "inplace" in op.kwargs:
        return None
    return _read_by_method(op, wanted)


def _read_by_method(op: Op, wanted: Set[str]) -> Columns:
    """The columns that a method of a table reads for these of its result."""
    if op.name in ("copy", "reset_index", "fillna"):
        return wanted
    if op.name == "groupby":
        keys = _names(op.kwargs.get("by", op.args[1] if len(op.args) > 1 else None))
        return None if keys is None else wanted | keys
    if op.name == "rename":
        return _before_renaming(op, wanted)
    named = op.kwargs.get("columns") if op.name == "drop" and len(op.args) == 1 else None
    columns = _names(named)
    return None if columns is None else wanted | columns


def _before_renaming(op: Op, wanted: Set[str]) -> Columns:
    """What ``df.rename(columns={"old": "new"})`` reads for these columns of its result."""
    names = op.kwargs.get("columns")
    if set(op.kwargs) != {"columns"} or len(op.args) > 1 or not isinstance(names, Const):
        return None
    if not isinstance(names.value, dict):
        return None
    return {old for old, new in names.value.items() if new in wanted} | wanted - set(
        names.value.values()
    )


def _need(live: Dict[int, Columns], node: int, read: Columns) -> None:
    before = live.get(node, set())
    live[node] = None if before is None or read is None else before | read
