"""Requests in and answers out: JSON by msgspec, bounded, errors as ours."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from fastapi import Request
from fastapi.responses import Response

from roadworthy.errors import UsageError

T = TypeVar("T")
MOST_JSON_BYTES = 64 * 1024 * 1024


def answer(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(
        msgspec.json.encode(value, enc_hook=str),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def read_bytes(request: Request, most: int = MOST_JSON_BYTES) -> bytes:
    """The body. Raises UsageError once it is larger than ``most`` bytes."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise UsageError(f"the body is larger than {most} bytes", cure="send less at once")
        parts.append(part)
    return b"".join(parts)


async def read_json(request: Request, kind: type[T]) -> T:
    """The body as a value. Raises UsageError that names the field which does not fit."""
    kind_given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind_given != "application/json":
        raise UsageError(
            f"the body must be application/json, not {kind_given or 'without a type'}",
            cure="set Content-Type: application/json",
        )
    body = await read_bytes(request)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the body can't be read: {error}", cure="see /api/v1/docs") from None


def caller_of(request: Request) -> str:
    """Who says to be calling: at most 100 printable characters."""
    said = unquote(request.headers.get("x-roadworthy-caller", ""))
    return "".join(each for each in said if each.isprintable())[:100]
