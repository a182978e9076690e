"""Values are ready before threads decode them: several at once do not crash the interpreter."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading
import roadworthy.storage.queries.documents as documents
from roadworthy.core.release import FlowFile, Release
from roadworthy.testing.values import A_LOCK, A_SIGNATURE

sys.setswitchinterval(1e-6)
release = Release(model="m", number=1, digest="d", signature=A_SIGNATURE, lock=A_LOCK, run="r",
                  made="t", files=[FlowFile(path="a", digest="b", bytes=1)])
text = documents.encode(release)
together = threading.Barrier(5)
right = []

def read():
    together.wait()
    right.append(documents.decode(text, Release, "it") == release)

threads = [threading.Thread(target=read) for _ in range(5)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert right == [True] * 5
"""


def test_the_first_values_may_be_decoded_by_threads() -> None:
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
