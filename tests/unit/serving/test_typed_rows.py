"""Reading with types gives what reading without them gives, or leaves the body to that."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.core.signature import Column, Output, Signature
from roadworthy.serving.codec_plain import read_plain
from roadworthy.serving.payload import decode_json
from roadworthy.serving.problems import Refused
from roadworthy.serving.typed_rows import TypedRows
from roadworthy.serving.validation import PACKED_FROM, Sent, check_rows, codes_of
from roadworthy_runtime import frames

COLUMNS = [
    Column(name="a b", type="float", dtype="float64"),
    Column(name="é", type="int", dtype="int64", nullable=True),
    Column(name="yes", type="bool", dtype="bool"),
    Column(name="kind", type="text", dtype="str", nullable=True, levels=["x", "ü", "z"]),
    Column(name="free", type="text", dtype="str"),
    Column(name="size", type="float", dtype="float64", levels=[1, 2]),
    Column(name="at", type="datetime", dtype="datetime64[ns]"),
    Column(name="any", type="object", dtype="object", nullable=True),
]
GOOD = {
    "a b": 1, "é": 3, "yes": True, "kind": "x", "free": "t", "size": 1,
    "at": "2026-01-02T03:04:05", "any": [1],
}  # fmt: skip
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["x", "ü", "2026-01-02", 1 << 63, -(1 << 63), 10**50, 2.0, [], {}])
)  # fmt: skip


def signature(kind: str = "dataframe", columns: list[Column] = COLUMNS) -> Signature:
    score = Column(name="scores", type="float", dtype="float64")
    outputs = [Output(name="scores", kind="array", columns=[score])]
    return Signature(input="rows", kind=kind, columns=columns, outputs=outputs, unknown="reject")  # type: ignore[arg-type]


def reader(shape: Signature | None = None) -> TypedRows:
    shape = shape or signature()
    return TypedRows(shape, codes_of(shape))


def outcome(shape: Signature, sent: Sent):
    try:
        checked = check_rows(shape, sent)
    except Refused as refused:
        return msgspec.to_builtins(refused.findings), refused.code, refused.detail
    columns = {
        name: (wire, [float(v) if wire == "float" and v is not None else v for v in values])
        for name, (wire, values) in checked.columns.items()
    }
    return sent.single, checked.n, columns, checked.rejected, checked.warnings


@st.composite
def bodies(draw):
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        row = {**GOOD, **draw(st.dictionaries(st.sampled_from([*GOOD, "more"]), VALUES))}
        for name in draw(st.sets(st.sampled_from(sorted(GOOD)), max_size=1)):
            del row[name]
        rows.append(row)
    value = rows[0] if draw(st.booleans()) else rows
    return json.dumps(value, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@given(bodies(), st.sampled_from(["dataframe", "records"]))
def test_what_is_read_with_types_is_what_is_read_without(body, kind):
    shape = signature(kind)
    found = reader(shape).read(body, 100)
    if found is not None:
        assert outcome(shape, found) == outcome(shape, read_plain(shape, decode_json(body), 100))


@given(
    st.lists(
        st.fixed_dictionaries(
            {"kind": st.sampled_from(["x", "ü", "z", None, "new"]), "free": st.text(max_size=3)}
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([1, PACKED_FROM]),
)
def test_what_is_checked_at_once_is_what_is_checked_one_by_one(rows, times):
    """Rows of columns that are read with types all of them; the more there are, the more packed."""
    shape = signature(columns=COLUMNS[:5])
    typed = reader(shape)
    body = json.dumps([{**GOOD, **row} for row in rows] * times).encode()
    sent = typed.read(body, 10_000)
    assert sent is not None
    found, wanted = typed.check(sent), check_rows(shape, sent)
    assert (found is None) == any(row["kind"] == "new" for row in rows)
    if found is not None:
        assert (found.n, found.rejected, found.warnings) == (wanted.n, {}, [])
        assert (times == 1) != all(
            isinstance(values, frames.Packed) for _, values in found.columns.values()
        )
        assert [
            (name, wire, list(values if times == 1 else values.values(wire)))
            for name, (wire, values) in found.columns.items()
        ] == [(name, wire, list(values)) for name, (wire, values) in wanted.columns.items()]


def test_columns_that_are_not_read_with_types_are_not_checked_at_once():
    typed = reader()
    sent = typed.read(json.dumps(GOOD).encode(), 100)
    assert sent is not None
    assert typed.check(sent) is None
    untyped = reader(signature(columns=COLUMNS[:5]))
    assert untyped.check(sent._replace(typed=frozenset())) is None


@pytest.mark.parametrize("many", [False, True])
def test_records_that_fit_are_read_with_types(many):
    row = {**GOOD, "kind": "ü", "more": {"a": [None]}}
    body = json.dumps([row, row] if many else row, ensure_ascii=False).encode()
    found = reader().read(body, 2)
    assert found is not None
    assert (found.n, found.single) == (1 + many, not many)
    assert list(found.columns["kind"]) == ["ü"] * (1 + many)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"[1]", b"[[1]]", b'"x"', b"{", b'{"x": 1e999}', b"[" * 100_000,
        json.dumps(GOOD).replace("1,", "NaN,", 1).encode(),
        json.dumps({**GOOD, "free": "\ud800"}).encode(),
        json.dumps(GOOD).encode()[:-1] + b', "more": "\xff"}',
    ],
)  # fmt: skip
def test_what_does_not_fit_is_left(body):
    assert reader().read(body, 100) is None


def test_too_many_rows_are_refused():
    with pytest.raises(Refused) as refused:
        reader().read(json.dumps([GOOD] * 3).encode(), 2)
    assert refused.value.code == "too-many-rows"


def test_texts_of_few_levels_are_packed_by_their_codes():
    codes = codes_of(signature())
    assert codes == {"kind": {"x": 0, "ü": 1, "z": 2, None: 3}}
    packed = frames.pack("text", ["ü", None, "x"], codes["kind"])
    assert (packed.levels, packed.buffers) == (("x", "ü", "z", None), [b"\1\3\0"])
    assert frames.pack("text", ["ü", "other"], codes["kind"]).levels == ()
    assert frames.plain("text", packed) == packed.values("text") == ["ü", None, "x"]


def test_only_texts_of_few_levels_have_codes():
    many = [Column(name="t", type="text", dtype="str", levels=[str(n) for n in range(256)])]
    assert len(codes_of(signature(columns=many))["t"]) == 256
    assert codes_of(signature(columns=[msgspec.structs.replace(many[0], nullable=True)])) == {}
    assert codes_of(signature(columns=[COLUMNS[4], COLUMNS[5]])) == {}
