"""A running release without processes: checks rows as the gateway does, on its own clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from roadworthy.certification.http_service import read_answers
from roadworthy.certification.service import Answer, Reply, Usage
from roadworthy.core.signature import Signature
from roadworthy.errors import Unavailable
from roadworthy.serving.codec_plain import read_plain
from roadworthy.serving.problems import Refused, render
from roadworthy.serving.validation import check_rows


class FakeClock:
    """Seconds that pass only when somebody says so; shared by threads."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Seconds since the start."""
        return self._seconds

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._seconds += seconds


class FakeService:
    """Answers rows by a function of one row, which may reject it (ValueError) or fail otherwise.

    A request takes ``seconds`` and ``seconds_per_row``, all of it CPU. ``disturb`` may give a
    status to answer with instead, or raise Unavailable, for the rows of a request.
    """

    def __init__(
        self,
        signature: Signature,
        answer: Callable[[dict[str, Any]], dict[str, Any]],
        *,
        clock: FakeClock | None = None,
        seconds: float = 0.002,
        seconds_per_row: float = 0.00001,
        disturb: Callable[[Sequence[Any]], int | None] = lambda rows: None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.requests = 0
        self._signature = signature
        self._answer = answer
        self._seconds = seconds
        self._per_row = seconds_per_row
        self._disturb = disturb
        self._lock = threading.Lock()

    def connect(self) -> FakeConnection:
        """A new connection."""
        return FakeConnection(self)

    def answers(self, reply: Reply) -> list[Answer]:
        """The answers in a reply, read as the real service reads them."""
        return read_answers(reply.document())

    def usage(self) -> Usage:
        """100 MiB, and a kilobyte more with each request; CPU as long as it answered."""
        return Usage(rss_bytes=100 * 1024**2 + 1024 * self.requests, cpu_seconds=self.clock())

    def reply(self, body: bytes) -> Reply:
        """The reply to a body."""
        rows = msgspec.json.decode(body)
        with self._lock:
            self.requests += 1
        took = self._seconds + self._per_row * len(rows)
        self.clock.pass_by(took)
        status = self._disturb(rows)
        if status is not None:
            return Reply(status=status, seconds=took, body=b'{"code": "disturbed"}')
        try:
            checked = check_rows(self._signature, read_plain(self._signature, rows, 10_000))
        except Refused as refused:
            status, _, said = render(refused, "plain", "fake")
            return Reply(status=status, seconds=took, body=said)
        answers = [
            {"rejected": {"reason": checked.rejected[at], "line": None}}
            if at in checked.rejected
            else self._one(row)
            for at, row in enumerate(rows)
        ]
        failed = bool(answers) and all("error" in answer for answer in answers)
        said = msgspec.json.encode({"answers": answers})
        return Reply(status=500 if failed else 200, seconds=took, body=said)

    def _one(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._answer(row)
        except ValueError as error:
            return {"rejected": {"reason": str(error), "line": 1}}
        except ArithmeticError as error:
            return {"error": {"code": "flow-failed", "reason": str(error)}}


class FakeConnection:
    """A connection to the fake; closed ones can't be used."""

    def __init__(self, service: FakeService) -> None:
        self._service = service
        self._closed = False

    def send(self, body: bytes) -> Reply:
        """The reply."""
        if self._closed:
            raise Unavailable("the connection is closed")
        return self._service.reply(body)

    def close(self) -> None:
        """Close it."""
        self._closed = True
