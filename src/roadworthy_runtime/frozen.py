"""Operations that learn and apply in one call, as they apply once what they learned is frozen.

A copy of this file lies in every emitted directory whose flow uses one of them
(``flow_frozen.py``); it needs pandas and what lies beside it. Values that creation did not know
are told to the flow, which says so in its answer's warnings.
"""

from __future__ import annotations

import importlib
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

import numpy as np
import pandas as pd

_MANY = 1000
_INDEXES: Dict[int, Tuple[Any, Any]] = {}
"""Lists of levels by identity, each with its index."""
_MARK = "uint8" if pd.__version__.startswith(("0.", "1.")) else "bool"
_UNSEEN = "flow_support.unseen" if __name__ == "flow_frozen" else f"{__package__}.support.unseen"
_tell: Callable[..., None] = importlib.import_module(_UNSEEN).tell
_refuse: Callable[..., None] = importlib.import_module(_UNSEEN).refuse


def _places(values: Any, levels: Any, name: Any) -> Any:
    """The place of each value among the levels of creation; -1 for null and unseen values."""
    items = pd.Index(values)
    found = _looked_up(items, _index(levels))
    lost = found < 0
    if lost.any():
        unseen = lost & ~pd.isna(items)
        if unseen.any():
            _tell(len(items), unseen.nonzero()[0], name, items)
    return found


def _index(levels: Any) -> Any:
    """The index of these levels: of a list that a flow holds the same one each time."""
    if not isinstance(levels, list):
        return pd.Index(levels)
    kept = _INDEXES.get(id(levels))
    if kept is None or kept[0] is not levels:
        if len(_INDEXES) >= _MANY:
            _INDEXES.clear()
        kept = _INDEXES[id(levels)] = (levels, pd.Index(levels))
    return kept[1]


def _looked_up(items: Any, known: Any) -> Any:
    """``known.get_indexer(items)``, asked once for each value that there is."""
    if len(items) < _MANY or isinstance(items, pd.MultiIndex) or known.hasnans:
        return known.get_indexer(items)
    codes, few = pd.factorize(items)
    return np.append(known.get_indexer(few), -1)[codes]


def categorical(
    values: Any, levels: Sequence[Any], ordered: bool = False, name: Any = None
) -> pd.Categorical:
    """``pd.Categorical`` with the levels of creation; a value outside them becomes null."""
    known = _index(levels)
    title = getattr(values, "name", None) if name is None else name
    found = _places(values, known, title)
    return pd.Categorical.from_codes(found, dtype=pd.CategoricalDtype(known, ordered))


def as_category(rows: Any, levels: Dict[Any, Sequence[Any]], ordered: bool = False) -> Any:
    """``astype("category")`` with the levels of creation; a value outside them becomes null.

    ``levels`` maps column names to levels; for a Series its single entry is used.
    """
    if isinstance(rows, pd.DataFrame):
        typed = rows.copy(deep=False)  # columns are replaced, none is changed
        for name, known in levels.items():
            if name in typed.columns:
                typed[name] = categorical(rows[name], known, ordered)
        return typed
    (known,) = levels.values()
    return pd.Series(categorical(rows, known, ordered), index=rows.index, name=rows.name)


def get_dummies(
    rows: Any, levels: Dict[Any, Sequence[Any]], names: Sequence[Any], **how: Any
) -> Any:
    """``pd.get_dummies`` with the levels and the columns (``names``, in order) of creation.

    An unseen level gives zeros in all of its columns. ``how``: the arguments of creation.
    """
    if set(how) <= {"columns"} and set(levels).issubset(getattr(rows, "columns", ())):
        made = _marked(rows, levels)
    else:
        typed = as_category(rows, levels)
        made = pd.get_dummies(typed, **how)
        if how.get("dummy_na"):
            without = pd.get_dummies(typed, **{**how, "dummy_na": False})
            _spare_unseen(made, rows, typed, levels, without)
    wanted = [name for name in names if name in made.columns]
    return made if wanted == list(made.columns) else made[wanted]


