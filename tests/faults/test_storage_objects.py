"""Row 6: an object store that is slow, throttles or fails is asked again, within bounds."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from roadworthy.errors import Damaged, StorageError, Unavailable
from roadworthy.storage.digests import digest_of
from roadworthy.storage.objects import ObjectBlobs, open_object_store

pytestmark = pytest.mark.fault("6")

CONTENT = b"what was put"
NAME = digest_of(CONTENT)


class Failing(http.server.ThreadingHTTPServer):
    """Speaks as much S3 as a get and a put need; fails as often as ``answers`` says.

    ``answers`` are statuses to give first; ``cut`` answers end in the middle.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int | str] = []
        self.asked: list[str] = []
        self.gets = CONTENT


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Failing

    def do_GET(self) -> None:
        self._answer(self.server.gets)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        self.server.asked.append(self.command)
        answer = self.server.answers.pop(0) if self.server.answers else 200
        status = 200 if isinstance(answer, str) else answer
        sent = body if status == 200 else b"<Error><Code>SlowDown</Code></Error>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Sun, 01 Mar 2026 12:00:00 GMT")
        self.end_headers()
        self.wfile.write(sent[:3] if answer == "cut" else sent)
        self.close_connection = answer == "cut"

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[Failing]:
    with Failing() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def blobs_at(server: Failing, most_retries: int = 5) -> ObjectBlobs:
    options = {
        "endpoint": f"http://127.0.0.1:{server.server_address[1]}",
        "access_key_id": "a",
        "secret_access_key": "b",
        "region": "us-east-1",
    }
    return ObjectBlobs(open_object_store("s3://bucket", options, most_retries), "s3://bucket")


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_failure_is_not_noticed(server: Failing, status: int) -> None:
    server.answers = [status, status]
    assert blobs_at(server).put(CONTENT) == NAME
    server.answers = [status, status]
    assert blobs_at(server).get(NAME) == CONTENT
    assert server.asked == ["PUT"] * 3 + ["GET"] * 3


def test_a_lasting_failure_is_said_after_bounded_tries(server: Failing) -> None:
    server.answers = [503] * 50
    with pytest.raises(Unavailable, match=rf"reading blob b3:{NAME[:7]} in s3://bucket") as raised:
        blobs_at(server, most_retries=2).get(NAME)
    assert "object store answers" in raised.value.cure
    assert len(server.asked) == 3


def test_an_answer_cut_short_is_never_taken_for_the_content(
    server: Failing, tmp_path: Path
) -> None:
    server.answers = ["cut"] * 50
    with pytest.raises((Unavailable, StorageError), match=NAME[:7]):
        blobs_at(server, most_retries=1).get(NAME)
    with pytest.raises((Unavailable, StorageError), match=NAME[:7]):
        blobs_at(server, most_retries=1).copy_to(NAME, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_another_content_is_never_taken_for_it(server: Failing) -> None:
    server.gets = b"something else"
    with pytest.raises(Damaged, match=NAME[:7]):
        blobs_at(server).get(NAME)


def test_a_missing_object_is_named(server: Failing) -> None:
    server.answers = [404]
    with pytest.raises(StorageError, match=rf"b3:{NAME[:7]} is missing in s3:"):
        blobs_at(server).get(NAME)
