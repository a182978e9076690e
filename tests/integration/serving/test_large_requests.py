"""Requests of many rows, whose columns are laid out once, alone and answered with others."""

from __future__ import annotations

import threading
from typing import Any

from roadworthy.serving.validation import PACKED_FROM
from roadworthy.testing.hosts import Host, wait_until

MANY = PACKED_FROM + 10


def rows(start: int, count: int = MANY, first: str = "fine") -> list[dict[str, Any]]:
    kinds = [first] + ["fine" if n % 7 else None for n in range(1, count)]
    return [{"a": start + n / 2, "b": n, "kind": kinds[n]} for n in range(count)]


def scores(asked: list[dict[str, Any]]) -> list[float]:
    return [row["a"] * 2 + row["b"] for row in asked]


def test_large_and_small_requests_that_wait_together_each_get_their_own_answers():
    requests = [rows(0, first="slow"), rows(1000), rows(2000, 3), rows(3000), rows(4000, 1)]
    found: dict[int, list[float]] = {}
    with Host() as host:
        host.follow(1, host.add_flow(1))
        host.applied()

        def ask(at: int) -> None:
            with host.client() as client:
                answer = client.post("/models/tiny/predict", json=requests[at]).json()
                found[at] = [each["scores"] for each in answer["answers"]]

        threads = [threading.Thread(target=ask, args=(at,)) for at in range(len(requests))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found[at] for at in range(len(requests))] == [scores(each) for each in requests]

        def logged() -> list[dict[str, Any]]:
            kept = host.logged()
            return kept if len(kept) == sum(map(len, requests)) else []

        kept = wait_until(logged, what="all rows in the log")
        wanted = {row["a"]: row for each in requests for row in each}
        for row in kept:
            sent = wanted[row["input:a"]]
            assert (row["input:b"], row["input:kind"]) == (sent["b"], sent["kind"])
            assert row["output:scores"] == sent["a"] * 2 + sent["b"]
