"""A unified diff as two columns."""

from __future__ import annotations

import difflib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roadworthy.ui.views.side_by_side import MOST_LINES, side_by_side


def diff_of(before: list[str], after: list[str]) -> str:
    lines = difflib.unified_diff(
        [line + "\n" for line in before], [line + "\n" for line in after], "a/x", "b/x"
    )
    return "".join(lines)


def text(side: Any) -> str:
    return "".join(part["text"] for part in side["parts"])


LINES = st.lists(st.sampled_from(["a", "b", "-- x", "++ y", "", " z"]), max_size=30)


@given(before=LINES, after=LINES)
def test_every_line_stands_at_its_number_and_unequal_lines_are_all_there(
    before: list[str], after: list[str]
) -> None:
    rows, more = side_by_side(diff_of(before, after))
    assert more == 0
    shown: dict[str, set[int]] = {"old": set(), "new": set()}
    for row in rows:
        for name, lines in (("old", before), ("new", after)):
            side = row.get(name)
            if side is not None:
                assert text(side) == lines[side["number"] - 1]
                shown[name].add(side["number"])
        if row.get("old") and row.get("new") and not row["old"]["sign"]:
            assert text(row["old"]) == text(row["new"])
    hidden = [
        [line for at, line in enumerate(lines, 1) if at not in shown[name]]
        for name, lines in (("old", before), ("new", after))
    ]
    assert hidden[0] == hidden[1]


def test_what_changed_in_a_line_is_marked() -> None:
    rows, _ = side_by_side(diff_of(["keep", "depth = 6"], ["keep", "depth = 8"]))
    assert [part for part in rows[1]["old"]["parts"] if part["changed"]] == [
        {"text": "6", "changed": True}
    ]
    assert rows[1]["new"]["sign"] == "+"


def test_lines_left_out_are_counted() -> None:
    before = [f"line {n}" for n in range(40)]
    rows, _ = side_by_side(diff_of(before, [*before[:30], "new", *before[30:]]))
    assert rows[0] == {"gap": "27\u00a0equal lines"}


def test_a_huge_difference_is_cut_and_the_rest_counted() -> None:
    before, after = [f"a{n}" for n in range(5000)], [f"b{n}" for n in range(5000)]
    rows, more = side_by_side(diff_of(before, after))
    assert len(rows) == MOST_LINES
    assert more > 9000


def test_a_megabyte_in_one_line_is_cut() -> None:
    rows, _ = side_by_side(diff_of(["x" * 10**6], ["y" * 10**6]))
    assert len(text(rows[0]["old"])) < 3000
