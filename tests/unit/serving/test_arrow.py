"""Arrow streams: cut from bytes as they come, their columns checked, their answers laid out."""

from __future__ import annotations

import datetime
import io
import struct

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.core.signature import Signature
from roadworthy.serving.answers import Answered
from roadworthy.serving.arrow_columns import answer_schema, check_schema, read_chunk, write_chunk
from roadworthy.serving.arrow_messages import Messages
from roadworthy.serving.problems import Refused
from roadworthy.serving.validation import EPOCH, MICROSECOND
from roadworthy.testing.flows import SIGNATURE
from roadworthy_runtime import frames

TINY = msgspec.convert(SIGNATURE, Signature)
TYPES = ["bool", "int", "float", "text", "datetime", "date", "timedelta", "object"]
ALL = msgspec.convert(
    {
        **SIGNATURE,
        "columns": [{"name": t, "type": t, "dtype": "x", "nullable": True} for t in TYPES],
    },
    Signature,
)
MOST = 1 << 20


def stream(*batches: pa.RecordBatch, **options) -> bytes:
    sink = io.BytesIO()
    written = pa.ipc.IpcWriteOptions(**options)
    with pa.ipc.new_stream(sink, batches[0].schema, options=written) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def tiny(n: int = 3, **columns) -> pa.RecordBatch:
    whole = {"a": [1.5] * n, "b": [2] * n, "kind": ["fine"] * n, **columns}
    return pa.record_batch({name: pa.array(values) for name, values in whole.items()})


def refused(function, *arguments) -> Refused:
    with pytest.raises(Refused) as found:
        function(*arguments)
    return found.value


def read(content: bytes, piece: int, most: int = MOST) -> tuple[Messages, list[pa.RecordBatch]]:
    messages = Messages(most)
    found = []
    for at in range(0, len(content), piece):
        found += messages.feed(content[at : at + piece])
    messages.end()
    return messages, found


@pytest.mark.parametrize("piece", [1, 7, 64, 10**9])
def test_batches_come_out_as_they_went_in_however_the_bytes_arrive(piece):
    batches = [tiny(3), tiny(3).slice(0, 0), tiny(5, kind=[None, "é", "", "x", "y"])]
    messages, found = read(stream(*batches), piece)
    assert found == batches
    assert messages.schema == batches[0].schema
    assert messages.ended


def test_dictionaries_are_kept_for_later_batches():
    kinds = pa.array(["x", "y", None]).dictionary_encode()
    batch = pa.record_batch({"a": pa.array([1.0, 2, 3]), "kind": kinds})
    _, found = read(stream(batch, batch.slice(1)), 11)
    assert [each.column("kind").to_pylist() for each in found] == [["x", "y", None], ["y", None]]


def test_a_stream_without_its_end_mark_is_whole_and_one_without_rows_has_a_schema():
    content = stream(tiny(2))
    assert len(read(content[:-8], 9)[1]) == 1
    assert read(stream(tiny(0)), 9)[0].schema.names == ["a", "b", "kind"]


@pytest.mark.parametrize("cut", [0, 4, 100, -9, -40])
def test_a_stream_that_ends_early_is_refused(cut):
    assert refused(read, stream(tiny(2))[:cut], 50).code == "bad-arrow"


@pytest.mark.parametrize(
    "content",
    [
        b"not arrow at all, but long enough",
        b"ARROW1\0\0" + b"\0" * 100,
        b"\xff\xff\xff\xff" + struct.pack("<i", -5) + b"\0" * 50,
        b"\xff\xff\xff\xff" + struct.pack("<i", 1 << 30),
        b"\xff\xff\xff\xff" + struct.pack("<i", 16) + b"\xff" * 16,
    ],
)
def test_what_is_no_stream_is_refused(content):
    assert refused(read, content, 1000).code == "bad-arrow"


@settings(max_examples=300)
@given(st.data())
def test_a_flipped_byte_is_refused_or_read_but_never_worse(data):
    content = bytearray(stream(tiny(4, kind=["a", None, "bcd", "é"])))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    codes = ["bad-arrow", "body-too-large", "invalid-rows", "bad-request", "content-encoding"]
    assert read_or_refuse(bytes(content)) in [*codes, "fine"]


