"""Errors over HTTP: one table maps error codes to statuses; bodies are RFC 9457 problems."""

from __future__ import annotations

from typing import Any

import msgspec

from roadworthy.errors import RoadworthyError

STATUS_BY_CODE: dict[str, int] = {
    "error": 500,
    "usage": 400,
    "settings": 400,
    "invalid-name": 400,
    "not-found": 404,
    "conflict": 409,
    "signature-conflict": 409,
    "policy": 403,
    "program-failed": 422,
    "capture": 422,
    "law-broken": 422,
    "verification": 422,
    "environment": 424,
    "invalid-rows": 422,
    "schema-broken": 422,
    "worker-failed": 502,
    "unavailable": 503,
    "storage": 500,
    "damaged": 500,
    "erased": 410,
    "newer-format": 500,
    "not-allowed": 403,
}
"""The HTTP status of each error code; a test checks that no code is missing."""

MEDIA_TYPE = "application/problem+json"


def status_of(error: RoadworthyError) -> int:
    """The HTTP status that an error is answered with."""
    return STATUS_BY_CODE.get(error.code, 500)


def problem_of(error: RoadworthyError) -> dict[str, Any]:
    """The error as RFC 9457 problem details, with Roadworthy's own members beside them."""
    status = status_of(error)
    return {
        "type": f"urn:roadworthy:{error.code}",
        "title": error.code.replace("-", " "),
        "status": status,
        "detail": error.message,
        **error.problem(),
    }


def problem_bytes(error: RoadworthyError) -> bytes:
    """The problem as JSON; details that JSON has no form for are written as text."""
    return msgspec.json.encode(problem_of(error), enc_hook=str)
