"""Datatypes of the Open Inference Protocol: their ranges and their binary form."""

from __future__ import annotations

import json
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.core.signature import Signature
from roadworthy.serving.answers import Answered
from roadworthy.serving.codec_oip import (
    read_inference,
    read_oip,
    split_body,
    urgency,
    write_oip,
)
from roadworthy.serving.codec_tensors import WHOLE, WIDTHS, misfit, pack, unpack
from roadworthy.serving.problems import Refused

COLUMNS = [
    {"name": "a", "type": "float", "dtype": "float64", "nullable": True},
    {"name": "b", "type": "int", "dtype": "int64"},
    {"name": "c", "type": "bool", "dtype": "bool"},
    {"name": "d", "type": "text", "dtype": "object"},
]
OUTPUTS = [{"name": column["name"], "kind": "list", "columns": [column]} for column in COLUMNS]
ANY = msgspec.convert(
    {"input": "x", "kind": "dataframe", "columns": COLUMNS, "outputs": OUTPUTS}, Signature
)
TEXTS = struct.pack("<I", 2) + "é".encode() + struct.pack("<I", 0)


def refused_code(function, *arguments) -> str:
    with pytest.raises(Refused) as refused:
        function(*arguments)
    return refused.value.code


@pytest.mark.parametrize("datatype", sorted(WHOLE))
def test_whole_numbers_keep_to_their_datatype(datatype):
    low, high = WHOLE[datatype]
    assert misfit(datatype, [low, high, 0, None, "x", True, 2.0]) is None
    assert misfit(datatype, [low, high + 1]) == 1
    assert misfit(datatype, [low - 1]) == 0
    assert misfit(datatype, [0, 1.5]) == 1


def test_real_numbers_keep_to_their_datatype():
    assert misfit("FP16", [65504.0, -65504, None]) is None
    assert misfit("FP16", [1, 65536.0]) == 1
    assert misfit("FP32", [3.4e38]) is None
    assert misfit("FP32", [3.5e38]) == 0
    assert misfit("FP64", [1e308]) is None
    assert misfit("FP32", [float("inf")]) is None, "infinity is a finding of its row"


@pytest.mark.parametrize("datatype", sorted(WIDTHS))
def test_binary_tensors_are_little_endian_in_their_native_size(datatype):
    code, width = WIDTHS[datatype]
    values = [True, False] if datatype == "BOOL" else [1, 2]
    content = struct.pack(f"<2{code}", *values)
    assert len(content) == 2 * width
    assert unpack("a", datatype, content, 2) == values
    assert refused_code(unpack, "a", datatype, content[:-1], 2) == "bad-request"
    assert refused_code(unpack, "a", datatype, content, 3) == "bad-request"


def test_binary_texts_are_preceded_by_their_lengths():
    assert unpack("d", "BYTES", TEXTS, 2) == ["é", ""]
    assert pack("BYTES", ["é", None]) == TEXTS
    assert refused_code(unpack, "d", "BYTES", TEXTS, 3) == "bad-request"
    assert refused_code(unpack, "d", "BYTES", TEXTS[:-1], 2) == "bad-request"
    assert refused_code(unpack, "d", "BYTES", struct.pack("<I", 9) + b"x", 1) == "bad-request"
    assert refused_code(unpack, "d", "BYTES", struct.pack("<I", 1) + b"\xff", 1) == "bad-text"


@given(st.lists(st.floats(allow_nan=False)), st.lists(st.text(st.characters(codec="utf-8"))))
def test_what_is_packed_is_unpacked(numbers, texts):
    assert unpack("a", "FP64", pack("FP64", numbers), len(numbers)) == numbers
    assert unpack("d", "BYTES", pack("BYTES", texts), len(texts)) == texts


def test_nan_is_null_in_binary_floats_both_ways():
    assert unpack("a", "FP32", struct.pack("<f", float("nan")), 1) == [None]
    assert struct.unpack("<d", pack("FP64", [None]))[0] != 0
    assert pack("INT64", [None, 7]) == struct.pack("<2q", 0, 7)
    assert pack("BOOL", [None, True]) == b"\0\1"


