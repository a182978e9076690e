"""The Open Inference Protocol, version 2, over HTTP: JSON tensors, and binary ones behind them.

Each input is a column by name, of shape [n] or [n, 1], flat or nested; a flow with several
columns of numbers also takes one input of shape [n, columns]. Rows that the flow rejects
are null in the outputs and listed in the response's parameter ``rejected``. The parameters
``timeout`` (microseconds) and ``priority`` (1 is the highest) are followed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from roadworthy.core.signature import Column, Signature
from roadworthy.serving.answers import Answered, wire_names
from roadworthy.serving.codec_tensors import LARGEST, WHOLE, Datatype, misfit, pack, unpack
from roadworthy.serving.payload import too_many_rows
from roadworthy.serving.problems import Refused
from roadworthy.serving.validation import Sent, abbreviate
from roadworthy.serving.waiting import HIGH, LOW, NORMAL, Priority

EXTENSIONS = ["binary_tensor_data"]
BINARY_TYPE = "application/octet-stream"
TAKEN: dict[str, Datatype] = {
    "bool": "BOOL", "int": "INT64", "float": "FP64", "timedelta": "FP64",
}  # fmt: skip
GIVEN: dict[str, Datatype] = {"bool": "BOOL", "int": "INT64", "float": "FP64"}
LONGEST_MICROS = 86_400 * 1_000_000


class Tensor(msgspec.Struct):
    """One input as it is sent; without ``data`` it comes in its binary form."""

    name: str
    shape: list[int]
    datatype: Datatype
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class Wanted(msgspec.Struct):
    """One output that is asked for."""

    name: str
    parameters: dict[str, Any] = {}


class Inference(msgspec.Struct):
    """An inference request."""

    inputs: list[Tensor]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[Wanted] = []


def split_body(body: bytes, json_length: bytes) -> tuple[bytes, bytes]:
    """The JSON part of a body, as long as the header says, and the binary part. Raises Refused."""
    if not json_length:
        return body, b""
    if not json_length.isdigit() or not 0 < int(json_length[:18]) <= len(body):
        raise Refused(
            "bad-request",
            "inference-header-content-length is not the length of the body's JSON part",
        )
    return body[: int(json_length)], body[int(json_length) :]


def read_inference(body: Any, binary: bytes = b"") -> Inference:
    """The request in a decoded body, its binary tensors unpacked. Raises Refused."""
    try:
        request = msgspec.convert(body, Inference)
    except msgspec.ValidationError as error:
        raise Refused("bad-request", f"the inference request: {error}") from None
    at = 0
    for tensor in request.inputs:
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            if tensor.data is None:
                raise Refused("bad-request", f"input {tensor.name[:80]!r} has no data")
            continue
        if type(size) is not int or size < 0 or at + size > len(binary) or tensor.data is not None:
            raise Refused(
                "bad-request",
                f"input {tensor.name[:80]!r} has a binary_data_size that does not fit the body",
            )
        tensor.data = unpack(tensor.name, tensor.datatype, binary[at : at + size], _count(tensor))
        at += size
    if at != len(binary):
        raise Refused("bad-request", f"{len(binary) - at} bytes follow the last binary tensor")
    return request


def urgency(request: Inference) -> tuple[float | None, Priority]:
    """The seconds that its parameters allow (None: unsaid), its priority. Raises Refused."""
    micros = request.parameters.get("timeout", 0)
    rank = request.parameters.get("priority", 0)
    if type(micros) is not int or not 0 <= micros <= LONGEST_MICROS:
        raise Refused("bad-request", "the parameter 'timeout' should be microseconds")
    if type(rank) is not int or rank < 0:
        raise Refused("bad-request", "the parameter 'priority' should be a whole number")
    priority = {0: NORMAL, 1: HIGH, 2: NORMAL}.get(rank, LOW)
    return (micros / 1e6 if micros else None), priority


def read_oip(signature: Signature, request: Inference, most_rows: int) -> Sent:
    """The rows of an inference request. Raises Refused."""
    known = {column.name: column for column in signature.columns}
    if len(request.inputs) == 1 and len(known) > 1 and request.inputs[0].name not in known:
        return _matrix(signature, request.inputs[0], most_rows)
    columns: dict[str, list[Any]] = {}
    surplus: list[str] = []
    n: int | None = None
    for tensor in request.inputs:
        if not tensor.shape or tensor.shape[1:] != [1] * len(tensor.shape[1:]):
            raise _misshapen(tensor, "[n] or [n, 1]")
        rows = tensor.shape[0]
        if n is not None and rows != n:
            raise Refused("bad-request", f"input {tensor.name[:80]!r} has {rows} rows, others {n}")
        n = rows
        if rows > most_rows:
            raise too_many_rows(most_rows)
        if tensor.name in columns:
            raise Refused("bad-request", f"input {tensor.name[:80]!r} is there twice")
        if tensor.name not in known:
            surplus.append(tensor.name)
            continue
        _check_datatype(known[tensor.name], tensor)
        columns[tensor.name] = _flat(tensor, rows)
    if n is None:
        raise Refused("bad-request", "the inference request has no inputs")
    return Sent(n, columns, surplus=tuple(surplus))


def _matrix(signature: Signature, tensor: Tensor, most_rows: int) -> Sent:
    wide = len(signature.columns)
    if len(tensor.shape) != 2 or tensor.shape[1] != wide:
        raise _misshapen(tensor, f"[n, {wide}]: the columns in the signature's order")
    if tensor.shape[0] > most_rows:
        raise too_many_rows(most_rows)
    for column in signature.columns:
        _check_datatype(column, tensor)
    flat = _flat(tensor, tensor.shape[0] * wide)
    return Sent(
        tensor.shape[0],
        {column.name: flat[at::wide] for at, column in enumerate(signature.columns)},
    )


def _flat(tensor: Tensor, size: int) -> list[Any]:
    """The values row by row. Raises Refused where they don't fit shape and datatype."""
    data = tensor.data or []
    for _ in tensor.shape[1:] or [1]:
        if not data or type(data[0]) is not list:
            break
        flat: list[Any] = []
        for row in data:
            if type(row) is not list:
                raise _misshapen(tensor, "data that is flat, or nested throughout")
            flat.extend(row)
        data = flat
    if len(data) != size or size < 0:
        raise _misshapen(tensor, f"{size} values for its shape, not {len(data)}")
    at = misfit(tensor.datatype, data)
    if at is not None:
        raise Refused(
            "bad-request",
            f"input {tensor.name[:80]!r}: {abbreviate(data[at])} (value {at}) "
            f"does not fit the datatype {tensor.datatype}",
        )
    return data


