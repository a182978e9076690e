"""A load generator: raw HTTP/1.1 on kept-alive connections, each with one request under way.

With one connection the two sides are asked in turn, some requests each, so that whatever else
the machine does falls on both, and neither finds the caches as the other left them.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time

TURN_SECONDS = 0.1


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last is complete."""

    def __init__(self, requests: list[bytes], until: float, at: int) -> None:
        self.requests = requests
        self.until = until
        self.at = at
        self.seconds: list[float] = []
        self.errors = 0
        self.buffer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.at = (self.at + 1) % len(self.requests)
        self.began = time.perf_counter()
        self.transport.write(self.requests[self.at])  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        if not complete(head, self.buffer[end + 4 :]):
            return
        now = time.perf_counter()
        self.seconds.append(now - self.began)
        self.errors += b" 200 " not in head[:20]
        self.buffer = b""
        if now < self.until:
            self.send()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.done.set_result(None)


async def load(port: int, path: str, bodies: list[str], connections: int, seconds: float) -> dict:
    """Requests per second, percentiles in milliseconds, errors."""
    requests = requests_of(path, bodies)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    made = [
        (
            await loop.create_connection(
                lambda at=at: Connection(requests, began + seconds, at * 7), "127.0.0.1", port
            )
        )[1]
        for at in range(connections)
    ]
    await asyncio.gather(*(connection.done for connection in made))
    took = time.perf_counter() - began
    times = [second for connection in made for second in connection.seconds]
    return summary(times, took, sum(connection.errors for connection in made))


def in_turn(sides: dict[str, list], seconds: float) -> dict[str, dict]:
    """The same numbers for each side, asked alternately on one connection each."""
    opened = {}
    for name, (port, path, bodies) in sides.items():
        opened[name] = (socket.create_connection(("127.0.0.1", port)), requests_of(path, bodies))
        opened[name][0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times: dict[str, list[float]] = {name: [] for name in sides}
    errors = dict.fromkeys(sides, 0)
    until = time.perf_counter() + seconds
    turn = 0
    while time.perf_counter() < until:
        for name in sorted(sides, reverse=bool(turn % 2)):
            connection, requests = opened[name]
            over = time.perf_counter() + TURN_SECONDS
            ended = 0.0
            while ended < over:
                began = time.perf_counter()
                connection.sendall(requests[len(times[name]) % len(requests)])
                head = receive(connection)
                ended = time.perf_counter()
                times[name].append(ended - began)
                errors[name] += b" 200 " not in head[:20]
        turn += 1
    return {name: summary(times[name], sum(times[name]), errors[name]) for name in sides}


def receive(connection: socket.socket) -> bytes:
    """The head of a whole answer."""
    data = b""
    while True:
        data += connection.recv(65536)
        head, end, body = data.partition(b"\r\n\r\n")
        if end:
            if complete(head.lower(), body):
                return head


def complete(head: bytes, body: bytes) -> bool:
    """Whether a body is all that its head (in lower case) announces."""
    if b"content-length:" in head:
        return len(body) >= int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    return body.endswith(b"0\r\n\r\n")  # in chunks


def requests_of(path: str, bodies: list[str]) -> list[bytes]:
    """The requests that post these bodies."""
    return [
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n{body}".encode()
        for body in bodies
    ]


def summary(times: list[float], took: float, errors: int) -> dict:
    """Requests per second and percentiles in milliseconds."""
    ordered = sorted(times)
    return {
        "count": len(ordered),
        "rate": len(ordered) / took,
        "p50": ordered[len(ordered) // 2] * 1e3,
        "p95": ordered[int(len(ordered) * 0.95)] * 1e3,
        "p99": ordered[int(len(ordered) * 0.99)] * 1e3,
        "errors": errors,
    }


if __name__ == "__main__":
    job = json.load(sys.stdin)
    if job.pop("cpu", None) is not None:
        os.sched_setaffinity(0, {0})
    print(json.dumps(in_turn(**job) if "sides" in job else asyncio.run(load(**job))))
