"""Requests answered together: whatever way their columns came, the rows are all there in order."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from roadworthy.serving.batches import merge
from roadworthy.serving.waiting import Job
from roadworthy_runtime import frames

VALUES = {
    "bool": st.booleans(),
    "int": st.integers(-(1 << 63), (1 << 63) - 1),
    "float": st.floats(allow_nan=False),
    "text": st.sampled_from(["a", "ü", "", "b"]),
}
CODES = [{"a": 0, "ü": 1, "": 2, None: 3}, {None: 0, "": 1, "a": 2}]


@st.composite
def requests(draw):
    """A type, and for each request its values as a list and as they may have come."""
    wire = draw(st.sampled_from(sorted(VALUES)))
    values = VALUES[wire] | st.none() if draw(st.booleans()) else VALUES[wire]
    found = []
    for given_ in draw(st.lists(st.lists(values, max_size=20), min_size=1, max_size=5)):
        codes = draw(st.sampled_from(CODES)) if wire == "text" else None
        forms = [
            lambda each=given_: each,
            lambda each=given_: tuple(each),
            lambda each=given_: frames.pack(wire, each),
            lambda each=given_, by=codes: frames.pack(wire, each, by),
        ]
        found.append((given_, draw(st.sampled_from(forms))()))
    return wire, found


@given(requests())
def test_columns_of_several_requests_are_one_after_the_other(asked):
    wire, parts = asked

    async def merged():
        jobs = [Job({"c": (wire, c)}, len(v), 0, 1e9) for v, c in parts]
        return merge(jobs)["c"]

    type_, column = asyncio.run(merged())
    together = [value for values, _ in parts for value in values]
    for sent in (column, frames.plain(type_, column)):
        data = frames.encode("predict", 1, len(together), {"c": (type_, sent)})
        (frame,) = frames.Assembler().feed(data)
        assert frame.columns["c"].values() == together
