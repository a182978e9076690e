"""Turns what a Roadworthy server or a transport reports into Roadworthy's own errors."""

from __future__ import annotations

import json
from typing import Any

import httpx

from roadworthy.errors import NotAllowed, RoadworthyError, Unavailable, UsageError, WorkerFailed

_RESERVED = {"message", "cure", "line", "code"}
_GATEWAY_CODES: dict[str, type[RoadworthyError]] = {
    "overloaded": Unavailable,
    "deadline": Unavailable,
    "too-slow": Unavailable,
    "flow-failed": WorkerFailed,
    "internal": RoadworthyError,
}
"""What the gateway's own codes mean here; its others say that the request was wrong."""


def error_from_problem(body: dict[str, Any]) -> RoadworthyError:
    """The error that a problem (RFC 9457) tells of, as the class that was raised there."""
    code = str(body.get("code", ""))
    kind = _classes().get(code) or _GATEWAY_CODES.get(code, UsageError)
    details = body.get("details")
    line = body.get("line")
    kept = dict(details) if isinstance(details, dict) else {}
    if isinstance(body.get("findings"), list):
        kept |= {"findings": body["findings"], "found": body.get("found")}
    return kind(
        str(body.get("message") or body.get("detail") or "the request failed"),
        cure=str(body.get("cure") or ""),
        line=line if isinstance(line, int) else None,
        **{str(key): value for key, value in kept.items() if key not in _RESERVED},
    )


def error_from_response(response: httpx.Response) -> RoadworthyError:
    """The error that an unsuccessful response tells of, whatever wrote it."""
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    if isinstance(body, dict) and ("code" in body or "detail" in body):
        return error_from_problem(body)
    said = response.text.strip()[:200]
    message = f"{response.request.url} answered {response.status_code}" + (
        f": {said}" if said else ""
    )
    if response.status_code in (401, 403):
        return NotAllowed(message, cure="set ROADWORTHY_TOKEN, or the setting token")
    if response.status_code in (429, 502, 503, 504):
        return Unavailable(message, cure="try again; roadworthy status")
    if 400 <= response.status_code < 500:
        return UsageError(message)
    return RoadworthyError(message, cure="roadworthy logs control")


def error_from_transport(error: httpx.TransportError, address: str) -> RoadworthyError:
    """What a failed connection means to the caller.

    >>> error_from_transport(httpx.ConnectError("refused"), "http://h:1").code
    'unavailable'
    """
    if isinstance(error, httpx.TimeoutException):
        reason = "did not answer in time"
    elif isinstance(error, httpx.ConnectError):
        reason = "nothing answers there"
    else:
        reason = f"the connection broke: {error}"
    return Unavailable(f"{address}: {reason}", cure="roadworthy status; roadworthy up")


def _classes() -> dict[str, type[RoadworthyError]]:
    found: dict[str, type[RoadworthyError]] = {}
    pending: list[type[RoadworthyError]] = [RoadworthyError]
    while pending:
        kind = pending.pop()
        found.setdefault(kind.code, kind)  # without a code of its own it is its parent, to others
        pending.extend(kind.__subclasses__())
    return found
