"""Ours against the same flow hand-served, interleaved in one run: ratios of p50 and requests/s.

``python benches/serving/bench.py [--seconds 3] [--rounds 5] [--unpinned]``. Server processes
share one core and the load generator has another, so that both sides have the same to work with.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parent))

import flow_files

from roadworthy.core.deployment import WorkerSpec
from roadworthy.testing.hosts import SOURCE, Host, wait_until

HERE = Path(__file__).parent
LEVELS = (1, 8, 32)
GOALS = {1: ("p50", 1.0), 32: ("rate", 5.0)}


def main() -> int:
    """Measure and print; 1 if a goal is missed or anything answered wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--unpinned", action="store_true")
    options = parser.parse_args()
    pin = not options.unpinned and (os.cpu_count() or 1) > 1
    with Host() as host:
        digest = "b" * 64
        directory = flow_files.write(host.directory / "flows" / digest)
        spec = WorkerSpec(release="tiny@1", flow=digest, python=sys.executable)
        host.follow(1, spec)
        host.applied()
        port = free_port()
        hand = subprocess.Popen(
            [sys.executable, str(HERE / "hand_served.py"), str(directory), str(port)],
            env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
        )
        try:
            status = host.status()
            gateway = int(status.gateway_address.rpartition(":")[2])
            pids = [hand.pid, status.gateway_pid, *host.workers("tiny@1")]
            sides = {"ours": (gateway, "/models/tiny/predict"), "hand": (port, "/predict")}
            wait_until(lambda: answers(port, "/predict"), 60, "the hand-served flow")
            agree(sides)
            for pid in pids if pin else ():
                pin_process(pid)
            return report(measure(sides, options.seconds, options.rounds, pin))
        finally:
            hand.terminate()
            hand.wait()


def measure(sides: dict, seconds: float, rounds: int, pin: bool) -> dict:
    """Per number of connections, the results of both sides, round by round."""
    bodies = [json.dumps(row) for row in flow_files.rows(200, 2).to_dict("records")]
    results: dict[int, list[dict]] = {level: [] for level in LEVELS}
    for turn in range(rounds + 1):
        for level in LEVELS:
            pair = {}
            common = {"bodies": bodies, "seconds": seconds if turn else 0.5}
            common |= {"cpu": 0} if pin else {}
            if level == 1:
                both = common | {"sides": sides, "seconds": common["seconds"] * 2}
                pair = generate(both)
            for name in sorted(sides, reverse=bool(turn % 2)) if level > 1 else ():
                port, path = sides[name]
                job = common | {"port": port, "path": path, "connections": level}
                pair[name] = generate(job)
            if turn:
                results[level].append(pair)
    return results


def report(results: dict) -> int:
    """Print medians and the medians of the rounds' ratios; whether a goal was missed."""
    missed = 0
    print(f"{'connections':>11} {'side':>5} {'req/s':>9} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}")
    for level, pairs in results.items():
        for name in ("ours", "hand"):
            middle = {
                key: statistics.median(pair[name][key] for pair in pairs)
                for key in ("rate", "p50", "p95", "p99")
            }
            print(
                f"{level:>11} {name:>5} {middle['rate']:>9.0f} {middle['p50']:>8.2f} "
                f"{middle['p95']:>8.2f} {middle['p99']:>8.2f}"
            )
        rate = statistics.median(pair["ours"]["rate"] / pair["hand"]["rate"] for pair in pairs)
        p50 = statistics.median(pair["hand"]["p50"] / pair["ours"]["p50"] for pair in pairs)
        print(f"{level:>11} ratio: {rate:.2f} x the requests/s, p50 {p50:.2f} x as fast")
        if level in GOALS:
            what, least = GOALS[level]
            reached = (p50 if what == "p50" else rate) >= least
            missed |= not reached
            print(f"{'':>11} goal {what} >= {least:g} x: {'reached' if reached else 'MISSED'}")
        missed |= any(pair[name]["errors"] for pair in pairs for name in pair)
    return int(missed)


def generate(job: dict) -> dict:
    """What the load generator measured, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE / "load.py")],
        input=json.dumps(job).encode(),
        capture_output=True,
        check=True,
    )
    found: dict = json.loads(done.stdout)
    return found


def agree(sides: dict) -> None:
    """Both sides give the same scores."""
    for row in flow_files.rows(20, 3).to_dict("records"):
        found = []
        for port, path in sides.values():
            body = httpx.post(f"http://127.0.0.1:{port}{path}", json=row).json()
            found.append(body.get("answer", body)["scores"])
        assert abs(found[0] - found[1]) < 1e-12, found


def answers(port: int, path: str) -> bool:
    """Whether a server answers."""
    try:
        row = flow_files.rows(1).to_dict("records")[0]
        return httpx.post(f"http://127.0.0.1:{port}{path}", json=row, timeout=30).is_success
    except httpx.TransportError:
        return False


def pin_process(pid: int) -> None:
    """Keep all threads of a process on the second core."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {1})


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
