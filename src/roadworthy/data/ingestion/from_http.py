"""What an address answers to GET."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
from blake3 import blake3

from roadworthy.data.ingestion.arriving import Arrived, Found, Visit
from roadworthy.errors import Unavailable, UsageError

_ATTEMPTS = 4
_LONGEST_PAUSE = 20.0
_TYPES = {
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/json": "json",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.arrow.file": "arrow",
}


class HttpReader:
    """The whole answer is a delivery; asked for only if it changed, where the server can tell.

    What can help is tried again, with growing pauses and jitter, or as Retry-After says.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._client = httpx.Client(timeout=30.0, follow_redirects=True)
        self._file = visit.scratch / "answer"

    def look(self) -> Found:
        """The answer, unless it is the one that was taken last."""
        before = self._visit.state.watermark
        headers = dict(self._visit.source.headers)
        if before.get("etag"):
            headers["If-None-Match"] = before["etag"]
        elif before.get("modified"):
            headers["If-Modified-Since"] = before["modified"]
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._client.stream("GET", self._visit.source.url, headers=headers) as answer:
                    if answer.status_code == 304:
                        return Found([], before)
                    if answer.status_code < 400:
                        return self._taken(answer)
                    pause = self._again(answer, attempt)
            except httpx.HTTPError as error:
                if attempt == _ATTEMPTS:
                    raise self._failed(f"{type(error).__name__}: {error}") from error
                pause = _pause(attempt)
            time.sleep(pause)
        raise AssertionError("the loop returns or raises")

    def _again(self, answer: httpx.Response, attempt: int) -> float:
        """Seconds before the next try. Raises where another try can't help."""
        status = answer.status_code
        if (status not in (408, 425, 429) and status < 500) or attempt == _ATTEMPTS:
            raise self._failed(f"it answers {status} {answer.reason_phrase}")
        told = answer.headers.get("retry-after", "")
        return min(float(told), _LONGEST_PAUSE) if told.isdigit() else _pause(attempt)

    def _taken(self, answer: httpx.Response) -> Found:
        hasher = blake3()
        size = 0
        with self._file.open("wb") as copy:
            for chunk in answer.iter_bytes():
                size += len(chunk)
                if size > self._visit.source.most_bytes:
                    raise UsageError(
                        f"{self._visit.place}: it answers more than most_bytes",
                        cure="raise most_bytes",
                    )
                hasher.update(chunk)
                copy.write(chunk)
        content = hasher.hexdigest()
        watermark = {
            "etag": answer.headers.get("etag", ""),
            "modified": answer.headers.get("last-modified", ""),
            "content": content,
        }
        if content == self._visit.state.watermark.get("content"):
            return Found([], watermark)
        kind = _TYPES.get(answer.headers.get("content-type", "").partition(";")[0].strip(), "")
        name = urlsplit(self._visit.source.url).path or "/"
        arrived = Arrived(identity=name, version=self._visit.at, content=content, kind=kind)
        return Found([replace(arrived, file=self._file)], watermark)

    def _failed(self, reason: str) -> Unavailable:
        return Unavailable(
            f"{self._visit.place}: {reason}", cure="it is asked again at the next poll"
        )

    def fetch(self, one: Arrived) -> Arrived:
        """It is here already."""
        return one

    def done(self) -> None:
        """The server needs to know nothing."""

    def close(self) -> None:
        """Gives up the connection."""
        self._client.close()


def _pause(attempt: int) -> float:
    return random.uniform(0.5, 1.0) * 0.5 * 2.0**attempt
