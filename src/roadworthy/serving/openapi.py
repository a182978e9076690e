"""The OpenAPI description of one model's service, from its signature and examples."""

from __future__ import annotations

from typing import Any

from roadworthy.core.signature import Column, Signature
from roadworthy.serving.validation import expected

_TYPES: dict[str, dict[str, Any]] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "double"},
    "text": {"type": "string"},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "timedelta": {"type": "number", "description": "seconds"},
    "object": {},
}


def describe_model(model: str, release: str, signature: Signature) -> dict[str, Any]:
    """An OpenAPI 3.1 document for ``/models/{model}/predict`` as this release answers it."""
    record = _object(signature.columns, required=True)
    example = {column.name: column.example for column in signature.columns}
    answer = {
        "type": "object",
        "properties": {
            **{
                output.name: _schema(output.columns[0])
                if len(output.columns) == 1
                else _object(output.columns, required=True)
                for output in signature.outputs
            },
            "rejected": {"$ref": "#/components/schemas/Rejected"},
            "error": {"$ref": "#/components/schemas/RowError"},
        },
    }
    body = {
        "oneOf": [
            {"$ref": "#/components/schemas/Record"},
            {"type": "array", "items": {"$ref": "#/components/schemas/Record"}},
        ]
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": model, "version": release},
        "paths": {
            f"/models/{model}/predict": {
                "post": {
                    "operationId": "predict",
                    "summary": "Answer one record, or a list of records in the same order",
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": body, "example": example}},
                    },
                    "responses": _responses(),
                }
            }
        },
        "components": {
            "schemas": {
                "Record": record,
                "Answer": answer,
                "Answers": _answers(),
                "Rejected": {
                    "type": "object",
                    "required": ["reason"],
                    "properties": {
                        "reason": {"type": "string"},
                        "line": {"type": ["integer", "null"]},
                    },
                },
                "RowError": {
                    "type": "object",
                    "properties": {"code": {"type": "string"}, "reason": {"type": "string"}},
                },
                "Problem": _problem(),
            }
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
                        "column": {"type": "string"},
                        "message": {"type": "string"},
                    },
                },
            },
        },
    }


def _responses() -> dict[str, Any]:
    problem = {
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        }
    }
    said = {
        "400": "The body can't be read",
        "413": "The body or its number of rows is too large",
        "415": "The content type is not supported",
        "422": "The rows do not fit the signature; every finding is listed",
        "429": "Too many requests are waiting",
        "500": "The flow or its worker failed",
        "503": "No worker answers now",
        "504": "The answer did not come in time",
    }
    answers = {"schema": {"$ref": "#/components/schemas/Answers"}}
    found: dict[str, Any] = {
        "200": {"description": "The answers", "content": {"application/json": answers}}
    }
    found.update({status: {"description": text, **problem} for status, text in said.items()})
    return found


def _problem() -> dict[str, Any]:
    texts = ("type", "title", "detail", "code", "request_id", "cure")
    finding = {
        "type": "object",
        "properties": {
            "row": {"type": ["integer", "null"]},
            **{name: {"type": "string"} for name in ("field", "expected", "got", "cure")},
        },
    }
    return {
        "type": "object",
        "properties": {
            **{name: {"type": "string"} for name in texts},
            "status": {"type": "integer"},
            "found": {"type": "integer"},
            "findings": {"type": "array", "items": finding},
        },
    }


def _object(columns: list[Column], required: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "object",
        "properties": {column.name: _schema(column) for column in columns},
    }
    if required:
        found["required"] = [column.name for column in columns]
    return found


def _schema(column: Column) -> dict[str, Any]:
    schema = dict(_TYPES[column.type])
    if column.nullable and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    schema.setdefault("description", expected(column))
    if column.levels:
        shown = ", ".join(str(level) for level in column.levels[:20])
        schema["description"] += f"; at creation: {shown}"
    if column.example is not None:
        schema["examples"] = [column.example]
    return schema
