"""Batches that are killed: what they leave is gone on with, until every row is answered once.

    python -m roadworthy.testing.batching JOB.json        # do the batch in that file
    python -m roadworthy.testing.batching JOB.json SEED KILLS

With SEED and KILLS the batch is begun again and again, each time killed at a random moment of the
time it takes here, until it was killed so often; then it is finished.
"""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import time
import traceback
from pathlib import Path

import msgspec

from roadworthy.pipelines.batch import Batch, LocalEngine, Progress, run_batch


def do(batch: Batch, said: int | None = None) -> Progress:
    """Do the batch with one worker, saying on a descriptor when chunks are done."""

    def told(state: Progress) -> None:
        if said is not None:
            os.write(said, b".")

    return run_batch(batch, LocalEngine(1), told)


def killed(batch: Batch, chunks: int, seconds: float) -> bool:
    """Begin the batch in a process and kill it ``seconds`` after ``chunks`` more chunks were done.

    Whether it was killed before it ended.
    """
    hear, said = os.pipe()
    process = _begun(batch, said)
    os.close(said)
    with os.fdopen(hear, "rb", buffering=0) as file:
        for _ in range(chunks):
            if not file.read(1):
                break
        time.sleep(seconds)
    os.kill(process, signal.SIGKILL)
    return os.WIFSIGNALED(_ended(process))


def _begun(batch: Batch, said: int | None = None) -> int:
    """A new process that does the batch. This one keeps no thread, so that it can fork again."""
    process = os.fork()
    if process == 0:
        status = 70
        try:
            do(batch, said)
            status = 0
        except Exception:  # noqa: BLE001  (said, and told by the status)
            traceback.print_exc()
        finally:
            os._exit(status)
    return process


def _ended(process: int) -> int:
    _, status = os.waitpid(process, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise AssertionError("the batch failed; see above")
    return status


def campaign(batch: Batch, seed: int, kills: int) -> int:
    """How often the batch was killed, at most ``kills`` times; then it is finished.

    Where it ended before it could be killed, its output is removed and it begins anew.
    """
    chance = random.Random(seed)
    output, job = Path(batch.output), Path(f"{batch.output}.batch") / "job.json"
    began = time.monotonic()
    _ended(_begun(batch))
    longest = time.monotonic() - began
    found = 0
    for _ in range(10 * kills):
        if not job.exists():
            output.unlink(missing_ok=True)
        if found == kills:
            break
        found += killed(batch, chance.randrange(3), chance.uniform(0.0, longest))
    _ended(_begun(batch))
    return found


def peak_kib() -> int:
    """The most memory that this program has held; ``getrusage`` counts what its parent held too."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    assert found is not None
    return int(found[1])


def main() -> int:
    """Do what the arguments say."""
    batch = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Batch)
    if len(sys.argv) > 2:
        print(f"{campaign(batch, int(sys.argv[2]), int(sys.argv[3]))} kills")
        return 0
    done = do(batch)
    print(msgspec.json.encode({"rows": done.total, "peak_kib": peak_kib()}).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
