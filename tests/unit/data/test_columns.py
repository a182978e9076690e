"""Digests and pieces of columns depend on the values and nothing else."""

from __future__ import annotations

import datetime as dt
import decimal
import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from roadworthy.data.columns import (
    column_digest,
    load_column,
    one_array,
    plain_type,
    store_column,
)
from roadworthy.data.patches import differing_rows, load_array, store_patch
from roadworthy.data.stored import TEXTS
from roadworthy.errors import Damaged, UsageError

EARLY, LATE = dt.datetime.fromisoformat("1970-01-02"), dt.datetime.fromisoformat("2200-01-01")
VALUES = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint8(): st.integers(0, 255),
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.bool_(): st.booleans(),
    pa.string(): st.text(max_size=9),
    pa.large_string(): st.text(max_size=9),
    pa.binary(): st.binary(max_size=9),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.date32(): st.dates(),
    pa.timestamp("us"): st.datetimes(),
    pa.timestamp("ns", "Europe/Oslo"): st.datetimes(EARLY, LATE, timezones=st.just(dt.UTC)),
    pa.time64("us"): st.times(),
    pa.duration("ms"): st.integers(-(10**12), 10**12),
    pa.decimal128(12, 3): st.decimals(-(10**8), 10**8, places=3).map(decimal.Decimal),
    pa.list_(pa.int32()): st.lists(st.none() | st.integers(-9, 9), max_size=4),
    pa.list_(pa.string()): st.lists(st.text(max_size=3), max_size=3),
    pa.struct([("a", pa.int32()), ("b", pa.string())]): st.fixed_dictionaries(
        {"a": st.none() | st.integers(-9, 9), "b": st.none() | st.text(max_size=3)}
    ),
    pa.null(): st.none(),
}


@st.composite
def arrays(draw: st.DrawFn) -> pa.Array:
    """Arrays of all types, with nulls."""
    kind = draw(st.sampled_from(list(VALUES)))
    return pa.array(draw(st.lists(st.none() | VALUES[kind], max_size=40)), kind)


@given(arrays())
def test_values_come_back(array: pa.Array) -> None:
    digest = column_digest(array)
    back = load_column(store_column(array), array.type, digest)
    assert back.type == array.type
    assert column_digest(back) == digest
    assert repr(back.to_pylist()) == repr(array.to_pylist())


@given(arrays(), st.integers(0, 7), st.integers(0, 7))
def test_a_digest_does_not_see_how_values_lie(array: pa.Array, front: int, back: int) -> None:
    around = pa.concat_arrays([pa.nulls(front, array.type), array, pa.nulls(back, array.type)])
    assert column_digest(around.slice(front, len(array))) == column_digest(array)


@given(arrays(), arrays())
def test_other_values_have_another_digest(one: pa.Array, two: pa.Array) -> None:
    same = one.type == two.type and repr(one.to_pylist()) == repr(two.to_pylist())
    nan = "nan" in repr(one.to_pylist())  # there are many NaNs, and each is kept
    if not nan:
        assert (column_digest(one) == column_digest(two)) is same


@given(arrays(), st.data())
def test_a_patch_gives_the_new_values(array: pa.Array, data: st.DataObject) -> None:
    base = pa.concat_arrays([array] * (1 + 600 // max(len(array), 1)))[:600]
    if len(base) < 600:
        return
    rows = data.draw(st.sets(st.integers(0, 599), max_size=30))
    values = base.to_pylist()
    for row in rows:
        values[row] = values[(row * 7) % 600]
    after = pa.array(values, base.type)
    differing = differing_rows(base, after)
    if differing is None:
        return
    assert set(differing.tolist()) <= rows
    base_digest, digest = column_digest(base), column_digest(after)
    patch = store_patch(base, base_digest, after)
    assert patch is not None
    stored = {base_digest: store_column(base), digest: patch}
    if digest != base_digest:
        assert column_digest(load_array(stored, base.type, digest)) == digest


def test_too_many_differences_make_no_patch() -> None:
    base = pa.array(np.arange(1000))
    assert store_patch(base, bytes(32), pa.array(np.arange(1000) + 1)) is None
    assert store_patch(base, bytes(32), pa.array(np.arange(999))) is None


@pytest.mark.parametrize(
    ("start", "stop", "step", "fits"),
    [(100, 400, 1, True), (100, 800, 1, False), (0, 600, 2, True), (0, 600, 4, False)],
)
def test_a_patch_may_be_longer_where_its_rows_lie_together(
    start: int, stop: int, step: int, fits: bool
) -> None:
    values = np.random.default_rng(5).random(1000)
    base = pa.array(values.copy())
    values[start:stop:step] += 5000
    after = pa.array(values)
    before, digest = column_digest(base), column_digest(after)
    patch = store_patch(base, before, after)
    assert (patch is not None) is fits
    if patch is not None:
        stored = {before: store_column(base), digest: patch}
        assert load_array(stored, base.type, digest).equals(after)


def test_a_long_patch_has_to_be_shorter_than_the_whole() -> None:
    values = np.arange(1000)
    base = pa.array(values.copy())
    values[100:400] += 5000  # a sequence is short itself
    assert store_patch(base, column_digest(base), pa.array(values)) is None


def test_a_patch_on_another_base_is_found() -> None:
    base, after = pa.array(np.arange(1000)), pa.array(np.r_[7, np.arange(1, 1000)])
    patch = store_patch(base, column_digest(base), after)
    assert patch is not None
    wrong = pa.array(np.arange(1000)[::-1])
    stored = {column_digest(base): store_column(wrong), column_digest(after): patch}
    with pytest.raises(Damaged, match="another digest"):
        load_array(stored, base.type, column_digest(after))


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()])
@pytest.mark.parametrize("longest", [3, 300, 70_000])
def test_texts_that_hardly_repeat_are_kept_side_by_side(kind: pa.DataType, longest: int) -> None:
    texts = [None if n % 7 == 3 else f"{n:05}" + n % 2 * longest * "x" for n in range(70)]
    array = pa.array(["before", *texts, "after"], pa.string()).cast(kind).slice(1, len(texts))
    piece = store_column(array)
    assert piece[0] == TEXTS
    assert len(piece) < 2000 + longest // 10
    back = load_column(memoryview(piece), kind, column_digest(array))
    back.validate(full=True)
    assert back.equals(array)


