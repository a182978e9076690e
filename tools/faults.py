"""Makes the faults of docs/explanation/faults.md, many times, and counts what did not hold.

    python tools/faults.py [--rounds 10] [--rows "8 9"] [pytest's own options]

Prints a line for each row: what was made, how often, how often the promise was violated. Ends
with status 1 where one was.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explanation" / "faults.md"


def main() -> int:
    """Run the campaign that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=10, help="multiplies kills and flips")
    parser.add_argument("--rows", default="", help="only these rows: '8 9'")
    options, passed_on = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="rw-faults-") as folder:
        report = Path(folder) / "report"
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *passed_on]
        command += [str(ROOT / "tests" / "faults")]
        if options.rows:
            command += ["-m", "fault", "-k", _named(options.rows.split())]
        environment = {
            **os.environ, "FAULT_ROUNDS": str(options.rounds), "FAULT_REPORT": str(report),
        }  # fmt: skip
        subprocess.run(command, cwd=ROOT, env=environment, check=False)
        lines = report.read_text("utf-8").splitlines() if report.exists() else []
    counts = count([json.loads(line) for line in lines])
    return told(counts, time.monotonic() - began)


def count(lines: list[dict[str, object]]) -> dict[str, tuple[int, int, int]]:
    """Tests, times tried and tests that did not hold, by row; a test's last line counts.

    >>> count([{"test": "a", "rows": ["8", "9"], "tried": 3, "held": True}])
    {'8': (1, 3, 0), '9': (1, 3, 0)}
    """
    last = {str(line["test"]): line for line in lines}
    failed = {str(line["test"]) for line in lines if not line["held"]}
    found: dict[str, tuple[int, int, int]] = {}
    for test, line in last.items():
        rows = line["rows"] if isinstance(line["rows"], list) else []
        for row in rows or ["-"]:
            tests, tried, violated = found.get(row, (0, 0, 0))
            more = int(str(line["tried"]))
            found[row] = (tests + 1, tried + more, violated + (test in failed))
    return found


def told(counts: dict[str, tuple[int, int, int]], seconds: float) -> int:
    """Print the table; the exit code."""
    words = dict(re.findall(r"^\| (\w+) \| ([^|]+) \|", PAGE.read_text("utf-8"), re.MULTILINE))
    print(f"\n{'row':<4} {'tests':>5} {'tried':>7} {'violated':>8}  fault")
    for row in sorted(counts, key=_order):
        tests, tried, violated = counts[row]
        what = words.get(row, "").strip()[:70]
        print(f"{row:<4} {tests:>5} {tried:>7} {violated:>8}  {what}")
    tried = sum(each[1] for each in counts.values())
    violated = sum(each[2] for each in counts.values())
    print(f"{tried} faults made in {seconds:.0f} s, {violated} promises violated")
    return 1 if violated or not counts else 0


def _order(row: str) -> tuple[int, str]:
    number = re.match(r"\d+", row)
    return (int(number[0]) if number else 99, row)


def _named(rows: list[str]) -> str:
    """The files whose text marks one of the rows, as pytest's ``-k`` takes them."""
    wanted = []
    for path in sorted((ROOT / "tests" / "faults").glob("test_*.py")):
        marked = " ".join(re.findall(r'mark\.fault\("([^"]+)"\)', path.read_text("utf-8")))
        if set(marked.split()) & set(rows):
            wanted.append(path.stem)
    return " or ".join(wanted) or "nothing_of_the_kind"


if __name__ == "__main__":
    sys.exit(main())
