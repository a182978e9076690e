"""Operations that learn and apply in one call, as they apply once what they learned is frozen.

A copy of this file lies in every emitted directory whose flow uses one of them
(``flow_frozen.py``); it needs pandas alone.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import pandas as pd


def with_levels(rows: Any, levels: Dict[Any, List[Any]]) -> Any:
    """Columns as categories with the levels of creation; a value outside them becomes null.

    ``levels`` maps column names to levels; for a Series its single entry is used.
    """
    if isinstance(rows, pd.DataFrame):
        typed = {
            name: pd.Categorical(rows[name], categories=known)
            for name, known in levels.items()
            if name in rows.columns
        }
        return rows.assign(**{str(name): value for name, value in typed.items()})
    (known,) = levels.values()
    return pd.Series(pd.Categorical(rows, categories=known), index=rows.index, name=rows.name)


def get_dummies(rows: Any, levels: Dict[Any, List[Any]], names: Sequence[Any], **how: Any) -> Any:
    """``pd.get_dummies`` with the levels and the columns (``names``, in order) of creation.

    An unseen level gives zeros in all of its columns. ``how``: the arguments of creation.
    """
    made = pd.get_dummies(with_levels(rows, levels), **how)
    return made[[name for name in names if name in made.columns]]


def codes(values: Any, levels: Sequence[Any]) -> Any:
    """The number of each value among the levels of creation; -1 for null and unseen values."""
    return pd.Categorical(values, categories=levels).codes


def factorize(values: Any, levels: Any, missing: Optional[int] = None) -> Any:
    """``factorize`` with the levels in the order in which creation met them: (codes, levels)."""
    found = pd.Index(levels).get_indexer(pd.Index(values))
    if missing is not None:
        found = found.copy()
        found[pd.isna(pd.Index(values))] = missing
    return found, levels


def as_category(rows: Any, levels: Dict[Any, List[Any]], ordered: bool = False) -> Any:
    """``astype("category")`` with the levels of creation; a value outside them becomes null."""
    if isinstance(rows, pd.DataFrame):
        types = {name: pd.CategoricalDtype(known, ordered) for name, known in levels.items()}
        return rows.astype({name: kind for name, kind in types.items() if name in rows.columns})
    (known,) = levels.values()
    return rows.astype(pd.CategoricalDtype(known, ordered))


def by_group(rows: pd.DataFrame, keys: Sequence[Any], table: Any) -> Any:
    """What creation learned of each row's group; null for a group it did not have.

    ``table``: one value per group, indexed by the keys.
    """
    if len(keys) == 1:
        return rows[keys[0]].map(table).rename(table.name)
    groups = pd.MultiIndex.from_frame(rows[list(keys)])
    return pd.Series(table.reindex(groups).to_numpy(), index=rows.index, name=table.name)
