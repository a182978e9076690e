"""Frames come back as they went, in Arrow's layout; everything else is a clean error."""

from __future__ import annotations

import json
import math

import numpy
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy_runtime import frames
from roadworthy_runtime.answering import to_sequence

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
VALUES = {
    "bool": st.booleans(),
    "int": st.integers(-(1 << 63), (1 << 63) - 1),
    "float": st.floats(allow_nan=False),
    "datetime": st.integers(-(1 << 60), 1 << 60),
    "timedelta": st.integers(-(1 << 60), 1 << 60),
    "text": TEXT,
    "json": TEXT,
}


@st.composite
def tables(draw):
    n = draw(st.integers(0, 20))
    columns = {}
    for name in draw(st.lists(TEXT, max_size=5, unique=True)):
        type_ = draw(st.sampled_from(sorted(VALUES)))
        value = VALUES[type_] | st.none() if draw(st.booleans()) else VALUES[type_]
        columns[name] = (type_, draw(st.lists(value, min_size=n, max_size=n)))
    return n, columns


def read(data: bytes) -> frames.Frame:
    (frame,) = frames.Assembler().feed(data)
    return frame


@given(tables(), st.integers(0, 1 << 40), st.integers(1, 40), st.booleans())
def test_a_frame_comes_back_as_it_went_in_whatever_pieces(table, id, piece, listed):
    n, columns = table
    data = frames.encode("predict", id, n, columns, {"x": [1, None]}, listed=listed)
    assembler = frames.Assembler()
    found = []
    for at in range(0, 2 * len(data), piece):
        found += assembler.feed((data + data)[at : at + piece])
    assert len(found) == 2
    for frame in found:
        assert (frame.kind, frame.id, frame.n, frame.meta) == ("predict", id, n, {"x": [1, None]})
        assert {k: (c.type, c.values()) for k, c in frame.columns.items()} == {
            k: (t, list(v)) for k, (t, v) in columns.items()
        }


@given(st.lists(st.none() | VALUES["int"], max_size=40), st.lists(st.none() | TEXT, max_size=40))
def test_pyarrow_reads_the_buffers_as_its_own(ints, texts):
    for type_, arrow, values in (("int", pa.int64(), ints), ("text", pa.string(), texts)):
        frame = read(frames.encode("predict", 1, len(values), {"c": (type_, values)}))
        column = frame.columns["c"]
        buffers = [None if column.validity is None else pa.py_buffer(column.validity)]
        buffers += [pa.py_buffer(buffer) for buffer in column.buffers]
        assert pa.Array.from_buffers(arrow, len(values), buffers).to_pylist() == values


@given(tables())
def test_a_listed_frame_is_laid_out_as_any_other(table):
    n, columns = table
    plain, listed = (
        read(frames.encode("predict", 1, n, columns, listed=listed)) for listed in (False, True)
    )
    for name, column in plain.columns.items():
        other = listed.columns[name]
        assert (other.type, other.n, other.levels) == (column.type, column.n, column.levels)
        parts = [
            [None if part is None else bytes(part) for part in (each.validity, *each.buffers)]
            for each in (column, other)
        ]
        assert parts[0] == parts[1]


def test_whole_numbers_of_a_listed_float_column_are_floats():
    frame = read(frames.encode("predict", 1, 2, {"c": ("float", [1, None])}, listed=True))
    assert list(map(repr, frame.columns["c"].values())) == ["1.0", "None"]


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("int", ["1"]), ("int", [1.5]), ("int", [1 << 63]), ("float", ["1"]), ("float", [True]),
        ("float", [10**400]), ("bool", [1]), ("text", [1]), ("json", [{}]), ("int", "1"),
        ("timedelta", [None, 1]), ("float", {}),
    ],
)  # fmt: skip
def test_listed_values_that_do_not_fit_are_a_clean_error(type_, values):
    data = frames.encode("predict", 1, 1, {"c": (type_, [None])}, listed=True)
    known = {"v": 1, "kind": "predict", "id": 1, "n": 1, "meta": {}}
    header = json.dumps({**known, "values": [values]})
    header += " " * (-len(header) % 8)
    described = data[16 + frames.PREFIX.unpack_from(data)[2] :]
    prefix = frames.PREFIX.pack(
        len(header) + len(described), frames.MAGIC, len(header), len(described)
    )
    with pytest.raises(frames.FrameError, match="'c'"):
        read(prefix + header.encode() + described)
    with pytest.raises(frames.FrameError):
        frames.encode("predict", 1, 3, {"c": (type_, [None])}, listed=True)


def test_numpy_wraps_numbers_without_a_copy():
    frame = read(frames.encode("predict", 1, 3, {"c": ("float", [1.0, 2.0, 3.0])}))
    array = to_sequence(frame.columns["c"])
    assert array.tolist() == [1.0, 2.0, 3.0]
    assert numpy.shares_memory(array, numpy.frombuffer(frame.columns["c"].buffers[0]))


def test_nulls_become_what_flows_take():
    columns = {
        "float": ("float", [1.5, None]),
        "int": ("int", [1, None]),
        "bool": ("bool", [True, None]),
        "text": ("text", ["a", None]),
        "datetime": ("datetime", [1_000_000, None]),
        "json": ("json", ['{"a":1}', None]),
    }
    frame = read(frames.encode("predict", 1, 2, columns))
    got = {name: to_sequence(column) for name, column in frame.columns.items()}
    assert got["float"][0] == 1.5
    assert math.isnan(got["float"][1])
    assert got["int"] == [1, None]
    assert got["bool"] == [True, None]
    assert got["text"] == ["a", None]
    assert str(got["datetime"][0]) == "1970-01-01T00:00:01.000000"
    assert numpy.isnat(got["datetime"][1])
    assert got["json"] == [{"a": 1}, None]


