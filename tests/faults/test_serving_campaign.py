"""Rows 4b, 8 and 9 at random: workers and gateways are killed under load, and rows kill them.

``FAULT_ROUNDS`` in the environment multiplies the faults, for campaigns.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable

import httpx
import msgspec
import pytest

from roadworthy.serving.options import Limits
from roadworthy.testing.hosts import Host, wait_until

pytestmark = [pytest.mark.fault("4b 8 9")]
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
CODES = {"worker-failed", "deadline", "unavailable", "overloaded"}
KINDS = ("raise", "exit", "segfault")


class Callers:
    """Threads that ask without pause; what they were told is judged at once."""

    def __init__(self, host: Host) -> None:
        self.address = f"http://{host.status().gateway_address}"
        self.told: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(seed,)) for seed in range(4)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, seed: int) -> None:
        chance = random.Random(seed)
        with httpx.Client(base_url=self.address, timeout=30.0, trust_env=False) as client:
            while not self._stop.is_set():
                a, b = chance.uniform(0, 9), chance.randrange(9)
                row = {"a": a, "b": b, "kind": "fine"}
                try:
                    answer = client.post("/models/tiny/predict", json=row)
                except httpx.TransportError:
                    self.told["connection lost"] += 1
                    continue
                self._judge(answer, 2 * a + b)

    def _judge(self, answer: httpx.Response, wanted: float) -> None:
        if answer.status_code == 200:
            right = abs(answer.json()["answer"]["scores"] - wanted) < 1e-9
            self.told["right" if right else "wrong"] += 1
        else:
            self.told[answer.json().get("code", "?")] += 1
        if answer.status_code == 200 and not right:
            self.wrong.append(answer.text)


@pytest.mark.timeout(600 + 240 * ROUNDS)
@pytest.mark.parametrize("replicas", [1, 2])
def test_under_kills_every_answer_is_right_or_a_clear_error(
    replicas: int, tried: Callable[[int], None]
):
    chance = random.Random(replicas)
    with Host(limits=Limits(deadline_seconds=20.0)) as host:
        spec = msgspec.structs.replace(host.add_flow(1), replicas=replicas, batch_seconds=2.0)
        other = host.add_flow(2, factor=3.0)
        host.follow(1, spec, other)
        host.applied()
        bystanders = host.workers("tiny@2")
        with Callers(host) as callers:
            for _ in range(6 * ROUNDS):
                one_fault(host, chance, replicas)
                before = callers.told["right"]
                wait_until(lambda before=before: callers.told["right"] > before, what="an answer")
            tried(6 * ROUNDS)
        assert callers.wrong == []
        assert set(callers.told) - {"right", "connection lost"} <= CODES
        assert callers.told["right"] > sum(callers.told.values()) / 2
        assert host.workers("tiny@2") == bystanders


def one_fault(host: Host, chance: random.Random, replicas: int) -> None:
    """Make one fault, and wait until what it took is there again."""
    workers = wait_until(lambda: host.workers("tiny@1"), what="workers")
    what = chance.choice(["kill", "crash", "stop", "gateway", "row"])
    if what == "row":
        with host.client() as client:
            row = {"a": 1.0, "b": 1, "kind": chance.choice(KINDS)}
            assert client.post("/models/tiny/predict", json=row).status_code in (500, 503)
    elif what == "gateway":
        old = wait_until(lambda: host.status().gateway_pid, what="a gateway")
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: host.status().gateway_pid not in (None, old), what="another gateway")
    else:
        number = {"kill": signal.SIGKILL, "crash": signal.SIGSEGV, "stop": signal.SIGSTOP}[what]
        victim = chance.choice(workers)
        try:
            os.kill(victim, number)
        except ProcessLookupError:
            return
        wait_until(lambda: victim not in host.workers("tiny@1"), 30, what="its end")
    wait_until(lambda: len(host.workers("tiny@1")) == replicas, 30, what="all workers")
