"""Which recorded answers change between two releases."""

from __future__ import annotations

from typing import Any

from roadworthy.certification.sample import Sample
from roadworthy.certification.service import Answer
from roadworthy.operations.sampling import recorded_changes


def sample(*rows: tuple[dict[str, Any], Any]) -> Sample:
    return Sample(
        rows=[row for row, _ in rows],
        answers=[
            Answer(rejected=said) if isinstance(said, str) else Answer(values=said)
            for _, said in rows
        ],
    )


def test_rows_are_matched_by_what_both_require_and_the_largest_change_comes_first() -> None:
    before = sample(
        ({"a": 1, "gone": 5}, {"p": 0.5}),
        ({"a": 2, "gone": 5}, {"p": 0.5}),
        ({"a": 3, "gone": 5}, {"p": 0.1 + 0.2}),
        ({"a": 4, "gone": 5}, {"p": 0.5}),
        ({"a": 5, "gone": 5}, {"p": 0.5}),
    )
    after = sample(
        ({"a": 1, "new": 0}, {"p": 0.51}),
        ({"a": 2, "new": 0}, {"p": 0.75}),
        ({"a": 3, "new": 0}, {"p": 0.3}),
        ({"a": 4, "new": 0}, "a is missing"),
        ({"a": 9, "new": 0}, {"p": 0.9}),
    )
    found = recorded_changes(before, after, ["a"])
    assert found.rows == 4
    assert [each.row["a"] for each in found.changed] == [4, 2, 1]
    assert found.changed[0].after == "a is missing"


def test_samples_of_other_rows_compare_nothing() -> None:
    found = recorded_changes(sample(({"a": 1}, {"p": 1})), sample(({"a": 2}, {"p": 1})), ["a"])
    assert (found.rows, found.changed) == (0, [])
