"""The Open Inference Protocol, version 2, over HTTP with JSON tensors.

Each input is a column by name, of shape [n] or [n, 1], flat or nested; a flow with several
columns of numbers also takes one input of shape [n, columns]. Rows that the flow rejects
are null in the outputs and listed in the response's parameter ``rejected``.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from roadworthy.core.signature import Column, Signature
from roadworthy.serving.answers import Answered, wire_names
from roadworthy.serving.payload import too_many_rows
from roadworthy.serving.problems import Refused
from roadworthy.serving.validation import Sent

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
DATATYPES: dict[str, str] = {"bool": "BOOL", "int": "INT64", "float": "FP64", "timedelta": "FP64"}
_WHOLE = {"UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"}
_REAL = {"FP16", "FP32", "FP64"}


class Tensor(msgspec.Struct):
    """One input as it is sent."""

    name: str
    shape: list[int]
    datatype: Datatype
    data: list[Any]
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


def read_inference(body: Any) -> Inference:
    """The request in a decoded body. Raises Refused where it doesn't have the protocol's form."""
    try:
        return msgspec.convert(body, Inference)
    except msgspec.ValidationError as error:
        raise Refused("bad-request", f"the inference request: {error}") from None


def read_oip(signature: Signature, request: Inference, most_rows: int) -> Sent:
    """The rows of an inference request. Raises Refused."""
    known = {column.name: column for column in signature.columns}
    if len(request.inputs) == 1 and len(known) > 1 and request.inputs[0].name not in known:
        return _matrix(signature, request.inputs[0], most_rows)
    columns: dict[str, list[Any]] = {}
    surplus: list[str] = []
    n: int | None = None
    for tensor in request.inputs:
        if len(tensor.shape) not in (1, 2) or (len(tensor.shape) == 2 and tensor.shape[1] != 1):
            raise _misshapen(tensor, "[n] or [n, 1]")
        rows = tensor.shape[0]
        if n is not None and rows != n:
            raise Refused("bad-request", f"input {tensor.name!r} has {rows} rows, others {n}")
        n = rows
        if rows > most_rows:
            raise too_many_rows(most_rows)
        if tensor.name in columns:
            raise Refused("bad-request", f"input {tensor.name!r} is there twice")
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
    data = tensor.data
    if data and type(data[0]) is list:
        flat: list[Any] = []
        for row in data:
            if type(row) is not list:
                raise _misshapen(tensor, "data that is flat, or nested throughout")
            flat.extend(row)
        data = flat
    if len(data) != size or size < 0:
        raise _misshapen(tensor, f"{size} values for its shape, not {len(data)}")
    return data


def _misshapen(tensor: Tensor, wanted: str) -> Refused:
    return Refused(
        "bad-request", f"input {tensor.name!r} of shape {tensor.shape[:8]} should have {wanted}"
    )


def _check_datatype(column: Column, tensor: Tensor) -> None:
    takes: dict[str, set[str]] = {
        "bool": {"BOOL"},
        "int": _WHOLE | _REAL if column.nullable else _WHOLE,
        "float": _WHOLE | _REAL,
        "timedelta": _WHOLE | _REAL,
        "text": {"BYTES"},
        "datetime": {"BYTES"},
        "date": {"BYTES"},
    }
    allowed = takes.get(column.type)
    if allowed is not None and tensor.datatype not in allowed:
        raise Refused(
            "bad-request",
            f"input {tensor.name!r} has the datatype {tensor.datatype}; "
            f"{column.name!r} takes {', '.join(sorted(allowed))}",
        )


def write_oip(
    signature: Signature, request: Inference, answered: Answered, model: str, version: str,
    request_id: str,
) -> bytes:  # fmt: skip
    """The body of the answer. Raises Refused where a row failed or an output isn't known."""
    if answered.failed:
        row, message = next(iter(answered.failed.items()))
        raise Refused("flow-failed", f"row {row}: {message}")
    outputs = []
    known = {name for name, _ in output_columns(signature)}
    wanted = {output.name for output in request.outputs} or known
    if wanted - known:
        raise Refused("bad-request", f"there is no output {min(wanted - known)[:80]!r}")
    for name, column in output_columns(signature):
        if name not in wanted:
            continue
        outputs.append(
            {
                "name": name,
                "shape": [answered.n],
                "datatype": DATATYPES.get(column.type, "BYTES"),
                "data": answered.columns[name],
            }
        )
    parameters: dict[str, Any] = {"release": f"{model}@{version}"}
    if answered.rejected:
        parameters["rejected"] = [
            {"row": row, "reason": reason, "line": line}
            for row, (reason, line) in sorted(answered.rejected.items())
        ]
    if answered.warnings:
        parameters["warnings"] = [message for _, _, message in answered.warnings]
    return msgspec.json.encode(
        {
            "model_name": model,
            "model_version": version,
            "id": request.id or request_id,
            "parameters": parameters,
            "outputs": outputs,
        }
    )


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
            {"name": c.name, "datatype": DATATYPES.get(c.type, "BYTES"), "shape": [-1]}
            for c in signature.columns
        ],
        "outputs": [
            {"name": name, "datatype": DATATYPES.get(c.type, "BYTES"), "shape": [-1]}
            for name, c in output_columns(signature)
        ],
    }
