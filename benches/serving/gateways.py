"""One gateway against several that share the port: requests a second, interleaved in one run.

``python benches/serving/gateways.py [--processes 2] [--seconds 3] [--rounds 3] [--pipeline]``. The
flow is all but free, so that what is measured is the gateway; with ``--pipeline`` it is the one
of ``bench.py``, where what counts is how many requests a batch has. Nothing is pinned.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import flow_files

from roadworthy.core.deployment import WorkerSpec
from roadworthy.testing.hosts import Host

HERE = Path(__file__).parent
LEVELS = (1, 8, 32, 128)
ROW = {"a": 1.5, "b": 2, "kind": "fine"}


def main() -> int:
    """Measure both and print the medians of the rounds' ratios; 1 where anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pipeline", action="store_true")
    options = parser.parse_args()
    row = flow_files.rows(1).to_dict("records")[0] if options.pipeline else ROW
    rates: dict[int, list[tuple[float, float]]] = {level: [] for level in LEVELS}
    errors = 0
    with ExitStack() as stack:
        ports = []
        for processes in (1, options.processes):
            host = stack.enter_context(Host(gateways=processes))
            digest = "b" * 64
            if options.pipeline:
                flow_files.write(host.directory / "flows" / digest)
                spec = WorkerSpec(release="tiny@1", flow=digest, python=sys.executable)
            else:
                spec = host.add_flow(1)
            host.follow(1, spec)
            host.applied()
            ports.append(int(host.status().gateway_address.rpartition(":")[2]))
        for turn in range(options.rounds + 1):
            for level in LEVELS:
                pair = {}
                for port in ports if turn % 2 else reversed(ports):
                    found = load(port, row, level, options.seconds if turn else 0.5)
                    pair[port] = found["rate"]
                    errors += found["errors"]
                if turn:
                    rates[level].append((pair[ports[0]], pair[ports[1]]))
    print(f"{'connections':>11} {'1 gateway':>10} {options.processes:>8} gateways {'ratio':>7}")
    for level, pairs in rates.items():
        one, several = (statistics.median(rate) for rate in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"{level:>11} {one:>10.0f} {several:>17.0f} {ratio:>7.2f}")
    return int(errors > 0)


def load(port: int, row: dict, connections: int, seconds: float) -> dict:
    """What the load generator measured, in a process of its own."""
    job = {
        "port": port,
        "path": "/models/tiny/predict",
        "connections": connections,
        "bodies": [json.dumps(row)],
        "seconds": seconds,
    }
    done = subprocess.run(
        [sys.executable, str(HERE / "load.py")],
        input=json.dumps(job).encode(),
        capture_output=True,
        check=True,
    )
    found: dict = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main())
