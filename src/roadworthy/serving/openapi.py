"""The OpenAPI description of one model's service, from its signature and examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roadworthy.core.signature import Column, Signature
from roadworthy.serving.codec_oip import GIVEN, TAKEN, output_columns
from roadworthy.serving.problems import STATUSES, TITLES
from roadworthy.serving.validation import expected, is_aware

_TYPES: dict[str, dict[str, Any]] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer", "format": "int64", "minimum": -(1 << 63), "maximum": (1 << 63) - 1},
    "float": {"type": "number", "format": "double"},
    "text": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "timedelta": {"type": "number", "minimum": -9e12, "maximum": 9e12},
    "object": {},
}
_LOCAL_TIME = (
    r"^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"
)
_PARAMETERS = ["Priority", "RequestId", "Key", "TraceParent"]
_DEADLINE = (
    "The header x-request-timeout says how many seconds the caller waits; what can't be answered "
    "in time is a 504, without having been computed."
)
_REFUSALS = (
    "bad-request", "not-allowed", "not-found", "too-slow", "body-too-large", "content-type",
    "invalid-rows", "overloaded", "internal", "unavailable", "deadline",
)  # fmt: skip


def describe_model(model: str, release: str, signature: Signature) -> dict[str, Any]:
    """An OpenAPI 3.1 document for all ways of asking a model, as this release answers."""
    example = {column.name: column.example for column in signature.columns}
    return {
        "openapi": "3.1.0",
        "info": {"title": model, "version": release},
        "paths": {
            f"/models/{model}/predict": {"post": _predict(example)},
            f"/models/{model}/invocations": {"post": _invocations(example)},
            f"/v2/models/{model}/infer": {"post": _infer(signature)},
            f"/v2/models/{model}": {"get": _told("metadata", "Inputs and outputs", _METADATA)},
            f"/v2/models/{model}/ready": {"get": _ready()},
        },
        "components": {
            "parameters": _header_parameters(),
            "schemas": {
                "Record": _object(signature.columns, _taken),
                "Answer": _answer(signature),
                "Answers": _answers(),
                "Rejected": _REJECTED,
                "RowError": _texts("code", "reason"),
                "Problem": _problem(),
                "ProtocolError": {**_texts("error"), "required": ["error"]},
                "ScoringError": {
                    **_texts("error_code", "message"), "required": ["error_code", "message"],
                },
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }  # fmt: skip


def _predict(example: dict[str, Any]) -> dict[str, Any]:
    record = {"$ref": "#/components/schemas/Record"}
    body = {"anyOf": [record, {"type": "array", "items": record, "maxItems": 1000}]}
    arrow = {"schema": {"type": "string", "format": "binary"}}
    answers = {"schema": {"$ref": "#/components/schemas/Answers"}}
    return {
        "operationId": "predict",
        "summary": "Answer one record, or a list of records in the same order",
        "description": _DEADLINE,
        "parameters": _parameters(),
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": body, "example": example},
                "application/vnd.apache.arrow.stream": arrow,
            },
        },
        "responses": {
            "200": {
                "description": "The answers, in the form of the request",
                "content": {
                    "application/json": answers,
                    "application/vnd.apache.arrow.stream": arrow,
                },
            },
            **_refusals("application/problem+json", "Problem"),
        },
    }


def _invocations(example: dict[str, Any]) -> dict[str, Any]:
    record = {"$ref": "#/components/schemas/Record"}
    rows = {"type": "array", "items": record, "maxItems": 1000}
    forms = [
        {
            "type": "object",
            "required": [name],
            "properties": {name: rows, "params": {"type": ["object", "null"]}},
        }
        for name in ("dataframe_records", "instances", "inputs")
    ]
    answers = {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array"}, "rejected": {"type": "array"}},
    }
    return {
        "operationId": "invocations",
        "summary": "Answer rows in one of MLflow's scoring formats",
        "description": _DEADLINE,
        "parameters": _parameters(),
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"oneOf": forms},
                    "example": {"dataframe_records": [example]},
                },
                "text/csv": {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "200": _content("The answers", answers),
            **_refusals("application/json", "ScoringError"),
        },
    }


def _infer(signature: Signature) -> dict[str, Any]:
    tensors = [
        {
            "name": column.name,
            "shape": [1],
            "datatype": TAKEN.get(column.type, "BYTES"),
            "data": [column.example],
        }
        for column in signature.columns
    ]
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"enum": [column.name for column in signature.columns]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
            "parameters": {"type": "object"},
        },
    }
    output = {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"enum": [name for name, _ in output_columns(signature)]},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": {"enum": [*sorted(set(GIVEN.values())), "BYTES"]},
            "data": {"type": "array"},
        },
    }
    answer = {
        "type": "object",
        "required": ["model_name", "outputs"],
        "properties": {
            **_texts("model_name", "model_version", "id")["properties"],
            "parameters": {"type": "object"},
            "outputs": {"type": "array", "items": output},
        },
    }
    request = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "inputs": {"type": "array", "items": tensor},
            "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        },
    }
    return {
        "operationId": "infer",
        "summary": "Open Inference Protocol, version 2",
        "description": _DEADLINE,
        "parameters": _parameters(),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": request, "example": {"inputs": tensors}}},
        },
        "responses": {
            "200": _content("The answers", answer),
            **_refusals("application/json", "ProtocolError"),
        },
    }


_METADATA = {
    "type": "object",
    "required": ["name", "versions", "platform", "inputs", "outputs"],
    "properties": {
        "name": {"type": "string"},
        "versions": {"type": "array", "items": {"type": "string"}},
        "platform": {"type": "string"},
        "inputs": {"type": "array"},
        "outputs": {"type": "array"},
    },
}
_REJECTED = {
    "type": "object",
    "required": ["reason"],
    "properties": {"reason": {"type": "string"}, "line": {"type": ["integer", "null"]}},
}


def _told(operation: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "responses": {
            "200": _content(summary, schema),
            **_refusals("application/json", "ProtocolError"),
        },
    }


def _ready() -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["name", "ready"],
        "properties": {"name": {"type": "string"}, "ready": {"type": "boolean"}},
    }
    told = _told("ready", "Whether the model answers", schema)
    told["responses"]["400"] = _content("It does not answer now", {})
    return told


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _parameters() -> list[dict[str, str]]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in _PARAMETERS]


def _header_parameters() -> dict[str, Any]:
    def header(name: str, schema: dict[str, Any], said: str) -> dict[str, Any]:
        return {"name": name, "in": "header", "schema": schema, "description": said}

    text = {"type": "string"}
    return {
        "Priority": header(
            "x-request-priority", {"enum": ["high", "normal", "low"]}, "Who goes first in the queue"
        ),
        "RequestId": header("x-request-id", text, "Repeated in the answer and the log"),
        "Key": header("x-request-key", text, "What labels are joined by later"),
        "TraceParent": header("traceparent", text, "W3C Trace Context"),
    }


def _refusals(type_: str, schema: str) -> dict[str, Any]:
    """What is answered by each status other than 200, and under which codes."""
    said: dict[int, list[str]] = {}
    for code in _REFUSALS:
        status = STATUSES[code]
        if schema != "Problem" and status == 422:
            status = 400
        said.setdefault(status, []).append(TITLES[code])
    content = {type_: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        str(status): {"description": "; ".join(titles), "content": content}
        for status, titles in sorted(said.items())
    }


def _answer(signature: Signature) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            **{
                output.name: _given(output.columns[0])
                if len(output.columns) == 1
                else _object(output.columns, _given)
                for output in signature.outputs
            },
            "rejected": {"$ref": "#/components/schemas/Rejected"},
            "error": {"$ref": "#/components/schemas/RowError"},
        },
    }


def _answers() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["release", "request_id", "warnings"],
        "properties": {
            "release": {"type": "string"},
            "request_id": {"type": "string"},
            "answer": {"$ref": "#/components/schemas/Answer"},
            "answers": {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}},
            "warnings": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "row": {"type": ["integer", "null"]},
                        **_texts("column", "message")["properties"],
                    },
                },
            },
        },
    }


def _problem() -> dict[str, Any]:
    finding = {
        "type": "object",
        "properties": {
            "row": {"type": ["integer", "null"]},
            **_texts("field", "expected", "got", "cure")["properties"],
        },
    }
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            **_texts("type", "title", "detail", "code", "request_id", "cure")["properties"],
            "status": {"type": "integer"},
            "found": {"type": "integer"},
            "findings": {"type": "array", "items": finding},
        },
    }


def _texts(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}}


def _object(columns: list[Column], of: Callable[[Column], dict[str, Any]]) -> dict[str, Any]:
    schemas = {column.name: of(column) for column in columns}
    return {"type": "object", "properties": schemas, "required": list(schemas)}


def _given(column: Column) -> dict[str, Any]:
    """The schema of an output's value; null stands for NaN, and for nothing to say."""
    if column.type == "object":
        return {}
    names = {"bool": "boolean", "int": "integer", "float": "number"}
    return {"type": [names.get(column.type, "string"), "null"]}


def _taken(column: Column) -> dict[str, Any]:
    schema = dict(_TYPES.get(column.type, {}))
    if column.type == "datetime" and is_aware(column):
        schema = {"type": "string", "format": "date-time"}
    elif column.type == "datetime":
        schema = {"type": "string", "pattern": _LOCAL_TIME}
    if column.nullable and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    schema["description"] = expected(column)
    if column.levels:
        shown = ", ".join(str(level) for level in column.levels[:20])
        schema["description"] += f"; at creation: {shown}"
    if column.example is not None:
        schema["examples"] = [column.example]
    return schema
