"""The three protocols: what they take, what they answer, how they refuse."""

from __future__ import annotations

import dataclasses
import json

import msgspec
import pytest

from roadworthy.core.signature import Column, Output, Signature
from roadworthy.serving.answers import Answered, restore_rows
from roadworthy.serving.codec_mlflow import read_mlflow, write_mlflow
from roadworthy.serving.codec_oip import check_wanted, metadata, read_inference, read_oip, write_oip
from roadworthy.serving.codec_plain import read_plain, write_plain
from roadworthy.serving.openapi import describe_model
from roadworthy.serving.payload import decode_csv, decode_json, inflate, media_type
from roadworthy.serving.problems import STATUSES, TITLES, Finding, Refused, render
from roadworthy.serving.targets import parse_path
from roadworthy.serving.validation import ABSENT, Sent
from roadworthy.testing.flows import SIGNATURE

TINY = msgspec.convert(SIGNATURE, Signature)
ONE = msgspec.convert(
    {**SIGNATURE, "kind": "texts", "columns": [SIGNATURE["columns"][2]]}, Signature
)
NUMBERS = msgspec.convert(
    {**SIGNATURE, "kind": "array", "columns": SIGNATURE["columns"][:1] * 1 + [
        {"name": "c", "type": "float", "dtype": "float64"}
    ]},
    Signature,
)  # fmt: skip
ROW = {"a": 1.0, "b": 2, "kind": "x"}


def answered(n: int = 2, **more) -> Answered:
    fields = {
        "n": n,
        "columns": {"scores": [1.0] * n, "labels": ["low"] * n},
        "rejected": {},
        "failed": {},
        "warnings": [],
        "times": {},
        "batch": n,
    }
    return Answered(**{**fields, **more})


def refused_code(function, *arguments) -> str:
    with pytest.raises(Refused) as refused:
        function(*arguments)
    return refused.value.code


def test_plain_takes_one_record_or_a_list_in_any_order_of_columns():
    one = read_plain(TINY, {"kind": "x", "extra": 1, "b": 2, "a": 1.0}, 10)
    assert one == Sent(1, {"a": [1.0], "b": [2], "kind": ["x"]}, single=True)
    assert read_plain(TINY, [ROW, ROW], 10).columns["b"] == [2, 2]
    assert read_plain(TINY, [], 10).n == 0


def test_plain_tells_absent_fields_from_absent_columns():
    sent = read_plain(TINY, [ROW, {"a": 1.0, "knd": 1}], 10)
    assert sent.columns["b"] == [2, ABSENT]
    assert sent.surplus == ("knd",)
    assert "b" not in read_plain(TINY, [{"a": 1.0}], 10).columns


def test_plain_takes_bare_values_where_one_column_is_wanted():
    assert read_plain(ONE, ["x", "y"], 10).columns == {"kind": ["x", "y"]}
    assert read_plain(ONE, "x", 10).single
    assert read_plain(NUMBERS, [[1.0, 2.0], [3.0, 4.0]], 10).columns["c"] == [2.0, 4.0]


@pytest.mark.parametrize("body", [5, "x", None, [1], [ROW, 5], [[1.0]], [ROW, [1]]])
def test_plain_refuses_other_forms(body):
    assert refused_code(read_plain, TINY, body, 10) == "bad-request"


def test_plain_bounds_rows():
    assert refused_code(read_plain, TINY, [ROW] * 11, 10) == "too-many-rows"


def test_plain_answers_each_row_with_its_value_or_its_own_reason():
    result = answered(
        3, rejected={1: ("too low", 7)}, failed={2: "ValueError"}, warnings=[(0, "kind", "odd")]
    )
    status, body = write_plain(TINY, Sent(3, {}), result, "tiny@1", "r")
    assert status == 200
    assert json.loads(body) == {
        "release": "tiny@1",
        "request_id": "r",
        "answers": [
            {"scores": 1.0, "labels": "low"},
            {"rejected": {"reason": "too low", "line": 7}},
            {"error": {"code": "flow-failed", "reason": "ValueError"}},
        ],
        "warnings": [{"row": 0, "column": "kind", "message": "odd"}],
    }


@pytest.mark.parametrize(
    ("type_", "values"),
    [("float", [1.5, None, 1e300, float("nan")]), ("int", [1, None, -3]), ("bool", [True, None])],
)
def test_plain_answers_a_column_of_numbers_as_it_answers_any(type_, values):
    name = 'say "a, b"'
    column = Column(name=name, type=type_, dtype="object")
    output = Output(name=name, kind="series", columns=[column])
    shape = msgspec.structs.replace(TINY, outputs=[output])
    n = len(values)
    for failed in ({}, {0: "x"}):
        result = dataclasses.replace(answered(n, failed=failed), columns={name: values})
        _, body = write_plain(shape, Sent(n, {}), result, "tiny@1", "r")
        wanted = [{name: None if v != v else v} for v in values]
        if failed:
            wanted[0] = {"error": {"code": "flow-failed", "reason": "x"}}
        assert json.loads(body)["answers"] == wanted


