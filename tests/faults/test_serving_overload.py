"""Row 11: more than can be answered is refused at once, and what is accepted is answered."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import msgspec
import pytest

from roadworthy.serving.options import Limits
from roadworthy.testing.hosts import Host

pytestmark = pytest.mark.fault("11")
COSTS = """
plain = Flow.answer_columns
def answer_columns(self, columns, n):
    time.sleep(0.01 + 0.004 * n)
    return plain(self, columns, n)
Flow.answer_columns = answer_columns
"""
ROW = msgspec.json.encode({"a": 1.5, "b": 2, "kind": "fine"})
CALLERS, EACH = 150, 12


async def flood(address: str, seconds: float) -> list[httpx.Response]:
    """Answers to many callers at once, each of whom asks again as soon as it is told something."""
    headers = {"content-type": "application/json", "x-request-timeout": str(seconds)}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=address, trust_env=False, timeout=60, limits=limits, headers=headers
    ) as client:

        async def caller() -> list[httpx.Response]:
            return [await client.post("/models/tiny/predict", content=ROW) for _ in range(EACH)]

        return [answer for answers in await asyncio.gather(*[caller() for _ in range(CALLERS)])
                for answer in answers]  # fmt: skip


def test_what_is_too_much_is_refused_at_once_and_it_recovers():
    with Host(limits=Limits(queue_requests=64)) as host:
        host.follow(1, host.add_flow(1, extra=COSTS))
        host.applied()
        answers = asyncio.run(flood(f"http://{host.status().gateway_address}", 0.5))
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) <= {200, 429, 504}
        assert statuses[429] > 0
        assert statuses[200] > statuses[504]
        for answer in answers:
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) >= 1
                assert answer.json()["code"] == "overloaded"
            elif answer.status_code == 200:
                assert answer.json()["answer"]["scores"] == 5.0
        with host.client() as client:
            after = client.post("/models/tiny/predict", content=ROW, headers=JSON)
            assert after.status_code == 200
            assert host.status().workers[0].restarts == 0


JSON = {"content-type": "application/json"}
