"""Which answers change between two releases, on rows that both have recorded answers to."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from roadworthy.certification.sample import Sample, sample_in
from roadworthy.core.release import Release
from roadworthy.core.values import Value
from roadworthy.registry import Registry

SAMPLE = "sample.parquet"
RELATIVE = 1e-9
"""Floats that differ by less, relative to the larger, are the same answer."""


class ChangedAnswer(Value, frozen=True):
    """One row and what the two releases say to it: output → value, or why there is none."""

    row: dict[str, Any]
    before: dict[str, Any] | str
    after: dict[str, Any] | str


class AnswerChanges(Value, frozen=True):
    """Of ``rows`` rows that both releases answered, those whose answers differ.

    ``changed`` come with the largest change first. ``source`` says whose answers these are:
    ``recorded`` with the releases, or ``asked`` of both now.
    """

    rows: int
    changed: list[ChangedAnswer]
    source: str


def sample_of_release(registry: Registry, release: Release) -> Sample | None:
    """The rows of creation that came with a release, with its answers; None without any.

    Raises Damaged.
    """
    if all(file.path != SAMPLE for file in release.files):
        return None
    return sample_in(registry.file(release, SAMPLE), release.signature, release.name)


def shared_columns(before: Release, after: Release) -> list[str]:
    """The columns that both releases require, in the order of the later one."""
    required = {column.name for column in before.signature.columns}
    return [column.name for column in after.signature.columns if column.name in required]


def recorded_changes(before: Sample, after: Sample, columns: Sequence[str]) -> AnswerChanges:
    """What changes on the rows that stand in both samples, by the columns that both require."""
    known = {
        _key(row, columns): answer for row, answer in zip(before.rows, before.answers, strict=True)
    }
    pairs = [
        ChangedAnswer(
            row=row,
            before=known[key].rejected or known[key].values,
            after=answer.rejected or answer.values,
        )
        for row, answer in zip(after.rows, after.answers, strict=True)
        if (key := _key(row, columns)) in known
    ]
    return changes_of(pairs, "recorded")


def changes_of(pairs: Sequence[ChangedAnswer], source: str) -> AnswerChanges:
    """Those of the pairs that differ, the largest change first."""
    changed = [each for each in pairs if not same_answer(each.before, each.after)]
    changed.sort(key=lambda each: -distance(each.before, each.after))
    return AnswerChanges(rows=len(pairs), changed=changed, source=source)


def same_answer(before: Any, after: Any) -> bool:
    """Whether two answers are the same, floats but for their last digits.

    >>> same_answer({"p": 0.1 + 0.2}, {"p": 0.3}), same_answer({"p": 0.3}, {"p": 0.31})
    (True, False)
    """
    if _number(before) and _number(after):
        return math.isclose(before, after, rel_tol=RELATIVE, abs_tol=1e-12)
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            same_answer(before[name], after[name]) for name in before
        )
    return bool(before == after)


def distance(before: Any, after: Any) -> float:
    """How far apart two answers are: the largest difference of a number; infinite for others.

    >>> distance({"p": 0.5, "q": 1}, {"p": 0.25, "q": 1}), distance({"label": "a"}, {"label": "b"})
    (0.25, inf)
    """
    if _number(before) and _number(after):
        return abs(float(before) - float(after))
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        return max((distance(before[name], after[name]) for name in before), default=0.0)
    return 0.0 if before == after else math.inf


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _key(row: dict[str, Any], columns: Sequence[str]) -> str:
    return json.dumps([row.get(name) for name in columns], sort_keys=True, default=str)
