"""Ids and traces are taken where they are well formed, and made otherwise."""

from __future__ import annotations

import pytest

from roadworthy.serving.headers import priority_of, read_headers, seconds_of
from roadworthy.serving.problems import Refused

WORDS = [b"high", b"normal", b"low"]
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_request_id_is_taken():
    assert read_headers([(b"x-request-id", b"abc-1")]).request_id == "abc-1"


@pytest.mark.parametrize("bad", [b"", b"a b", b"x\r\ny", b"x" * 129, "ä".encode()])
def test_a_malformed_request_id_is_replaced(bad):
    assert len(read_headers([(b"x-request-id", bad)]).request_id) == 24


def test_a_trace_is_passed_on_with_a_span_of_our_own():
    given = TRACE.decode()
    headers = read_headers(
        [(b"traceparent", TRACE), (b"tracestate", b"a=1"), (b"tracestate", b"b=2")]
    )
    found = headers.trace
    assert (headers.parent, headers.trace_state) == (given.split("-")[2], b"a=1,b=2")
    assert found.split("-")[1] == given.split("-")[1]
    assert found.split("-")[2] != given.split("-")[2]
    assert found.endswith("-01")


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"00-0-0-0",
        TRACE.upper(),
        TRACE.replace(b"00-0", b"ff-0"),
        b"00-" + b"0" * 32,
        TRACE + b"-more",
        TRACE.replace(b"b7ad6b7169203331", b"0" * 16),
    ],
)
def test_a_malformed_trace_is_replaced(bad):
    headers = read_headers([(b"traceparent", bad), (b"tracestate", b"a=1")])
    parts = headers.trace.split("-")
    assert (headers.parent, headers.trace_state) == ("", b"")
    assert [len(part) for part in parts] == [2, 32, 16, 2]
    assert parts[1] not in bad.decode()


def test_a_trace_that_is_there_twice_is_replaced():
    headers = read_headers([(b"traceparent", TRACE), (b"traceparent", TRACE)])
    assert headers.parent == ""


def test_a_later_version_of_the_context_is_understood():
    later = b"01" + TRACE[2:-2] + b"03-more"
    headers = read_headers([(b"traceparent", later)])
    assert headers.parent == "b7ad6b7169203331"
    assert (headers.trace[:2], headers.trace[-3:]) == ("00", "-01")


def test_the_token_is_read():
    assert read_headers([(b"authorization", b"bearer  t")]).token == "t"
    assert read_headers([(b"authorization", b"basic t")]).token == ""


def test_the_deadline_is_the_callers_within_ours():
    def seconds(text: bytes) -> float:
        return seconds_of(read_headers([(b"x-request-timeout", text)]), 30.0)

    assert (seconds(b"1.5"), seconds(b"99")) == (1.5, 30.0)
    assert seconds_of(read_headers([]), 30.0) == 30.0
    for bad in (b"", b"-1", b"nan", b"0", b"soon", b"1e9"):
        with pytest.raises(Refused) as refused:
            seconds(bad)
        assert refused.value.code == "bad-request"


def test_the_priority_is_one_of_three():
    found = [priority_of(read_headers([(b"x-request-priority", text)])) for text in WORDS]
    assert [*found, priority_of(read_headers([]))] == [0, 1, 2, 1]
    with pytest.raises(Refused):
        priority_of(read_headers([(b"x-request-priority", b"urgent")]))


@pytest.mark.parametrize(("given", "kept"), [(b"order-7", "order-7"), (b"a b", ""), (b"", "")])
def test_a_key_is_taken_if_it_is_well_formed(given, kept):
    assert read_headers([(b"x-request-key", given)]).key == kept
