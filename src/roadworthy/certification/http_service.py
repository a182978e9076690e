"""A running release over HTTP: the gateway's address for one version of a model.

Written on the standard library's client: a fuller one costs more per request than a fast
release does, and would be what is measured.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from roadworthy.certification.service import Answer, Reply
from roadworthy.core.names import ReleaseName
from roadworthy.errors import Unavailable


class HttpService:
    """The release behind a gateway, at ``/models/{model}/versions/{number}/predict``."""

    def __init__(
        self, gateway: str, release: ReleaseName, token: str = "", timeout: float = 60.0
    ) -> None:
        """``gateway`` is an address like ``http://127.0.0.1:8401``, or without its scheme."""
        self._address = urlsplit(gateway if "://" in gateway else f"http://{gateway}")
        self._path = f"/models/{release.model}/versions/{release.number}/predict"
        self._timeout = timeout
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "x-roadworthy-check": "1",  # counted and logged apart from what callers ask
        }
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def connect(self) -> HttpConnection:
        """A new connection. Raises Unavailable if nothing listens there."""
        secure = self._address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(
            self._address.hostname or "127.0.0.1", self._address.port, timeout=self._timeout
        )
        try:
            connection.connect()
        except OSError as error:
            raise self._unavailable(error) from error
        return HttpConnection(connection, self._path, self._headers, self._unavailable)

    def answers(self, reply: Reply) -> list[Answer]:
        """The answers in the plain JSON form; ValueError if the reply does not have it."""
        return read_answers(reply.document())

    def _unavailable(self, error: Exception) -> Unavailable:
        reason = str(error) or type(error).__name__
        return Unavailable(
            f"the gateway at {self._address.netloc} does not answer: {reason}",
            cure="roadworthy status, then roadworthy logs",
        )


class HttpConnection:
    """One connection that is kept open between requests."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        headers: dict[str, str],
        unavailable: Callable[[Exception], Unavailable],
    ) -> None:
        self._connection = connection
        self._path = path
        self._headers = headers
        self._unavailable = unavailable

    def send(self, body: bytes) -> Reply:
        """The reply to a JSON list of rows. Raises Unavailable if there is none."""
        started = time.perf_counter()
        try:
            self._connection.request("POST", self._path, body, self._headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise self._unavailable(error) from error
        return Reply(status=response.status, seconds=time.perf_counter() - started, body=content)

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def read_answers(document: Any) -> list[Answer]:
    """The rows' answers in the gateway's plain form. Raises ValueError for another form.

    >>> read_answers({"answers": [{"scores": 0.5}, {"rejected": {"reason": "no origin"}}]})[1]
    Answer(values={}, rejected='no origin', failed='')
    """
    items = document.get("answers") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise ValueError("the reply has no list of answers")
    return [_answer(item) for item in items]


def _answer(item: Any) -> Answer:
    if not isinstance(item, dict):
        raise ValueError("an answer is not an object")
    if _is_reason(item.get("rejected")):
        return Answer(rejected=str(item["rejected"]["reason"]))
    if _is_reason(item.get("error")):
        return Answer(failed=str(item["error"]["reason"]))
    values: dict[str, Any] = {}
    for name, value in item.items():
        if isinstance(value, dict):
            values.update({f"{name}:{column}": inner for column, inner in value.items()})
        else:
            values[name] = value
    return Answer(values=values)


def _is_reason(found: Any) -> bool:
    return isinstance(found, dict) and bool(found.get("reason"))