def test_arrays_are_written_from_their_own_memory():
    values = numpy.array([1.0, numpy.nan])
    frame = read(frames.encode("answers", 1, 2, {"c": ("float", values)}))
    assert frame.columns["c"].values()[0] == 1.0
    assert math.isnan(frame.columns["c"].values()[1])


@given(st.binary(max_size=200))
def test_garbage_is_a_clean_error_or_incomplete(data):
    try:
        assert list(frames.Assembler().feed(data)) == []
    except frames.FrameError:
        pass


@given(tables(), st.data(), st.booleans())
def test_a_flipped_bit_is_a_clean_error_or_another_frame(table, data, listed):
    n, columns = table
    good = bytearray(frames.encode("predict", 1, n, columns, listed=listed))
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    good[bit // 8] ^= 1 << (bit % 8)
    try:
        for frame in frames.Assembler(limit=1 << 20).feed(bytes(good)):
            for column in frame.columns.values():
                column.values()
    except frames.FrameError:
        pass


def test_bounds_hold_on_both_sides():
    with pytest.raises(frames.FrameError, match="exceeds the limit"):
        frames.encode("predict", 1, 100, {"c": ("float", [0.0] * 100)}, limit=200)
    long = frames.encode("predict", 1, 100, {"c": ("float", [0.0] * 100)})
    with pytest.raises(frames.FrameError, match="exceeds the limit"):
        list(frames.Assembler(limit=200).feed(long[:16]))


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("int", [1 << 63]),
        ("int", ["1"]),
        ("float", ["1"]),
        ("bool", [1]),
        ("text", ["\ud800"]),
        ("nothing", [1]),
        ("int", [1, 2]),
    ],
)
def test_what_does_not_fit_is_not_written(type_, values):
    with pytest.raises(frames.FrameError):
        frames.encode("predict", 1, 1, {"c": (type_, values)})


def test_half_of_a_pair_is_not_written_in_a_listed_frame_either():
    with pytest.raises(frames.FrameError):
        frames.encode("predict", 1, 1, {"c": ("text", ["\ud800"])}, listed=True)
    frame = read(frames.encode("predict", 1, 1, {"c": ("text", ["a\U0001f600"])}, listed=True))
    assert frame.columns["c"].values() == ["a\U0001f600"]


def test_a_newer_version_is_refused():
    header = json.dumps({"v": 99}).ljust(16).encode()
    whole = frames.PREFIX.pack(len(header), frames.MAGIC, len(header), 0) + header
    with pytest.raises(frames.FrameError, match="newer"):
        list(frames.Assembler().feed(whole))


def test_texts_go_by_their_levels_and_come_back():
    packed = frames.pack("text", ["b", None, "ü", "b"], {"ü": 0, "b": 1, None: 2})
    data = frames.encode("predict", 1, 4, {"kind": ("text", packed), "n": ("int", [1, 2, 3, 4])})
    columns = read(data).columns
    assert columns["kind"].values() == ["b", None, "ü", "b"]
    assert columns["n"].values() == [1, 2, 3, 4]
    assert to_sequence(columns["kind"]) == ["b", None, "ü", "b"]


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        (["a", "b"], "codes of no level"),
        (["a", 1], "levels that are no texts"),
        ("abc", "levels that can't be read"),
        (["a"] * 257, "levels that can't be read"),
    ],
)
def test_levels_that_do_not_fit_are_a_clean_error(levels, reason):
    packed = frames.Packed(1, None, [b"\2"], tuple("abc"))
    data = frames.encode("predict", 1, 1, {"k": ("text", packed)})
    before = b'[["k","text",false,["a","b","c"]]]'
    after = json.dumps([["k", "text", False, levels]])
    _, magic, header, described = frames.PREFIX.unpack(data[:16])
    body = data[16:]
    spec = body[header : header + described]
    assert spec.strip() == before
    fresh = after.encode() + b" " * (-len(after) % 8)
    body = body[:header] + fresh + body[header + described :]
    with pytest.raises(frames.FrameError, match=reason):
        read(frames.PREFIX.pack(len(body), magic, header, len(fresh)) + body)


@st.composite
def columns_in_parts(draw):
    type_ = draw(st.sampled_from(sorted(VALUES)))
    values = VALUES[type_]
    codes = None
    if type_ == "text" and draw(st.booleans()):
        codes = {"a": 0, "ü": 1, None: 2}
        values = st.sampled_from(["a", "ü"])
    lists = st.lists(values | st.none() if draw(st.booleans()) else values, max_size=20)
    parts = draw(st.lists(lists | st.lists(values, max_size=20), min_size=1, max_size=5))
    return type_, parts, codes


@given(columns_in_parts())
def test_columns_laid_out_are_joined_to_what_they_would_be_together(given_):
    type_, parts, codes = given_
    joined = frames.joined(type_, [frames.pack(type_, part, codes) for part in parts])
    together = [value for part in parts for value in part]
    assert len(joined) == len(together)
    assert joined.values(type_) == together
    sent = read(frames.encode("predict", 1, len(together), {"c": (type_, joined)})).columns["c"]
    assert sent.values() == together
    assert sent.levels == (tuple(codes) if codes else ())
