"""Slow, silent and too many callers (row 10), and a gateway that ends while they are there."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading

import httpx
import pytest

from roadworthy.serving.options import Limits
from roadworthy.testing.hosts import Host, wait_until

pytestmark = pytest.mark.fault("10")

ROW = {"a": 1.5, "b": 2, "kind": "fine"}
LIMITS = Limits(
    connections=40, head_bytes=4096, head_seconds=1.0, body_seconds=1.0, send_seconds=1.0,
    keep_alive_seconds=2.0,
)  # fmt: skip
HEAD = b"POST /models/tiny/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def host():
    with Host(limits=LIMITS) as started:
        started.follow(1, started.add_flow(1))
        started.applied()
        yield started


def connect(host: Host) -> socket.socket:
    address, _, port = host.status().gateway_address.rpartition(":")
    return socket.create_connection((address, int(port)), timeout=20)


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    found = b""
    while True:
        try:
            part = connection.recv(1 << 16)
        except ConnectionResetError:
            return found
        if not part:
            return found
        found += part


def cut_off(host: Host, reason: str) -> float:
    with host.client() as client:
        for line in client.get("/metrics").text.splitlines():
            if line.startswith(f'roadworthy_connections_cut_off_total{{reason="{reason}"}}'):
                return float(line.rpartition(" ")[2])
    return 0.0


def answers_well(host: Host) -> bool:
    with host.client() as client:
        return client.post("/models/tiny/predict", json=ROW).is_success


def test_who_says_nothing_is_cut_off(host):
    with connect(host) as connection:
        assert read_all(connection) == b""
    assert cut_off(host, "silent") >= 1


def test_who_never_ends_the_head_is_cut_off(host):
    with connect(host) as connection:
        connection.sendall(HEAD)
        assert read_all(connection) == b""
    assert cut_off(host, "slow head") >= 1


def test_who_asks_nothing_more_is_let_go(host):
    body = json.dumps(ROW).encode()
    with connect(host) as connection:
        for _ in range(2):
            connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
        answers = read_all(connection)
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert answers.count(b"\r\ndate: ") == 2
    assert answers.endswith(b"}")


def test_a_head_without_end_is_refused(host):
    with connect(host) as connection:
        connection.sendall(HEAD + b"x-long: " + b"x" * 5000)
        assert b" 431 " in read_all(connection).splitlines()[0]
    assert answers_well(host)


def test_what_is_no_http_is_told_so_in_problem_details(host):
    with connect(host) as connection:
        connection.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        told = read_all(connection)
    assert told.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in told
    assert b'"code":"bad-http"' in told


def test_a_body_that_goes_on_after_the_refusal_is_cut_off(host):
    with connect(host) as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n\r\n{")
        assert b" 404 " in read_all(connection).splitlines()[0]
    assert cut_off(host, "slow body") >= 1


def test_who_never_reads_a_long_answer_is_cut_off(host):
    row = b'{"a":1.5,"b":2,"kind":"fine"}'
    body = b"[" + b",".join([row] * 9000) + b"]"
    with connect(host) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
        before = cut_off(host, "does not read")
        for _ in range(20):
            connection.sendall(request)
        wait_until(lambda: cut_off(host, "does not read") > before, what="the end of patience")
    assert answers_well(host)


def test_connections_beyond_the_limit_are_refused_at_once_and_the_others_stay(host):
    with host.client() as good:
        assert good.post("/models/tiny/predict", json=ROW).is_success
        many = [connect(host) for _ in range(60)]
        try:
            told = [read_all(connection) for connection in many[50:]]
            assert all(each.startswith(b"HTTP/1.1 429 ") for each in told)
            assert all(b"retry-after: 1" in each for each in told)
            assert good.post("/models/tiny/predict", json=ROW).is_success
        finally:
            for connection in many:
                connection.close()
    wait_until(lambda: answers_well(host), what="room again")


def test_a_gateway_that_ends_says_goodbye_on_open_connections_and_loses_nothing():
    with Host(limits=Limits(drain_seconds=1.0)) as host:
        host.follow(1, host.add_flow(1))
        host.applied()
        done = threading.Event()
        asked = threading.Barrier(5)
        failed: list[str] = []
        closed: list[str] = []

        def ask() -> None:
            with host.client() as client:
                client.post("/models/tiny/predict", json=ROW)
                asked.wait(20)
                while not done.is_set():
                    try:
                        answer = client.post("/models/tiny/predict", json=ROW)
                    except httpx.HTTPError as error:
                        failed.append(repr(error))
                        return
                    if not answer.is_success:
                        failed.append(answer.text)
                    if answer.headers.get("connection") == "close":
                        closed.append(answer.json()["release"])

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        asked.wait(20)
        pid = host.status().gateway_pid
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: host.status().gateway_pid not in (None, pid), what="a successor")
        done.set()
        for thread in threads:
            thread.join()
        assert failed == []
        assert len(closed) >= 4