def read_or_refuse(content: bytes) -> str:
    try:
        messages, found = read(content, 128)
        check_schema(TINY, messages.schema)
        for batch in found:
            read_chunk(TINY, batch)
    except Refused as problem:
        return problem.code
    return "fine"


def test_large_messages_and_compressed_ones_are_refused_before_they_are_read():
    content = stream(tiny(1000))
    assert refused(read, content[:2000], 100, 8000).code == "body-too-large"
    packed = refused(read, stream(tiny(1000), compression="lz4"), 10**6)
    assert packed.code == "content-encoding"


def values(chunk, name: str) -> list:
    wire, packed = chunk.columns[name]
    frame = frames.encode("predict", 1, len(packed), {name: (wire, packed)})
    for decoded in frames.Assembler().feed(frame):
        return decoded.columns[name].values()
    raise AssertionError


@pytest.mark.parametrize("start", [0, 8, 3])
def test_columns_become_those_of_a_frame(start):
    n = 20
    batch = tiny(
        n,
        a=[float(i) for i in range(n)],
        b=pa.array(range(n), pa.uint8()),
        kind=[None if i % 5 == 0 else f"é{i}" for i in range(n)],
    ).slice(start, 10)
    chunk = read_chunk(TINY, batch)
    assert (chunk.n, chunk.kept, chunk.rejected) == (10, None, {})
    assert values(chunk, "a") == [float(i) for i in range(start, start + 10)]
    assert values(chunk, "b") == list(range(start, start + 10))
    assert values(chunk, "kind") == batch.column("kind").to_pylist()


MOMENT = datetime.datetime.fromisoformat("2026-03-01T12:30:00.000005")
MICROS = (MOMENT - EPOCH) // MICROSECOND


@pytest.mark.parametrize(
    ("name", "array", "wanted"),
    [
        ("bool", pa.array([True, None, False]), [True, None, False]),
        ("int", pa.array([1, None, -3], pa.int8()), [1, None, -3]),
        ("float", pa.array([1, None], pa.int32()), [1.0, None]),
        ("float", pa.array([1.5, None], pa.float32()), [1.5, None]),
        ("text", pa.array(["a", None], pa.large_string()), ["a", None]),
        ("text", pa.array(["a", "a"]).dictionary_encode(), ["a", "a"]),
        ("text", pa.nulls(2), [None, None]),
        ("datetime", pa.array([MOMENT, None], pa.timestamp("ns")), [MICROS, None]),
        ("datetime", pa.array([MOMENT], pa.timestamp("us")), [MICROS]),
        ("date", pa.array([MOMENT.date(), None]), ["2026-03-01", None]),
        ("timedelta", pa.array([1500, None], pa.duration("ms")), [1_500_000, None]),
        ("timedelta", pa.array([1.5, None]), [1_500_000, None]),
        ("object", pa.array([{"x": [1, 2]}, None]), ['{"x":[1,2]}', None]),
    ],
)
def test_every_type_is_taken_from_the_types_that_stand_for_it(name, array, wanted):
    empty = {t: pa.nulls(len(array)) for t in TYPES if t != name}
    batch = pa.record_batch({**empty, name: array})
    check_schema(ALL, batch.schema)
    chunk = read_chunk(ALL, batch)
    assert values(chunk, name) == wanted
    assert chunk.rejected == {}


def test_times_with_a_zone_are_taken_where_creation_had_one():
    aware = msgspec.convert(
        {
            **SIGNATURE,
            "columns": [{"name": "t", "type": "datetime", "dtype": "datetime64[us, UTC]"}],
        },
        Signature,
    )
    zoned = pa.array([MOMENT], pa.timestamp("us", "Europe/Berlin"))
    batch = pa.record_batch({"t": zoned})
    check_schema(aware, batch.schema)
    assert values(read_chunk(aware, batch), "t") == [MICROS]
    plain = pa.record_batch({"t": pa.array([MOMENT])})
    assert refused(check_schema, aware, plain.schema).code == "invalid-rows"


