"""Several gateways on one port: one routing, one set of numbers, one log; one may die."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import msgspec
import pytest

from roadworthy.serving.log_tables import read_table
from roadworthy.testing.hosts import Host, wait_until

ROW = {"a": 1.5, "b": 2, "kind": "fine"}
COUNT = 3


@pytest.fixture(scope="module")
def host():
    made = Host(gateways=COUNT, lease_seconds=60.0)
    log = msgspec.structs.replace(made.options.log, retains=False)  # whose names tell the process
    made.options = msgspec.structs.replace(made.options, log=log)
    with made as started:
        started.follow(1, started.add_flow(1))
        started.applied()
        yield started


def ask(host: Host, times: int, **headers: str) -> list[httpx.Response]:
    """Each on a connection of its own, which the kernel deals out."""
    address = f"http://{host.status().gateway_address}/models/tiny/predict"
    return [
        httpx.post(address, json=ROW, headers=headers, timeout=30, trust_env=False)
        for _ in range(times)
    ]


def gateway_pids(host: Host) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if True:
            if (
                b"roadworthy.serving\0gateway" in command
                and str(host.directory).encode() in command
            ):
                found.add(int(path.parent.name))
    return found


def requests_counted(host: Host) -> float:
    with host.client() as client:
        lines = client.get("/metrics").text.splitlines()
    counted = [line for line in lines if line.startswith("roadworthy_requests_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in counted)


def logged_by(host: Host, request_id: str) -> dict[str, int]:
    """The rows of a request id in the log, by the process that wrote them."""
    found: dict[str, int] = {}
    for path in (host.directory / "predictions").rglob("*.rows"):
        rows = read_table(path).to_pylist()
        own = sum(row["request_id"] == request_id for row in rows)
        if own:
            pid = path.name.split("-")[1]
            found[pid] = found.get(pid, 0) + own
    return found


def test_all_answer_and_numbers_and_log_are_those_of_all(host):
    assert len(gateway_pids(host)) == COUNT
    before = requests_counted(host)
    answers = ask(host, 60, **{"x-request-id": "shared"})
    assert {answer.status_code for answer in answers} == {200}
    assert requests_counted(host) == before + 60
    logged = wait_until(
        lambda: found if sum((found := logged_by(host, "shared")).values()) == 60 else None,
        what="all rows in the log",
    )
    assert set(map(int, logged)) <= gateway_pids(host)
    assert len(logged) > 1, "the kernel deals callers out"


def test_a_change_of_release_reaches_every_one_before_it_counts_as_done(host):
    host.follow(2, host.specs["tiny@1"], host.add_flow(2, factor=3.0))
    host.applied()
    assert {answer.json()["release"] for answer in ask(host, 40)} == {"tiny@2"}
    host.follow(1, host.specs["tiny@1"])
    host.applied()
    assert {answer.json()["release"] for answer in ask(host, 40)} == {"tiny@1"}


def test_one_that_is_killed_is_replaced_while_the_others_answer(host):
    victim = sorted(gateway_pids(host))[1]
    restarts = host.status().gateway_restarts
    os.kill(victim, signal.SIGKILL)
    assert {answer.status_code for answer in ask(host, 40)} == {200}
    wait_until(lambda: host.status().gateway_restarts == restarts + 1, what="a replacement")
    wait_until(lambda: len(gateway_pids(host)) == COUNT, what="all gateways")
    assert {answer.json()["release"] for answer in ask(host, 40)} == {"tiny@1"}


def test_a_new_agent_takes_all_of_them_over(host):
    before = gateway_pids(host)
    host.kill()
    assert {answer.status_code for answer in ask(host, 20)} == {200}
    host.start()
    host.applied()
    assert gateway_pids(host) == before
    assert {answer.status_code for answer in ask(host, 20)} == {200}
