"""Overload, idle connections and slow callers: what they do to everybody else.

    python benches/serving/callers.py [--idle 10000] [--slow 1000] [--seconds 5] [--only KIND]

Server processes share one core, callers have another. The flow of overload costs 10 ms and 1 ms
for each row. *Goodput* is good answers a second: first of as many callers as saturate it, then
of five times the requests that it can answer, sent at their own pace by callers who wait half a
second at most and do not slow down. Then p99 of one good caller: alone, beside connections that say
nothing, beside callers whose requests stop in the middle, and beside callers who send their bodies
a byte a second; and what each of those costs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from load import Connection, requests_of

from roadworthy.testing.hosts import Host

HERE = Path(__file__).parent
PATH = "/models/tiny/predict"
ROW = json.dumps({"a": 1.5, "b": 2, "kind": "fine"})
COSTS = """
plain = Flow.answer_columns
def answer_columns(self, columns, n):
    until = time.perf_counter() + 0.010 + 0.001 * n
    while time.perf_counter() < until:
        pass
    return plain(self, columns, n)
Flow.answer_columns = answer_columns
"""
TIMES = 5
PATIENCE_SECONDS = 0.5
WANTED = {"goodput": 0.8, "p99": 1.2, "bytes": 50_000}


def main() -> int:
    """Measure and print; 1 where a promise isn't kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--slow", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--only", choices=["overload", "idle", "slow", "bytes"])
    options = parser.parse_args()
    most = options.idle + options.slow + 1000
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    head = b"POST /models/tiny/predict HTTP/1.1\r\nhost: x\r\ncontent-length: 400\r\n"
    kinds: dict[str, Callable[[], bool]] = {
        "overload": lambda: overload(options.seconds),
        "idle": lambda: crowded("idle", options.idle, b"", options.seconds),
        "slow": lambda: crowded("slow", options.slow, head, options.seconds),
        "bytes": lambda: crowded("bytes", options.slow, head + b"\r\n", options.seconds, drip=True),
    }
    wanted = [options.only] if options.only else list(kinds)
    return int(sum(kinds[kind]() for kind in wanted) > 0)


def overload(seconds: float) -> bool:
    """Goodput at the peak and at five times what it can answer."""
    with Host() as host:
        host.follow(1, host.add_flow(1, extra=COSTS))
        host.applied()
        port = pinned(host)
        peak = max(asyncio.run(closed(port, callers, seconds)) for callers in (32, 128))
        answered, refused, late = asyncio.run(flood(port, TIMES * peak, seconds))
        after = asyncio.run(closed(port, 32, 2.0))
    ratio = answered / peak
    print(
        f"overload    peak {peak:.0f}/s; at {TIMES} times that: goodput {answered:.0f}/s ", end=""
    )
    print(
        f"({ratio:.0%}), {refused:.0f}/s refused, {late:.0f}/s too late; afterwards {after:.0f}/s"
    )
    return ratio < WANTED["goodput"]


async def closed(port: int, callers: int, seconds: float) -> float:
    """Good answers a second to callers who each wait for their answer."""
    loop = asyncio.get_running_loop()
    requests = requests_of(PATH, [ROW])
    until = time.perf_counter() + seconds
    made = [
        (await loop.create_connection(lambda: Connection(requests, until, 0), "127.0.0.1", port))[1]
        for _ in range(callers)
    ]
    await asyncio.gather(*(each.done for each in made))
    return sum(len(each.seconds) - each.errors for each in made) / seconds


class Caller(asyncio.Protocol):
    """One of many who send at their own pace; an answer within its time is good."""

    def __init__(self) -> None:
        self.sent = 0.0
        self.free = True
        self.good = self.refused = self.late = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def send(self, request: bytes) -> None:
        self.sent, self.free = time.perf_counter(), False
        self.transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.free = True
        if b" 200 " not in data[:20]:
            self.refused += 1
        elif time.perf_counter() - self.sent > PATIENCE_SECONDS:
            self.late += 1
        else:
            self.good += 1