@pytest.mark.parametrize(
    ("columns", "field", "got"),
    [
        ({"a": ["1.5"]}, "a", "a column of type string"),
        ({"b": [1.5]}, "b", "a column of type double"),
        ({"kind": [1]}, "kind", "a column of type int64"),
        ({"a": [[1.5]]}, "a", "a column of type list<item: double>"),
    ],
)
def test_a_column_of_another_type_refuses_the_stream(columns, field, got):
    problem = refused(check_schema, TINY, tiny(1, **columns).schema)
    (finding,) = problem.findings
    assert (finding.row, finding.field, finding.got) == (None, field, got)


def test_a_missing_column_refuses_the_stream_with_a_hint():
    batch = pa.record_batch({"aa": [1.0], "kind": ["x"]})
    problem = refused(check_schema, TINY, batch.schema)
    assert [(f.field, f.got) for f in problem.findings] == [
        ("a", "nothing in any row"),
        ("b", "nothing in any row"),
    ]
    assert "'aa'" in problem.findings[0].cure
    twice = pa.RecordBatch.from_arrays([pa.array([1.0])] * 2, ["a", "a"])
    assert refused(check_schema, TINY, twice.schema).code == "bad-request"


def test_a_value_that_does_not_fit_rejects_its_row_only():
    nan = float("nan")
    chunk = read_chunk(TINY, tiny(4, a=[1.0, nan, None, float("inf")], b=[1, 2, 3, None]))
    assert chunk.kept == [0]
    assert values(chunk, "a") == [1.0]
    assert "a: expected a number, got NaN" in chunk.rejected[1]
    assert "got null" in chunk.rejected[2]
    assert "got Infinity" in chunk.rejected[3]


@pytest.mark.parametrize("unknown", ["pass", "reject"])
def test_unknown_levels_warn_or_reject_as_the_signature_says(unknown):
    columns = [dict(column) for column in SIGNATURE["columns"]]
    columns[2]["levels"] = ["fine"]
    signature = msgspec.convert({**SIGNATURE, "columns": columns, "unknown": unknown}, Signature)
    chunk = read_chunk(signature, tiny(3, kind=["fine", "odd", None]))
    said = 'kind: text "odd" was never seen at creation'
    if unknown == "pass":
        assert (chunk.rejected, chunk.warnings) == ({}, [(1, "kind", said)])
    else:
        assert (chunk.rejected, chunk.kept) == ({1: said}, [0, 2])


def frame_of(scores: list, labels: list) -> frames.Frame:
    columns = {"scores": ("float", scores), "labels": ("text", labels)}
    encoded = frames.encode("answers", 1, len(scores), columns)
    return next(iter(frames.Assembler().feed(encoded)))


def answered(**more) -> Answered:
    fields = {
        "n": 2, "columns": {}, "rejected": {}, "failed": {}, "warnings": [], "times": {},
        "batch": 2, "frame": frame_of([1.5, None], ["low", "é"]),
    }  # fmt: skip
    return Answered(**{**fields, **more})


def test_answers_stand_at_their_rows_with_reasons_and_warnings():
    schema = answer_schema(TINY, "tiny@1", "r")
    assert schema.metadata == {b"release": b"tiny@1", b"request_id": b"r"}
    chunk = read_chunk(TINY, tiny(3, a=[1.0, float("nan"), 2.0]))
    result = answered(rejected={1: ("too low", 7)}, warnings=[(0, "kind", "odd")])
    batch = write_chunk(schema, chunk, result)
    batch.validate(full=True)
    rows = batch.to_pylist()
    assert [row["scores"] for row in rows] == [1.5, None, None]
    assert [row["labels"] for row in rows] == ["low", None, "é"]
    assert rows[1]["_rejected"].startswith("a: expected")
    assert rows[2]["_rejected"] == "too low"
    assert [row["_warnings"] for row in rows] == [["odd"], [], []]


def test_a_chunk_that_failed_has_its_reason_in_each_row():
    schema = answer_schema(TINY, "tiny@1", "r")
    rows = write_chunk(schema, read_chunk(TINY, tiny(2)), None, "deadline: too late").to_pylist()
    assert [(row["scores"], row["_error"]) for row in rows] == [(None, "deadline: too late")] * 2
    failed = answered(failed={0: "ValueError"})
    rows = write_chunk(schema, read_chunk(TINY, tiny(2)), failed).to_pylist()
    assert [row["_error"] for row in rows] == ["flow-failed: ValueError", None]
