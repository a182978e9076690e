"""Tables that people upload and download."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.core.signature import Column, Output, Signature
from roadworthy.ui.tables import (
    MOST_PROBLEMS,
    MOST_ROWS,
    UnreadableTable,
    example_table,
    read_table,
    write_answers,
)

SIGNATURE = Signature(
    input="rows",
    kind="dataframe",
    columns=[
        Column(name="carrier", type="text", dtype="str", example="UA"),
        Column(name="distance", type="int", dtype="int64", example=719),
        Column(name="wind", type="float", dtype="float64", nullable=True, example=1.5),
        Column(name="holiday", type="bool", dtype="bool", example=False),
    ],
    outputs=[
        Output(
            name="scores",
            kind="array",
            columns=[Column(name="scores", type="float", dtype="float64")],
        )
    ],
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "carrier": st.text(
                st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20
            ).filter(str.strip),
            "distance": st.integers(-(2**63), 2**63 - 1),
            "wind": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "holiday": st.booleans(),
        }
    ),
    min_size=1,
    max_size=20,
)


@given(ROWS)
def test_what_is_written_as_a_table_is_read_back(rows: list[dict[str, Any]]) -> None:
    table = read_table(example_table(SIGNATURE, rows), SIGNATURE)
    assert table.wrong == 0
    assert list(table.rows) == rows


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_columns_may_come_in_any_order_with_others_among_them(separator: str, mark: str) -> None:
    lines = ["id|holiday|wind|distance|carrier", 'a7|yes||12|"U|A"', "", "b8|no|1.5|13|B6"]
    content = (mark + "\r\n".join(lines)).replace("|", separator).encode()
    table = read_table(content, SIGNATURE)
    assert table.problems == []
    assert table.rows[0] == {
        "carrier": f"U{separator}A", "distance": 12, "wind": None, "holiday": True,
    }  # fmt: skip
    answered = write_answers(table, [{"scores": 0.25, "id": 1}, "the wind is missing"])
    rows = list(csv.reader(io.StringIO(answered.decode())))
    assert rows[0] == [
        "id", "holiday", "wind", "distance", "carrier", "scores", "id (answer)", "no answer",
    ]  # fmt: skip
    assert rows[1][:1] + rows[1][5:] == ["a7", "0.25", "1", ""]
    assert rows[2][:1] + rows[2][5:] == ["b8", "", "", "the wind is missing"]


def test_cells_that_can_not_be_read_are_told_by_line_and_counted() -> None:
    lines = ["carrier,distance,wind,holiday"] + ["UA,far,1,no"] * 30
    table = read_table("\n".join(lines).encode(), SIGNATURE)
    assert table.wrong == 30
    assert len(table.problems) == MOST_PROBLEMS
    first = table.problems[0]
    assert (first.line, first.column) == (2, "distance")
    assert "“far” is not a whole number" in first.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"PK\x03\x04rest", "Save it as CSV"),
        (b"carrier,distance\xff\xfe", "UTF-8"),
        (b"carrier,distance\nUA,1\n", "lacks wind, holiday"),
        (b"carrier,distance,wind,holiday\n", "no row"),
        (b"carrier,distance,wind,holiday\nUA,1\n", "Line 2 has 2 values"),
        (b"carrier,distance,wind,holiday\n" + b"U" * 200_000 + b",1,1,no\n", "is not CSV"),
        (
            b"carrier,distance,wind,holiday\n" + b"UA,1,1,no\n" * (MOST_ROWS + 1),
            "more than 10,000 rows",
        ),
    ],
)
def test_what_is_no_table_of_the_signature_says_what_to_do(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableTable, match=said):
        read_table(content, SIGNATURE)


def test_of_many_missing_columns_the_first_ten_are_named() -> None:
    column = SIGNATURE.columns[0]
    many = [msgspec.structs.replace(column, name=f"c{place}") for place in range(12)]
    wide = msgspec.structs.replace(SIGNATURE, columns=many)
    with pytest.raises(UnreadableTable, match=r"lacks c0, .*, c9 and 2 more\. Start"):
        read_table(b"a,b\n1,2\n", wide)