def request_with(*tensors) -> tuple[dict, bytes]:
    inputs, binary = [], b""
    for name, datatype, shape, content in tensors:
        parameters = {"binary_data_size": len(content)}
        inputs.append(
            {"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}
        )
        binary += content
    return {"inputs": inputs}, binary


def test_a_request_may_mix_binary_and_json_tensors():
    body, binary = request_with(
        ("a", "FP16", [2], struct.pack("<2e", 1.5, float("nan"))),
        ("b", "UINT8", [2, 1], b"\1\2"),
        ("d", "BYTES", [2], TEXTS),
    )
    body["inputs"].insert(1, {"name": "c", "shape": [2], "datatype": "BOOL", "data": [True, False]})
    content = json.dumps(body).encode()
    text, rest = split_body(content + binary, str(len(content)).encode())
    sent = read_oip(ANY, read_inference(json.loads(text), rest), 10)
    assert sent.columns == {"a": [1.5, None], "b": [1, 2], "c": [True, False], "d": ["é", ""]}


@pytest.mark.parametrize("header", [b"0", b"-1", b"x", b"999", b"9" * 30])
def test_a_length_of_the_json_part_that_can_not_be_is_refused(header):
    assert refused_code(split_body, b"{}", header) == "bad-request"


def test_binary_sizes_must_fit_the_body():
    body, binary = request_with(("a", "FP64", [1], b"\0" * 8))
    assert refused_code(read_inference, body, binary + b"x") == "bad-request"
    assert refused_code(read_inference, body, binary[:-1]) == "bad-request"
    for size in (-1, "8", 1 << 70, True):
        body["inputs"][0]["parameters"]["binary_data_size"] = size
        assert refused_code(read_inference, body, binary) == "bad-request"
    body["inputs"][0]["parameters"] = {}
    assert refused_code(read_inference, body) == "bad-request"
    body, binary = request_with(("a", "FP64", [1 << 40, 1 << 40], b""))
    assert refused_code(read_inference, body, binary) == "bad-request"


def answered() -> Answered:
    columns = {"a": [1.5, None], "b": [1, 2], "c": [True, False], "d": ["é", ""]}
    return Answered(n=2, columns=columns, rejected={}, failed={}, warnings=[], times={}, batch=2)


def test_outputs_are_binary_where_that_is_asked_for():
    wanted = [{"name": "b", "parameters": {"binary_data": True}}, {"name": "d"}]
    request = read_inference({"inputs": [], "outputs": wanted})
    body, length = write_oip(ANY, request, answered(), "m", "1", "r")
    assert length is not None
    outputs = json.loads(body[:length])["outputs"]
    assert [output["name"] for output in outputs] == ["b", "d"]
    assert outputs[0]["parameters"] == {"binary_data_size": 16}
    assert "data" not in outputs[0]
    assert outputs[1]["data"] == ["é", ""]
    assert body[length:] == struct.pack("<2q", 1, 2)


def test_all_outputs_are_binary_where_the_request_says_so_but_for_those_that_say_no():
    wanted = [{"name": name} for name in "abc"]
    wanted.append({"name": "d", "parameters": {"binary_data": False}})
    request = read_inference(
        {"inputs": [], "outputs": wanted, "parameters": {"binary_data_output": True}}
    )
    body, length = write_oip(ANY, request, answered(), "m", "1", "r")
    assert length is not None
    outputs = json.loads(body[:length])["outputs"]
    assert ["data" in output for output in outputs] == [False, False, False, True]
    assert len(body) - length == 16 + 16 + 2


def test_deadline_and_priority_are_taken_from_the_parameters():
    def of(**parameters):
        return urgency(read_inference({"inputs": [], "parameters": parameters}))

    assert of() == (None, 1)
    assert of(timeout=1_500_000, priority=1) == (1.5, 0)
    assert of(priority=9) == (None, 2)
    for bad in ({"timeout": -1}, {"timeout": "1"}, {"priority": -1}, {"priority": True}):
        with pytest.raises(Refused):
            of(**bad)
