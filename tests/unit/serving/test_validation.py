"""Rows are checked against the signature: each finding is named, nothing slips through."""

from __future__ import annotations

import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.core.signature import Column, Output, Signature
from roadworthy.serving.codec_plain import read_plain
from roadworthy.serving.problems import Refused
from roadworthy.serving.validation import ABSENT, Sent, check_rows


def signature(*columns: Column, unknown: str = "pass") -> Signature:
    return Signature(
        input="rows",
        kind="dataframe",
        columns=list(columns),
        outputs=[Output(name="scores", kind="array", columns=[col("scores", "float")])],
        unknown=unknown,
    )


def col(name: str, type: str, **more) -> Column:
    more.setdefault("dtype", "float64")
    return Column(name=name, type=type, **more)


def check(column: Column, *values, **more):
    return check_rows(signature(column, **more), Sent(len(values), {column.name: list(values)}))


def findings(column: Column, *values):
    with pytest.raises(Refused) as refused:
        check(column, *values)
    assert refused.value.code == "invalid-rows"
    return [(f.row, f.got) for f in refused.value.findings]


GOOD = [
    ("float", 1.5, 1.5),
    ("float", 3, 3),
    ("int", 3, 3),
    ("int", 3.0, 3),
    ("int", -(1 << 63), -(1 << 63)),
    ("bool", True, True),
    ("text", "Ä\u0000b", "Ä\u0000b"),
    ("datetime", "2013-01-01T05:00:00", 1356_998400_000000 + 5 * 3600_000000),
    ("datetime", "2013-01-01", 1356_998400_000000),
    ("date", "2013-01-01", "2013-01-01"),
    ("timedelta", 1.5, 1_500_000),
    ("object", {"a": [1]}, '{"a":[1]}'),
]
BAD = [
    ("float", "1.5", 'text "1.5"'),
    ("float", True, "true"),
    ("float", float("nan"), "NaN"),
    ("float", float("inf"), "Infinity"),
    ("float", 10**400, "a number of more than 36 digits"),
    ("float", [1], "a list"),
    ("float", {"a": 1}, "an object"),
    ("float", None, "null"),
    ("float", ABSENT, "nothing"),
    ("int", 1.5, "number 1.5"),
    ("int", 1 << 63, "number 9223372036854775808"),
    ("int", "7", 'text "7"'),
    ("int", False, "false"),
    ("bool", 1, "number 1"),
    ("bool", "true", 'text "true"'),
    ("text", 5, "number 5"),
    ("text", "\ud800", 'text "?"'),
    ("text", None, "null"),
    ("datetime", "yesterday", 'text "yesterday"'),
    ("datetime", 5, "number 5"),
    ("datetime", "2013-01-01T05:00:00Z", 'text "2013-01-01T05:00:00Z"'),
    ("date", "2013-13-01", 'text "2013-13-01"'),
    ("timedelta", "1 day", 'text "1 day"'),
]


@pytest.mark.parametrize(("type_", "value", "wire"), GOOD)
def test_what_fits_is_taken(type_, value, wire):
    assert check(col("x", type_), value).columns["x"][1] == [wire]


@pytest.mark.parametrize(("type_", "value", "got"), BAD)
def test_what_does_not_fit_is_named_with_its_row(type_, value, got):
    good = next(value for name, value, _ in GOOD if name == type_)
    assert findings(col("x", type_), good, value) == [(1, got)]


@pytest.mark.parametrize("type_", sorted({name for name, _, _ in GOOD}))
def test_null_is_taken_where_creation_had_nulls(type_):
    good, wire = next((value, wire) for name, value, wire in GOOD if name == type_)
    checked = check(col("x", type_, nullable=True), None, good, None)
    assert checked.columns["x"][1] == [None, wire, None]


