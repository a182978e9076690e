"""One dataset computed from another: only what changed, and what is gone goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from roadworthy.core.dataset import Entry
from roadworthy.data import Datasets, PutFile, Remove, Snapshot
from roadworthy.data.describing import croissant, lineage_event
from roadworthy.data.incremental import by_folder, process
from roadworthy.errors import Conflict, UsageError
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import unsynced_disk
from roadworthy.storage.opening import open_database
from roadworthy.testing.values import ticking_clock


@pytest.fixture
def datasets(tmp_path: Path) -> Iterator[Datasets]:
    """With a source and a target."""
    database = open_database(f"sqlite:///{tmp_path / 'roadworthy.db'}")
    made = Datasets(database, DirectoryBlobs(tmp_path / "data", unsynced_disk()), ticking_clock())
    made.create("raw")
    made.create("loud")
    yield made
    database.close()


def shout(datum: str, source: Snapshot, entries: Sequence[Entry]) -> Iterable[PutFile]:
    """Each file in upper case, and how many there are."""
    for entry in entries:
        name = entry.path.rpartition("/")[2]
        yield PutFile(f"{datum}/{name}", source.open(entry.path).read().upper())
    yield PutFile(f"{datum}/count", b"%d" % len(entries))


def contents(datasets: Datasets, name: str) -> dict[str, bytes]:
    """All files of a commit."""
    snapshot = datasets.read(name)
    return {entry.path: snapshot.open(entry.path).read() for entry in snapshot.entries()}


def test_only_what_changed_is_computed(datasets: Datasets) -> None:
    files = [PutFile(f"{day}/{name}", b"a") for day in ("mon", "tue", "wed") for name in "xy"]
    datasets.commit("raw", files, message="first")

    def run(program: str = "shout@1") -> tuple[list[str], int, list[str]]:
        done = process(datasets, "raw", "loud", shout, program=program, datum_of=by_folder)
        assert done.commit == datasets.find("loud").digest
        return done.computed, done.skipped, done.removed

    assert run() == (["mon", "tue", "wed"], 0, [])
    assert contents(datasets, "loud")["mon/x"] == b"A"
    first = datasets.find("loud")
    assert run() == ([], 3, [])
    assert datasets.find("loud") == first
    datasets.commit("raw", [PutFile("tue/x", b"b"), PutFile("thu/x", b"c")], message="more")
    datasets.commit("raw", [Remove("mon", below=True), Remove("wed/y")], message="less")
    assert run() == (["thu", "tue", "wed"], 0, ["mon"])
    assert contents(datasets, "loud") == {
        "thu/x": b"C",
        "thu/count": b"1",
        "tue/x": b"B",
        "tue/y": b"A",
        "tue/count": b"2",
        "wed/x": b"A",
        "wed/count": b"1",
    }
    assert run("shout@2") == (["thu", "tue", "wed"], 0, [])
    made = datasets.find("loud")
    assert {each.kind for each in made.commit.provenance} == {"commit", "pipeline", "source"}
    assert made.digest in {use.name for use in datasets.impact("raw")}


def test_results_must_lie_under_their_datum(datasets: Datasets) -> None:
    datasets.commit("raw", [PutFile("a", b"a")], message="m")
    with pytest.raises(UsageError, match="not below a"):
        process(datasets, "raw", "loud", lambda *_: [PutFile("b", b"")], program="p")
    assert datasets.log("loud") == []


def test_a_branch_of_others_is_left_alone(datasets: Datasets) -> None:
    datasets.commit("raw", [PutFile("a", b"a")], message="m")

    def meanwhile(datum: str, source: Snapshot, entries: Sequence[Entry]) -> Iterable[PutFile]:
        datasets.commit("loud", [PutFile("own", b"1")], message="mine")
        return [PutFile(datum, b"x")]

    with pytest.raises(Conflict):
        process(datasets, "raw", "loud", meanwhile, program="p")
    assert contents(datasets, "loud") == {"own": b"1"}


def test_commits_are_described_in_the_words_of_others(datasets: Datasets) -> None:
    from roadworthy.data import PutTable
    from roadworthy.testing.datasets import some_rows

    raw = datasets.commit("raw", [PutFile("a", b"a"), PutTable("t", some_rows(5))], message="m")
    document = croissant(datasets.read("raw"))
    assert document["version"] == raw.digest
    assert [each["@id"] for each in document["distribution"]] == ["a", "t"]
    fields = document["recordSet"][0]["field"]
    assert [(each["name"], each["dataType"]) for each in fields] == [
        ("id", "sc:Integer"),
        ("price", "sc:Float"),
        ("city", "sc:Text"),
    ]
    process(datasets, "raw", "loud", lambda d, *_: [PutFile(d, b"x")], program="p")
    event = lineage_event(datasets.find("loud"), [raw], "p")
    assert event["inputs"][0]["facets"]["version"]["datasetVersion"] == raw.digest
    assert [each["name"] for each in event["outputs"]] == ["loud"]
    assert event["eventType"] == "COMPLETE"
