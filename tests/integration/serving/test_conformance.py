"""The Open Inference Protocol and MLflow's scoring protocol, as their published pages say.

Sources: the protocol's HTTP/REST specification and its binary tensor data extension; MLflow's
page on the inference server; RFC 9457; RFC 9110; W3C Trace Context.
"""

from __future__ import annotations

import json
import struct
import subprocess

import pytest

from roadworthy.testing.hosts import Host

ROW = {"a": 1.5, "b": 2, "kind": "fine"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TENSORS = [
    {"name": "a", "shape": [2], "datatype": "FP64", "data": [1.5, -1.0]},
    {"name": "b", "shape": [2, 1], "datatype": "INT64", "data": [[2], [3]]},
    {"name": "kind", "shape": [2], "datatype": "BYTES", "data": ["fine", "fine"]},
]


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def bound_port():
    return free_port()


@pytest.fixture(scope="module")
def host(bound_port):
    with Host(bound={bound_port: "tiny"}) as started:
        started.follow(1, started.add_flow(1), started.add_flow(2, factor=3.0))
        started.applied()
        yield started


@pytest.fixture
def client(host):
    with host.client() as opened:
        yield opened


# Open Inference Protocol: health and metadata


@pytest.mark.parametrize(
    "path",
    [
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/tiny/ready",
        "/v2/models/tiny/versions/2/ready",
    ],
)
def test_health_is_a_status_code(client, path):
    assert client.get(path).status_code == 200


def test_a_model_that_is_not_there_is_a_4xx_with_the_error_form(client):
    for answer in (
        client.get("/v2/models/none/ready"),
        client.get("/v2/models/none"),
        client.get("/v2/models/tiny/versions/9"),
        client.post("/v2/models/none/infer", json={"inputs": TENSORS}),
        client.get("/v2/nowhere"),
    ):
        assert answer.status_code == 404
        assert list(answer.json()) == ["error"]
        assert isinstance(answer.json()["error"], str)


def test_server_metadata(client):
    body = client.get("/v2").json()
    assert set(body) == {"name", "version", "extensions"}
    assert "binary_tensor_data" in body["extensions"]


def test_model_metadata(client):
    body = client.get("/v2/models/tiny").json()
    assert (body["name"], body["versions"]) == ("tiny", ["1", "2"])
    assert isinstance(body["platform"], str)
    for tensor in (*body["inputs"], *body["outputs"]):
        assert set(tensor) == {"name", "datatype", "shape"}
    assert [t["name"] for t in body["inputs"]] == ["a", "b", "kind"]


# Open Inference Protocol: inference


def test_inference_answers_the_protocols_response(client):
    request = {"id": "42", "inputs": TENSORS}
    body = client.post("/v2/models/tiny/versions/1/infer", json=request).json()
    assert (body["model_name"], body["model_version"], body["id"]) == ("tiny", "1", "42")
    scores, labels = body["outputs"]
    assert (scores["name"], scores["datatype"], scores["shape"]) == ("scores", "FP64", [2])
    assert scores["data"] == [5.0, None]
    assert labels["datatype"] == "BYTES"
    assert body["parameters"]["rejected"][0]["row"] == 1


def test_an_id_is_made_where_none_is_given(client):
    answer = client.post("/v2/models/tiny/infer", json={"inputs": TENSORS})
    assert answer.json()["id"] == answer.headers["x-request-id"]


def test_only_the_outputs_that_are_asked_for_are_given(client):
    request = {"inputs": TENSORS, "outputs": [{"name": "labels"}]}
    body = client.post("/v2/models/tiny/infer", json=request).json()
    assert [output["name"] for output in body["outputs"]] == ["labels"]
    request["outputs"] = [{"name": "nothing"}]
    refused = client.post("/v2/models/tiny/infer", json=request)
    assert (refused.status_code, list(refused.json())) == (400, ["error"])


@pytest.mark.parametrize(
    ("datatype", "code"),
    [
        ("UINT8", "B"), ("UINT16", "H"), ("UINT32", "I"), ("UINT64", "Q"),
        ("INT8", "b"), ("INT16", "h"), ("INT32", "i"), ("INT64", "q"),
        ("FP16", "e"), ("FP32", "f"), ("FP64", "d"),
    ],
)  # fmt: skip
def test_every_datatype_of_numbers_is_taken_as_json_and_as_binary(client, datatype, code):
    first = {"name": "a", "shape": [2], "datatype": datatype}
    body = {"inputs": [{**first, "data": [1, 2]}, *TENSORS[1:]]}
    plain = client.post("/v2/models/tiny/infer", json=body).json()
    assert plain["outputs"][0]["data"] == [4.0, 7.0]
    content = struct.pack(f"<2{code}", 1, 2)
    body["inputs"][0] = {**first, "parameters": {"binary_data_size": len(content)}}
    text = json.dumps(body).encode()
    headers = {"inference-header-content-length": str(len(text))}
    binary = client.post("/v2/models/tiny/infer", content=text + content, headers=headers)
    assert binary.json()["outputs"][0]["data"] == [4.0, 7.0]


def test_binary_answers_follow_the_json_part_which_a_header_measures(client):
    body = {"inputs": TENSORS, "parameters": {"binary_data_output": True}}
    answer = client.post("/v2/models/tiny/infer", json=body)
    length = int(answer.headers["inference-header-content-length"])
    assert answer.headers["content-type"] == "application/octet-stream"
    described = json.loads(answer.content[:length])
    sizes = [output["parameters"]["binary_data_size"] for output in described["outputs"]]
    rest = answer.content[length:]
    assert sum(sizes) == len(rest)
    assert struct.unpack_from("<d", rest)[0] == 5.0
    assert rest[sizes[0] :] == struct.pack("<I", 3) + b"low" + struct.pack("<I", 0)


@pytest.mark.parametrize(
    "change",
    [
        {"datatype": "UINT8", "data": [256, 0]},
        {"datatype": "INT8", "data": [-129, 0]},
        {"datatype": "FP16", "data": [70000, 0]},
        {"datatype": "INT32", "data": [1.5, 0]},
        {"datatype": "BF17"},
        {"shape": [3]},
        {"data": [1.0]},
    ],
)
def test_tensors_that_contradict_themselves_are_refused(client, change):
    body = {"inputs": [{**TENSORS[0], **change}, *TENSORS[1:]]}
    refused = client.post("/v2/models/tiny/infer", json=body)
    assert (refused.status_code, list(refused.json())) == (400, ["error"])


def test_the_requests_own_timeout_is_its_deadline(client):
    tensors = [*TENSORS[:2], {**TENSORS[2], "data": ["slow", "slow"]}]
    body = {"inputs": tensors, "parameters": {"timeout": 50_000}}
    late = client.post("/v2/models/tiny/infer", json=body)
    assert (late.status_code, list(late.json())) == (504, ["error"])


# MLflow's scoring protocol


@pytest.mark.parametrize(
    "body",
    [
        {
            "dataframe_split": {
                "columns": ["a", "b", "kind"],
                "index": [0],
                "data": [[1.5, 2, "fine"]],
            }
        },
        {"dataframe_records": [ROW]},
        {"instances": [ROW]},
        {"inputs": {"a": [1.5], "b": [2], "kind": ["fine"]}},
        {"inputs": [ROW], "params": {"temperature": 1}},
    ],
)
def test_every_form_of_json_is_answered_with_predictions(client, body):
    answer = client.post("/models/tiny/invocations", json=body)
    assert answer.json() == {"predictions": [{"scores": 5.0, "labels": "low"}]}


@pytest.mark.parametrize(
    ("type_", "status"),
    [
        ("text/csv", 200), ("application/csv", 200), ("text/csv; charset=utf-8", 200),
        ("text/plain", 415), ("application/x-parquet", 415), ("text/csv; charset=latin-1", 415),
    ],
)  # fmt: skip
def test_csv_is_taken_and_other_types_are_a_415(client, type_, status):
    answer = client.post(
        "/models/tiny/invocations",
        content=b"a,b,kind\n1.5,2,fine\n",
        headers={"content-type": type_},
    )
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["predictions"][0]["scores"] == 5.0
    else:
        assert set(answer.json()) == {"error_code", "message"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": [ROW], "instances": [ROW]},
        {"inputs": [ROW], "params": [1]},
        {"inputs": [], "params": False},
        [1],
    ],
)
def test_other_forms_are_mlflows_bad_request(client, body):
    refused = client.post("/models/tiny/invocations", json=body)
    assert (refused.status_code, refused.json()["error_code"]) == (400, "BAD_REQUEST")


