"""A campaign against storage: recorders of releases are killed, what they left is judged.

    python -m roadworthy.testing.killing FOLDER SEED KILLS

Ends with status 1 and says what is wrong when a state is neither the one before nor the one
after.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from roadworthy.registry import Registry
from roadworthy.storage.disk import PARTIAL, sweep
from roadworthy.testing.campaigns import Said, Subject, main, storage
from roadworthy.testing.faulty import DyingAfter
from roadworthy.testing.values import a_draft, a_run


@contextlib.contextmanager
def opened(home: Path, death: DyingAfter | None = None) -> Iterator[Registry]:
    """The registry of a home; with a death, every sync and commit is one of its points."""
    with storage(home, "blobs", death) as (database, blobs):
        yield Registry(database, blobs, lambda: datetime.now(UTC))


def record_for_ever(home: Path, seed: int, death: DyingAfter | None, said: int) -> None:
    """Records runs and releases, says each on a pipe once it is recorded, and writes it out."""
    chance = random.Random(seed)
    with opened(home, death) as registry:
        while True:
            run = registry.record_run(a_run(registry.new_id()), None, {"train.py": b"print(1)"})
            for _ in range(3):
                draft = a_draft(run.id, chance.randbytes(200), model=chance.choice(("one", "two")))
                release = registry.record_release(draft)
                os.write(said, f"{release.name} {release.digest}\n".encode())
                registry.materialise(release.digest, home / "releases")


def problems_of(home: Path, said: Said) -> list[str]:
    """What is wrong with a home in which these releases were said to be recorded."""
    found: list[str] = []
    with opened(home) as registry:
        there: dict[str, str] = {}
        for model in registry.models():
            releases = registry.releases(model.name, limit=10_000)
            numbers = [each.number for each in releases]
            if numbers != list(range(len(numbers), 0, -1)):
                found.append(f"numbers of {model.name} have gaps: {numbers}")
            there |= {each.name: each.digest for each in releases}
            for release in releases:
                registry.check(release)
                registry.run_files(release.run)
        found += [f"{name} is lost" for name, digest in said if there.get(name) != digest]
        for digest in list(there.values())[-3:]:
            registry.materialise(digest, home / "releases")
    folder = home / "releases"
    sweep([folder])
    left = home.rglob(f"{PARTIAL}*")
    return found + [f"left over: {each}" for each in left]


RECORDERS = Subject(
    what="releases recorded",
    begin=lambda home: None,
    write=record_for_ever,
    problems=problems_of,
    done=lambda line: True,
    points=40,
    seconds=(0.005, 0.15),
)

if __name__ == "__main__":
    sys.exit(main(RECORDERS))
