"""A campaign against storage: recorders of releases are killed, what they left is judged.

    python -m roadworthy.testing.killing FOLDER SEED KILLS

Half of the kills come after a durable write (the first, the second, …), half at random times.
Ends with status 1 and says what is wrong when a state is neither the one before nor the one
after.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import event

from roadworthy.registry import Registry
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import PARTIAL, Disk, sweep
from roadworthy.storage.opening import open_database
from roadworthy.testing.faulty import DyingAfter
from roadworthy.testing.values import a_draft, a_run

_HOMES_EVERY = 25
_MOST_POINTS = 40


@contextlib.contextmanager
def opened(home: Path, death: DyingAfter | None = None) -> Iterator[Registry]:
    """The registry of a home; with a death, every sync and commit is one of its points."""
    database = open_database(f"sqlite:///{home / 'roadworthy.db'}")
    if death is not None:
        event.listen(database.engine, "commit", lambda _connection: death.point())
    blobs = DirectoryBlobs(home / "blobs", death.disk() if death else Disk())
    blobs.sweep()
    try:
        yield Registry(database, blobs, lambda: datetime.now(UTC))
    finally:
        database.close()


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


def killed(home: Path, seed: int, death: DyingAfter | None, seconds: float) -> dict[str, str]:
    """What a process said it had recorded (name to digest) before it was killed."""
    hear, said = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.close(hear)
            record_for_ever(home, seed, death, said)
        finally:
            os._exit(70)
    os.close(said)
    if death is None:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    with os.fdopen(hear) as file:
        heard = dict(line.split() for line in file.read().splitlines())
    if not os.WIFSIGNALED(status):
        raise AssertionError(f"the recording process ended by itself: {status}")
    return heard


def problems_of(home: Path, recorded: dict[str, str]) -> list[str]:
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
        found += [f"{name} is lost" for name in recorded if there.get(name) != recorded[name]]
        for digest in list(there.values())[-3:]:
            registry.materialise(digest, home / "releases")
    folder = home / "releases"
    sweep([folder])
    left = home.rglob(f"{PARTIAL}*")
    return found + [f"left over: {each}" for each in left]


def campaign(folder: Path, seed: int, kills: int) -> tuple[int, list[str]]:
    """How many releases were recorded under how many kills, and what was wrong after them."""
    chance = random.Random(seed)
    recorded: dict[str, str] = {}
    total = 0
    for kill in range(kills):
        if kill % _HOMES_EVERY == 0:
            home, recorded = folder / f"home-{kill}", {}
        death = DyingAfter(1 + kill // 2 % _MOST_POINTS) if kill % 2 == 0 else None
        heard = killed(home, chance.randrange(1 << 30), death, chance.uniform(0.005, 0.15))
        recorded |= heard
        total += len(heard)
        problems = problems_of(home, recorded)
        if problems:
            return total, [f"after kill {kill}: {each}" for each in problems]
    return total, []


def main() -> int:
    """Runs the campaign that the arguments tell."""
    total, problems = campaign(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    print(f"{total} releases recorded under {sys.argv[3]} kills")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
