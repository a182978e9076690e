"""Sending rows over real sockets, and what processes use."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from roadworthy.certification.http_service import HttpService
from roadworthy.certification.service import Answer, Reply
from roadworthy.certification.usage import _by_ps, process_usage
from roadworthy.core.names import ReleaseName
from roadworthy.errors import Unavailable

RELEASE = ReleaseName(model="flight-delay", number=3)


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"die":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        said = f"{self.path} {self.headers['Authorization']} {body.decode()}".encode()
        self.send_response(422 if body == b"[]" else 200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_rows_go_to_the_release_and_the_connection_is_kept(address: str) -> None:
    connection = HttpService(address, RELEASE, token="t").connect()
    first = connection.send(b"[1]")
    assert first.status == 200
    assert first.body == b"/models/flight-delay/versions/3/predict Bearer t [1]"
    assert connection.send(b"[]").status == 422
    assert 0 < first.seconds < 5
    connection.close()


def test_a_gateway_that_is_not_there_or_goes_away_is_unavailable(address: str) -> None:
    connection = HttpService(address, RELEASE).connect()
    with pytest.raises(Unavailable, match="does not answer"):
        connection.send(b"die")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(Unavailable, match="roadworthy status"):
        HttpService(gone, RELEASE).connect()


def test_answers_are_read_in_their_order() -> None:
    body = (
        b'{"answers": [{"s": 0.5}, {"rejected": {"reason": "r", "line": 3}},'
        b' {"error": {"code": "flow-failed", "reason": "e"}}, {"p": {"a": 1, "b": 2}}]}'
    )
    reply = Reply(status=200, seconds=0.1, body=body)
    assert HttpService("http://127.0.0.1:1", RELEASE).answers(reply) == [
        Answer(values={"s": 0.5}),
        Answer(rejected="r"),
        Answer(failed="e"),
        Answer(values={"p:a": 1, "p:b": 2}),
    ]
    with pytest.raises(ValueError, match="no list of answers"):
        HttpService("http://127.0.0.1:1", RELEASE).answers(Reply(status=200, seconds=0, body=b"x"))


def test_what_this_process_uses_is_plausible() -> None:
    used = process_usage([os.getpid()])
    assert 5 * 1024**2 < used.rss_bytes < 10 * 1024**3
    assert used.cpu_seconds > 0
    assert process_usage([os.getpid()] * 2).rss_bytes >= used.rss_bytes * 1.5


def test_a_process_that_is_gone_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="does not live"):
        process_usage([2**22 + 1])


def test_ps_tells_the_same_where_there_is_no_proc() -> None:
    by_proc, by_ps = process_usage([os.getpid()]), _by_ps(os.getpid())
    assert by_ps.rss_bytes == pytest.approx(by_proc.rss_bytes, rel=0.3)
    assert by_ps.cpu_seconds == pytest.approx(by_proc.cpu_seconds, abs=2.0)
    with pytest.raises(Unavailable):
        _by_ps(2**22 + 1)