def _count(tensor: Tensor) -> int:
    count = 1
    for extent in tensor.shape:
        count *= extent
        if not 0 <= count <= 1 << 40:
            raise _misshapen(tensor, "extents that can be")
    return count


def _misshapen(tensor: Tensor, wanted: str) -> Refused:
    return Refused(
        "bad-request",
        f"input {tensor.name[:80]!r} of shape {tensor.shape[:8]} should have {wanted}",
    )


def _check_datatype(column: Column, tensor: Tensor) -> None:
    whole, real = set(WHOLE), set(LARGEST)
    takes: dict[str, set[str]] = {
        "bool": {"BOOL"},
        "int": whole | real if column.nullable else whole,
        "float": whole | real,
        "timedelta": whole | real,
        "text": {"BYTES"},
        "datetime": {"BYTES"},
        "date": {"BYTES"},
    }
    allowed = takes.get(column.type)
    if allowed is not None and tensor.datatype not in allowed:
        raise Refused(
            "bad-request",
            f"input {tensor.name[:80]!r} has the datatype {tensor.datatype}; "
            f"{column.name!r} takes {', '.join(sorted(allowed))}",
        )


def check_wanted(signature: Signature, request: Inference) -> None:
    """Raise Refused where an output is asked for that there isn't."""
    known = {name for name, _ in output_columns(signature)}
    for wanted in request.outputs:
        if wanted.name not in known:
            raise Refused(
                "bad-request",
                f"there is no output {wanted.name[:80]!r}",
                cure=f"there are: {', '.join(sorted(known))}",
            )


def write_oip(
    signature: Signature, request: Inference, answered: Answered, model: str, version: str,
    request_id: str,
) -> tuple[bytes, int | None]:  # fmt: skip
    """The body of the answer, and how long its JSON part is where binary tensors follow.

    Raises Refused where a row failed.
    """
    if answered.failed:
        row, message = next(iter(answered.failed.items()))
        raise Refused("flow-failed", f"row {row}: {message}")
    wanted = {output.name: output.parameters for output in request.outputs}
    all_binary = request.parameters.get("binary_data_output") is True
    outputs, binary = [], []
    for name, column in output_columns(signature):
        if wanted and name not in wanted:
            continue
        output: dict[str, Any] = {
            "name": name,
            "shape": [answered.n],
            "datatype": GIVEN.get(column.type, "BYTES"),
        }
        values = answered.columns[name]
        if wanted.get(name, {}).get("binary_data", all_binary) is True:
            packed = pack(output["datatype"], values)
            output["parameters"] = {"binary_data_size": len(packed)}
            binary.append(packed)
        else:
            output["data"] = values
        outputs.append(output)
    body = msgspec.json.encode(
        {
            "model_name": model,
            "model_version": version,
            "id": request.id or request_id,
            "parameters": _parameters(answered, f"{model}@{version}"),
            "outputs": outputs,
        }
    )
    return (b"".join([body, *binary]), len(body)) if binary else (body, None)


def _parameters(answered: Answered, release: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {"release": release}
    if answered.rejected:
        parameters["rejected"] = [
            {"row": row, "reason": reason, "line": line}
            for row, (reason, line) in sorted(answered.rejected.items())
        ]
    if answered.warnings:
        parameters["warnings"] = [message for _, _, message in answered.warnings]
    return parameters


def output_columns(signature: Signature) -> list[tuple[str, Column]]:
    """The outputs' columns by their names in this protocol."""
    return [
        (wire, column)
        for output in signature.outputs
        for column, (_, wire) in zip(output.columns, wire_names(output), strict=True)
    ]


def metadata(signature: Signature, model: str, versions: list[str]) -> dict[str, Any]:
    """What the protocol says of a model: its inputs and outputs with datatypes and shapes."""
    return {
        "name": model,
        "versions": versions,
        "platform": "roadworthy-flow",
        "inputs": [
            {"name": c.name, "datatype": TAKEN.get(c.type, "BYTES"), "shape": [-1]}
            for c in signature.columns
        ],
        "outputs": [
            {"name": name, "datatype": GIVEN.get(c.type, "BYTES"), "shape": [-1]}
            for name, c in output_columns(signature)
        ],
    }
