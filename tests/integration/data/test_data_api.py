"""Versioned data and sources over HTTP, in a control plane of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from httpx import Client
from tests.integration.ui.servers import Server

from roadworthy.core.dataset import Provenance
from roadworthy.core.source import Column, Source
from roadworthy.data import PutFile, PutTable
from roadworthy.data.browser import Browser
from roadworthy.settings import Settings
from roadworthy.storage.blobs import open_blobs
from roadworthy.storage.opening import open_database
from roadworthy.wiring import build_control


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Any]:
    settings = Settings(home=tmp_path)
    database = open_database(settings.metadata_url)
    found = build_control(settings, database, open_blobs(settings.blobs_url))
    yield found
    found.desired.placement.close()
    database.close()


def winds(rows: int, knots: float) -> pa.Table:
    return pa.table({"id": range(rows), "wind": [row * knots for row in range(rows)]})


@pytest.fixture
def browser(parts: Any) -> Browser:
    found: Browser = parts.context.browser()
    datasets = found.datasets
    datasets.create("flights", key=["id"], description="From three airports")
    first = datasets.commit(
        "flights",
        [PutTable("flights", winds(100, 0.5), key=["id"])],
        message="January",
    )
    datasets.create_branch("flights", "fix/wind", "flights@main")
    second = datasets.commit(
        "flights",
        [
            PutTable("flights", winds(120, 2.0), key=["id"]),
            PutFile("notes.txt", b"knots, not m/s"),
        ],
        message="February",
        expected=first.digest,
    )
    datasets.create("monthly")
    datasets.commit(
        "monthly",
        [PutTable("months", pa.table({"month": ["Jan", "Feb"]}))],
        message="counted",
        provenance=[Provenance(kind="commit", name=f"flights@{second.digest}")],
    )
    datasets.record_uses([second.digest], "release", "flight-delay@3")
    return found


@pytest.fixture
def client(parts: Any, browser: Browser) -> Iterator[Client]:
    with Server(parts.app) as server, Client(base_url=server.address, trust_env=False) as found:
        yield found


def get(client: Client, address: str, **query: Any) -> Any:
    answer = client.get(f"/api/v1{address}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_datasets_are_listed_a_page_at_a_time(client: Client) -> None:
    found = get(client, "/datasets", limit=1)
    assert found["total"] == 2
    assert [each["dataset"]["name"] for each in found["datasets"]] == ["flights"]
    assert found["datasets"][0]["head"]["commit"]["message"] == "February"
    found = get(client, "/datasets", search="onth")
    assert [each["dataset"]["name"] for each in found["datasets"]] == ["monthly"]
    about = get(client, "/datasets/flights")
    assert [each["name"] for each in about["branches"]] == ["fix/wind", "main"]


def test_history_contents_and_statistics_are_told(client: Client) -> None:
    commits = get(client, "/datasets/flights/commits")
    assert [each["commit"]["message"] for each in commits] == ["February", "January"]
    assert get(client, "/datasets/flights/commits", skip=1, limit=5) == commits[1:]
    line = get(client, "/datasets/flights/commits", commit="fix/wind")
    assert [each["digest"] for each in line] == [commits[1]["digest"]]
    assert get(client, "/datasets/flights/commit", commit="main~1") == commits[1]
    files = get(client, "/datasets/flights/files", limit=1)
    assert (files["files"][0]["path"], files["more"]) == ("flights", True)
    rest = get(client, "/datasets/flights/files", after="flights")
    assert ([each["path"] for each in rest["files"]], rest["more"]) == (["notes.txt"], False)
    table = get(client, "/datasets/flights/table")
    assert [each["name"] for each in table["fields"]] == ["id", "wind"]
    wind = table["statistics"]["columns"][1]["after"]
    assert (wind["minimum"], wind["middle"], wind["maximum"]) == (0.0, 119.0, 238.0)
    assert abs(sum(wind["shares"]) - 1) < 1e-9


def test_two_commits_are_compared_by_path_rows_and_columns(client: Client) -> None:
    paths = get(client, "/datasets/flights/diff")
    assert [(each["path"], each["kind"]) for each in paths["paths"]] == [
        ("flights", "changed"),
        ("notes.txt", "added"),
    ]
    table = get(client, "/datasets/flights/diff", path="flights")["table"]
    assert table["rows"] == {"before": 100, "after": 120, "added": 20, "removed": 0, "changed": 99}
    assert table["changed"] == ["id", "wind"]
    nothing = get(client, "/datasets/flights/diff", before="main", after="main")
    assert nothing["paths"] == []


def test_provenance_is_told_both_ways(client: Client) -> None:
    down = get(client, "/datasets/flights/provenance")
    assert [(each["kind"], each["name"]) for each in down["uses"]][1] == (
        "release",
        "flight-delay@3",
    )
    assert [each["commit"]["dataset"] for each in down["made"].values()] == ["monthly"]
    up = get(client, "/datasets/monthly/provenance")
    assert up["origins"][0]["commit"]["commit"]["message"] == "February"
    assert get(client, "/datasets/flights/croissant")["name"] == "flights"


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/datasets/flihgts", 404, "did you mean flights"),
        ("/datasets/Flights%20", 400, "can't be the name of a dataset"),
        ("/datasets/flights/commit?commit=nowhere", 404, "flights"),
        ("/datasets/flights/table?path=flight", 404, "did you mean flights"),
        ("/datasets/flights/table?path=notes.txt", 400, "is a file, not a table"),
        ("/datasets?limit=0", 400, "limit can't be used"),
        ("/sources/acme", 404, "there is no source acme"),
    ],
)
def test_what_is_wrong_is_a_problem(client: Client, path: str, status: int, said: str) -> None:
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.text


def test_every_route_is_in_the_open_api_document(client: Client) -> None:
    paths = get(client, "/openapi.json")["paths"]
    for path in ("/datasets", "/datasets/{dataset}/diff", "/sources/{name}/quarantine"):
        assert paths[f"/api/v1{path}"]["get"]["summary"]


def test_sources_tell_how_they_are_and_what_they_set_aside(
    client: Client, browser: Browser, tmp_path: Path
) -> None:
    incoming = tmp_path / "in"
    incoming.mkdir()
    (incoming / "a.csv").write_text("id,amount\n1,2.5\n2,?\n3,4.5\n")
    columns = {"id": Column(type="int64"), "amount": Column(type="float64", required=True)}
    browser.sources.add(
        Source(
            name="acme", url=f"{incoming}/*", dataset="orders", columns=columns, settle_seconds=0
        )
    )
    browser.sources.poll("acme")
    found = get(client, "/sources")
    assert [each["health"]["kind"] for each in found["sources"]] == ["well"]
    assert get(client, "/sources/acme")["quarantined"] == 1
    assert get(client, "/sources/acme/polls")[0]["rows"] == 2
    assert get(client, "/sources/acme/deliveries")[0]["bad"] == 1
    aside = get(client, "/sources/acme/quarantine")
    assert "amount" in aside[0]["reason"]
    assert get(client, "/sources/acme/quarantine", skip=1) == []
    assert client.post("/api/v1/sources/acme/pause").json()["state"]["status"] == "paused"
    assert client.post("/api/v1/sources/acme/resume").json()["state"]["status"] == "active"
    again = client.post("/api/v1/sources/acme/pause", headers={"Origin": "https://evil.example"})
    assert again.status_code == 403
    (incoming / "b.csv").write_text("other\n1\n")
    browser.sources.poll("acme")
    ill = get(client, "/sources/acme")["line"]["health"]
    assert ill["kind"] == "stopped"
    assert "resume acme" in ill["cure"]
