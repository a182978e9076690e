"""Measures what pages that are open cost those who ask for predictions.

Run it on a machine that does nothing else: ``python benches/pages/live.py``, seven minutes. Callers
ask a model as fast as they are answered, in one short stretch after another: in every other one
(the order turns with each pair) five readers have the overview or the model's page open, which
renew themselves as the pages' script does.

Where every core is busy, throughput falls by as much as a request's CPU time rises. That is what is
measured, as the machine's other business moves it far less than throughput: the CPU time of gateway
and workers a request, and of all of Roadworthy's processes, which is what pages cost where they
have no core to themselves. Before that the same is asked of a system that nobody else asks: what
pages take there is all that they take, and all but free of noise; its share of what the callers
make Roadworthy take is the figure to go by. Prints the medians over the pairs, each with its 95 %
interval by resampling, beside the goal; throughput is shown to be compared.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from roadworthy.testing.systems import System

GOAL = 0.98
QUIET_PAIRS = 10
CALLERS = 4
PAGES = ("/", "/models/tiny", "/models/tiny", "/", "/models/tiny")
RENEWED_SECONDS = 5.0
BODY = json.dumps({"a": 3.0, "b": 1, "kind": "fine"})
TICK = 1 / os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """What a stretch took: CPU seconds a request of serving alone, of all parts; requests/s."""

    serving: float
    everything: float
    rate: float


class Pair(NamedTuple):
    """Two stretches, one right after the other."""

    without: Cost
    with_: Cost


class Parts(NamedTuple):
    """The processes of a system: those that answer requests, and the rest."""

    serving: Sequence[int]
    others: Sequence[int]


def main() -> int:
    """Measure; 1 where the goal is not shown to be reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=RENEWED_SECONDS - 1)
    given = parser.parse_args()
    with System({"ROADWORTHY_LOG_SAMPLE": "0"}) as system:
        system.up()
        system.deploy(2.0)
        parts = parts_of(system)
        open_, ended = multiprocessing.Event(), multiprocessing.Event()
        readers = multiprocessing.Process(target=read, args=(system.address, open_, ended))
        readers.start()
        try:
            stretch(system.gateway, parts, given.seconds)  # warm
            quiet = [alone(parts, open_, n) for n in range(QUIET_PAIRS)]
            pairs = [pair(system, parts, open_, given.seconds, n) for n in range(given.pairs)]
        finally:
            ended.set()
            readers.join()
    return report(quiet, pairs)


def parts_of(system: System) -> Parts:
    """Gateway and workers of the model; supervisor, control plane and agent."""
    gateway = system.gateway_pid()
    assert gateway is not None
    record = system.record()
    return Parts(
        serving=[gateway, *system.pids("tiny@1")],
        others=[record.supervisor.pid, *(each.pid for each in record.children)],
    )


def alone(parts: Parts, open_: Event, place: int) -> float:
    """The CPU seconds a second that open pages take of all parts while nobody else asks."""
    found = {}
    for with_readers in (place % 2 == 0, place % 2 == 1):
        (open_.set if with_readers else open_.clear)()
        before, began = cpu_seconds([*parts.serving, *parts.others]), time.perf_counter()
        time.sleep(RENEWED_SECONDS)
        took = time.perf_counter() - began
        found[with_readers] = (cpu_seconds([*parts.serving, *parts.others]) - before) / took
    return found[True] - found[False]


def pair(system: System, parts: Parts, open_: Event, seconds: float, place: int) -> Pair:
    """What requests cost with readers and without, the order turned with each pair."""
    found = {}
    for with_readers in (place % 2 == 0, place % 2 == 1):
        (open_.set if with_readers else open_.clear)()
        found[with_readers] = stretch(system.gateway, parts, seconds)
    measured = Pair(found[False], found[True])
    without, with_ = measured
    print(
        f"µs of CPU a request: {without.everything * 1e6:6.1f}, with readers "
        f"{with_.everything * 1e6:6.1f} (serving {without.serving * 1e6:6.1f}, "
        f"{with_.serving * 1e6:6.1f}); {without.rate:6.0f} requests/s, {with_.rate:6.0f}",
        flush=True,
    )
    return measured


def stretch(gateway: str, parts: Parts, seconds: float) -> Cost:
    """Have the callers ask for a while; what each request cost."""
    before = cpu_seconds(parts.serving), cpu_seconds(parts.others)
    began = time.perf_counter()
    answered = ask(gateway, seconds)
    took = time.perf_counter() - began
    serving = cpu_seconds(parts.serving) - before[0]
    others = cpu_seconds(parts.others) - before[1]
    return Cost(serving / answered, (serving + others) / answered, answered / took)


def cpu_seconds(processes: Sequence[int]) -> float:
    """The CPU time that these processes have taken, as Linux counts it, in user and system."""
    total = 0
    for each in processes:
        fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total * TICK


def ask(gateway: str, seconds: float) -> int:
    """Have all callers ask as fast as they are answered; the requests that were."""
    until = time.perf_counter() + seconds
    counts = [0] * CALLERS

    def call(place: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(gateway).netloc, timeout=20)
        headers = {"Content-Type": "application/json"}
        while time.perf_counter() < until:
            connection.request("POST", "/models/tiny/predict", BODY, headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            counts[place] += 1
        connection.close()

    threads = [threading.Thread(target=call, args=(place,)) for place in range(CALLERS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return sum(counts)


def read(address: str, open_: Event, ended: Event) -> None:
    """Ask for the pages in turn, each as often as it renews itself, while they are open."""
    place = 0
    while not ended.is_set():
        if not open_.wait(0.1):
            continue
        began = time.perf_counter()
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
        connection.request("GET", PAGES[place % len(PAGES)])
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        connection.close()
        place += 1
        ended.wait(max(0.0, RENEWED_SECONDS / len(PAGES) - (time.perf_counter() - began)))


def report(quiet: Sequence[float], pairs: Sequence[Pair]) -> int:
    """Print medians and intervals; 1 where the goal is not shown to be reached by the share that
    pages take.
    """
    busy = statistics.median(each.without.everything * each.without.rate for each in pairs)
    taken = statistics.median(quiet)
    print(f"open pages take {taken * 1000:.1f} ms of CPU a second, callers {busy * 1000:.0f} ms")
    reached = tell("what pages take alone", [1 - each / busy for each in quiet])
    tell("serving alone", [each.without.serving / each.with_.serving for each in pairs])
    everything = [each.without.everything / each.with_.everything for each in pairs]
    tell("all of Roadworthy", everything)
    rates = [each.with_.rate / each.without.rate for each in pairs]
    middle, low, high = interval(rates)
    print(f"throughput itself, for comparison: {middle:.3f} [{low:.3f}, {high:.3f}]")
    return int(not reached)


def tell(what: str, ratios: Sequence[float]) -> bool:
    """Print what remains of throughput by a request's CPU time; whether it reaches the goal."""
    middle, low, high = interval(ratios)
    if low >= GOAL:
        verdict = "reached"
    else:
        verdict = "missed" if high < GOAL else "inconclusive: more pairs, or a quieter machine"
    print(
        f"throughput left by {len(PAGES)} open pages, by CPU time of {what}: {middle:.3f} "
        f"[{low:.3f}, {high:.3f}] over {len(ratios)} pairs (goal {GOAL}): {verdict}"
    )
    return low >= GOAL


def interval(ratios: Sequence[float]) -> tuple[float, float, float]:
    """The median and its 95 % interval by resampling."""
    chance = random.Random(7)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(2000))
    return statistics.median(ratios), medians[50], medians[-51]


if __name__ == "__main__":
    sys.exit(main())