def _marked(rows: Any, levels: Dict[Any, Sequence[Any]]) -> Any:
    """``pd.get_dummies`` without other arguments than which columns, in one step for them all."""
    names, marks = [], []
    for column, known in levels.items():
        found = _places(rows[column], known, column)
        names += [f"{column}_{level}" for level in _index(known)]
        marks.append(found == np.arange(len(known))[:, None])
    whole = np.vstack(marks).astype(_MARK, copy=False)
    made = pd.DataFrame(whole.T, index=rows.index, columns=names, copy=False)
    places = [place for place, name in enumerate(rows.columns.tolist()) if name not in levels]
    return pd.concat([rows.take(places, axis=1), made], axis=1)


def _spare_unseen(made: Any, rows: Any, typed: Any, levels: Any, without: Any) -> None:
    """An unseen level is not a null: it is not marked in the column that stands for null."""
    marks = [name for name in made.columns if name not in set(without.columns)]
    for column, mark in zip(levels, marks):
        known, given = (typed, rows) if made.ndim > rows.ndim else (typed[column], rows[column])
        unseen = (known.isna() & given.notna()).to_numpy()
        made.loc[unseen, mark] = made[mark].dtype.type(0)


def split_parts(
    texts: Any, width: int, *args: Any, line: Optional[int] = None, right: bool = False, **how: Any
) -> Any:
    """``texts.str.split(…, expand=True)``, or ``rsplit``, with as many columns as creation had.

    A row with fewer parts has nulls; one with more is rejected. ``line``: of the program, to be
    told with the row.
    """
    split = texts.str.rsplit if right else texts.str.split
    made = split(*args, expand=True, **how)
    if made.shape[1] > width:
        wide = made.iloc[:, width].notna().to_numpy().nonzero()[0]
        told = "%r has more than %d parts, and no row of creation had"
        reasons = {int(place): told % (texts.iloc[place], width) for place in wide}
        _refuse(len(texts), reasons, line)
    return made.reindex(columns=range(width))


def encoded(encoder: Any, values: Any, line: Optional[int] = None) -> Any:
    """``encoder.transform(values)``; a row with a word that it does not know is rejected.

    ``line``: of the program, to be told with the row.
    """
    try:
        return encoder.transform(values)
    except ValueError:
        _refuse(len(values), _strangers(encoder, values), line)
        raise


def encoded_columns(
    rows: pd.DataFrame, encoders: Dict[Any, Any], line: Optional[int] = None
) -> pd.DataFrame:
    """``rows.apply(LabelEncoder().fit_transform)``, each column by the encoder fitted on it."""
    made = {name: encoded(encoders[name], rows[name], line) for name in rows.columns}
    return pd.DataFrame(made, index=rows.index)


def _strangers(encoder: Any, values: Any) -> Dict[int, str]:
    """The places of rows that an encoder does not take alone: each with the reason."""
    items = pd.DataFrame(values).astype(object)
    name = getattr(values, "name", None)
    numbers = items.groupby(list(items.columns), sort=False, dropna=False).ngroup().to_numpy()
    reasons: Dict[int, str] = {}
    for number, first in zip(*np.unique(numbers, return_index=True)):
        row = slice(int(first), int(first) + 1)
        try:
            encoder.transform(values.iloc[row] if hasattr(values, "iloc") else values[row])
        except ValueError as error:
            cells = items.iloc[int(first)].tolist()
            told = f"{cells[0]!r} was not seen in creation"
            text = error if len(cells) > 1 else told if name is None else f"{name}: {told}"
            reasons.update(dict.fromkeys(np.flatnonzero(numbers == number).tolist(), str(text)))
    return reasons


def codes(values: Any, levels: Sequence[Any]) -> Any:
    """The number of each value among the levels of creation; -1 for null and unseen values."""
    return categorical(values, levels).codes


def factorize(values: Any, levels: Any, missing: Optional[int] = None) -> Any:
    """``factorize`` with the levels in the order in which creation met them: (codes, levels)."""
    found = _places(values, levels, getattr(values, "name", None))
    if missing is not None:
        found = found.copy()
        found[pd.isna(pd.Index(values))] = missing
    return found, levels


def by_group(rows: pd.DataFrame, keys: Sequence[Any], table: Any) -> Any:
    """What creation learned of each row's group; null for a group it did not have.

    ``table``: one value (or one row of values) per group, indexed by the keys.
    """
    groups: Any = rows[keys[0]] if len(keys) == 1 else pd.MultiIndex.from_frame(rows[list(keys)])
    known = groups if isinstance(groups, pd.MultiIndex) else pd.Index(groups)
    places = _tell_groups(known, table.index, ", ".join(map(str, keys)))
    found = table.reindex(known) if (places < 0).any() else table.take(places)
    found.index = rows.index
    return found