def test_plain_answers_one_record_alone_and_fails_where_it_failed():
    _, body = write_plain(TINY, Sent(1, {}, single=True), answered(1), "tiny@1", "r")
    assert json.loads(body)["answer"] == {"scores": 1.0, "labels": "low"}
    status, _ = write_plain(TINY, Sent(1, {}, True), answered(1, failed={0: "x"}), "tiny@1", "r")
    assert status == 500


def test_rows_rejected_early_are_put_back_in_their_places():
    inner = answered(2, rejected={1: ("late", 3)}, warnings=[(0, "a", "w")], failed={})
    whole = restore_rows(inner, 4, {0: "early", 2: "early"})
    assert whole.columns["scores"] == [None, 1.0, None, 1.0]
    assert whole.rejected == {0: ("early", None), 2: ("early", None), 3: ("late", 3)}
    assert whole.warnings == [(1, "a", "w")]


def infer_body(**more):
    inputs = [
        {"name": "a", "shape": [2], "datatype": "FP64", "data": [1, 2.5]},
        {"name": "b", "shape": [2, 1], "datatype": "INT64", "data": [[1], [2]]},
        {"name": "kind", "shape": [2], "datatype": "BYTES", "data": ["x", None]},
    ]
    return {"id": "77", "inputs": inputs, **more}


def test_oip_takes_flat_and_nested_tensors():
    sent = read_oip(TINY, read_inference(infer_body()), 10)
    assert sent == Sent(2, {"a": [1, 2.5], "b": [1, 2], "kind": ["x", None]})
    matrix = {"name": "all", "shape": [2, 2], "datatype": "FP64", "data": [[1, 2], [3, 4]]}
    assert read_oip(NUMBERS, read_inference({"inputs": [matrix]}), 10).columns["c"] == [2, 4]


def test_oip_echoes_the_id_and_names_the_outputs():
    request = read_inference(infer_body(outputs=[{"name": "scores"}]))
    content, json_length = write_oip(TINY, request, answered(), "tiny", "3", "r")
    body = json.loads(content)
    assert json_length is None
    assert body == {
        "model_name": "tiny",
        "model_version": "3",
        "id": "77",
        "parameters": {"release": "tiny@3"},
        "outputs": [{"name": "scores", "shape": [2], "datatype": "FP64", "data": [1.0, 1.0]}],
    }


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3]},
        {"shape": [2, 2]},
        {"shape": []},
        {"shape": [-1]},
        {"datatype": "BYTES"},
        {"datatype": "FP128"},
        {"data": "x"},
        {"data": [[1], 2]},
        {"name": 5},
    ],
)
def test_oip_refuses_tensors_that_do_not_fit(change):
    body = infer_body()
    body["inputs"][0] = {**body["inputs"][0], **change}

    def read():
        read_oip(TINY, read_inference(body), 10)

    assert refused_code(read) == "bad-request"


def test_oip_refuses_what_it_can_not_answer():
    request = read_inference(infer_body(outputs=[{"name": "nothing"}]))
    assert refused_code(check_wanted, TINY, request) == "bad-request"
    request = read_inference(infer_body())
    failed = answered(failed={1: "x"})
    assert refused_code(write_oip, TINY, request, failed, "t", "1", "r") == "flow-failed"
    assert refused_code(read_inference, {"inputs": 5}) == "bad-request"
    assert refused_code(read_oip, TINY, read_inference({"inputs": []}), 10) == "bad-request"


def test_oip_describes_the_model():
    described = metadata(TINY, "tiny", ["1"])
    assert [i["datatype"] for i in described["inputs"]] == ["FP64", "INT64", "BYTES"]
    assert [o["name"] for o in described["outputs"]] == ["scores", "labels"]


MLFLOW = [
    {"dataframe_split": {"columns": ["kind", "b", "a"], "data": [["x", 2, 1.0], ["x", 2, 1.0]]}},
    {"dataframe_records": [ROW, ROW]},
    {"instances": [ROW, ROW]},
    {"instances": [[1.0, 2, "x"], [1.0, 2, "x"]]},
    {"inputs": {"a": [1.0, 1.0], "b": [2, 2], "kind": ["x", "x"], "more": [1]}},
    {"inputs": [ROW, ROW], "params": {"x": 1}},
]


@pytest.mark.parametrize("body", MLFLOW)
def test_mlflow_takes_all_its_forms(body):
    sent = read_mlflow(TINY, "application/json", json.dumps(body).encode(), 10)
    assert sent.n == 2
    assert sent.columns == {"a": [1.0, 1.0], "b": [2, 2], "kind": ["x", "x"]}


