"""``df.drop(df[condition].index)``: what it leaves out is what ``df[~condition]`` leaves out."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

from . import kinds
from .trace import Op, Ref


def dropped_labels(owner: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
    """The labels whose rows ``owner.drop(…)`` leaves out; None where it does anything else."""
    if not kinds.is_frame(owner) or len(args) > 1:
        return None
    given = dict(kwargs)
    labels = args[0] if args else given.pop("labels", None)
    if given.pop("axis", 0) not in (0, "index") or type(given.pop("inplace", False)) is not bool:
        return None
    index = given.pop("index", None)
    if given or (labels is None) == (index is None) or not owner.index.is_unique:
        return None
    return index if labels is None else labels


def condition_of(ops: Sequence[Op], labels: Optional[int], table: Optional[int]) -> Optional[int]:
    """The node of the condition by which ``labels`` are those of rows of the table.

    ``table[condition].index`` or ``table.index[condition]``.
    """
    index = _made(ops, labels) if table is not None else None
    if index is not None and index.kind == "item":
        whole = _made(ops, _node(index.args[0]))
        if whole is not None and whole.kind == "attr" and whole.name == "index":
            return _node(index.args[1]) if _node(whole.args[0]) == table else None
    if index is None or index.kind != "attr" or index.name != "index":
        return None
    selected = _made(ops, _node(index.args[0]))
    if selected is None or selected.kind != "item":
        return None
    owner = _node(selected.args[0])
    accessor = _made(ops, owner)
    if accessor is not None and accessor.kind == "attr" and accessor.name == "loc":
        owner = _node(accessor.args[0])
    return _node(selected.args[1]) if owner == table else None


def _node(operand: Any) -> Optional[int]:
    return operand.node if isinstance(operand, Ref) else None


def _made(ops: Sequence[Op], node: Optional[int]) -> Optional[Op]:
    """The last operation that gave a node."""
    if node is None:
        return None
    return next((op for op in reversed(ops) if op.result == node), None)
