"""OpenLineage events of a dataset's commits and reads."""

from __future__ import annotations

import uuid
from pathlib import Path

from roadworthy.core.dataset import Provenance
from roadworthy.data import Datasets, PutTable
from roadworthy.data.lineage import events
from roadworthy.storage.blobs import open_blobs
from roadworthy.storage.opening import open_database
from roadworthy.testing.values import ticking_clock


def test_commits_and_reads_are_told_in_order_with_inputs_and_versions(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'rw.db'}")
    datasets = Datasets(database, open_blobs(str(tmp_path / "data")), ticking_clock())
    for name in ("raw", "clean"):
        datasets.create(name)
    raw = datasets.commit("raw@main", [PutTable("t", [{"x": 1}])], message="", author="ada@lab")
    made_of = [
        Provenance(kind="commit", name=f"raw@{raw.digest}"),
        Provenance(kind="commit", name="gone@" + "0" * 64),
        Provenance(kind="source", name="acme"),
    ]
    clean = datasets.commit(
        "clean@main", [PutTable("t", [{"y": 2.5}])], message="", provenance=made_of
    )
    datasets.record_uses([raw.digest], "run", "r1")
    told = list(events(datasets, "raw", 10))
    assert [each["job"]["name"] for each in told] == ["ada@lab", "run r1"]
    assert [len(each["outputs"]) for each in told] == [1, 0]
    assert told[1]["inputs"][0]["facets"]["version"]["datasetVersion"] == raw.digest
    (made,) = events(datasets, "clean", 10)
    assert made["job"]["name"] == "source acme"
    assert [each["name"] for each in made["inputs"]] == ["raw"]
    facets = made["outputs"][0]["facets"]
    assert facets["version"]["datasetVersion"] == clean.digest
    assert facets["schema"]["fields"] == [{"name": "t.y", "type": "double"}]
    ids = [each["run"]["runId"] for each in [*told, made]]
    assert len({uuid.UUID(each) for each in ids}) == 3
    database.close()
