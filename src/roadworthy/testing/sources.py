"""What every technology of sources keeps to, to be run against real servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from roadworthy.core.source import Column, Source
from roadworthy.data import Datasets
from roadworthy.data.ingestion import Sources
from roadworthy.data.ingestion.arriving import Arrived, Found, Reader, Visit, open_reader
from roadworthy.storage.blobs import open_blobs
from roadworthy.storage.opening import open_database
from roadworthy.testing.values import ticking_clock

Rows = list[tuple[int, str]]
COLUMNS = {"id": Column(type="int64", required=True), "name": Column()}


class Place(Protocol):
    """Somewhere that rows (a number, a name) are delivered to, as the source ``source`` reads."""

    source: Source

    def deliver(self, rows: Rows) -> None:
        """Delivers rows, beside those that were delivered before."""


class Deaf:
    """A reader whose source never hears that everything was taken."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def look(self) -> Found:
        """As the reader."""
        return self._reader.look()

    def fetch(self, one: Arrived) -> Arrived | None:
        """As the reader."""
        return self._reader.fetch(one)

    def done(self) -> None:
        """Lost on the way."""

    def close(self) -> None:
        """As the reader."""
        self._reader.close()


def deaf(visit: Visit) -> Reader:
    """A reader whose acknowledgement is lost."""
    return Deaf(open_reader(visit))


class ReaderContract:
    """The contract of ``data.ingestion.arriving.Reader``; give a fixture ``place``."""

    @pytest.fixture
    def datasets(self, tmp_path: Path) -> Iterator[Datasets]:
        """Nothing in it yet."""
        database = open_database(f"sqlite:///{tmp_path / 'home' / 'roadworthy.db'}")
        yield Datasets(database, open_blobs(str(tmp_path / "data")), ticking_clock())
        database.close()

    def taken(self, sources: Sources, source: Source) -> Rows:
        """What the dataset holds, in order."""
        if not sources.datasets.log(source.dataset):
            return []
        found = sources.datasets.read(source.dataset).to_arrow(source.path).to_pylist()
        return sorted((row["id"], row["name"]) for row in found)

    def test_what_is_delivered_is_taken_once(
        self, place: Place, datasets: Datasets, tmp_path: Path
    ) -> None:
        """Each delivery's rows come in with the next poll, and with no later one."""
        sources = Sources(datasets, tmp_path / "scratch")
        sources.add(place.source)
        place.deliver([(1, "a"), (2, "b")])
        first = sources.poll(place.source.name)
        assert (first.outcome, first.bad) == ("committed", 0), first.said
        assert self.taken(sources, place.source) == [(1, "a"), (2, "b")]
        assert sources.poll(place.source.name).outcome == "nothing"
        place.deliver([(3, 'ß, "quoted"\nand broken')])
        second = sources.poll(place.source.name)
        assert second.outcome == "committed", second.said
        third = (3, 'ß, "quoted"\nand broken')
        assert self.taken(sources, place.source) == [(1, "a"), (2, "b"), third]
        assert sources.poll(place.source.name).outcome == "nothing"

    def test_looking_takes_nothing(self, place: Place, datasets: Datasets, tmp_path: Path) -> None:
        """Whoever looks, and dies, leaves everything to be taken by the next."""
        sources = Sources(datasets, tmp_path / "scratch")
        sources.add(place.source)
        place.deliver([(1, "a")])
        for _ in range(2):
            would, bad = sources.try_out(place.source.name)
            assert (would.rows, bad) == (1, [])
        assert sources.poll(place.source.name).rows == 1
        assert self.taken(sources, place.source) == [(1, "a")]

    def test_a_lost_acknowledgement_doubles_nothing(
        self, place: Place, datasets: Datasets, tmp_path: Path
    ) -> None:
        """What was committed, but is sent again, is known."""
        unheard = Sources(datasets, tmp_path / "scratch", deaf)
        unheard.add(place.source)
        place.deliver([(1, "a"), (2, "b")])
        assert unheard.poll(place.source.name).rows == 2
        place.deliver([(3, "c")])
        assert unheard.poll(place.source.name).outcome == "committed"
        sources = Sources(datasets, tmp_path / "scratch")
        assert sources.poll(place.source.name).rows == 0
        assert self.taken(sources, place.source) == [(1, "a"), (2, "b"), (3, "c")]

    def test_bounds_are_kept_and_the_rest_comes_later(
        self, place: Place, datasets: Datasets, tmp_path: Path
    ) -> None:
        """Not more deliveries in one poll than are allowed; none is lost."""
        source = msgspec.structs.replace(place.source, most_deliveries=1)
        sources = Sources(datasets, tmp_path / "scratch")
        sources.add(source)
        for number in range(3):
            place.deliver([(number, "x")])
        polls = [sources.poll(source.name) for _ in range(4)]
        assert polls[-1].outcome == "nothing"
        assert all(each.deliveries <= 1 for each in polls)
        assert self.taken(sources, source) == [(0, "x"), (1, "x"), (2, "x")]

    def test_a_source_that_is_away_fails_and_is_asked_again(
        self, place: Place, absent: Source, datasets: Datasets, tmp_path: Path
    ) -> None:
        """Nothing raises, nothing stops; its place is named without its password."""
        sources = Sources(datasets, tmp_path / "scratch")
        sources.add(absent)
        failed = sources.poll(absent.name)
        assert failed.outcome == "failed", failed.said
        assert f"source {absent.name}" in failed.said
        assert "guest:guest" not in failed.said
        assert sources.show(absent.name).state.status == "active"
        place.deliver([(1, "a")])
        sources.add(place.source)
        assert sources.poll(place.source.name).outcome == "committed"
