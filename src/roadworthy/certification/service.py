"""A running release as certification sees it: somewhere to send rows, and what it uses."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from roadworthy.core.values import Value


class Reply(Value, frozen=True):
    """What came back: HTTP status, seconds from sending to the last byte, and the body."""

    status: int
    seconds: float
    body: bytes

    def document(self) -> Any:
        """The body as JSON, or None if it is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


class Answer(Value, frozen=True):
    """The answer to one row, or why there is none.

    ``values``: output → value, or ``output:column`` → value where an output has several columns.
    ``rejected``: why the flow or the signature turned the row away; ``failed``: the error with
    which the flow broke off.
    """

    values: dict[str, Any] = {}
    rejected: str = ""
    failed: str = ""


class Connection(Protocol):
    """One connection; used by one thread at a time."""

    def send(self, body: bytes) -> Reply:
        """The reply to a JSON list of rows. Raises Unavailable if there is none."""
        ...

    def close(self) -> None:
        """Give the connection up."""
        ...


class Service(Protocol):
    """A release's prediction address. Implemented over HTTP, and by the shipped fake."""

    def connect(self) -> Connection:
        """A new connection. Raises Unavailable if nothing listens."""
        ...

    def answers(self, reply: Reply) -> list[Answer]:
        """The answers in a reply with status 200, in the rows' order; ValueError if it has none."""
        ...


class Usage(Value, frozen=True):
    """What the release's workers use now: resident bytes, and CPU seconds since they started."""

    rss_bytes: int
    cpu_seconds: float
