"""Statements that are recorded as others which mean the same and can be followed."""

from __future__ import annotations

import functools
import sys
from typing import Any, Callable, Dict, Optional, Tuple

from . import chained, kinds
from .dropped import condition_of, dropped_labels
from .operations import WRITES, Operations
from .trace import ROW_LABELS, Ref


def row_labels(table: Any) -> Any:
    """The labels of a table's rows, one a row."""
    return table.index.to_series().reset_index(drop=True)


def _labels_kept(table: Any, args: Any, how: Dict[str, Any]) -> bool:
    """Whether resetting the index makes a column ``index`` of labels that have no name."""
    if args or set(how) - {"inplace"} or not kinds.is_frame(table):
        return False
    return table.index.names == [None] and "index" not in table.columns


class Respelled(Operations):
    """What the hooks ask where the program says something in another way."""

    def _respelled(
        self, site: int, owner: Any, name: str, args: Any, kwargs: Dict[str, Any]
    ) -> Optional[Callable[[], Any]]:
        """What calls a method so that it is recorded as another; None: it is recorded as it is."""
        step = functools.partial
        if name == "assign" and kinds.is_frame(owner) and any(map(self._own, kwargs.values())):
            return step(self._assign, site, owner, kwargs)
        if name in ("append", "_append") and len(args) == 1:
            parts = [owner, *(args[0] if isinstance(args[0], list) else args)]
            if all(map(kinds.is_frame, parts)):
                return step(self._append, site, getattr(owner, name), parts, kwargs)
        if name == "drop":
            dropped = self._dropping(owner, args, kwargs)
            return dropped and step(self._drop, site, owner, args, kwargs, *dropped)
        if name == "reset_index" and _labels_kept(owner, args, kwargs):
            return step(self._reset_index, site, owner, kwargs)
        if name in chained.FILLING and kwargs.get("inplace") is True:
            shown = self._shown_of(owner)
            return shown and step(self._fill_in, site, owner, name, args, kwargs, *shown)
        return None

    def _reset_index(self, site: int, table: Any, how: Dict[str, Any]) -> Any:
        """``df.reset_index()``, as df.reset_index(drop=True) with the row labels as a column."""
        beside, names = self._unspelled(site), ["index", *table.columns]
        labels = self._operate(
            "call", beside, ROW_LABELS, lambda: row_labels(table), (row_labels, table), {}
        )
        made = self._operate(
            "method", site, "reset_index", lambda: table.reset_index(drop=True), (table,),
            {"drop": True},
        )  # fmt: skip
        self._operate(
            "setitem", beside, "", lambda: made.insert(0, "index", labels),
            (made, "index", labels), {},
        )  # fmt: skip
        ordered = self._operate("item", beside, "", lambda: made[names], (made, names), {})
        if not how.get("inplace"):
            return ordered
        old, node = self.node_of(table), self.node_of(ordered)
        table.reset_index(inplace=True)
        if old is not None and node is not None:
            self._follow_as(table, node)
            self._rename(site, old, node)
        return None

    def _read_before(self, column: Any) -> bool:
        """Whether a column that a table shows was read from it, and nothing is changed since."""
        node = self.node_of(column)
        if node is None:
            return False
        for op in reversed(self.ops):
            if op.result == node:
                return op.kind in ("item", "attr")
            if op.kind in WRITES or op.result is None:
                return False
        return False

    def _of_own_rows(self, site: int, owner: Any, result: Any) -> None:
        """``results.predict()`` is ``results.predict(X)`` of the rows that it learned from."""
        learned = self._designs.get(id(getattr(owner, "model", None)))
        rows = None if learned is None else self.node_of(learned[1])
        if learned is None or rows is None or kinds.rows_of(result) != kinds.rows_of(learned[1]):
            return
        made = owner.predict(learned[1])
        operands = (self._operand(owner, self._spelled(site, 0)), Ref(rows))
        if type(made) is type(result):
            self._note(site, "method", "predict", operands, result)
        elif hasattr(made, "to_numpy") and kinds.is_array(result):
            series = self._note(site, "method", "predict", operands, made)
            self._note(site, "method", "to_numpy", (Ref(series),), result)

    def _assign(self, site: int, table: Any, columns: Dict[str, Any]) -> Any:
        """``df.assign(a=lambda t: t["b"] * 2)``, as df.assign(a=df["b"] * 2), column by column."""
        for label, value in columns.items():
            made = self._descend(site, value, (table,), {}) if self._own(value) else value
            table = self._operate(
                "method", self._unspelled(site), "assign",
                functools.partial(table.assign, **{label: made}), (table,), {label: made},
            )  # fmt: skip
        return table

    def _append(self, site: int, append: Any, parts: Any, how: Dict[str, Any]) -> Any:
        """``table.append(others)`` of pandas before 2, as pd.concat([table, *others])."""
        concat = sys.modules["pandas"].concat
        return self._operate(
            "call", self._unspelled(site, "pd.concat"), "concat",
            lambda: append(parts[1:], **how), (concat, parts), how, "pd.concat",
        )  # fmt: skip

    def _dropping(self, owner: Any, args: Any, kwargs: Any) -> Optional[Tuple[int, Any]]:
        """The condition by which ``df.drop(df[df["a"] > 3].index)`` drops rows, and their labels.

        None where it drops anything else.
        """
        labels = dropped_labels(owner, args, kwargs)
        condition = condition_of(self.ops, self.node_of(labels), self.node_of(owner))
        if condition is None or self._rows.get(condition) != len(owner):
            return None
        return condition, labels

    def _drop(
        self, site: int, owner: Any, args: Any, kwargs: Any, condition: int, labels: Any
    ) -> Any:
        """``df.drop(df[df["a"] > 3].index)``, as df[~(df["a"] > 3)]."""
        others, table = ~owner.index.isin(labels), self._operand(owner, ("other", None))
        result = owner.drop(*args, **kwargs)
        kept = Ref(self._note(site, "unary", "~", (Ref(condition),), others))
        made = owner if result is None else result
        node = self._note(site, "item", "", (table, kept), made)
        if result is None:
            self._rename(site, table.node, node)
        return result

    def _shown_of(self, column: Any) -> Optional[Tuple[Any, Any]]:
        """The followed table that a column is shown of, and its label there."""
        shown = chained.table_of(column)
        return shown if shown is not None and self.node_of(shown[0]) is not None else None

    def _fill_in(
        self, site: int, column: Any, name: str, args: Any, kwargs: Any, table: Any, label: Any
    ) -> None:
        """``df["a"].fillna(0, inplace=True)`` changes ``df``: df["a"] = df["a"].fillna(0)."""
        given = {key: value for key, value in kwargs.items() if key != "inplace"}
        function = getattr(column, name)
        made = self._operate(
            "method", site, name, lambda: function(*args, **given), (column, *args), given
        )

        def write() -> None:
            function(*args, **kwargs)
            chained.renew(table, label)

        self._operate("setitem", self._unspelled(site), "", write, (table, label, made), {})
        old, node = self.node_of(column), self.node_of(made)
        if old is not None and node is not None:
            self._follow_as(column, node)
            self._rename(site, old, node)