def _tell_groups(groups: Any, known: Any, title: str) -> Any:
    """The place of each row's group among those of creation, -1 where it is none of them."""
    places = _looked_up(groups, known)
    lost = places < 0
    if lost.any():
        unseen = lost & ~_null(groups)
        if unseen.any():
            _tell(len(groups), unseen.nonzero()[0], title, groups)
    return places


def _null(groups: Any) -> Any:
    if isinstance(groups, pd.MultiIndex):
        return groups.to_frame().isna().any(axis=1).to_numpy()
    return pd.isna(groups)


_STATISTICS = (
    "count", "kurt", "max", "mean", "median", "min", "mode", "nunique", "quantile", "sem", "skew",
    "std", "sum", "var",
)  # fmt: skip


class _Group(pd.Series):  # type: ignore[misc]
    """A group's rows whose statistics are creation's: a function of a group sees them so.

    ``_answers``: what each statistic gave in creation, by its name and arguments.
    """

    _metadata = ["_answers", "_learning"]
    _answers: Any
    _learning: bool

    def _statistic(self, name: str, args: Any, kwargs: Any) -> Any:
        words = [f"{word}={value!r}" for word, value in sorted(kwargs.items())]
        key = f"{name}({', '.join([*map(repr, args), *words])})"
        if self._learning:
            self._answers[key] = getattr(pd.Series(self), name)(*args, **kwargs)
        nothing = pd.Series([float("nan")]) if name == "mode" else float("nan")
        return self._answers.get(key, nothing)


def _statistic(name: str) -> Any:
    def statistic(self: _Group, *args: Any, **kwargs: Any) -> Any:
        return self._statistic(name, args, kwargs)

    return statistic


for _name in _STATISTICS:
    setattr(_Group, _name, _statistic(_name))


def _applied(function: Any, group: Any, answers: Dict[str, Any], learning: bool = False) -> Any:
    """What a function makes of one column of a group, as a column."""
    seen = _Group(group)
    seen._answers, seen._learning = answers, learning
    made = getattr(seen, function)() if isinstance(function, str) else function(seen)
    return made if isinstance(made, pd.Series) else pd.Series(made, index=group.index)


def learn_groups(grouped: Any, function: Any, names: Sequence[Any]) -> Dict[Any, Dict[Any, Any]]:
    """What a function asks of each group: column -> group -> statistic -> value.

    ``function`` is called with one column of one group, or is a statistic's name; ``names`` are
    the columns that it is called with, or ``[None]`` where the groups are columns themselves.
    """
    learned: Dict[Any, Dict[Any, Any]] = {name: {} for name in names}
    for key, group in grouped:
        for name, answers in learned.items():
            column = group if name is None else group[name]
            _applied(function, column, answers.setdefault(key, {}), learning=True)
    return learned


def transform(grouped: Any, function: Any, learned: Dict[Any, Dict[Any, Any]]) -> Any:
    """``grouped.transform(function)``, where each group's statistics are those of creation.

    A group that creation did not have has no statistics: they are null.
    """
    labels = grouped.obj.index
    if not labels.is_unique:
        raise ValueError("rows with equal labels can't be put back in order")
    made: Dict[Any, Any] = {}
    for name, groups in learned.items():
        parts = []
        for key, group in grouped:
            if key not in groups:
                places = labels.get_indexer(group.index)
                _tell(len(labels), places, "group", [key] * len(labels))
            column = group if name is None else group[name]
            parts.append(_applied(function, column, groups.get(key, {})))
        nothing = pd.Series(float("nan"), index=labels)
        made[name] = pd.concat(parts).reindex(labels) if parts else nothing
    return made[None].rename(grouped.obj.name) if None in made else pd.DataFrame(made)


def together(parts: Sequence[Any], whole: Any) -> Any:
    """The rows of several parts of a table, in the table's order.

    ``whole``: the table that the parts were selected from; their labels are its own.
    """
    made = pd.concat(list(parts))
    places = whole.index.get_indexer(made.index)
    return made.iloc[places.argsort(kind="stable")]
