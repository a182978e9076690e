"""Rows by key take the places of those that are there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.data import Append, Datasets, PutTable, Update, paged
from roadworthy.data.bounds import Sought, bounds_of
from roadworthy.data.ingestion.upserting import Upsert
from roadworthy.errors import Conflict
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import unsynced_disk
from roadworthy.storage.opening import open_database

ROWS = 6000


@pytest.fixture
def datasets(tmp_path: Path) -> Iterator[Datasets]:
    """Datasets with one that is empty."""
    database = open_database(f"sqlite:///{tmp_path / 'roadworthy.db'}")
    made = Datasets(
        database, DirectoryBlobs(tmp_path / "data", unsynced_disk()), lambda: datetime.now(UTC)
    )
    made.create("d")
    yield made
    database.close()


def rows(keys: list[Any], value: int) -> pa.Table:
    """Rows of these keys; in wide ones runs are short."""
    numbers = {f"n{n}": pa.array([value] * len(keys), pa.int32()) for n in range(8)}
    return pa.table({"key": pa.array(keys, pa.string()), **numbers, "kept": [7.5] * len(keys)})


def upsert(datasets: Datasets, fresh: pa.Table, newest: str = "") -> Any:
    """The change that was committed."""
    there = datasets.read("d")
    change = Upsert(fresh, ["key"], newest).change(there, "t")
    datasets.commit("d", [change], message="upsert")
    return change


@pytest.mark.parametrize("sorted_keys", [True, False])
def test_rows_take_the_places_of_those_with_their_keys(
    datasets: Datasets, sorted_keys: bool
) -> None:
    keys: list[Any] = [f"k{n:05}" for n in range(ROWS)]
    if not sorted_keys:
        random.Random(1).shuffle(keys)
        keys[1234] = None
    datasets.commit("d", [PutTable("t", rows(keys, 0), ["key"])], message="first")
    wanted = dict.fromkeys(keys, 0)
    for value, some in (
        (1, [*keys[100:140], "new", *keys[5000:5003]]),
        (2, [keys[140], "k03000", None, "newer"]),
        (3, [f"z{n}" for n in range(900)]),
        (4, random.Random(2).sample(keys, 300)),
    ):
        upsert(datasets, rows(some, value))
        wanted |= dict.fromkeys(some, value)
        found = datasets.read("d").to_arrow("t")
        assert found["key"].to_pylist() == list(wanted)
        for name in ("n0", "n7"):
            assert found[name].to_pylist() == list(wanted.values())
        assert found["kept"].to_pylist() == [7.5] * len(wanted)
    assert not datasets.check().problems


def test_only_the_runs_concerned_are_read_and_written(datasets: Datasets) -> None:
    keys = [f"k{n:05}" for n in range(ROWS)]
    datasets.commit("d", [PutTable("t", rows(keys, 0), ["key"])], message="first")
    before = {run.payload for run in datasets.read("d").table("t").runs()}
    read: list[int] = []
    table = datasets.read("d").table("t")
    sought = Sought(pa.table({"key": ["k03000", "k03001"]}), ["key"])
    read += [start for start, _ in table.runs_where(sought.may_be_in, ["key"])]
    assert 1 <= len(read) <= 2 < len(before)
    assert isinstance(upsert(datasets, rows(["k03000", "k03001"], 1)), Update)
    after = {run.payload for run in datasets.read("d").table("t").runs()}
    assert len(before) == len(after)
    assert 1 <= len(after - before) <= 2


def test_the_newer_row_holds(datasets: Datasets) -> None:
    datasets.commit("d", [PutTable("t", rows(["a", "b"], 5), ["key"])], message="first")
    assert isinstance(upsert(datasets, rows(["a", "c"], 4), "n0"), Update)
    upsert(datasets, rows(["b"], 6), "n0")
    found = datasets.read("d").to_arrow("t")
    assert dict(zip(found["key"].to_pylist(), found["n0"].to_pylist(), strict=True)) == {
        "a": 5,
        "b": 6,
        "c": 4,
    }


def test_keys_that_are_not_there_are_appended(datasets: Datasets) -> None:
    datasets.commit("d", [PutTable("t", rows(["a"], 1), ["key"])], message="first")
    assert isinstance(upsert(datasets, rows(["b"], 2)), Append)


def test_another_table_by_then_is_a_conflict(datasets: Datasets) -> None:
    datasets.commit("d", [PutTable("t", rows(["a"], 1), ["key"])], message="first")
    change = Upsert(rows(["a"], 2), ["key"]).change(datasets.read("d"), "t")
    datasets.commit("d", [PutTable("t", rows(["b", "a"], 1), ["key"])], message="meanwhile")
    with pytest.raises(Conflict, match="t was changed meanwhile"):
        datasets.commit("d", [change], message="upsert")


@given(
    st.lists(st.integers(-5, 30) | st.none(), max_size=6),
    st.lists(st.integers(-5, 30) | st.none(), max_size=6),
)
def test_bounds_never_hide_a_key(run: list[int | None], wanted: list[int | None]) -> None:
    there, sought = pa.array(run, pa.int64()), pa.array(wanted, pa.int64())
    record = paged.Record(bounds_of("id", there), len(run), b"")
    may_be = Sought(pa.table({"id": sought}), ["id"]).may_be_in(record)
    assert may_be or not set(run) & set(wanted)


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["a", "ü"]),
        pa.array([1_700_000_000, 1_800_000_000], pa.timestamp("us", "Europe/Oslo")),
        pa.array([1, 2], pa.date32()),
        pa.array([2**63, 2**64 - 1], pa.uint64()),
        pa.array([1.5, float("nan")]),
        pa.array([b"x", b"y"]),
    ],
)
def test_keys_of_every_type_are_found(values: pa.Array) -> None:
    record = paged.Record(bounds_of("id", values), 2, b"")
    assert Sought(pa.table({"id": values.slice(1)}), ["id"]).may_be_in(record)
