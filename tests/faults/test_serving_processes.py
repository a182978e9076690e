"""Processes that die: gateway (4b), agent, worker (8), poisonous rows (9). Service goes on."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

import msgspec
import pytest

from roadworthy.serving.options import Limits
from roadworthy.testing.hosts import Host, wait_until
from roadworthy_runtime import frames

pytestmark = pytest.mark.fault("8")

ROW = {"a": 1.5, "b": 2, "kind": "fine"}


@pytest.fixture
def host():
    with Host(limits=Limits(deadline_seconds=15.0)) as started:
        started.follow(1, started.add_flow(1), started.add_flow(2, factor=3.0))
        started.applied()
        yield started


def ask(client, kind="fine", number=1, **headers):
    path = f"/models/tiny/versions/{number}/predict"
    return client.post(path, json={**ROW, "kind": kind}, headers=headers)


def replaced(host: Host, release: str, old: list[int]) -> list[int]:
    return wait_until(
        lambda: [pid for pid in host.workers(release) if pid not in old], what="another worker"
    )


@pytest.mark.fault("4b")
def test_a_killed_gateway_is_back_with_the_same_releases_and_refuses_nobody(host):
    before = host.status().gateway_pid
    with host.client() as client:
        assert ask(client).is_success
    os.kill(before, signal.SIGKILL)
    with host.client() as client:
        for number in (1, 2):
            answer = ask(client, number=number)
            assert answer.json()["release"] == f"tiny@{number}"
    wait_until(lambda: host.status().gateway_pid not in (None, before), what="another gateway")
    assert host.status().gateway_restarts == 1


@pytest.mark.parametrize("kind", ["segfault", "exit"])
def test_a_worker_that_dies_takes_only_the_guilty_request_along(host, kind):
    old, other = host.workers("tiny@1"), host.workers("tiny@2")
    with host.client() as client:
        answer = ask(client, kind)
        assert answer.status_code == 500
        assert answer.json()["code"] == "worker-failed"
        assert ask(client, number=2).is_success
        assert ask(client).is_success
    replaced(host, "tiny@1", old)
    assert host.workers("tiny@2") == other
    assert [w.restarts for w in host.status().workers if w.release == "tiny@1"] >= [1]


@pytest.mark.fault("8 9")
def test_requests_in_a_batch_with_a_killer_are_answered_by_the_next_worker(host):
    results: dict[int, int] = {}

    def send(at: int, kind: str) -> None:
        with host.client() as client:
            results[at] = ask(client, kind).status_code

    kinds = ["slow", "segfault", *["fine"] * 8]
    threads = [threading.Thread(target=send, args=item) for item in enumerate(kinds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.pop(1) == 500
    assert set(results.values()) == {200}


def test_an_endless_loop_is_killed_at_its_limit_and_replaced():
    with Host(limits=Limits(deadline_seconds=8.0)) as host:
        spec = msgspec.structs.replace(host.add_flow(1), batch_seconds=0.5)
        host.follow(1, spec)
        host.applied()
        old = host.workers("tiny@1")
        with host.client() as client:
            began = time.monotonic()
            answer = ask(client, "loop")
            assert answer.status_code == 500
            assert "took longer than 0.5 s" in answer.json()["detail"]
            assert time.monotonic() - began < 4
            replaced(host, "tiny@1", old)
            assert ask(client).is_success


def test_a_worker_blocked_in_c_is_killed_at_its_limit_and_replaced():
    with Host(limits=Limits(deadline_seconds=8.0)) as host:
        spec = msgspec.structs.replace(host.add_flow(1), batch_seconds=0.5)
        host.follow(1, spec)
        host.applied()
        old = host.workers("tiny@1")
        with host.client() as client:
            answer = ask(client, "blocked")
            assert answer.status_code == 500
            assert "took longer than 0.5 s" in answer.json()["detail"]
            replaced(host, "tiny@1", old)
            assert ask(client).is_success


def test_a_worker_that_fails_whatever_it_is_asked_is_replaced(host):
    old, other = host.workers("tiny@1"), host.workers("tiny@2")
    with host.client() as client:
        assert ask(client, "raise").status_code == 500
        for _ in range(7):  # it is the rows that fail: the worker stays
            assert ask(client, "raise").status_code == 500
        assert host.workers("tiny@1") == old
        assert ask(client, "break").status_code == 500
        wait_until(lambda: ask(client).is_success, what="a worker that answers")
    replaced(host, "tiny@1", old)
    assert host.workers("tiny@2") == other


def test_a_request_gets_its_error_within_its_own_deadline(host):
    with host.client() as client:
        began = time.monotonic()
        answer = client.post(
            "/models/tiny/predict",
            json={**ROW, "kind": "loop"},
            headers={"x-request-timeout": "0.5"},
        )
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline")
        assert time.monotonic() - began < 2


def test_garbage_from_a_worker_ends_that_worker_and_no_other(host):
    old = host.workers("tiny@1")
    with host.client() as client:
        answer = ask(client, "garbage")
        assert answer.status_code == 500
        assert "no frame" in answer.json()["detail"]
        replaced(host, "tiny@1", old)
        assert ask(client).is_success


def test_garbage_sent_to_a_worker_closes_that_connection_only(host):
    ledger = msgspec.json.decode((host.directory / "agent" / "workers.json").read_bytes())
    path = ledger["workers"][0]["socket"]
    for garbage in (b"GET / HTTP/1.1\r\n\r\n" * 9, b"\xff" * 64, frames.encode("hello")[:20] * 9):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(path)
            connection.sendall(garbage)
            assert closed(connection)
    with host.client() as client:
        assert ask(client).is_success


def closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1024) == b""
    except ConnectionError:
        return True


def test_a_worker_over_its_memory_limit_fails_that_request_and_serves_on():
    with Host() as host:
        spec = msgspec.structs.replace(host.add_flow(1), memory_bytes=300 << 20)
        host.follow(1, spec)
        host.applied()
        with host.client() as client:
            answer = ask(client, "hog")
            assert answer.status_code == 500
            assert ask(client).is_success


def test_a_worker_that_exits_at_start_is_given_up_with_its_last_words(host):
    bad = host.add_flow(3, extra="import sys; print('no luck today'); sys.exit(9)", sample=False)
    host.follow(1, *host.table.workers, bad)
    failed = wait_until(
        lambda: [w for w in host.status().workers if w.state == "failed"], what="giving up"
    )
    assert "no luck today" in failed[0].error
    with host.client() as client:
        wait_until(lambda: ask(client, number=3).status_code == 503, what="a clear 503")
        assert ask(client).is_success


@pytest.mark.fault("9")
def test_a_poisonous_row_gets_its_own_error_and_the_others_their_answers(host):
    results: dict[int, tuple[int, dict]] = {}

    def send(at: int, kind: str) -> None:
        with host.client() as client:
            answer = ask(client, kind)
            results[at] = (answer.status_code, answer.json())

    kinds = ["slow", *["fine", "raise", "fine", "fine"] * 2]
    threads = [threading.Thread(target=send, args=item) for item in enumerate(kinds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for at, kind in enumerate(kinds):
        status, body = results[at]
        assert status == (500 if kind == "raise" else 200), body
        if kind == "raise":
            assert "poisonous" in body["answer"]["error"]["reason"]
            assert "Traceback" not in str(body)
        else:
            assert body["answer"]["scores"] == 5.0
    with host.client() as client:
        rows = [ROW, {**ROW, "kind": "raise"}, {**ROW, "a": 2.5}]
        answers = client.post("/models/tiny/predict", json=rows).json()["answers"]
    assert [next(iter(answer)) for answer in answers] == ["scores", "error", "scores"]


def test_a_killed_agent_stops_nothing_and_its_successor_takes_over(host):
    before = host.status()
    host.kill()
    with host.client() as client:
        assert ask(client).is_success
        host.start()
        host.applied()
        after = host.status()
        assert after.gateway_pid == before.gateway_pid
        assert {w.pid for w in after.workers} == {w.pid for w in before.workers}
        assert ask(client).is_success
    os.kill(after.gateway_pid, signal.SIGKILL)
    wait_until(lambda: host.status().gateway_pid not in (None, after.gateway_pid), what="a gateway")
    with host.client() as client:
        assert ask(client).is_success
    old = host.workers("tiny@1")
    os.kill(old[0], signal.SIGKILL)
    replaced(host, "tiny@1", old)
    pids = [w.pid for w in host.status().workers] + [host.status().gateway_pid]
    assert host.stop() == 0
    host.process = None
    for pid in pids:
        wait_until(lambda pid=pid: gone(pid), what=f"the end of {pid}")


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_what_nobody_looks_after_ends_by_itself():
    with Host(lease_seconds=1.0) as host:
        host.follow(1, host.add_flow(1))
        host.applied()
        status = host.status()
        pids = [status.gateway_pid, *[w.pid for w in status.workers]]
        host.kill()
        host.process = None
        for pid in pids:
            wait_until(lambda pid=pid: gone(pid), what=f"the end of {pid}")


@pytest.mark.fault("4")
def test_an_agent_goes_on_and_starts_again_without_a_control_plane(host):
    (host.directory / "away").touch()
    old = host.workers("tiny@1")
    os.kill(old[0], signal.SIGKILL)
    replaced(host, "tiny@1", old)
    host.stop()
    host.start()
    host.applied()
    with host.client() as client:
        assert ask(client).is_success


def test_a_second_agent_and_a_taken_port_are_told_clearly(host):
    import subprocess
    import sys

    from roadworthy.testing.hosts import SOURCE

    def run(directory) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "roadworthy.testing.hosts", str(directory)],
            capture_output=True,
            text=True,
            timeout=30,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            check=False,
        )
        assert done.returncode == 1
        return done.stderr

    assert "another agent runs" in run(host.directory)
    other = host.directory / "other"
    other.mkdir()
    options = msgspec.structs.replace(host.options, directory=str(other / "agent"))
    (other / "options.json").write_bytes(msgspec.json.encode(options))
    said = run(other)
    assert "can't listen" in said
    assert "gateway.port" in said