def test_texts_whose_lengths_are_not_those_of_their_bytes_are_damaged() -> None:
    piece = store_column(pa.array([f"text {n}" for n in range(6)]))
    for wrong in (piece[:-9], piece.replace(bytes([6] * 6), bytes([6, 6, 6, 6, 6, 7])), piece[:1]):
        assert wrong != piece
        with pytest.raises(Damaged, match="can't be decoded"):
            load_column(wrong, pa.string(), bytes(32))


def test_truths_are_kept_a_bit_each() -> None:
    truths = pa.array(np.random.default_rng(0).random(8000) < 0.5)
    column = parquet.ParquetFile(pa.BufferReader(store_column(truths)[1:])).metadata
    assert "PLAIN" in column.row_group(0).column(0).encodings
    assert column.row_group(0).column(0).compression == "UNCOMPRESSED"


@pytest.mark.parametrize(
    "kind", [pa.int32(), pa.uint32(), pa.int64(), pa.date32(), pa.time32("ms")]
)
@pytest.mark.parametrize("nulls", [False, True])
def test_numbers_are_kept_by_their_differences_where_that_is_short(
    kind: pa.DataType, nulls: bool
) -> None:
    rows = np.arange(20_000)
    missing = rows % 7 == 3 if nulls else None
    anywhere = np.random.default_rng(1).integers(0, 9000, len(rows))
    for values, encoding in ((rows, "DELTA_BINARY_PACKED"), (anywhere, "BYTE_STREAM_SPLIT")):
        width = np.int64 if kind.bit_width == 64 else np.int32
        array = pa.array(values.astype(width), mask=missing).cast(kind)
        stored = store_column(array)
        file = parquet.ParquetFile(pa.BufferReader(stored[1:]))
        assert encoding in file.metadata.row_group(0).column(0).encodings
        assert load_column(stored, kind, b"").equals(array)
        assert len(stored) < 2.3 * len(rows)


def test_dictionaries_are_kept_as_their_values() -> None:
    words = pa.array(["a", "b", None, "a"])
    kind = plain_type(words.dictionary_encode().type)
    array = one_array(pa.chunked_array([words.dictionary_encode()]), kind)
    assert array.equals(words)


CHANCE = np.random.default_rng(0)
MANY = {
    "counted": np.arange(5000),
    "hardly alike": CHANCE.integers(-(2**63), 2**63 - 1, 5000),
    "alike": CHANCE.integers(0, 90, 5000).astype("i4"),
    "moments": (np.arange(5000) * 1000 + CHANCE.integers(0, 9, 5000)).astype("M8[us]"),
    "noise": CHANCE.random(5000),
    "narrow noise": CHANCE.random(5000).astype("f4"),
    "whole numbers": CHANCE.permutation(5000).astype("f8"),
    "few": np.round(CHANCE.random(5000), 1),
    "texts": CHANCE.integers(0, 2**40, 5000).astype("U"),
    "few texts": CHANCE.choice(["planned", "landed", "late"], 5000),
    "sums": [decimal.Decimal(int(each)) / 100 for each in CHANCE.integers(0, 10**9, 5000)],
    "keys": pa.array([CHANCE.bytes(16) for _ in range(5000)], pa.binary(16)),
}


@pytest.mark.parametrize("nulls", [False, True])
@pytest.mark.parametrize("name", list(MANY))
def test_many_values_come_back_and_take_no_more_than_they_do(name: str, nulls: bool) -> None:
    array = pa.array(MANY[name])
    if nulls:
        array = pc.if_else(pa.array(np.arange(5000) % 7 == 0), pa.scalar(None, array.type), array)
    digest, stored = column_digest(array), store_column(array)
    assert column_digest(load_column(stored, array.type, digest)) == digest
    assert len(stored) < 1.1 * array.nbytes
    if name in ("counted", "alike", "moments", "whole numbers", "few", "few texts", "sums"):
        assert len(stored) < 0.55 * array.nbytes


def test_zero_and_minus_zero_differ() -> None:
    zero, minus = pa.array([0.0]), pa.array([-0.0])
    assert column_digest(zero) != column_digest(minus)
    back = load_column(store_column(minus), pa.float64(), b"")
    assert math.copysign(1, back[0].as_py()) == -1


def test_a_type_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(UsageError, match="can't be kept"):
        plain_type(pa.month_day_nano_interval())
