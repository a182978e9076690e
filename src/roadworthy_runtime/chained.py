"""Columns of pandas before 3, which show their table: what changes ``df["a"]`` changes ``df``.

Under copy-on-write (pandas 3, or the option before it) a column has no table to change.
"""

from __future__ import annotations

from typing import Any, Optional, Tuple

FILLING = frozenset(
    ("fillna", "replace", "clip", "where", "mask", "interpolate", "ffill", "bfill", "pad")
)
"""Methods of a column that keep its rows, and with ``inplace=True`` write them into its table."""


def table_of(column: Any) -> Optional[Tuple[Any, Any]]:
    """The table that a column (or its ``loc``, ``iloc``) is shown of, and its label there."""
    if type(column).__name__.endswith("Indexer"):
        column = column.obj
    label, shown_of = getattr(column, "_cacher", None) or (None, lambda: None)
    table = shown_of()
    if table is None or table.columns.tolist().count(label) != 1:
        return None
    return table, label


def column_of(table: Any, label: Any) -> Any:
    """The column that a table shows under a label and has given before; None: there is none."""
    return getattr(table, "_item_cache", {}).get(label) if type(label) is str else None


def renew(table: Any, label: Any) -> None:
    """Makes ``table[label]`` another object from here on, with the same values."""
    table.isetitem(table.columns.get_loc(label), table[label].copy())
