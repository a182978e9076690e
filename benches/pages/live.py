"""Measures what pages that are open cost those who ask for predictions.

Run it on a machine that does nothing else: ``python benches/pages/live.py``. Callers ask a model as
fast as they are answered, in one short stretch after another: in every other one (the order turns
with each pair) five readers have the overview or the model's page open, which renew themselves as
the pages' script does. Prints the median over the pairs of throughput with readers over without,
with its 95 % interval by resampling, beside the goal.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import random
import statistics
import sys
import threading
import time
from multiprocessing.synchronize import Event
from urllib.parse import urlsplit

from roadworthy.testing.systems import System

GOAL = 0.98
CALLERS = 4
PAGES = ("/", "/models/tiny", "/models/tiny", "/", "/models/tiny")
RENEWED_SECONDS = 5.0
BODY = json.dumps({"a": 3.0, "b": 1, "kind": "fine"})


def main() -> int:
    """Measure; 1 where the goal is not shown to be reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=1.5)
    given = parser.parse_args()
    with System({"ROADWORTHY_LOG_SAMPLE": "0"}) as system:
        system.up()
        system.deploy(2.0)
        open_, ended = multiprocessing.Event(), multiprocessing.Event()
        readers = multiprocessing.Process(target=read, args=(system.address, open_, ended))
        readers.start()
        try:
            throughput(system.gateway, given.seconds)  # warm
            ratios = [pair(system.gateway, open_, given.seconds, n) for n in range(given.pairs)]
        finally:
            ended.set()
            readers.join()
    return report(ratios)


def pair(gateway: str, open_: Event, seconds: float, place: int) -> float:
    """Throughput with readers over without, measured one right after the other."""
    found = {}
    for with_readers in (place % 2 == 0, place % 2 == 1):
        (open_.set if with_readers else open_.clear)()
        found[with_readers] = throughput(gateway, seconds)
    ratio = found[True] / found[False]
    print(
        f"{found[False]:7.0f} requests/s, with readers {found[True]:7.0f}: {ratio:.3f}", flush=True
    )
    return ratio


def throughput(gateway: str, seconds: float) -> float:
    """Requests a second that the callers were answered."""
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
    began = time.perf_counter()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return sum(counts) / (time.perf_counter() - began)


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


def report(ratios: list[float]) -> int:
    """Print the median and its interval; 1 where the goal is not shown to be reached."""
    chance = random.Random(7)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(2000))
    middle, low, high = statistics.median(ratios), medians[50], medians[-51]
    if low >= GOAL:
        verdict = "reached"
    else:
        verdict = "missed" if high < GOAL else "inconclusive: more pairs, or a quieter machine"
    print(
        f"throughput with {len(PAGES)} open pages over without: {middle:.3f} "
        f"[{low:.3f}, {high:.3f}] over {len(ratios)} pairs (goal {GOAL}): {verdict}"
    )
    return int(low < GOAL)


if __name__ == "__main__":
    sys.exit(main())
