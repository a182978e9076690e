"""Follows rows through a program's filters, so that every input row gets its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .basis import FlowError, Rejected, is_null, length, take


class NothingLeft(BaseException):
    """No row survived the filters: the remaining steps have nothing to do."""


class Rows:
    """Follows which input rows a value still carries, and why others were rejected.

    >>> rows = Rows(3)
    >>> rows.filter(["a", "", "c"], [True, False, True], line=7, reason="text is empty")
    ['a', 'c']
    >>> rows.rejected
    [Rejected(row=1, reason='text is empty', line=7)]
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._reasons: dict[int, Rejected] = {}
        self._known: list[tuple[Any, list[int]]] = [(None, list(range(n)))]

    @property
    def rejected(self) -> list[Rejected]:
        """The rows rejected so far, in order, each with the first reason."""
        return [self._reasons[row] for row in sorted(self._reasons)]

    def filter(self, value: Any, keep: Any, *, line: Optional[int] = None, reason: str = "") -> Any:
        """The rows of a value that the program keeps; all others are rejected, for this reason.

        ``keep`` has a truth value per row (null counts as false), or is a function that is given
        the value and returns either such truth values or the surviving rows of a pandas object.
        """
        before = self.carried(value)
        if callable(keep):
            plain = value
            if hasattr(value, "iloc"):  # labels that say the position, whatever they were
                plain = value.copy()
                plain.index = range(len(before))
            kept = keep(plain)
            if hasattr(kept, "iloc") and not _is_mask(kept, len(before)):
                positions = [int(label) for label in kept.index]
            else:
                positions = _true_positions(kept, None)
        else:
            positions = _true_positions(keep, value.index if hasattr(value, "iloc") else None)
            if len(keep) != len(before):
                raise FlowError(f"line {line}: {len(keep)} truth values for {len(before)} rows")
        survivors = take(value, positions)
        self._keep(before, positions, survivors, line, reason)
        return survivors

    def dropna(
        self, frame: Any, *, line: Optional[int] = None, reason: str = "", **how: Any
    ) -> Any:
        """``frame.dropna(**how)``, where the rows that are dropped are rejected."""
        how.pop("inplace", None)
        renumber = how.pop("ignore_index", False)
        kept = self.filter(frame, lambda f: f.dropna(**how), line=line, reason=reason or "is null")
        if renumber:
            kept.index = range(len(kept))
        return kept

    def merge(
        self, frame: Any, other: Any, *, line: Optional[int] = None, reason: str = "", **how: Any
    ) -> Any:
        """``frame.merge(other, **how)``, where rows without a partner are rejected."""
        before = self.carried(frame)
        name = "_row_of_the_input"
        merged = frame.assign(**{name: range(len(before))}).merge(other, **how)
        positions = [int(p) for p in merged.pop(name)]
        if len(set(positions)) != len(positions) or positions != sorted(positions):
            raise FlowError(f"line {line}: the join repeats or reorders rows; keys must be unique")
        self._keep(before, positions, merged, line, reason or "has no partner")
        return merged

    def together(self, made: Any, whole: Any, *, line: Optional[int] = None) -> Any:
        """``made`` of parts of a table ``whole``; rows of it that are in no part are rejected."""
        before = self.carried(whole)
        positions = [int(place) for place in whole.index.get_indexer(made.index)]
        self._keep(before, positions, made, line, "is in none of the parts")
        return made

    def reject(self, reasons: Mapping[int, Rejected]) -> list[int]:
        """Reject these input rows; the positions of all others."""
        for row, reason in reasons.items():
            self._reasons.setdefault(row, reason)
        left = [row for row in range(self.n) if row not in self._reasons]
        self._known = [(None, left)]
        if not left:
            raise NothingLeft
        return left

    def carried(self, value: Any) -> list[int]:
        """Which input rows a value carries, in order; told by identity, then by length."""
        for known, positions in self._known:
            if known is value and value is not None:
                return positions
        found = length(value)
        fitting = [p for _, p in self._known if len(p) == found]
        if not fitting:
            raise FlowError(f"a value has {found} rows where the flow has {self.n}")
        if any(positions != fitting[0] for positions in fitting):
            labels = list(value.index) if hasattr(value, "iloc") else None
            fitting = [p for p in fitting if labels == p]
            if not fitting:
                raise FlowError("two filters keep equally many rows, but not the same ones")
        return fitting[-1]

    def of_length(self, count: int) -> Optional[list[int]]:
        """The input rows of the latest value of so many rows; None where there was none."""
        return next((p for _, p in reversed(self._known) if len(p) == count), None)

    def certain(self, count: int) -> list[int]:
        """The input rows of values of so many rows; none where two such values differ in them."""
        fitting = [p for _, p in self._known if len(p) == count]
        return fitting[0] if fitting and all(p == fitting[0] for p in fitting) else []

    def _keep(
        self, before: list[int], positions: list[int], value: Any, line: Optional[int], reason: str
    ) -> None:
        after = [before[p] for p in positions]
        for row in set(before).difference(after):
            self._reasons.setdefault(row, Rejected(row, reason, line))
        self._known.append((value, after))
        if not after:
            raise NothingLeft


def _is_mask(value: Any, n: int) -> bool:
    return len(value) == n and str(getattr(value, "dtype", "")) in ("bool", "boolean")


def _true_positions(mask: Any, labels: Any) -> list[int]:
    """Where a mask is true. A pandas mask with other labels is brought into their order."""
    if labels is not None and hasattr(mask, "reindex") and not mask.index.equals(labels):
        mask = mask.reindex(labels)
    items = mask.tolist() if hasattr(mask, "tolist") else list(mask)
    return [i for i, item in enumerate(items) if not is_null(item) and bool(item)]
