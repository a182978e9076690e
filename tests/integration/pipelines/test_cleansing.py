"""A source whose rows run through a release's flow before they are mapped."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from roadworthy.core.signature import Signature
from roadworthy.core.source import Column, Source, check_source
from roadworthy.data import Datasets
from roadworthy.data.ingestion import Sources
from roadworthy.errors import UsageError
from roadworthy.pipelines.cleansing import Cleanser
from roadworthy.pipelines.workers import Runnable
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import unsynced_disk
from roadworthy.storage.opening import open_database
from roadworthy.testing.flows import SIGNATURE, write_flow
from roadworthy.testing.hosts import SOURCE
from roadworthy.testing.values import ticking_clock

COLUMNS = {
    "id": Column(type="int64", required=True),
    "score": Column(source="scores", type="float64", maximum=100),
    "label": Column(source="labels"),
}


@pytest.fixture
def datasets(tmp_path: Path) -> Iterator[Datasets]:
    database = open_database(f"sqlite:///{tmp_path / 'meta.db'}")
    blobs = DirectoryBlobs(tmp_path / "data", unsynced_disk())
    yield Datasets(database, blobs, ticking_clock())
    database.close()


@pytest.fixture
def sources(datasets: Datasets, tmp_path: Path) -> Sources:
    """Sources for which ``tiny@N`` answers ``a * N + b``, in a process of its own."""

    @contextlib.contextmanager
    def through(name: str) -> Iterator[Cleanser]:
        flow = tmp_path / name
        if not flow.exists():
            write_flow(flow, factor=float(name.partition("@")[2]))
        runnable = Runnable(
            release=name, python=sys.executable, flow=str(flow), runtime=str(SOURCE)
        )
        with Cleanser(runnable, msgspec.convert(SIGNATURE, Signature)) as cleanser:
            yield cleanser

    return Sources(datasets, tmp_path / "scratch", through=through)


@pytest.fixture
def deliver(tmp_path: Path) -> Callable[..., Source]:
    """A delivery of some lines, and the source that takes it: ``deliver(name, text, …)``."""
    folder = tmp_path / "in"
    folder.mkdir()

    def make(name: str, text: str, through: str = "tiny@2") -> Source:
        (folder / name).write_text(text)
        return check_source(
            Source(
                name="acme",
                url=str(folder / "*.csv"),
                dataset="orders",
                table="rows",
                columns=COLUMNS,
                through=through,
                settle_seconds=0,
                most_bad=1,
            )
        )

    return make


def test_rows_run_through_the_release_and_the_commit_names_it(
    sources: Sources, datasets: Datasets, deliver: Callable[..., Source]
) -> None:
    sources.add(deliver("1.csv", "id,a,b,kind\n1,1.5,2,fine\n2,4,1,\n"))
    done = sources.poll("acme")
    assert (done.outcome, done.rows, done.bad) == ("committed", 2, 0), done.said
    rows = datasets.read("orders").to_arrow("rows").to_pylist()
    assert [(row["id"], row["score"]) for row in rows] == [(1, 5.0), (2, 9.0)]
    provenance = datasets.find("orders").commit.provenance
    assert [(each.kind, each.name) for each in provenance] == [
        ("source", "acme"),
        ("release", "tiny@2"),
    ]


def test_rows_that_the_flow_rejects_are_set_aside_as_delivered_and_released_by_another(
    sources: Sources, datasets: Datasets, deliver: Callable[..., Source]
) -> None:
    sources.add(deliver("1.csv", "id,a,b,kind\n1,x,2,fine\n2,60,1,fine\n3,2,2,fine\n"))
    done = sources.poll("acme")
    assert (done.outcome, done.rows, done.bad) == ("committed", 1, 2), done.said
    aside = datasets.read("orders@quarantine/acme").to_arrow("rows").to_pylist()
    reasons = {row["row"]: row["reason"] for row in aside}
    assert reasons[1].startswith("tiny@2: a: expected")
    assert reasons[2] == "score: 121.0 is above 100"
    raw = msgspec.json.decode(next(row["raw"] for row in aside if row["row"] == 2))
    assert raw == {"id": "2", "a": "60", "b": "1", "kind": "fine"}

    sources.add(deliver("1.csv", "id,a,b,kind\n1,x,2,fine\n2,60,1,fine\n3,2,2,fine\n", "tiny@1"))
    assert sources.release("acme").rows == 1
    rows = datasets.read("orders").to_arrow("rows").to_pylist()
    assert [(row["id"], row["score"]) for row in rows] == [(3, 6.0), (2, 61.0)]
    provenance = datasets.find("orders").commit.provenance
    assert [each.name for each in provenance] == ["acme", "tiny@1"]


def test_a_column_that_the_flow_needs_is_missing(
    sources: Sources, deliver: Callable[..., Source]
) -> None:
    sources.add(deliver("1.csv", "id,a,kind\n1,1,fine\n"))
    done = sources.poll("acme")
    assert done.outcome == "stopped"
    assert "'b' is missing, which tiny@2 needs" in done.said


def test_where_no_release_can_run_the_poll_fails_and_says_so(
    datasets: Datasets, tmp_path: Path, deliver: Callable[..., Source]
) -> None:
    sources = Sources(datasets, tmp_path / "scratch")
    sources.add(deliver("1.csv", "id,a,b,kind\n1,1,1,fine\n"))
    done = sources.poll("acme")
    assert done.outcome == "failed"
    assert "tiny@2 can't be run here" in done.said


def test_a_release_is_named_with_its_number_and_the_columns_are_configured(
    deliver: Callable[..., Source],
) -> None:
    with pytest.raises(UsageError, match="with its number"):
        deliver("1.csv", "", through="tiny")
    with pytest.raises(UsageError, match="can't be learned"):
        check_source(msgspec.structs.replace(deliver("1.csv", ""), columns={}))
