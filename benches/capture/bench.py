"""Measures what capture costs, each figure beside the plain run or the same statements by hand.

Run it on a machine that does nothing else: ``python benches/capture/bench.py [PART …]``, the parts
being ``recording`` (goal: at most 10 % of a program's own time plus 1 s, each program paired with
its plain run; memory at most twice), ``wide`` (100,000 rows of 20 columns: capture and
verification in at most 3 s beyond the program's own time) and ``answers`` (1 and 100,000 rows at
least as fast as by hand). Exit code 1 where a goal is missed.
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
from typing import NamedTuple

from roadworthy.capture import Captured, CaptureRequest, capture_program
from roadworthy.runtime.bundle import put_runtime

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SMALL = ROOT / "tests" / "capture" / "programs"
PROGRAMS = {
    ROOT / "examples" / "flight_delay" / "train.py": ("flights", "scores"),
    HERE / "wide.py": ("df", "scores"),
    SMALL / "titles_and_groups.py": ("df", "scores"),
    SMALL / "fill_ways.py": ("df", "scores"),
    SMALL / "encode_in_loop.py": ("df", "scores"),
}
SHARE, FIXED_SECONDS = 1.10, 1.0
BEYOND_SECONDS = 3.0
ROUNDS = 2


class Cost(NamedTuple):
    """What a process took: seconds, and bytes of memory at its peak."""

    seconds: float
    peak: int


def cost(command: list[str], folder: Path, path: str = "") -> Cost:
    """What a command takes, start-up included."""
    environ = {**os.environ, "PYTHONPATH": path} if path else dict(os.environ)
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(time.perf_counter() - began, used.ru_maxrss * 1024)


def recording(folder: Path) -> bool:
    """Each program plain and recorded, in turn; whether all stay within the goals."""
    met = True
    for program, (source, output) in PROGRAMS.items():
        out = folder / program.stem
        out.mkdir()
        bundle = put_runtime(out)
        spec = {"program": str(program), "input": source, "outputs": [output], "out": str(out)}
        (out / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        record = [sys.executable, "-m", "roadworthy_runtime", "record", str(out / "spec.json")]
        pairs = []
        for _ in range(ROUNDS):
            plain = cost([sys.executable, str(program)], program.parent)
            recorded = cost(record, program.parent, str(bundle))
            result = json.loads((out / "result.json").read_text(encoding="utf-8"))
            deciding = result["capture_seconds"]
            pairs.append((plain, recorded, recorded.seconds - deciding, deciding))
        plain_s = statistics.median(pair[0].seconds for pair in pairs)
        own_s = statistics.median(pair[2] for pair in pairs)
        memory = statistics.median(pair[1].peak / pair[0].peak for pair in pairs)
        fine = own_s <= plain_s * SHARE + FIXED_SECONDS and memory <= 2
        met = met and fine
        print(
            f"{'met   ' if fine else 'MISSED'} {program.stem}: plain {plain_s:.2f} s, "
            f"recorded {own_s:.2f} s ({own_s / plain_s:.2f} x), deciding and saving "
            f"{statistics.median(pair[3] for pair in pairs):.2f} s; peak memory {memory:.2f} x",
            flush=True,
        )
    return met


def captured(folder: Path) -> Captured:
    """The flow of ``wide.py``."""
    request = CaptureRequest(
        program=HERE / "wide.py", name="wide", python=Path(sys.executable), input="df",
        outputs=("scores",), quiet=True,
    )  # fmt: skip
    return capture_program(request, folder / "captured")


def wide(folder: Path) -> bool:
    """Capture with verification beside the plain run, on 100,000 rows of 20 columns."""
    beyond = []
    for turn in range(ROUNDS):
        plain = cost([sys.executable, str(HERE / "wide.py")], folder).seconds
        began = time.perf_counter()
        captured(folder / str(turn))
        beyond.append(time.perf_counter() - began - plain)
    found = statistics.median(beyond)
    fine = found <= BEYOND_SECONDS
    print(
        f"{'met   ' if fine else 'MISSED'} 100,000 x 20: capture and verification take "
        f"{found:.2f} s beyond the program's own {plain:.2f} s (goal: {BEYOND_SECONDS:.0f} s)",
        flush=True,
    )
    return fine


def answers(folder: Path) -> bool:
    """The captured flow beside the same statements by hand."""
    directory = captured(folder).directory
    command = [sys.executable, str(HERE / "asking.py"), str(directory)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    met = True
    for count, taken in json.loads(done.stdout).items():
        ratio = taken["flow"] / taken["by hand"]
        met = met and ratio <= 1
        print(
            f"{'met   ' if ratio <= 1 else 'MISSED'} {int(count):,} rows: flow "
            f"{taken['flow'] * 1e3:.2f} ms, by hand {taken['by hand'] * 1e3:.2f} ms "
            f"({ratio:.2f} x)",
            flush=True,
        )
    return met


PARTS = {"recording": recording, "wide": wide, "answers": answers}


def main() -> int:
    """Run the parts that are named, or all."""
    met = True
    for name in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            met = PARTS[name](Path(folder)) and met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
