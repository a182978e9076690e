"""Who goes first, who gives way and what is not computed, while the worker stands still."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from roadworthy.serving.options import Limits
from roadworthy.testing.hosts import Host, wait_until

ROW = {"a": 1.5, "b": 2, "kind": "fine"}
SLOW = {**ROW, "kind": "slow"}


@pytest.fixture(scope="module")
def host():
    """One row a batch, and room for four requests."""
    with Host(limits=Limits(batch_rows=1, queue_requests=4)) as started:
        started.follow(1, started.add_flow(1))
        started.applied()
        yield started


class Asking(threading.Thread):
    """A request in the background: its answer, and when it came."""

    def __init__(self, host: Host, row: dict, **headers: str) -> None:
        super().__init__(daemon=True)
        self.address = f"http://{host.status().gateway_address}/models/tiny/predict"
        self.row = row
        self.headers = headers
        self.start()

    def run(self) -> None:
        with httpx.Client(timeout=30, trust_env=False) as client:
            self.answer = client.post(self.address, json=self.row, headers=self.headers)
        self.at = time.monotonic()

    def status(self) -> int:
        self.join()
        return self.answer.status_code


def number(host: Host, name: str) -> float:
    with host.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return sum(float(x.rpartition(" ")[2]) for x in lines if x.startswith(name + "{"))


def waiting(host: Host, count: int) -> None:
    wait_until(lambda: number(host, "roadworthy_requests_waiting") == count, what="a queue")


@contextlib.contextmanager
def held_up(host: Host) -> Iterator[list[Asking]]:
    """The worker stands still with one request, and another is the first in the queue."""
    (worker,) = host.workers("tiny@1")
    os.kill(worker, signal.SIGSTOP)
    try:
        first = Asking(host, ROW, **{"x-request-priority": "high"})
        waiting(host, 1)
        second = Asking(host, ROW, **{"x-request-priority": "high"})
        waiting(host, 2)
        yield [first, second]
    finally:
        os.kill(worker, signal.SIGCONT)


def test_a_higher_priority_leaves_the_queue_first(host):
    with held_up(host) as busy:
        low = Asking(host, SLOW, **{"x-request-priority": "low"})
        waiting(host, 3)
        high = Asking(host, SLOW, **{"x-request-priority": "high"})
        waiting(host, 4)
    assert [each.status() for each in (*busy, low, high)] == [200] * 4
    assert high.at < low.at


def test_a_full_queue_gives_way_to_a_higher_priority_and_tells_at_once(host):
    with held_up(host) as busy:
        low = [Asking(host, ROW, **{"x-request-priority": "low"}) for _ in range(3)]
        waiting(host, 5)
        normal = Asking(host, ROW)
        wait_until(lambda: any(hasattr(each, "at") for each in low), what="a refusal")
        refused = next(each for each in low if hasattr(each, "at"))
        assert refused.answer.status_code == 429
        assert refused.answer.headers["retry-after"] == "1"
        assert refused.answer.json()["code"] == "overloaded"
        too_much = Asking(host, ROW, **{"x-request-priority": "low"})
        assert too_much.status() == 429, "nobody gives way to a low one"
    answered = [*busy, normal, *(each for each in low if each is not refused)]
    assert [each.status() for each in answered] == [200] * 5


def test_what_is_past_its_deadline_is_not_computed(host):
    batches = number(host, "roadworthy_batch_rows_count")
    with held_up(host) as busy:
        late = Asking(host, ROW, **{"x-request-timeout": "0.2"})
        assert late.status() == 504
    last = Asking(host, ROW)
    assert [each.status() for each in (*busy, last)] == [200] * 3
    assert number(host, "roadworthy_batch_rows_count") == batches + 3
