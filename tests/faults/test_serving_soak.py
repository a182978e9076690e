"""Under steady load neither memory nor descriptors grow: briefly here, longer by SOAK_SECONDS."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import httpx
import pytest

from roadworthy.testing.hosts import Host

SECONDS = float(os.environ.get("SOAK_SECONDS", "0"))
WARM, ASKED = 1500, 3000
MOST_BYTES, MOST_FILES = 12 << 20, 4
ROW = {"a": 1.5, "b": 2, "kind": "fine"}
ODD = [{**ROW, "kind": kind} for kind in ("odd", "raise", "fine")]

pytestmark = [pytest.mark.fault("17"), pytest.mark.timeout(600 + 2 * SECONDS)]


def held(pid: int) -> tuple[int, int]:
    """Resident bytes and open descriptors of a process."""
    text = Path(f"/proc/{pid}/status").read_text("ascii")
    (kilobytes,) = (int(x.split()[1]) for x in text.splitlines() if x.startswith("VmRSS"))
    return kilobytes * 1024, len(list(Path(f"/proc/{pid}/fd").iterdir()))


def ask(host: Host, requests: int, seconds: float, failures: list[int]) -> None:
    """Plain rows, many rows, rows that fail and requests that are refused; now and then anew."""
    until = time.monotonic() + seconds
    done = 0
    while done < requests or time.monotonic() < until:
        with host.client() as client:
            for _ in range(100):
                sent = (ROW, ODD, [ROW] * 300, {"a": "text"})[(0, 0, 0, 1, 0, 2, 0, 0, 3)[done % 9]]
                answer: httpx.Response = client.post("/models/tiny/predict", json=sent)
                wanted = 422 if isinstance(sent, dict) and sent["a"] == "text" else 200
                if answer.status_code != wanted:
                    failures.append(answer.status_code)
                done += 1


def test_nothing_grows_under_steady_load(tried):
    with Host() as host:
        host.follow(1, host.add_flow(1))
        host.applied()
        pids = {
            "agent": host.process.pid,
            "gateway": host.status().gateway_pid,
            "worker": host.workers("tiny@1")[0],
        }
        failures: list[int] = []

        def load(requests: int, seconds: float) -> None:
            threads = [
                threading.Thread(target=ask, args=(host, requests // 3, seconds, failures))
                for _ in range(3)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        load(WARM, SECONDS / 10)
        before = {name: held(pid) for name, pid in pids.items()}
        load(ASKED, SECONDS)
        after = {name: held(pid) for name, pid in pids.items()}
        tried(1)
        assert failures == []
        for name in pids:
            grown, opened = (b - a for a, b in zip(before[name], after[name], strict=True))
            assert grown < MOST_BYTES, f"{name} grew by {grown >> 10} KiB"
            assert opened <= MOST_FILES, f"{name} has {opened} more descriptors open"
