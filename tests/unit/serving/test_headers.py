"""Ids and traces are taken where they are well formed, and made otherwise."""

from __future__ import annotations

import pytest

from roadworthy.serving.headers import read_headers

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_request_id_is_taken():
    assert read_headers([(b"x-request-id", b"abc-1")]).request_id == "abc-1"


@pytest.mark.parametrize("bad", [b"", b"a b", b"x\r\ny", b"x" * 129, "ä".encode()])
def test_a_malformed_request_id_is_replaced(bad):
    assert len(read_headers([(b"x-request-id", bad)]).request_id) == 24


def test_a_trace_is_passed_on_with_a_span_of_our_own():
    given = TRACE.decode()
    found = read_headers([(b"traceparent", TRACE)]).traceparent
    assert found.split("-")[1] == given.split("-")[1]
    assert found.split("-")[2] != given.split("-")[2]
    assert found.endswith("-01")


@pytest.mark.parametrize(
    "bad", [b"", b"00-0-0-0", TRACE.upper(), TRACE.replace(b"00-0", b"ff-0"), b"00-" + b"0" * 32]
)
def test_a_malformed_trace_is_replaced(bad):
    parts = read_headers([(b"traceparent", bad)]).traceparent.split("-")
    assert [len(part) for part in parts] == [2, 32, 16, 2]
    assert parts[1] not in bad.decode()


def test_token_and_deadline_are_read():
    headers = read_headers([(b"authorization", b"bearer  t"), (b"x-request-timeout", b"1.5")])
    assert (headers.token, headers.seconds) == ("t", 1.5)
    assert read_headers([(b"x-request-timeout", b"-1")]).seconds is None
    assert read_headers([(b"x-request-timeout", b"nan")]).seconds is None
