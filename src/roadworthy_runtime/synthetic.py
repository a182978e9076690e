"""Makes rows that creation never had, to test the paths that no creation row takes."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from roadworthy_runtime.compare import take

Columns = Mapping[str, Any]
UNSEEN = "a level that creation never saw"
_MOST = 60
_PAIRS = 24
_COMPANY = 6


class Synthetic(NamedTuple):
    """Made-up rows: what was done, the rows by column, and for each row what is odd about it."""

    kind: str
    columns: dict[str, Any]
    notes: list[str]

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.notes)


def resampled(columns: Columns, n: int) -> Synthetic:
    """Each column drawn on its own, so that values meet that never met."""
    dice = random.Random(1)
    count = min(n, _MOST)
    drawn = {
        name: take(values, [dice.randrange(n) for _ in range(count)])
        for name, values in columns.items()
    }
    return Synthetic("resampled", drawn, ["columns drawn independently"] * count)


def with_nulls(columns: Columns, n: int, signature: Mapping[str, Any]) -> Synthetic:
    """Null in each nullable column in turn, then in all of them."""
    names = [c["name"] for c in signature["columns"] if c.get("nullable")]
    changes = [{name: None} for name in names]
    if len(names) > 1:
        changes.append(dict.fromkeys(names))
    return _changed("nulls", columns, n, changes, "is null")


def out_of_range(columns: Columns, n: int, signature: Mapping[str, Any]) -> Synthetic:
    """Numbers and times far below and above what creation saw, zero, and minus one."""
    changes: list[dict[str, Any]] = []
    for column in signature["columns"]:
        items = [v for v in _items(columns[column["name"]]) if not _is_null(v)]
        if not items:
            continue
        changes += [{column["name"]: value} for value in _beyond(column, items)]
    return _changed("extremes", columns, n, changes, "is out of range")


def unseen_levels(columns: Columns, n: int, signature: Mapping[str, Any]) -> Synthetic:
    """Texts that creation never saw, alone and beside a null of another column; the empty text.

    What is filled in for a null by a group is nowhere to be looked up for a group never seen.
    """
    names = [c["name"] for c in signature["columns"] if c["type"] == "text"]
    empty = [c["name"] for c in signature["columns"] if c.get("nullable")]
    changes: list[dict[str, Any]] = [{name: text} for name in names for text in (UNSEEN, "")]
    pairs = [{name: UNSEEN, other: None} for name in names for other in empty if other != name]
    changes += pairs if len(pairs) <= _PAIRS else random.Random(5).sample(pairs, _PAIRS)
    return _changed("levels", columns, n, changes, "is unseen")


def fresh_keys(columns: Columns, n: int, signature: Mapping[str, Any]) -> list[Synthetic]:
    """For each column that tells all rows apart: the same rows with other keys of that form.

    Answers that were learned by heart for these keys show themselves: nothing is left of them.
    """
    found = []
    for column in signature["columns"]:
        name = column["name"]
        items = _items(columns[name])
        plain = all(type(item) is str or type(item) is int for item in items)
        if n < 10 or not plain or len(set(items)) < n:
            continue
        fresh = _fresh_texts(items) if isinstance(items[0], str) else _fresh_numbers(items)
        if fresh is None:
            continue
        notes = [f"{name} is a fresh key"] * n
        found.append(Synthetic(f"keys of {name}", {**columns, name: fresh}, notes))
    return found


def _changed(
    kind: str, columns: Columns, n: int, changes: list[dict[str, Any]], what: str
) -> Synthetic:
    """One creation row per change, with that change, in the company of rows as they were.

    Without company a row that is made to be odd could be the only one that a filter lets pass, and
    what is learned from a whole request would be learned from it alone.
    """
    changes = changes if len(changes) <= _MOST else random.Random(2).sample(changes, _MOST)
    changes = [*changes, *[{}] * _COMPANY] if n and changes else []
    rows = [(i * 7919) % n for i in range(len(changes))]
    made = {name: _items(take(values, rows)) for name, values in columns.items()}
    notes = []
    for i, change in enumerate(changes):
        for name, value in change.items():
            made[name][i] = value
        notes.append(_note(change, what))
    return Synthetic(kind, made, notes)


def _note(change: Mapping[str, Any], what: str) -> str:
    """What was changed, for people.

    >>> _note({"city": UNSEEN, "age": None}, "is unseen")
    'city is unseen, age is null'
    """
    if not change:
        return "as in creation"
    null = [name for name, value in change.items() if value is None and what != "is null"]
    rest = ", ".join(name for name in change if name not in null)
    return f"{rest} {what}" + "".join(f", {name} is null" for name in null)


def _beyond(column: Mapping[str, Any], items: list[Any]) -> list[Any]:
    kind, dtype = column["type"], column["dtype"].lower()
    if kind not in ("int", "float", "datetime"):
        return []
    low: Any = min(items)
    high: Any = max(items)
    if kind == "float":
        span = (high - low) or 1.0
        return [low - 10 * span, high + 10 * span, 0.0, -1.0]
    if kind == "int":
        bits = next((b for b in (8, 16, 32, 64) if str(b) in dtype), 64)
        lowest, highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        if "uint" in dtype:
            lowest, highest = 0, 2**bits - 1
        span = max(1, high - low)
        wanted = [low - 10 * span, high + 10 * span, 0, -1]
        return [min(max(value, lowest), highest) for value in wanted]
    decade = datetime.timedelta(days=3653)
    return [low - decade, high + decade]


def _fresh_texts(items: list[str]) -> Any:
    """Other texts of the same form: their words exchanged among rows, or digits, or letters."""
    dice = random.Random(3)
    parts = [re.split(r"(\W+)", item) for item in items]
    taken = set(items)
    fresh = []
    for own, item in zip(parts, items):
        for attempt in range(60):
            made = item
            if len(own) > 2 and attempt < 30:
                made = "".join(_elsewhere(parts, at, part, dice) for at, part in enumerate(own))
            else:
                digits = any(c.isdigit() for c in item) and attempt < 50
                made = "".join(_other(c, dice, digits) for c in item)
            if made not in taken:
                break
        else:
            return None
        taken.add(made)
        fresh.append(made)
    return fresh


def _elsewhere(parts: list[list[str]], at: int, part: str, dice: random.Random) -> str:
    """The word at the same place in another row, where that row has one."""
    if at % 2:
        return part
    other = dice.choice(parts)
    return other[at] if at < len(other) else part


def _other(character: str, dice: random.Random, only_digits: bool) -> str:
    if character.isascii() and character.isdigit():
        return dice.choice("0123456789")
    if character.isascii() and character.isalpha() and not only_digits:
        other = dice.choice("abcdefghijklmnopqrstuvwxyz")
        return other.upper() if character.isupper() else other
    return character


def _fresh_numbers(items: list[int]) -> Any:
    """Unused numbers between those there are, or beyond them where there is no room."""
    low, high = min(items), max(items)
    taken = set(items)
    free = [v for v in range(low, min(high, low + 100 * len(items)) + 1) if v not in taken]
    if len(free) < len(items):
        free += range(high + 1, high + 1 + len(items))
    return random.Random(4).sample(free, len(items))


def _items(values: Any) -> list[Any]:
    if getattr(getattr(values, "dtype", None), "kind", "") in ("M", "m"):
        return list(values)
    items: list[Any] = values.tolist() if hasattr(values, "tolist") else list(values)
    return items


def _is_null(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):
        return True