def test_a_port_bound_to_a_model_has_the_plain_paths_even_with_several_models(host, bound_port):
    import httpx

    address = f"http://127.0.0.1:{bound_port}"
    with httpx.Client(base_url=address, trust_env=False) as client:
        answer = client.post("/invocations", json={"dataframe_records": [ROW]})
        assert answer.json()["predictions"][0]["scores"] == 5.0
        assert client.get("/ping").status_code == 200
        assert client.get("/health").status_code == 200
        assert client.get("/version").text == client.get("/v2").json()["version"]
        assert client.get("/v2/health/ready").json() == {"name": "tiny", "ready": True}


# Across protocols: RFC 9457, RFC 9110, W3C Trace Context


def test_problem_details_have_their_members_and_type(client):
    refused = client.post("/models/tiny/predict", json={**ROW, "a": "x"})
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert problem["type"].startswith("urn:roadworthy:problem:")
    assert problem["status"] == refused.status_code == 422
    assert all(isinstance(problem[key], str) for key in ("title", "detail", "code"))
    assert problem["request_id"] == refused.headers["x-request-id"]


def test_a_method_that_is_not_allowed_names_those_that_are(client):
    refused = client.get("/models/tiny/predict")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert client.post("/v2/health/live").headers["allow"] == "GET, HEAD"
    assert client.head("/v2/health/live").content == b""


