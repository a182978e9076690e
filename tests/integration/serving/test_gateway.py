"""A real gateway with real workers, asked in each protocol."""

from __future__ import annotations

import gzip
import json
import re

import msgspec
import pytest

from roadworthy.testing.hosts import Host, wait_until

ROW = {"a": 1.5, "b": 2, "kind": "fine"}


@pytest.fixture(scope="module")
def host():
    with Host() as started:
        started.follow(1, started.add_flow(1), started.add_flow(2, factor=3.0))
        started.applied()
        yield started


@pytest.fixture
def client(host):
    with host.client() as opened:
        yield opened


def test_one_record_is_answered_with_its_release(client):
    answer = client.post(
        "/models/tiny/predict",
        json=ROW,
        headers={
            "x-request-id": "mine",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        },
    )
    assert answer.json() == {
        "release": "tiny@1",
        "request_id": "mine",
        "answer": {"scores": 5.0, "labels": "low"},
        "warnings": [],
    }
    assert answer.headers["x-release"] == "tiny@1"
    assert answer.headers["x-request-id"] == "mine"
    assert answer.headers["traceparent"].split("-")[1] == "0af7651916cd43dd8448eb211c80319c"


def test_a_list_is_answered_in_its_order(client):
    rows = [ROW, {**ROW, "a": -1}, {**ROW, "kind": "odd"}]
    body = client.post("/models/tiny/predict", json=rows).json()
    assert body["answers"] == [
        {"scores": 5.0, "labels": "low"},
        {"rejected": {"reason": "a is below zero", "line": 7}},
        {"scores": 5.0, "labels": "low"},
    ]
    assert body["warnings"] == [{"row": 2, "column": "kind", "message": "odd kind"}]


def test_a_release_that_is_not_routed_answers_under_its_number(client):
    body = client.post("/models/tiny/versions/2/predict", json=ROW).json()
    assert (body["release"], body["answer"]["scores"]) == ("tiny@2", 6.5)


def test_compressed_bodies_are_taken(client):
    content = gzip.compress(json.dumps(ROW).encode())
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    assert client.post("/models/tiny/predict", content=content, headers=headers).is_success


def test_the_open_inference_protocol(client):
    assert client.get("/v2").json()["name"] == "roadworthy"
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/tiny").json()["versions"] == ["1", "2"]
    assert client.get("/v2/models/tiny/versions/2/ready").json()["ready"]
    request = {
        "id": "7",
        "inputs": [
            {"name": "a", "shape": [1], "datatype": "FP64", "data": [1.5]},
            {"name": "b", "shape": [1], "datatype": "INT64", "data": [2]},
            {"name": "kind", "shape": [1], "datatype": "BYTES", "data": ["fine"]},
        ],
    }
    for path, version in (("", "1"), ("/versions/2", "2")):
        body = client.post(f"/v2/models/tiny{path}/infer", json=request).json()
        assert (body["id"], body["model_version"]) == ("7", version)
    bad = client.post("/v2/models/tiny/infer", json={"inputs": 5})
    assert (bad.status_code, list(bad.json())) == (400, ["error"])


def test_mlflows_invocations(client):
    body = client.post("/invocations", json={"dataframe_records": [ROW]}).json()
    assert body == {"predictions": [{"scores": 5.0, "labels": "low"}]}
    headers = {"content-type": "text/csv"}
    content = b"a,b,kind\n1.5,2,fine\n"
    answer = client.post("/models/tiny/invocations", content=content, headers=headers)
    assert answer.json() == body
    headers = {"content-type": "application/xml"}
    assert client.post("/invocations", content=b"<a/>", headers=headers).status_code == 415
    assert client.get("/ping").status_code == 200
    assert client.get("/version").status_code == 200


def test_wrong_places_and_methods(client):
    missing = client.post("/models/tinny/predict", json=ROW)
    assert (missing.status_code, missing.json()["cure"]) == (404, "is 'tiny' meant?")
    assert client.post("/models/tiny/versions/9/predict", json=ROW).status_code == 404
    assert client.post("/models/tiny/predict?stage=staging", json=ROW).status_code == 404
    assert client.get("/models/tiny/predict").status_code == 405
    assert client.get("/nowhere").status_code == 404


