"""Runs one side in its own environment: ``asked.py MODULE``, a line of JSON a question.

A question is ``{"call": name, "with": [...], "times": 1, "most": seconds}``; the answer has the
seconds of each time, what the last one gave, and by how much memory peaked above what was held
before. ``open`` makes the side anew over a folder.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to the errors
    module = importlib.import_module(sys.argv[1])
    side: Any = None
    for line in sys.stdin:
        job = json.loads(line)
        try:
            if job["call"] == "open":
                side = module.Side(*job["with"])
                told: dict[str, Any] = {}
            else:
                told = _timed(getattr(side, job["call"]), job)
        except Exception as error:  # noqa: BLE001 - the side failed; the bench says so and goes on
            traceback.print_exc()
            told = {"failed": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(told), file=answers, flush=True)


def _timed(call: Any, job: dict[str, Any]) -> dict[str, Any]:
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _memory("VmRSS")
    seconds: list[float] = []
    given = None
    for _ in range(job.get("times", 1)):
        began = time.perf_counter()
        given = call(*job["with"])
        seconds.append(time.perf_counter() - began)
        if sum(seconds) > job.get("most", 1e9):
            break
    return {"seconds": seconds, "given": given, "peak": _memory("VmHWM") - before}


def _memory(what: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
