"""What the gateway reads from headers: ids, trace context, deadline, priority, token."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from roadworthy.serving.problems import Refused
from roadworthy.serving.waiting import HIGH, LOW, NORMAL, Priority

PRIORITIES: dict[bytes | None, Priority] = {
    None: NORMAL,
    b"high": HIGH,
    b"normal": NORMAL,
    b"low": LOW,
}
CHECKING = b"x-roadworthy-check"
LONGEST_SECONDS = 86_400.0
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_KEY = re.compile(rb"[!-~]{1,256}")
_TRACE = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)
_STATE = re.compile(rb"[ -~]{1,512}")


class Headers(NamedTuple):
    """The headers that matter here.

    ``trace`` is the context of our own span (W3C), ``parent`` the caller's span in it ('' if it
    began here), ``trace_state`` what vendors added to it. ``timeout`` and ``json_length`` are
    still text, read where they matter. ``key`` is by what labels are joined later; ``checking``
    marks what certification asks: no caller's request, and counted apart.
    """

    request_id: str
    trace: str
    parent: str
    trace_state: bytes
    content_type: str
    encoding: str
    accepts: bytes
    length: int
    token: str
    timeout: bytes | None
    priority: bytes | None
    key: str
    json_length: bytes
    checking: bool = False


def read_headers(raw: Sequence[tuple[bytes, bytes]], trace_share: float = 0.0) -> Headers:
    """The headers of a request; a request id or trace that is missing or malformed is made.

    Of the traces that begin here, ``trace_share`` are marked as sampled.
    """
    found = dict(raw)
    given = found.get(b"x-request-id", b"")
    chance = os.urandom(36)
    request_id = given.decode("ascii") if _REQUEST_ID.fullmatch(given) else chance[24:].hex()
    scheme, _, token = found.get(b"authorization", b"").partition(b" ")
    key = found.get(b"x-request-key", b"")
    trace, parent, state = (
        _context(raw, chance, trace_share)
        if b"traceparent" in found
        else _own_context(chance, trace_share)
    )
    return Headers(
        request_id=request_id,
        trace=trace,
        parent=parent,
        trace_state=state,
        content_type=found.get(b"content-type", b"").decode("latin-1"),
        encoding=found.get(b"content-encoding", b"").decode("latin-1").strip().lower(),
        accepts=found.get(b"accept-encoding", b""),
        length=_number(found.get(b"content-length", b"0")),
        token=token.strip().decode("latin-1") if scheme.lower() == b"bearer" else "",
        timeout=found.get(b"x-request-timeout"),
        priority=found.get(b"x-request-priority"),
        key=key.decode("ascii") if _KEY.fullmatch(key) else "",
        json_length=found.get(b"inference-header-content-length", b""),
        checking=found.get(CHECKING) == b"1",
    )


def priority_of(headers: Headers) -> Priority:
    """The priority that is asked for. Raises Refused where it is none."""
    try:
        return PRIORITIES[headers.priority]
    except KeyError:
        raise Refused(
            "bad-request", "x-request-priority should be high, normal or low", cure="leave it out"
        ) from None


def seconds_of(headers: Headers, most: float) -> float:
    """How long the caller waits for the answer, ``most`` at most. Raises Refused."""
    if headers.timeout is None:
        return most
    try:
        seconds = float(headers.timeout)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_SECONDS:
        raise Refused(
            "bad-request",
            f"x-request-timeout should be seconds, more than 0 and {LONGEST_SECONDS:g} at most",
            cure="x-request-timeout: 2.5",
        )
    return min(seconds, most)


def _context(
    raw: Sequence[tuple[bytes, bytes]], chance: bytes, share: float
) -> tuple[str, str, bytes]:
    """The caller's trace with a span of our own, the caller's span, and the trace's state.

    A later version may have more parts at its end; what goes on is version 00 (W3C Trace
    Context). A trace context of our own where the caller's is malformed, or there twice.
    """
    given = [value for name, value in raw if name == b"traceparent"]
    if len(given) != 1 or not _TRACE.fullmatch(given[0]):
        return _own_context(chance, share)
    if given[0].startswith(b"00") and len(given[0]) != 55:
        return _own_context(chance, share)
    version, trace, parent, flags = given[0].decode("ascii", "replace").split("-")[:4]
    flags = flags if version == "00" else _sampled(flags)
    state = b",".join(value.strip() for name, value in raw if name == b"tracestate")
    if not _STATE.fullmatch(state):
        state = b""
    return f"00-{trace}-{chance[16:24].hex()}-{flags}", parent, state


def _own_context(chance: bytes, share: float) -> tuple[str, str, bytes]:
    """Trace and span of 16 and 8 of the bytes."""
    sampled = share > 0 and int.from_bytes(chance[:4], "big") < share * (1 << 32)
    flags = "01" if sampled else "00"
    return f"00-{chance[:16].hex()}-{chance[16:24].hex()}-{flags}", "", b""


def _sampled(flags: str) -> str:
    """Of a later version's flags only the one that is known: sampled."""
    return f"{int(flags, 16) & 1:02x}"


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) < 19 else 0
