"""What is sent back over HTTP: bodies with their headers, refusals, compression."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from roadworthy.serving.headers import Headers
from roadworthy.serving.problems import Protocol, Refused, render

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Pairs = list[tuple[bytes, bytes]]

JSON = "application/json"
COMPRESS_FROM = 16 * 1024
"""Bytes from which on an answer is worth compressing for a caller who takes it."""


class Reply(NamedTuple):
    """What is sent back."""

    status: int
    body: bytes
    type: str = JSON
    extra: tuple[tuple[bytes, bytes], ...] = ()


def as_json(value: Any, status: int = 200) -> Reply:
    """A reply with a value as JSON."""
    return Reply(status, msgspec.json.encode(value))


def refusal(refused: Refused, protocol: Protocol, request_id: str) -> Reply:
    """A refusal in the protocol's form, with the headers that go with its status."""
    status, type_, body = render(refused, protocol, request_id)
    extra: list[tuple[bytes, bytes]] = []
    if refused.retry_after is not None:
        extra.append((b"retry-after", str(refused.retry_after).encode()))
    if status in (408, 413):
        extra.append((b"connection", b"close"))
    if status == 401:
        extra.append((b"www-authenticate", b"Bearer"))
    if refused.allow:
        extra.append((b"allow", refused.allow.encode()))
    return Reply(status, body, type_, tuple(extra))


def common_headers(headers: Headers, request_id: str, type_: str, release: str) -> Pairs:
    """The headers of every answer: type, ids, trace, release."""
    pairs = [
        (b"content-type", type_.encode()),
        (b"x-request-id", request_id.encode()),
        (b"traceparent", headers.trace.encode()),
    ]
    if headers.trace_state:
        pairs.append((b"tracestate", headers.trace_state))
    if release:
        pairs.append((b"x-release", release.encode()))
    return pairs


async def send_reply(
    send: Send, reply: Reply, headers: Headers, request_id: str, release: str = ""
) -> None:
    """Send a reply, compressed where the caller takes that and it is long."""
    pairs = common_headers(headers, request_id, reply.type, release)
    body = reply.body
    if len(body) >= COMPRESS_FROM and headers.accepts:
        form = best_encoding(headers.accepts)
        if form:
            body = _compressed(body, form)
            pairs += [(b"content-encoding", form.encode()), (b"vary", b"accept-encoding")]
    pairs += [(b"content-length", str(len(body)).encode()), *reply.extra]
    await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


@functools.lru_cache(maxsize=256)
def best_encoding(accepts: bytes) -> str:
    """The compression that an Accept-Encoding header takes and we have; '' for none.

    >>> best_encoding(b"br;q=1.0, gzip;q=0.8"), best_encoding(b"gzip;q=0, *"), best_encoding(b"*")
    ('gzip', 'deflate', 'gzip')
    """
    ranks: dict[str, float] = {}
    for part in accepts.decode("latin-1").lower().split(","):
        name, _, rest = part.strip().partition(";")
        _, _, quality = rest.partition("q=")
        try:
            ranks[name.strip()] = float(quality) if quality else 1.0
        except ValueError:
            ranks[name.strip()] = 0.0
    others = ranks.get("*", 0.0)
    found = [(ranks.get(form, others), -at, form) for at, form in enumerate(("gzip", "deflate"))]
    rank, _, form = max(found)
    return form if rank > 0 else ""


def _compressed(body: bytes, form: str) -> bytes:
    bits = zlib.MAX_WBITS | 16 if form == "gzip" else zlib.MAX_WBITS
    machine = zlib.compressobj(1, zlib.DEFLATED, bits)
    return machine.compress(body) + machine.flush()
