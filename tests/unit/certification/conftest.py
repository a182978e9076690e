"""A small signature with one column of each kind that certification varies, and its sample."""

from __future__ import annotations

from typing import Any

import pytest

from roadworthy.certification.certify import CAPTURE_CHECKS, Subject
from roadworthy.certification.declared import Loaded, StateFile
from roadworthy.certification.sample import Sample, sample_of
from roadworthy.core.certificate import Check
from roadworthy.core.signature import Column, Output, Signature
from roadworthy.runtime.pins import make_lock_value
from roadworthy.testing.fake_service import FakeService


def answer(row: dict[str, Any]) -> dict[str, Any]:
    """What the flow under test answers."""
    if row["distance"] < 0:
        raise ValueError("distance is negative")
    if row["distance"] > 1e300:
        raise OverflowError("too far")
    return {"scores": row["distance"] / 1000 + (row["hour"] or 0)}


@pytest.fixture
def signature() -> Signature:
    return Signature(
        input="flights",
        kind="dataframe",
        columns=[
            Column(name="distance", type="float", dtype="float64"),
            Column(name="hour", type="int", dtype="int64", nullable=True),
            Column(name="origin", type="text", dtype="object", levels=["EWR", "JFK"]),
            Column(name="at", type="datetime", dtype="datetime64[ns]"),
        ],
        outputs=[
            Output(
                name="scores",
                kind="array",
                columns=[Column(name="scores", type="float", dtype="float64")],
            )
        ],
    )


@pytest.fixture
def sample(signature: Signature) -> Sample:
    rows = [
        {"distance": 100.0 * at, "hour": at % 24, "origin": "EWR", "at": "2013-01-01T05:00:00"}
        for at in range(40)
    ]
    rows.append({**rows[0], "distance": -1.0, "rejected": True})
    return sample_of(
        [
            {**row, "answer:scores": None if "rejected" in row else answer(row)["scores"]}
            for row in rows
        ],
        signature,
    )


@pytest.fixture
def service(signature: Signature) -> FakeService:
    return FakeService(signature, answer)


@pytest.fixture
def subject(signature: Signature, sample: Sample) -> Subject:
    return Subject(
        release="flight-delay@3",
        signature=signature,
        sample=sample,
        checks=[
            Check(
                id=name, group="capture", title=title, outcome="passed", required="r", measured="m"
            )
            for name, title in CAPTURE_CHECKS.items()
        ],
        lock=make_lock_value("3.11.7", "six==1.16.0\n"),
        loaded=Loaded(python="3.11.7", packages={"six": "1.16.0"}),
        state=[StateFile(name="table", file="table.parquet", format="parquet")],
        start_seconds=0.8,
    )
