"""A sample as it is sent: JSON values of every type, answers by output."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from roadworthy.certification.sample import read_sample, to_json
from roadworthy.certification.service import Answer
from roadworthy.core.signature import Column, Output, Signature
from roadworthy.errors import Damaged


def column(name: str) -> Column:
    return Column(name=name, type="float", dtype="float64")


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (1.5, 1.5),
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
        (True, True),
        (b"a", "a"),
        (datetime.datetime.fromisoformat("2013-01-01T05:00"), "2013-01-01T05:00:00"),
        (pd.Timestamp("2013-01-01 05:00", tz="UTC"), "2013-01-01T05:00:00+00:00"),
        (datetime.date(2013, 1, 1), "2013-01-01"),
        (pd.Timedelta(seconds=90), 90.0),
        ([1.0, float("nan")], [1.0, None]),
        ({"a": (1,)}, {"a": [1]}),
    ],
)
def test_values_are_sent_as_the_gateway_takes_them(value: Any, sent: Any) -> None:
    assert to_json(value) == sent


def test_a_flow_directory_s_sample_is_read(tmp_path: Path) -> None:
    signature = Signature(
        input="rows",
        kind="dataframe",
        columns=[column("a"), column("b")],
        outputs=[
            Output(name="s", kind="array", columns=[column("s")]),
            Output(name="p", kind="dataframe", columns=[column("x"), column("y")]),
        ],
    )
    pd.DataFrame(
        {
            "a": [1.0, None, 3.0],
            "b": ["u", "v", "w"],
            "answer:s": [0.1, 0.2, None],
            "answer:p:x": [1, 2, 3],
            "answer:p:y": [4, 5, 6],
            "rejected": [False, False, True],
        }
    ).to_parquet(tmp_path / "sample.parquet")
    sample = read_sample(tmp_path, signature)
    assert sample.rows == [{"a": 1.0, "b": "u"}, {"a": None, "b": "v"}, {"a": 3.0, "b": "w"}]
    assert sample.answers[1] == Answer(values={"s": 0.2, "p:x": 2, "p:y": 5})
    assert sample.answers[2].rejected
    assert len(read_sample(tmp_path, signature, most=1).rows) == 1


def test_a_sample_that_can_not_be_read_is_damaged(tmp_path: Path) -> None:
    signature = Signature(input="rows", kind="dataframe", columns=[column("a")], outputs=[])
    with pytest.raises(Damaged, match="can't be read"):
        read_sample(tmp_path, signature)
    (tmp_path / "sample.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(Damaged, match="can't be read"):
        read_sample(tmp_path, signature)
    pd.DataFrame({"b": [1.0]}).to_parquet(tmp_path / "sample.parquet")
    with pytest.raises(Damaged, match="has no column 'a'"):
        read_sample(tmp_path, signature)
