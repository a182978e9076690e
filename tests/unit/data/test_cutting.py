"""Rows are cut where they say so themselves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.data.cutting import Cut, choose_cut, cut_runs, row_hashes

CUT = Cut(columns=["id", "name"], bits=6)


def rows(count: int, start: int = 0) -> pa.Table:
    """Rows that all differ."""
    ids = np.arange(start, start + count)
    return pa.table({"id": ids, "name": [f"name {number % 997}" for number in ids]})


def lengths(*tables: pa.Table) -> list[int]:
    """How the rows are cut."""
    return [run.num_rows for run in cut_runs(tables, CUT)]


@given(st.lists(st.integers(0, 500), max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_how_the_rows_arrive_does_not_matter(sizes: list[int], chance: object) -> None:
    del chance
    whole = rows(sum(sizes))
    parts, at = [], 0
    for size in sizes:
        parts.append(whole.slice(at, size))
        at += size
    assert lengths(*parts) == lengths(whole)
    runs = list(cut_runs(parts, CUT))
    assert not runs or pa.concat_tables(runs).equals(whole)


def test_an_insertion_moves_only_the_cuts_around_it() -> None:
    whole = rows(20_000)
    inserted = pa.concat_tables([whole.slice(0, 9_000), rows(500, 90_000), whole.slice(9_000)])
    before = {run.column("id")[0].as_py() for run in cut_runs([whole], CUT)}
    after = {run.column("id")[0].as_py() for run in cut_runs([inserted], CUT)}
    assert len(before - after) <= 2
    assert len(after - before) <= 500 / 16 + 2


def test_equal_rows_are_cut_all_the_same() -> None:
    same = pa.table({"id": np.zeros(10_000, np.int64), "name": ["x"] * 10_000})
    assert sum(lengths(same)) == 10_000
    assert max(lengths(same)) <= 4 * 64


@given(st.lists(st.none() | st.text(max_size=20), min_size=1, max_size=30), st.integers(0, 5))
def test_a_hash_depends_on_the_row_alone(texts: list[str | None], skip: int) -> None:
    table = pa.table({"t": pa.array(texts, pa.string())})
    whole = row_hashes(table, ["t"])
    assert (row_hashes(table.slice(skip), ["t"]) == whole[skip:]).all()
    alone = pa.table({"t": pa.array(texts[-1:], pa.string())})
    assert row_hashes(alone, ["t"])[0] == whole[-1]


def test_cuts_by_the_key_or_by_what_varies_most() -> None:
    table = pa.table({"year": [2013] * 1000, "id": range(1000), "kind": list("ab") * 500})
    assert choose_cut(table, ["kind"]).columns == ["kind"]
    assert choose_cut(table, []).columns[0] == "id"