def test_times_with_a_zone_need_their_offset():
    column = col("t", "datetime", dtype="datetime64[ns, Europe/Paris]")
    moment = datetime.datetime(2013, 7, 1, 5, tzinfo=datetime.UTC).timestamp()
    assert check(column, "2013-07-01T07:00:00+02:00").columns["t"][1] == [moment * 1e6]
    assert findings(column, "2013-07-01T07:00:00") == [(0, 'text "2013-07-01T07:00:00"')]


def test_every_finding_is_told_up_to_the_limit_and_all_are_counted():
    shape = signature(col("a", "float"), col("b", "int"))
    with pytest.raises(Refused) as refused:
        check_rows(shape, Sent(40, {"a": ["x"] * 40, "b": [0.5] * 40}), most_findings=50)
    assert len(refused.value.findings) == 50
    assert refused.value.found == 80


def test_a_missing_column_names_what_may_be_meant():
    with pytest.raises(Refused) as refused:
        check_rows(signature(col("distance", "float")), Sent(2, {}, surplus=("distanc", "b")))
    (finding,) = refused.value.findings
    assert (finding.row, finding.field) == (None, "distance")
    assert finding.cure == "is 'distanc' meant for it?"


def test_records_may_lack_what_creations_records_lacked():
    shape = signature(col("a", "float", nullable=True), col("b", "int"))
    shape = msgspec.structs.replace(shape, kind="records")
    checked = check_rows(shape, read_plain(shape, [{"b": 1}, {"a": 2.0, "b": 3}], 10))
    assert checked.columns["a"][1] == [None, 2.0]


def test_unknown_levels_warn_or_reject_as_the_signature_says():
    column = col("k", "text", levels=["a", "b"], nullable=True)
    warned = check(column, "a", "z", None)
    assert [(row, name) for row, name, _ in warned.warnings] == [(1, "k")]
    assert not warned.rejected
    rejected = check(column, "a", "z", None, unknown="reject")
    assert list(rejected.rejected) == [1]
    assert 'text "z"' in rejected.rejected[1]


def test_text_of_csv_becomes_the_columns_type():
    shape = signature(
        col("f", "float", nullable=True), col("i", "int"), col("b", "bool"), col("t", "text")
    )
    texts = {"f": ["1.5", ""], "i": ["3", "4"], "b": ["true", "0"], "t": ["", "x"]}
    sent = Sent(2, texts, as_text=True)
    values = {name: values for name, (_, values) in check_rows(shape, sent).columns.items()}
    assert values == {"f": [1.5, None], "i": [3, 4], "b": [True, False], "t": ["", "x"]}
    with pytest.raises(Refused):
        check_rows(shape, Sent(1, {"f": ["x"], "i": ["1"], "b": ["1"], "t": ["x"]}, as_text=True))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(JSON)
def test_any_value_whatever_is_taken_or_refused(body):
    shape = signature(col("a", "float"), col("b", "text", nullable=True))
    try:
        checked = check_rows(shape, read_plain(shape, body, 100))
    except Refused as refused:
        status = refused.status
    else:
        status = 200
        assert all(len(values) == checked.n for _, values in checked.columns.values())
    assert status in (200, 400, 422)


@given(st.lists(st.fixed_dictionaries({"a": JSON, "b": JSON}), max_size=4))
def test_the_fast_way_and_the_slow_way_agree(rows):
    shape = signature(col("a", "int", nullable=True), col("b", "float"))
    fits = all((r["a"] is None or _whole(r["a"])) and _finite(r["b"]) for r in rows)
    try:
        check_rows(shape, read_plain(shape, rows, 100))
    except Refused:
        assert not fits
    else:
        assert fits


def _whole(value) -> bool:
    if type(value) is float:
        return value.is_integer() and -(1 << 63) <= value < 1 << 63
    return type(value) is int and -(1 << 63) <= value < 1 << 63


def _finite(value) -> bool:
    if type(value) not in (int, float):
        return False
    try:
        return float(value) - float(value) == 0
    except OverflowError:
        return False