def test_the_trace_is_taken_and_passed_on(client):
    headers = {"traceparent": TRACE, "tracestate": "vendor=1,other=2"}
    answer = client.post("/models/tiny/predict", json=ROW, headers=headers)
    version, trace, span, flags = answer.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE.split("-")[1], "01")
    assert span != TRACE.split("-")[2]
    assert answer.headers["tracestate"] == "vendor=1,other=2"
    begun = client.post("/models/tiny/predict", json=ROW).headers
    assert begun["traceparent"].endswith("-00")
    assert "tracestate" not in begun


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_long_answers_are_compressed_for_who_takes_that(client, encoding):
    rows = [ROW] * 2000
    plain = client.post("/models/tiny/predict", json=rows, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = client.post("/models/tiny/predict", json=rows, headers={"accept-encoding": encoding})
    assert packed.headers["content-encoding"] == encoding
    assert packed.headers["vary"] == "accept-encoding"
    assert int(packed.headers["content-length"]) < len(plain.content) / 10
    assert packed.json()["answers"] == plain.json()["answers"]
    short = client.post("/models/tiny/predict", json=ROW, headers={"accept-encoding": encoding})
    assert "content-encoding" not in short.headers


def test_a_deadline_by_header_is_kept_and_a_wrong_one_is_refused(client):
    slow = {**ROW, "kind": "slow"}
    late = client.post("/models/tiny/predict", json=slow, headers={"x-request-timeout": "0.05"})
    assert (late.status_code, late.json()["code"]) == (504, "deadline")
    wrong = client.post("/models/tiny/predict", json=ROW, headers={"x-request-timeout": "1 h"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad-request")
    wrong = client.post("/models/tiny/predict", json=ROW, headers={"x-request-priority": "now"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad-request")


# curl


def curl(host, *arguments: str, input: bytes = b"") -> bytes:
    address = host.status().gateway_address
    command = ["curl", "-sS", "--noproxy", "*", "--fail-with-body", *arguments]
    command[-1] = f"http://{address}{command[-1]}"
    return subprocess.run(command, input=input, capture_output=True, timeout=30, check=True).stdout


def test_curl_is_answered_also_when_it_waits_for_a_100_and_when_it_sends_chunks(host):
    rows = json.dumps([ROW] * 3000).encode()
    json_type = ["-H", "content-type: application/json", "--data-binary", "@-"]
    for more in (
        ["-H", "expect: 100-continue"],
        ["-H", "transfer-encoding: chunked"],
        ["--compressed"],
    ):
        body = json.loads(curl(host, *more, *json_type, "/models/tiny/predict", input=rows))
        assert len(body["answers"]) == 3000
    csv = ["-H", "content-type: text/csv", "--data-binary", "@-", "/models/tiny/invocations"]
    told = curl(host, *csv, input=b"a,b,kind\n1.5,2,fine\n")
    assert json.loads(told)["predictions"][0]["labels"] == "low"


def test_stages_are_measured_and_logged(host, client):
    client.post("/models/tiny/predict", json=ROW)
    text = client.get("/metrics").text
    for stage in ("decode", "validate", "queue", "batch", "worker", "encode"):
        assert f'roadworthy_stage_seconds_count{{release="tiny@1",stage="{stage}"}}' in text
    client.post("/models/tiny/predict", json={})
    assert (
        'roadworthy_refused_total{code="invalid-rows",release="tiny@1"}'
        in client.get("/metrics").text
    )
