"""What the gateway reads from a request's headers: ids, trace context, deadline, token."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACE = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Headers(NamedTuple):
    """The headers that matter here. ``seconds`` is how long the caller wants to wait."""

    request_id: str
    traceparent: str
    content_type: str
    encoding: str
    length: int
    token: str
    seconds: float | None
    binary: bool


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers of a request; a request id or trace that is missing or malformed is made."""
    found = dict(raw)
    given = found.get(b"x-request-id", b"")
    request_id = given.decode("ascii") if _REQUEST_ID.fullmatch(given) else os.urandom(12).hex()
    scheme, _, token = found.get(b"authorization", b"").partition(b" ")
    return Headers(
        request_id=request_id,
        traceparent=_trace(found.get(b"traceparent", b"")),
        content_type=found.get(b"content-type", b"").decode("latin-1"),
        encoding=found.get(b"content-encoding", b"").decode("latin-1").strip().lower(),
        length=_number(found.get(b"content-length", b"0")),
        token=token.strip().decode("latin-1") if scheme.lower() == b"bearer" else "",
        seconds=_seconds(found.get(b"x-request-timeout")),
        binary=b"inference-header-content-length" in found,
    )


def _trace(given: bytes) -> str:
    """The caller's trace with a span of our own, or a trace of our own (W3C, version 00)."""
    span = os.urandom(8).hex()
    if _TRACE.fullmatch(given):
        version, trace, _, flags = given.decode("ascii").split("-")
        return f"00-{trace}-{span}-{flags if version == '00' else '00'}"
    return f"00-{os.urandom(16).hex()}-{span}-00"


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) < 19 else 0


def _seconds(text: bytes | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 < seconds < 86_400 else None
