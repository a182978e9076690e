"""Made-up rows: of the right types, and odd in the way they say."""

from __future__ import annotations

import re

from roadworthy.testing.emitted import flights, signature
from roadworthy_runtime import synthetic
from roadworthy_runtime.law import telling_rows

FRAME = flights(40)
COLUMNS = {
    name: FRAME[name].to_numpy() if FRAME[name].dtype.kind in "if" else FRAME[name].tolist()
    for name in FRAME
}


def test_fresh_keys_are_new_and_of_the_same_form() -> None:
    (made,) = synthetic.fresh_keys(COLUMNS, 40, signature())
    fresh = made.columns["ticket"]
    assert len(set(fresh)) == 40
    assert not set(fresh) & set(COLUMNS["ticket"])
    assert all(re.fullmatch(r"T\d+-\d{3}", key) for key in fresh)
    assert made.columns["carrier"] == COLUMNS["carrier"]


def test_fresh_names_are_made_of_the_words_of_others() -> None:
    first = ["Ann", "Bob", "Cy", "Dot", "Eve", "Flo", "Gus", "Hal", "Ida", "Jo"]
    names = [f"{word}son, Mr. {word}" for word in first]
    (column,) = [{"name": "name", "type": "text", "dtype": "str"}]
    (made,) = synthetic.fresh_keys({"name": names}, 10, {"columns": [column]})
    assert not set(made.columns["name"]) & set(names)
    assert all(re.fullmatch(r"\w+, Mr\. \w+", name) for name in made.columns["name"])


def test_fresh_numbers_are_unused_and_between_where_there_is_room() -> None:
    column = {"name": "id", "type": "int", "dtype": "int64"}
    numbers = [i * 10 for i in range(20)]
    (made,) = synthetic.fresh_keys({"id": numbers}, 20, {"columns": [column]})
    fresh = made.columns["id"]
    assert not set(fresh) & set(numbers)
    assert len(set(fresh)) == 20
    assert 0 <= min(fresh) <= max(fresh) <= 190


def test_nulls_stand_only_where_they_may() -> None:
    made = synthetic.with_nulls(COLUMNS, 40, signature())
    assert made.notes[0] == "age is null"
    assert made.columns["age"][0] is None


def test_odd_rows_come_in_the_company_of_rows_as_they_were() -> None:
    made = synthetic.with_nulls(COLUMNS, 40, signature())
    company = [row for row, note in enumerate(made.notes) if note == "as in creation"]
    assert company == list(range(1, made.n))
    known = set(zip(*COLUMNS.values(), strict=True))
    assert {tuple(values[row] for values in made.columns.values()) for row in company} <= known


def test_extremes_stay_within_the_type() -> None:
    column = {"name": "a", "type": "int", "dtype": "int8"}
    made = synthetic.out_of_range({"a": [0, 100]}, 2, {"columns": [column]})
    assert made.columns["a"][:4] == [-128, 127, 0, -1]


def test_unseen_texts_come_one_column_at_a_time_and_beside_a_null() -> None:
    made = synthetic.unseen_levels(COLUMNS, 40, signature())
    carrier, age = made.columns["carrier"], made.columns["age"]
    assert carrier[:2] == [synthetic.UNSEEN, ""]
    beside = made.notes.index("carrier is unseen, age is null")
    assert (carrier[beside], age[beside]) == (synthetic.UNSEEN, None)
    odd = [row for row, note in enumerate(made.notes) if note != "as in creation"]
    assert len(odd) == 6
    assert [row for row in odd if carrier[row] not in {"AA", "DL", "UA"}] == [0, 1, beside]


def test_telling_rows_have_the_nulls_the_levels_and_the_extremes() -> None:
    rows = telling_rows(COLUMNS, 40, 16)
    assert len(rows) == len(set(rows)) == 16
    chosen = FRAME.iloc[rows]
    assert set(chosen["carrier"]) == {"AA", "DL", "UA"}
    assert chosen["age"].isna().any()
    assert {FRAME["distance"].min(), FRAME["distance"].max()} <= set(chosen["distance"])
