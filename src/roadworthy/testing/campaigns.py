"""Campaigns of kills: a process that writes is killed again and again, what it left is judged.

Half of the kills come after a durable write (the first, the second, …), half at random times.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import event

from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import Disk
from roadworthy.storage.metadata import Database
from roadworthy.storage.opening import open_database
from roadworthy.testing.faulty import DyingAfter

_HOMES_EVERY = 25

Said = list[list[str]]
"""The lines, as words, that a process said before it was killed."""


@dataclass(frozen=True)
class Subject:
    """What is killed. ``begin`` makes a home ready; ``write`` goes on in it for ever.

    What it does it says on a descriptor; ``done`` tells the lines that stand for a finished act.
    ``problems`` judges a home by all that was said in it. A kill comes after at most ``points``
    durable writes, or within ``seconds``.
    """

    what: str
    begin: Callable[[Path], None]
    write: Callable[[Path, int, DyingAfter | None, int], None]
    problems: Callable[[Path, Said], list[str]]
    done: Callable[[list[str]], bool]
    points: int
    seconds: tuple[float, float]


@contextlib.contextmanager
def storage(
    home: Path, folder: str, death: DyingAfter | None = None
) -> Iterator[tuple[Database, DirectoryBlobs]]:
    """A home's database and blobs; with a death, every sync and commit is one of its points."""
    database = open_database(f"sqlite:///{home / 'roadworthy.db'}")
    if death is not None:
        event.listen(database.engine, "commit", lambda _connection: death.point())
    blobs = DirectoryBlobs(home / folder, death.disk() if death else Disk())
    blobs.sweep()
    try:
        yield database, blobs
    finally:
        database.close()


def killed(
    subject: Subject, home: Path, seed: int, death: DyingAfter | None, seconds: float
) -> Said:
    """What a process that writes into a home said before it was killed."""
    hear, said = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.close(hear)
            subject.write(home, seed, death, said)
        finally:
            os._exit(70)
    os.close(said)
    if death is None:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    with os.fdopen(hear) as file:
        heard = [line.split() for line in file.read().splitlines()]
    if not os.WIFSIGNALED(status):
        raise AssertionError(f"the writing process ended by itself: {status}")
    return heard


def campaign(subject: Subject, folder: Path, seed: int, kills: int) -> tuple[int, list[str]]:
    """How many acts were done under so many kills, and what was wrong after them."""
    chance = random.Random(seed)
    heard: Said = []
    total = 0
    for kill in range(kills):
        if kill % _HOMES_EVERY == 0:
            home, heard = folder / f"home-{kill}", []
            home.mkdir(parents=True)
            subject.begin(home)
        death = DyingAfter(1 + kill // 2 % subject.points) if kill % 2 == 0 else None
        seconds = chance.uniform(*subject.seconds)
        said = killed(subject, home, chance.randrange(1 << 30), death, seconds)
        heard += said
        total += sum(map(subject.done, said))
        problems = subject.problems(home, heard)
        if problems:
            return total, [f"after kill {kill}: {each}" for each in problems]
    return total, []


def main(subject: Subject) -> int:
    """The campaign that the arguments FOLDER SEED KILLS tell; 1 where something was wrong."""
    total, problems = campaign(subject, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    print(f"{total} {subject.what} under {sys.argv[3]} kills")
    for problem in problems:
        print(problem)
    return 1 if problems else 0
