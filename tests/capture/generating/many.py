"""``python -m tests.capture.generating.many``: thousands of generated programs, with a count.

A program is known by its number: ``--first 153 --count 1 --to FOLDER`` makes it again and leaves
it there with its table and the rows that it is asked.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.capture.generating.composing import Generated, generate
from tests.capture.generating.running import CAUGHT, REFUSED, RIGHT, Outcome, Runner, write_rows

SOUND = (RIGHT, REFUSED, CAUGHT)


def main() -> int:
    """0 if every program was captured rightly or refused, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first program's number")
    parser.add_argument("--count", type=int, default=1000, help="how many programs")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--verify", action="store_true", help="make all checks of each flow")
    parser.add_argument("--refused", action="store_true", help="list what was refused, too")
    parser.add_argument("--to", type=Path, help="only write the programs into this folder")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.count)
    if options.to is not None:
        for number in numbers:
            write(generate(random.Random(number)), options.to / str(number))
        return 0
    began = time.perf_counter()
    found: dict[int, Outcome] = {}
    with ThreadPoolExecutor(options.jobs) as pool:
        parts = [numbers[job :: options.jobs] for job in range(options.jobs)]
        for part in pool.map(lambda part: _run(part, options.verify), parts):
            found.update(part)
    verdicts = collections.Counter(outcome.verdict for outcome in found.values())
    print(f"{len(found)} programs in {time.perf_counter() - began:.0f} s: {dict(verdicts)}")
    if options.refused:
        reasons = [o for o in found.values() if o.verdict in (REFUSED, CAUGHT)]
        for text, count in collections.Counter(o.text[:100] for o in reasons).most_common():
            print(f"{count:5} {text}")
    return 0 if all(verdict in SOUND for verdict in verdicts) else 1


def _run(numbers: range, verify: bool) -> dict[int, Outcome]:
    runner = Runner()
    found = {}
    try:
        for number in numbers:
            outcome = found[number] = runner.run(generate(random.Random(number)), verify)
            if outcome.verdict not in SOUND:
                print(f"program {number}: {outcome.verdict}: {outcome.text}", flush=True)
    finally:
        runner.close()
    return found


def write(program: Generated, folder: Path) -> None:
    """The program, its table and the rows that it is asked, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "program.py").write_text(program.source, "utf-8")
    for name, rows in (("table", program.creation), ("asked", program.asked)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            write_rows(rows, file)


if __name__ == "__main__":
    sys.exit(main())