@pytest.mark.parametrize("type_", ["text/csv", "application/csv", "text/csv; charset=utf-8"])
def test_mlflow_takes_csv(type_):
    sent = read_mlflow(TINY, type_, b'\xef\xbb\xbfa,z,b,kind\r\n1,9,2,"x,y"\r\n', 10)
    assert sent.as_text
    assert sent.columns == {"a": ["1"], "b": ["2"], "kind": ["x,y"]}
    assert sent.surplus == ("z",)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"instances":[],"inputs":[]}',
        b'{"instances":5}',
        b'{"dataframe_split":{"columns":["a"],"data":[[1,2]]}}',
        b'{"dataframe_split":{"columns":["a","a"],"data":[]}}',
        b'{"dataframe_split":[]}',
        b'{"inputs":{"a":[1],"b":[1,2]}}',
    ],
)
def test_mlflow_refuses_other_forms(body):
    assert refused_code(read_mlflow, TINY, "application/json", body, 10) == "bad-request"


def test_mlflow_answers_predictions():
    assert json.loads(write_mlflow(TINY, answered(1)))["predictions"] == [
        {"scores": 1.0, "labels": "low"}
    ]
    body = json.loads(write_mlflow(TINY, answered(2, rejected={0: ("no", 3)})))
    assert body["predictions"][0] is None
    assert body["rejected"] == [{"row": 0, "reason": "no", "line": 3}]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad-json"),
        (b"{", "bad-json"),
        (b"[" * 100_000, "bad-json"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "bad-json"),
        (b'"\xff"', "bad-text"),
        (b"[1] 2", "bad-json"),
    ],
)
def test_bodies_that_are_no_json_are_refused(body, code):
    assert refused_code(decode_json, body) == code


def test_numbers_that_json_does_not_have_are_kept_for_the_finding():
    assert decode_json(b"[1e999, -Infinity]") == [float("inf"), float("-inf")]
    assert decode_json(b"[" + b"9" * 5000 + b"]") == [float("inf")]


def test_csv_is_bounded_and_strict():
    assert refused_code(decode_csv, b"", "utf-8", 10) == "bad-request"
    assert refused_code(decode_csv, b"a,b\n1\n", "utf-8", 10) == "bad-request"
    assert refused_code(decode_csv, b'a\n"x\n', "utf-8", 10) == "bad-request"
    assert refused_code(decode_csv, b"a\n\xff\n", "utf-8", 10) == "bad-text"
    assert refused_code(decode_csv, b"a\n1\n", "latin-1", 10) == "content-type"
    assert refused_code(decode_csv, b"a\n" + b"1\n" * 11, "utf-8", 10) == "too-many-rows"


def test_compressed_bodies_are_bounded():
    import gzip

    assert inflate(gzip.compress(b"[1]"), "gzip", 100) == b"[1]"
    bomb = gzip.compress(b"0" * 10_000_000)
    assert refused_code(inflate, bomb, "gzip", 1000) == "body-too-large"
    assert refused_code(inflate, b"nonsense", "gzip", 1000) == "bad-request"
    assert refused_code(inflate, gzip.compress(b"[1]")[:-4], "gzip", 1000) == "bad-request"
    assert refused_code(inflate, b"x", "br", 1000) == "content-encoding"


def test_media_types_are_read_with_their_charset():
    assert media_type('text/csv; charset="UTF-8"') == ("text/csv", "utf-8")
    assert media_type("text/csv; charset=utf-99")[1] == ""


def test_each_code_has_a_status_and_a_title_and_each_protocol_its_form():
    assert set(STATUSES) == set(TITLES)
    finding = Finding(row=3, field="a", expected="a number", got="null")
    refused = Refused("invalid-rows", "1 value does not fit", findings=[finding], found=9)
    status, type_, body = render(refused, "plain", "r")
    assert (status, type_) == (422, "application/problem+json")
    problem = json.loads(body)
    assert problem["type"] == "urn:roadworthy:problem:invalid-rows"
    assert problem["findings"][0]["row"] == 3
    status, _, body = render(refused, "oip", "r")
    assert status == 400
    assert "row 3, a: expected a number, got null" in json.loads(body)["error"]
    status, _, body = render(refused, "mlflow", "r")
    assert json.loads(body)["error_code"] == "BAD_REQUEST"
    assert "and 8 more" in json.loads(body)["message"]


def test_paths_are_read():
    assert parse_path("/v2/models/m/versions/3/infer")[2:] == ("m", "3")
    assert parse_path("/models/m/invocations/").verb == "infer"
    assert parse_path("/v2/models/m/ready").verb == "ready"
    assert parse_path("/v2/models/m/versions/2").verb == "metadata"
    assert parse_path("/models//predict") is None
    assert parse_path("/" + "x" * 1000) is None


def test_openapi_describes_records_with_their_example():
    described = describe_model("tiny", "tiny@1", TINY)
    post = described["paths"]["/models/tiny/predict"]["post"]
    example = post["requestBody"]["content"]["application/json"]["example"]
    assert example == {"a": 1.5, "b": 2, "kind": "fine"}
    record = described["components"]["schemas"]["Record"]
    assert record["required"] == ["a", "b", "kind"]
    assert record["properties"]["kind"]["type"] == ["string", "null"]
