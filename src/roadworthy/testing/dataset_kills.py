"""A campaign against datasets: writers and gc are killed, what they left is judged.

    python -m roadworthy.testing.dataset_kills FOLDER SEED KILLS [planted]

Ends with status 1 and says what is wrong when a state is neither the one before nor the one
after. With ``planted`` the writers have a fault, which the campaign must find: a branch moves
before its commit is kept.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from roadworthy.data import Append, Change, Datasets, PutFile
from roadworthy.storage.disk import PARTIAL
from roadworthy.testing.campaigns import Said, Subject, main, storage
from roadworthy.testing.datasets import some_rows
from roadworthy.testing.faulty import DyingAfter, LateBlobs


@contextlib.contextmanager
def opened(
    home: Path, death: DyingAfter | None = None, *, planted: bool = False
) -> Iterator[Datasets]:
    """The datasets of a home; with a death, every sync and commit is one of its points."""
    with storage(home, "data", death) as (database, blobs):
        kept = LateBlobs(blobs.root, blobs.disk) if planted else blobs
        yield Datasets(database, kept, lambda: datetime.now(UTC))


def begin(home: Path) -> None:
    """A home with an empty dataset."""
    with opened(home) as datasets:
        datasets.create("d")


def write_for_ever(
    home: Path, seed: int, death: DyingAfter | None, said: int, *, planted: bool = False
) -> None:
    """Commits files and rows, now and then with gc; says on a pipe what is begun and done."""
    chance = random.Random(seed)
    with opened(home, death, planted=planted) as datasets:
        for step in range(1_000_000):
            write = datasets.new_id()
            count = chance.randrange(1, 400)
            before = _rows(datasets)
            changes: list[Change] = [
                Append("rows", some_rows(count, step, before)),
                PutFile(f"f{chance.randrange(4)}", chance.randbytes(chance.randrange(100_000))),
            ]
            os.write(said, f"begun {write} {before + count}\n".encode())
            made = datasets.commit("d@main", changes, message=f"{before + count}", write=write)
            os.write(said, f"done {write} {made.digest}\n".encode())
            if step % 3 == 2:
                datasets.collect(grace=timedelta(0), dry_run=False)


def _rows(datasets: Datasets) -> int:
    log = datasets.log("d", limit=1)
    return log[0].commit.tables[0].rows if log else 0


def problems_of(home: Path, heard: Said) -> list[str]:
    """What is wrong with a home in which these acts were begun and done."""
    done = {act: digest for kind, act, digest in heard if kind == "done"}
    with opened(home) as datasets:
        log = datasets.log("d", limit=100_000)
        acts = {each.commit.write: each.digest for each in log}
        found = [f"{act} is lost" for act, digest in done.items() if acts.get(act) != digest]
        begun = {act for kind, act, _ in heard if kind == "begun"}
        found += [f"{act} was never begun" for act in acts.keys() - begun]
        numbers = [int(each.commit.message) for each in log]
        if numbers != sorted(set(numbers), reverse=True):
            found.append(f"rows doubled or lost: {numbers}")
        if log:
            ids = datasets.read("d").to_arrow("rows", columns=["id"])["id"].to_pylist()
            if ids != list(range(numbers[0])):
                found.append(f"{len(ids)} rows where {numbers[0]} were committed")
        found += [f"{each.what}: {each.reason}" for each in datasets.check().problems]
    return found + [f"left over: {each}" for each in (home / "data").rglob(f"{PARTIAL}*")]


WRITERS = Subject(
    what="commits made",
    begin=begin,
    write=write_for_ever,
    problems=problems_of,
    done=lambda line: line[0] == "done",
    points=60,
    seconds=(0.02, 0.3),
)

PLANTED = replace(WRITERS, write=partial(write_for_ever, planted=True))

if __name__ == "__main__":
    sys.exit(main(PLANTED if sys.argv[4:] == ["planted"] else WRITERS))
