"""Ours and the peers beside a server written by hand, each in turn with it: ratios in one table.

``python benches/serving/bench.py [--seconds 3] [--rounds 3] [--peers all|none|NAMES] [--flow
linear|trees] [--pinned]``. Each peer is installed in a virtual environment of its own under
``--cache``. All share the machine's cores, two at most; ``--pinned`` keeps all server processes on
one core and the load generator on another. 1.00 is the server written by hand, measured again
beside each side.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import flow_files
import httpx
import peers
from flow_features import rows
from sides import HERE, Hand, Ours, Side

LEVELS = (1, 8, 32)
MANY = 1000
MANY_LEVEL = 8
CPU_LEVEL = 32
GOALS = {
    "as it is": {
        "1": 0.95, "p50": 1.0, "8": 3, "32": 10, "rows/s": 2.5, "cpu": 0.12, "cold": 1.0,
        "memory": 1.2,
    },
    "fast": {"1": 10, "32": 25, "rows/s": 8, "p50": 1.0},
}  # fmt: skip
LESS_IS_BETTER = ("cpu", "cold", "memory")


def main() -> int:
    """Measure and print; 1 if a goal is missed or anything answered wrongly."""
    options = _options()
    cores = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cores)
    pin = options.pinned and len(cores) > 1
    missed = 0
    with tempfile.TemporaryDirectory(prefix="rw-bench-") as folder:
        model = flow_files.write(Path(folder) / "hand", options.flow)
        ours = [Ours("as it is", options.flow, False), Ours("fast", options.flow, True)]
        others = peers.make(options.peers, Path(options.cache), Path(folder), model)
        _head()
        for side in [*ours, *others]:
            hand = Hand(model)
            try:
                found = beside(side, hand, options.seconds, options.rounds, pin)
            except (AssertionError, OSError, ValueError, httpx.HTTPError) as error:
                print(f"{side.name:<18} could not be measured: {error!r}", flush=True)
                missed |= side in ours
                continue
            finally:
                hand.stop()
                side.stop()
            missed |= report(side, found)
    return missed


def beside(side: Side, hand: Side, seconds: float, rounds: int, pin: bool) -> dict[str, Any]:
    """The ratios of one side to the server written by hand."""
    for each in (side, hand):
        each.start()
    agree(side, hand)
    if pin:
        side.pin(1)
        hand.pin(1)
    found: dict[str, list[float]] = {}
    errors = 0

    def both(connections: int, single: bool) -> dict[str, dict[str, float]]:
        pair = {}
        for each in (side, hand):
            before = each.cpu_seconds()
            pair[each.name] = generate(each, connections, single, seconds, pin)
            pair[each.name]["cpu"] = (each.cpu_seconds() - before) / pair[each.name]["count"]
        return pair

    for turn in range(rounds + 1):
        for level in LEVELS:
            pair = in_turn(side, hand, seconds, pin) if level == 1 else both(level, True)
            mine, theirs = pair[side.name], pair[hand.name]
            errors += int(mine["errors"] + theirs["errors"])
            if not turn:
                continue  # the first round warms both up
            found.setdefault(str(level), []).append(mine["rate"] / theirs["rate"])
            if level == 1:
                found.setdefault("p50", []).append(theirs["p50"] / mine["p50"])
                found.setdefault("ms", []).append(mine["p50"])
            if level == CPU_LEVEL:
                found.setdefault("cpu", []).append(mine["cpu"] / theirs["cpu"])
                found.setdefault("req/s", []).append(mine["rate"])
        for name, level in (("alone", 1), ("rows/s", MANY_LEVEL)):
            pair = both(level, False)
            mine, theirs = pair[side.name], pair[hand.name]
            errors += int(mine["errors"] + theirs["errors"])
            if turn:
                found.setdefault(name, []).append(mine["rate"] / theirs["rate"])
                found.setdefault(f"k{name}", []).append(mine["rate"] * MANY / 1000)
    result: dict[str, Any] = {name: statistics.median(values) for name, values in found.items()}
    result["cold"] = side.cold_seconds / hand.cold_seconds
    result["memory"] = side.memory() / hand.memory()
    result["errors"] = errors
    return result


def agree(side: Side, hand: Side) -> None:
    """Both give the same scores, for one row and for many."""
    for n, single in ((1, True), (50, False)):
        records = rows(n, 3).to_dict("records")
        pairs = zip(side.ask(records, single), hand.ask(records, single), strict=True)
        for one, other in pairs:
            if abs(one - other) > 1e-9:
                raise ValueError(f"{side.name} answers {one} where {other} is right")


def report(side: Side, found: dict[str, Any]) -> int:
    """One line of the table, and the goals that are missed."""
    cells = [found[name] for name in _COLUMNS]
    print(f"{side.name:<18}" + "".join(f"{cell:>9.3g}" for cell in cells), flush=True)
    missed = []
    for name, goal in GOALS.get(side.name, {}).items():
        reached = found[name] <= goal if name in LESS_IS_BETTER else found[name] >= goal
        if not reached:
            missed.append(f"{name} {found[name]:.3g} (goal {goal:g})")
    if isinstance(side, Ours) and side.fast:
        print(f"{'':<18}fast form {side.said}")
    if found["errors"]:
        missed.append(f"{found['errors']} requests failed")
    if missed:
        print(f"{'':<18}MISSED: {'; '.join(missed)}", flush=True)
    return int(bool(missed) and isinstance(side, Ours))


_COLUMNS = (
    "1", "8", "32", "p50", "rows/s", "alone", "cpu", "cold", "memory", "ms", "req/s", "krows/s",
    "kalone",
)  # fmt: skip


def _head() -> None:
    print("Ratios to the server written by hand (1.00): requests/s at 1, 8 and 32 connections, how")
    print(
        "much quicker p50 is at 1, rows/s by 1,000 at 8 connections and at one alone, CPU a request"
    )
    print(
        "at 32, cold start, memory (less is better); then own figures: p50 in ms at 1, requests/s"
    )
    print("at 32, thousand rows/s by 1,000 at 8 and alone")
    print(f"{'':<18}" + "".join(f"{name:>9}" for name in _COLUMNS), flush=True)


def in_turn(side: Side, hand: Side, seconds: float, pin: bool) -> dict[str, dict[str, float]]:
    """Both asked alternately on one connection each."""
    job: dict[str, Any] = {"seconds": seconds * 2, "sides": {}}
    for each in (side, hand):
        bodies = [each.body([row], True) for row in rows(200, 2).to_dict("records")]
        job["sides"][each.name] = [each.port, each.path, bodies]
    return _generate(job, pin)


def generate(
    side: Side, connections: int, single: bool, seconds: float, pin: bool
) -> dict[str, float]:
    """What the load generator measured of one side."""
    if single:
        bodies = [side.body([row], True) for row in rows(200, 2).to_dict("records")]
    else:
        bodies = [side.body(rows(MANY, seed).to_dict("records"), False) for seed in range(4)]
    path = side.path if single else side.many
    job = {"port": side.port, "path": path, "bodies": bodies, "connections": connections}
    return _generate({**job, "seconds": seconds}, pin)


def _generate(job: dict[str, Any], pin: bool) -> Any:
    done = subprocess.run(
        [sys.executable, str(HERE / "load.py")],
        input=json.dumps({**job, **({"cpu": 0} if pin else {})}).encode(),
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flow", choices=["linear", "trees"], default="linear")
    parser.add_argument(
        "--peers", default="none", help=f"all, none, or of {', '.join(peers.PEERS)}"
    )
    parser.add_argument("--pinned", action="store_true")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    parser.add_argument("--cache", default=f"{home}/roadworthy-bench")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