def test_openapi_and_models(client):
    assert client.get("/openapi/tiny.json").json()["info"]["version"] == "tiny@1"
    assert client.get("/models").json()["models"][0]["live"]["release"] == "tiny@1"


def test_metrics_count_requests_and_rows(client):
    client.post("/models/tiny/predict", json=[ROW, {**ROW, "a": -1}])
    text = client.get("/metrics").text
    assert 'roadworthy_requests_total{protocol="plain",release="tiny@1",status="200"}' in text
    assert 'roadworthy_rows_total{outcome="rejected",release="tiny@1"}' in text
    assert "roadworthy_table_version" in text


COUNTED = (
    "roadworthy_check_requests_total",
    "roadworthy_requests_total",
    "roadworthy_request_seconds_count",
    "roadworthy_rows_total",
)


def test_what_certification_asks_is_counted_apart(client):
    def counts():
        found = dict.fromkeys(COUNTED, 0.0)
        for line in client.get("/metrics").text.splitlines():
            name, value = line.partition("{")[0], line.rpartition(" ")[2]
            if name in found and 'release="tiny@2"' in line:
                found[name] += float(value)
        return list(found.values())

    before = counts()
    path = "/models/tiny/versions/2/predict"
    for headers in ({"x-roadworthy-check": "1"}, {"x-roadworthy-check": "1"}, {}):
        assert client.post(path, json=ROW, headers=headers).status_code == 200
    assert [b - a for a, b in zip(before, counts(), strict=True)] == [2, 1, 1, 1]


def test_the_prediction_log_tells_what_was_asked_and_answered(host, client):
    rows = [ROW, {**ROW, "a": -4.0}]
    client.post("/models/tiny/predict", json=rows, headers={"x-request-id": "logged"})
    client.post("/models/tiny/predict", json={**ROW, "a": "x"}, headers={"x-request-id": "bad"})

    def entries():
        found = {name: host.logged(release="1", request_id=name) for name in ("logged", "bad")}
        return found if all(found.values()) else None

    found = wait_until(entries, what="the log")
    good, rejected = found["logged"]
    assert (good["row"], good["status"], good["role"]) == (0, 200, "primary")
    assert (good["stage"], good["release"], good["batch"]) == ("production", "tiny@1", 2)
    assert (good["input:a"], good["input:b"], good["input:kind"]) == (1.5, 2, "fine")
    assert (good["output:scores"], good["output:labels"]) == (5.0, "low")
    assert good["total_us"] > good["queue_us"] >= 0
    assert (rejected["rejected"], rejected["line"]) == ("a is below zero", 7)
    assert rejected["output:scores"] is None
    (bad,) = found["bad"]
    assert (bad["status"], bad["input:a"]) == (422, None)


def test_a_gateway_that_logs_is_small_and_has_neither_arrow_nor_pandas(host, client):
    pid = host.status().gateway_pid
    client.post("/models/tiny/predict", json=ROW, headers={"x-request-id": "small"})
    wait_until(lambda: host.logged(request_id="small"), what="a segment")
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        mapped = file.read()
    assert "libarrow" not in mapped
    assert "/pandas/" not in mapped
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        own_kib = int(re.search(r"RssAnon:\s+(\d+) kB", file.read())[1])
    assert own_kib < 32 * 1024


def test_a_token_is_asked_for_where_one_is_set():
    with Host() as host:
        host.stop()
        host.options = msgspec.structs.replace(host.options, token="secret")
        (host.directory / "options.json").write_bytes(msgspec.json.encode(host.options))
        host.start()
        host.follow(1, host.add_flow(1))
        host.applied()
        with host.client() as client:
            refused = client.post("/models/tiny/predict", json=ROW)
            assert (refused.status_code, refused.json()["code"]) == (401, "not-allowed")
            assert client.get("/metrics").status_code == 401
            assert client.get("/health").status_code == 200
            headers = {"authorization": "Bearer secret"}
            assert client.post("/models/tiny/predict", json=ROW, headers=headers).is_success
