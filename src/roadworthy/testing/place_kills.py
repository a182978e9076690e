"""A campaign against ingestion from brokers, object stores and HTTP: pollers are killed.

    python -m roadworthy.testing.place_kills HOME METADATA HOST SEED POINTS NAME…

is one poller, which polls the sources it is told of until it is killed: by itself after so many
durable writes (``POINTS``, 0 for never), or by the campaign. Pollers of different hosts share
metadata and blobs, and no lock of files. ``campaign`` delivers numbers, has pollers killed, and
says what was lost, doubled or mixed up.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import event

from roadworthy.data import Datasets
from roadworthy.data.ingestion import Sources
from roadworthy.errors import Conflict
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import Disk
from roadworthy.storage.opening import open_database
from roadworthy.testing.faulty import DyingAfter
from roadworthy.testing.places import RABBIT_PASSWORD, NumberPlace

_MOST_POINTS = 25
_READY = "ready"
_END_SECONDS = 120.0


@dataclass(frozen=True)
class Shared:
    """What pollers have in common: the folder of blobs, the metadata's URL."""

    home: Path
    metadata: str

    @contextlib.contextmanager
    def opened(self, host: str = "judge", death: DyingAfter | None = None) -> Iterator[Sources]:
        """The sources as a host sees them; with a death, every sync and commit is a point."""
        database = open_database(self.metadata)
        if death is not None:
            event.listen(database.engine, "commit", lambda _connection: death.point())
        disk = death.disk() if death else Disk()
        blobs = DirectoryBlobs(self.home / "data", disk)
        try:
            datasets = Datasets(database, blobs, lambda: datetime.now(UTC))
            yield Sources(datasets, self.home / f"scratch-{host}")
        finally:
            database.close()


def poll_for_ever(shared: Shared, host: str, seed: int, points: int, names: Sequence[str]) -> None:
    """Polls whichever source it hits."""
    chance = random.Random(seed)
    death = DyingAfter(points) if points else None
    with shared.opened(host, death) as sources:
        print(_READY, flush=True)
        while True:
            with contextlib.suppress(Conflict):
                sources.poll(chance.choice(names))


@contextlib.contextmanager
def polling(
    shared: Shared, host: str, seed: int, points: int, names: Sequence[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A poller that has begun; killed at the end, and it must not have ended otherwise."""
    arguments = [str(shared.home), shared.metadata, host, str(seed), str(points), *names]
    process = subprocess.Popen(
        [sys.executable, "-m", "roadworthy.testing.place_kills", *arguments],
        stdout=subprocess.PIPE,
        env=_environment(),
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()  # the moment from which a random kill counts
        yield process
    finally:
        process.kill()
        status = process.wait()
        process.stdout.close()
    if status != -signal.SIGKILL:
        raise AssertionError(f"the polling process ended by itself: {status}")


def _environment() -> dict[str, str]:
    return {**os.environ, "RABBIT_PASSWORD": RABBIT_PASSWORD}


def campaign(
    shared: Shared,
    places: Sequence[NumberPlace],
    seed: int,
    kills: int,
    hosts: Sequence[str] = ("one",),
) -> tuple[int, list[str]]:
    """How many rows were delivered under so many kills, and what is wrong with them.

    With several hosts all of them poll at once, and each kill hits one of them.
    """
    chance = random.Random(seed)
    names = [each.source.name for each in places]
    sent: dict[str, list[int]] = {name: [] for name in names}
    with shared.opened() as sources:
        for each in places:
            sources.add(each.source)
    with contextlib.ExitStack() as stack:
        for host in hosts[1:]:
            stack.enter_context(polling(shared, host, seed, 0, names))
        for kill in range(kills):
            for each in places:
                _deliver(each, sent[each.source.name], chance)
            # With others beside it, how many points a poller comes to is not known.
            by_points = kill % 2 == 0 and len(hosts) == 1
            points = 1 + kill // 2 % _MOST_POINTS if by_points else 0
            new = chance.randrange(1 << 30)
            with polling(shared, hosts[0], new, points, names) as process:
                if points:
                    process.wait(_END_SECONDS)
                else:
                    time.sleep(chance.uniform(0.05, 0.8))
    found = [problem for each in places for problem in problems_of(shared, each, sent)]
    with shared.opened() as sources:
        found += [f"{each.what}: {each.reason}" for each in sources.datasets.check().problems]
    return sum(map(len, sent.values())), found


def _deliver(place: NumberPlace, sent: list[int], chance: random.Random) -> None:
    """New numbers; now and then a delivery comes again, as senders do."""
    for _ in range(chance.randrange(1, 4)):
        first = len(sent)
        fresh = list(range(first, first + chance.randrange(1, 30)))
        sent += fresh
        place.deliver(fresh)
        if chance.random() < 0.3:
            place.again(fresh)


def problems_of(shared: Shared, place: NumberPlace, sent: dict[str, list[int]]) -> list[str]:
    """What is lost, doubled or mixed up of a place, once everything was polled."""
    name = place.source.name
    os.environ.setdefault("RABBIT_PASSWORD", RABBIT_PASSWORD)
    with shared.opened() as sources:
        until = time.monotonic() + _END_SECONDS
        idle = 0
        while idle < 2 and time.monotonic() < until:
            done = sources.poll(name)
            if done.outcome == "stopped":
                return [f"{name} stopped: {done.said}"]
            idle = idle + 1 if done.outcome == "nothing" and not done.left else 0
        rows = sources.datasets.read("numbers").to_arrow(name).to_pylist()
    if any(row["place"] != name for row in rows):
        return [f"{name} has rows of another place"]
    there, expected = Counter(row["id"] for row in rows), Counter(sent[name])
    found = []
    if lost := expected - there:
        found.append(f"{name} lost {lost.total()} rows: {min(lost)} …")
    if doubled := there - expected:
        found.append(f"{name} has {doubled.total()} too many: {min(doubled)} …")
    return found


if __name__ == "__main__":
    _, home, metadata, host, seed, points, *names = sys.argv
    poll_for_ever(Shared(Path(home), metadata), host, int(seed), int(points), names)