async def flood(port: int, rate: float, seconds: float) -> tuple[float, float, float]:
    """Good, refused and late answers a second where ``rate`` requests a second are sent."""
    loop = asyncio.get_running_loop()
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    head += f"x-request-timeout: {PATIENCE_SECONDS}\r\ncontent-length: {len(ROW)}\r\n\r\n{ROW}"
    request = head.encode()
    callers = [
        (await loop.create_connection(Caller, "127.0.0.1", port))[1]
        for _ in range(int(rate * PATIENCE_SECONDS) + 64)
    ]
    free = list(callers)
    began, sent = time.perf_counter(), 0
    while (now := time.perf_counter() - began) < seconds:
        due = int(now * rate) - sent
        if len(free) < due:
            free = [each for each in callers if each.free]
        for _ in range(min(due, len(free))):
            free.pop().send(request)
        sent += due
        await asyncio.sleep(0.002)
    await asyncio.sleep(2 * PATIENCE_SECONDS)
    for each in callers:
        each.transport.close()
    return tuple(  # type: ignore[return-value]
        sum(getattr(each, name) for each in callers) / seconds
        for name in ("good", "refused", "late")
    )


def crowded(kind: str, count: int, said: bytes, seconds: float, drip: bool = False) -> bool:
    """One good caller's p99, alone and beside ``count`` connections that said only so much.

    With ``drip`` each of them goes on with a byte a second.
    """
    with Host() as host:
        host.follow(1, host.add_flow(1))
        host.applied()
        port = pinned(host)
        gateway = host.status().gateway_pid
        alone(port, seconds / 2)
        pairs, grown, opened = [], 0.0, 0
        for _ in range(3):
            before, quiet = resident(gateway), alone(port, seconds)
            others = []
            for _ in range(count):
                others.append(socket.create_connection(("127.0.0.1", port)))
                others[-1].sendall(said) if said else None
            time.sleep(1)
            grown = max(grown, (resident(gateway) - before) / count)
            over = threading.Event()
            more = threading.Thread(target=dripping, args=(others if drip else [], over))
            more.start()
            pairs.append((quiet, alone(port, seconds)))
            over.set()
            more.join()
            opened = len(others)
            for each in others:
                each.close()
            time.sleep(1)
    ratio = statistics.median(b["p99"] / a["p99"] for a, b in pairs)
    errors = sum(b["errors"] for _, b in pairs)
    print(f"{kind:<11} {opened:,} connections: p99 of others {ratio:.2f} times ", end="")
    print(f"({pairs[0][0]['p99']:.2f} ms alone), {errors} errors, {grown / 1000:.1f} KB each")
    return ratio > WANTED["p99"] or grown > WANTED["bytes"] or errors > 0


def dripping(callers: list[socket.socket], over: threading.Event) -> None:
    """Send a byte a second for each caller."""
    while not over.wait(1.0):
        for each in callers:
            each.send(b" ")


def alone(port: int, seconds: float) -> dict:
    """What one caller at a time sees."""
    job = {"port": port, "path": PATH, "bodies": [ROW], "connections": 1, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, str(HERE / "load.py")],
        input=json.dumps({**job, "cpu": 0}).encode(), capture_output=True, check=True,
    )  # fmt: skip
    found: dict = json.loads(done.stdout)
    return found


def pinned(host: Host) -> int:
    """Keep the server on one core and this process on another; the gateway's port."""
    status = host.status()
    assert host.process is not None
    for pid in (host.process.pid, status.gateway_pid, *host.workers("tiny@1")):
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {1})
    os.sched_setaffinity(0, {0})
    return int(status.gateway_address.rpartition(":")[2])


def resident(pid: int | None) -> int:
    """Bytes that a process holds."""
    text = Path(f"/proc/{pid}/status").read_text("ascii")
    return 1024 * next(int(x.split()[1]) for x in text.splitlines() if x.startswith("VmRSS"))


if __name__ == "__main__":
    sys.exit(main())
