"""Arrow batches against the signature: the same rows fit, with the same values, as in JSON."""

from __future__ import annotations

import datetime
import math
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.core.signature import Column, Signature
from roadworthy.errors import InvalidRows
from roadworthy.serving.arrow_rows import check_columns, fit_batch, spread, unpack
from roadworthy.serving.problems import Refused
from roadworthy.serving.validation import Sent, check_rows
from roadworthy_runtime import frames


def signature(*columns: Column, unknown: str = "pass") -> Signature:
    return Signature(
        input="rows", kind="dataframe", columns=list(columns), outputs=[], unknown=unknown
    )


def column(type_: str, **more: Any) -> Column:
    return Column(name="x", type=type_, dtype=more.pop("dtype", type_), **more)


def values_of(fitted: Any, name: str = "x") -> list[Any]:
    """What a worker would read of the packed column."""
    frame = frames.encode("predict", 1, fitted.n, fitted.columns)
    (read,) = frames.Assembler().feed(frame)
    return read.columns[name].values()


VALUES = {
    "float": st.one_of(st.none(), st.floats(), st.integers(-(2**40), 2**40).map(float)),
    "int": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    "bool": st.one_of(st.none(), st.booleans()),
    "text": st.one_of(st.none(), st.text(max_size=8)),
    "datetime": st.one_of(st.none(), st.datetimes().filter(lambda at: at.year > 1900)),
    "date": st.one_of(st.none(), st.dates()),
}


@given(data=st.data(), type_=st.sampled_from(sorted(VALUES)), nullable=st.booleans())
def test_it_takes_what_json_takes_and_gives_the_same_values(data, type_, nullable):
    asked = signature(column(type_, nullable=nullable))
    values = data.draw(st.lists(VALUES[type_], max_size=20))
    offset = data.draw(st.integers(0, 3))
    kind = {"date": pa.date32(), "datetime": pa.timestamp("us"), "float": pa.float64()}
    array = pa.array([*values[:offset], *values], kind.get(type_))
    batch = pa.record_batch([array], ["x"]).slice(min(offset, len(values)))
    fitted = fit_batch(asked, batch)
    expected_values = []
    for row, value in enumerate(values):
        plain = value.isoformat() if hasattr(value, "isoformat") else value
        if isinstance(plain, float) and math.isnan(plain) and nullable:
            plain = None  # a table has no other word for a missing number
        try:
            checked = check_rows(asked, Sent(1, {"x": [plain]}))
        except Refused:
            assert row in fitted.misfits
        else:
            assert row not in fitted.misfits
            expected_values.append(checked.columns["x"][1][0])
    assert values_of(fitted) == expected_values


@pytest.mark.parametrize(
    ("type_", "texts", "wanted", "misfits"),
    [
        ("float", ["1.5", "", "NaN", "x", "inf"], [1.5, None, None], [3, 4]),
        ("int", ["1", "-2", "", "1.5", "a"], [1, -2, None], [3, 4]),
        ("bool", ["true", "0", "", "maybe"], [True, False, None], [3]),
        ("text", ["a", "", "NaN"], ["a", None, "NaN"], []),
    ],
)
def test_text_of_a_csv_is_read_as_the_columns_type(type_, texts, wanted, misfits):
    batch = pa.record_batch([pa.array(texts)], ["x"])
    fitted = fit_batch(signature(column(type_, nullable=True)), batch, as_text=True)
    assert values_of(fitted) == wanted
    assert list(fitted.misfits) == misfits


def test_a_row_that_does_not_fit_says_what_was_expected_and_others_are_kept():
    asked = signature(column("int"), Column(name="y", type="text", dtype="object"))
    batch = pa.record_batch([pa.array([1.0, 2.5, None]), pa.array(["a", "b", "c"])], ["x", "y"])
    fitted = fit_batch(asked, batch)
    assert fitted.n == 1
    assert list(fitted.kept) == [0]
    assert values_of(fitted, "y") == ["a"]
    assert fitted.misfits[1] == "x: expected a whole number of at most 64 bits, got number 2.5"
    assert "got null" in fitted.misfits[2]


def test_a_level_that_was_never_seen_is_turned_away_where_the_signature_says_so():
    batch = pa.record_batch([pa.array(["a", "b", None]).dictionary_encode()], ["x"])
    asked = column("text", nullable=True, levels=["a"])
    assert fit_batch(signature(asked), batch).misfits == {}
    fitted = fit_batch(signature(asked, unknown="reject"), batch)
    assert fitted.misfits == {1: 'x: text "b" was never seen at creation'}


def test_other_forms_of_the_same_type_are_taken():
    large = pa.record_batch([pa.array(["a"], pa.large_string())], ["x"])
    assert values_of(fit_batch(signature(column("text")), large)) == ["a"]
    zoned = pa.array([datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)], pa.timestamp("s", "UTC"))
    asked = signature(column("datetime", dtype="datetime64[ns, UTC]"))
    moment = values_of(fit_batch(asked, pa.record_batch([zoned], ["x"])))
    assert moment == [1767225600 * 10**6]
    naive = signature(column("datetime", dtype="datetime64[ns]"))
    assert list(fit_batch(naive, pa.record_batch([zoned], ["x"])).misfits) == [0]
    objects = pa.record_batch([pa.array([{"a": 1}])], ["x"])
    assert values_of(fit_batch(signature(column("object")), objects)) == ['{"a":1}']


def test_a_missing_column_is_named_with_the_nearest():
    asked = signature(Column(name="distance", type="float", dtype="float64"))
    with pytest.raises(InvalidRows, match="no column 'distance'") as caught:
        check_columns(asked, ["distanc", "b"])
    assert "'distanc'" in caught.value.cure
    records = msgspec.structs.replace(asked, kind="records")
    optional = msgspec.structs.replace(asked.columns[0], nullable=True)
    check_columns(msgspec.structs.replace(records, columns=[optional]), [])


def test_answers_come_back_as_arrow_with_nulls_where_there_is_none():
    sent = {"a": ("float", [1.0, math.nan, 3.0]), "b": ("text", ["x", None, "z"])}
    (frame,) = frames.Assembler().feed(frames.encode("answers", 1, 3, sent))
    assert unpack(frame.columns["a"], [2]).to_pylist()[0::2] == [1.0, None]
    assert unpack(frame.columns["b"], []).to_pylist() == ["x", None, "z"]
    assert spread(pa.array([5, 6]), [0, 2], 3).to_pylist() == [5, None, 6]
