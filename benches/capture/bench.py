"""Measures what recording costs: the flight example plain and recorded, in turn.

Run it on a machine that does nothing else: ``python benches/capture/bench.py``. The goal is at
most 10 % of the program's own time plus 1 s. Prints the ratios of each pair and their median.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from roadworthy.runtime.bundle import put_runtime

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "flight_delay" / "train.py"
ROUNDS = 3


def seconds(command: list[str], folder: Path, path: str = "") -> float:
    """How long a command takes, start-up included, in seconds."""
    environ = {**os.environ, "PYTHONPATH": path} if path else dict(os.environ)
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> int:
    """Time both, in turn, and print a line a pair."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        bundle = put_runtime(folder)
        spec = {"program": str(PROGRAM), "input": "flights", "outputs": ["scores"], "out": text}
        (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        record = [sys.executable, "-m", "roadworthy_runtime", "record", str(folder / "spec.json")]
        over = []
        for turn in range(ROUNDS):
            plain = seconds([sys.executable, str(PROGRAM)], folder)
            seconds(record, folder, str(bundle))
            result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
            own = result["seconds"]
            over.append(own / plain)
            print(
                f"{turn + 1}: plain {plain:.2f} s, recorded {own:.2f} s ({own / plain:.2f} x), "
                f"deciding and saving {result['capture_seconds']:.2f} s"
            )
        median = statistics.median(over)
        print(f"recorded / plain: {median:.2f} x (goal: 1.10 x plus 1 s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
