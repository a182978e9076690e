"""Bad input against a real gateway (rows 12 and 13): a 4xx with the reason, never a stack trace."""

from __future__ import annotations

import gzip
import json
import socket

import pytest

from roadworthy.serving.options import Limits
from roadworthy.testing.flows import SIGNATURE
from roadworthy.testing.hosts import Host

pytestmark = pytest.mark.fault("12 13")

ROW = {"a": 1.5, "b": 2, "kind": "fine"}
LIMITS = Limits(body_bytes=100_000, rows=50, body_seconds=1.0)
LEVELS = {**SIGNATURE, "columns": [dict(column) for column in SIGNATURE["columns"]]}
LEVELS["columns"][2]["levels"] = ["fine", "odd"]


@pytest.fixture(scope="module")
def host():
    with Host(limits=LIMITS) as started:
        passing = started.add_flow(1, signature=LEVELS)
        rejecting = started.add_flow(2, signature={**LEVELS, "unknown": "reject"})
        started.follow(1, passing, rejecting)
        started.applied()
        yield started


@pytest.fixture
def client(host):
    with host.client() as opened:
        yield opened


def send(client, content: bytes, **headers):
    headers = {"content-type": "application/json", **headers}
    return client.post("/models/tiny/predict", content=content, headers=headers)


BODIES = [
    (b"", 400, "bad-json"),
    (b"not json", 400, "bad-json"),
    (b'{"a":1', 400, "bad-json"),
    (b"[" * 50_000, 400, "bad-json"),
    (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, "bad-json"),
    (b'{"a":"\xff\xfe"}', 400, "bad-text"),
    (b'"just text"', 400, "bad-request"),
    (b"[[1,2],[3,4]]", 400, "bad-request"),
    (b'{"a":1e999,"b":1,"kind":null}', 422, "invalid-rows"),
    (b'{"a":' + b"9" * 5000 + b',"b":1,"kind":null}', 422, "invalid-rows"),
    (b'{"a":1,"b":99999999999999999999,"kind":null}', 422, "invalid-rows"),
    (b'{"a":NaN,"b":1,"kind":null}', 422, "invalid-rows"),
    (b'{"a":-Infinity,"b":1,"kind":null}', 422, "invalid-rows"),
    (b'{"a":null,"b":1,"kind":null}', 422, "invalid-rows"),
    (b'{"a":"1.5","b":1,"kind":null}', 422, "invalid-rows"),
    (b'{"a":1,"b":1.5,"kind":null}', 422, "invalid-rows"),
    (b'{"a":1,"b":1,"kind":5}', 422, "invalid-rows"),
    (b'{"a":1,"b":1,"kind":"\\ud800"}', 422, "invalid-rows"),
    (b'{"a":[1],"b":{},"kind":null}', 422, "invalid-rows"),
    (b'{"a":1,"kind":null}', 422, "invalid-rows"),
    (b"{}", 422, "invalid-rows"),
    (json.dumps([ROW] * 51).encode(), 413, "too-many-rows"),
    (b" " * 100_001, 413, "body-too-large"),
]


@pytest.mark.parametrize(("body", "status", "code"), BODIES)
def test_a_bad_body_is_refused_with_its_reason(client, body, status, code):
    answer = send(client, body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["detail"]
    assert "Traceback" not in answer.text
    if code == "invalid-rows":
        assert all(f["expected"] and f["got"] and f["field"] for f in problem["findings"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/json; charset=latin-1"}, 415),
        ({"content-encoding": "br"}, 415),
        ({"content-encoding": "gzip"}, 400),
    ],
)
def test_wrong_types_and_encodings_are_refused(client, headers, status):
    assert send(client, json.dumps(ROW).encode(), **headers).status_code == status


def test_a_compressed_bomb_costs_little(client):
    bomb = gzip.compress(b'{"a":' + b" " * 50_000_000 + b"1}")
    assert len(bomb) < 60_000
    assert send(client, bomb, **{"content-encoding": "gzip"}).status_code == 413


def test_a_chunked_body_is_bounded_too(client):
    def chunks():
        for _ in range(200):
            yield b" " * 1000

    answer = client.post("/models/tiny/predict", content=chunks())
    assert answer.status_code == 413


def test_a_slow_body_is_cut_off(host):
    address = host.status().gateway_address.rpartition(":")
    with socket.create_connection((address[0], int(address[2])), timeout=10) as connection:
        connection.sendall(
            b"POST /models/tiny/predict HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"
        )
        assert b" 408 " in connection.recv(1000).splitlines()[0]


def test_missing_surplus_and_reordered_columns(client):
    body = {"surplus": 1, "kind": None, "b": 2, "a": 1.5}
    assert send(client, json.dumps(body).encode()).json()["answer"]["scores"] == 5.0
    problem = send(client, json.dumps([ROW, {"a": 1, "c": 2, "kind": None}]).encode()).json()
    assert [(f["row"], f["field"], f["got"]) for f in problem["findings"]] == [(1, "b", "nothing")]


def test_an_empty_batch_has_no_answers(client):
    assert send(client, b"[]").json()["answers"] == []
    empty = {"dataframe_split": {"columns": ["a", "b", "kind"], "data": []}}
    assert client.post("/invocations", json=empty).json() == {"predictions": []}


def test_an_unknown_level_warns_or_is_rejected_as_the_release_says(client):
    rows = [ROW, {**ROW, "kind": "never"}, {**ROW, "kind": None}]
    passed = client.post("/models/tiny/versions/1/predict", json=rows).json()
    assert [answer["scores"] for answer in passed["answers"]] == [5.0, 5.0, 5.0]
    assert [(w["row"], w["column"]) for w in passed["warnings"]] == [(1, "kind")]
    refused = client.post("/models/tiny/versions/2/predict", json=rows).json()
    assert [next(iter(answer)) for answer in refused["answers"]] == ["scores", "rejected", "scores"]
    assert "never seen" in refused["answers"][1]["rejected"]["reason"]


def test_the_gateway_is_well_after_all_this(client):
    assert send(client, json.dumps(ROW).encode()).is_success


@pytest.mark.fault("11")
def test_a_full_queue_refuses_at_once_with_retry_after():
    import threading

    with Host(limits=Limits(queue_requests=2)) as host:
        host.follow(1, host.add_flow(1))
        host.applied()
        found = []

        def ask():
            with host.client() as client:
                found.append(client.post("/models/tiny/predict", json={**ROW, "kind": "slow"}))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        codes = sorted({answer.status_code for answer in found})
        assert codes == [200, 429]
        refused = next(answer for answer in found if answer.status_code == 429)
        assert refused.headers["retry-after"] == "1"
        with host.client() as client:
            assert client.post("/models/tiny/predict", json=ROW).is_success
