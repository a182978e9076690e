"""Datasets, commits, differences and sources over HTTP."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from httpx import Client
from tests.integration.ui.day import EVIL, NOW
from tests.integration.ui.servers import text_of
from tests.integration.ui.world import release_of

from roadworthy.core.dataset import Provenance, Retention
from roadworthy.core.run import DatasetRead
from roadworthy.core.source import Column, Source
from roadworthy.data import Append, PutFile, PutTable
from roadworthy.data.browser import Browser


def winds(rows: int, knots: float, first: int = 0) -> pa.Table:
    return pa.table(
        {
            "id": list(range(first, first + rows)),
            "wind_speed": [knots * (10 + 5 * math.sin(n / 7)) for n in range(rows)],
            "carrier": [["UA", "B6", "EV", "DL"][n % (3 + (first > 0))] for n in range(rows)],
            "time_hour": pa.array([n * 3600 for n in range(rows)], pa.timestamp("s")),
            "note": [None if n % 3 else "gusts" for n in range(rows)],
        }
    )


def seed(world: Any) -> Browser:
    """A dataset with branches, a merge, a tag, a reader, three sources (two of them not well)."""
    browser: Browser = world.data.browser()
    datasets = browser.datasets
    moment = NOW - timedelta(days=20)

    def at_next() -> None:
        nonlocal moment
        moment += timedelta(hours=9)
        world.now = moment

    at_next()
    datasets.create("flights", key=["id"], description="Flights from EWR, JFK and LGA")
    for month in range(3):
        at_next()
        table = winds(1000, 1.0, 1000 * month)
        change = Append("flights", table) if month else PutTable("flights", table, key=["id"])
        datasets.commit(
            "flights",
            [change],
            message=f"acme-ops, month {month + 1}",
            author="source acme-ops",
            provenance=[Provenance(kind="source", name="acme-ops", detail="in/a.csv")],
        )
    datasets.create_branch("flights", "fix-wind", "flights@main")
    at_next()
    datasets.commit(
        "flights@fix-wind",
        [PutFile("notes.txt", b"knots")],
        message="wind_speed back to knots " + EVIL,
        author="flight-analytics",
    )
    at_next()
    datasets.commit(
        "flights",
        [PutTable("flights", winds(3400, 0.514), key=["id"])],
        message="acme-ops, month 4",
        author="source acme-ops",
    )
    at_next()
    merged = datasets.merge("flights@main", "flights@fix-wind", author="flight-analytics")
    datasets.create_tag("flights", "v1", "flights@main~2", message="before the storm")
    datasets.set_retention("flights", "fix-wind", Retention(last=10))
    at_next()
    datasets.create("monthly")
    datasets.commit(
        "monthly",
        [PutTable("months", pa.table({"month": ["Jan", "Feb"], "late": [0.2, 0.3]}))],
        message="counted",
        provenance=[Provenance(kind="commit", name=f"flights@{merged.digest}")],
    )
    release_of(
        world,
        "wind-alarm",
        b"flow = 1",
        timedelta(days=2),
        datasets=[DatasetRead(name=f"flights@{merged.digest}", asked="flights@main")],
    )
    world.now = NOW - timedelta(minutes=4)
    _sources(world, browser)
    world.now = NOW
    return browser


def _sources(world: Any, browser: Browser) -> None:
    sources, home = browser.sources, world.settings.home
    columns = {"id": Column(type="int64"), "amount": Column(type="float64", required=True)}
    for name, content in (
        ("acme-ops", "id,amount\n1,2.5\n2,none " + EVIL + "\n3,4.5\n"),
        ("bolt", "id,price\n1,2.5\n"),
        ("carta", ""),
    ):
        folder = home / "in" / name
        folder.mkdir(parents=True)
        if content:
            (folder / "a.csv").write_text(content)
        sources.add(
            Source(
                name=name,
                url=f"{folder}/*.csv",
                dataset="flights@orders" if name == "acme-ops" else "orders",
                columns=columns,
                settle_seconds=0,
                schedule="every 5 minutes" if name != "carta" else "0 6 * * *",
            )
        )
        if content:
            sources.poll(name)


@pytest.fixture
def browser(world: Any) -> Browser:
    return seed(world)


@pytest.fixture
def client(world: Any, browser: Browser, client_of: Callable[..., Client]) -> Client:
    return client_of(world)


def test_datasets_are_listed_with_what_main_holds_and_how_their_sources_are(
    client: Client,
) -> None:
    page = client.get("/datasets")
    text = text_of(page)
    assert "3 datasets; 1 source of 3 not well." in text
    assert "flights Flights from EWR, JFK and LGA" in text
    assert "no commit yet" in text
    assert "1 of 3 datasets fit." in text_of(client.get("/datasets?q=month"))
    assert "No dataset has “<b>” in its name" in text_of(client.get("/datasets?q=<b>"))
    assert "There is no such page" in text_of(client.get("/datasets?page=9"))


def test_history_is_a_graph_with_branches_tags_and_readers(client: Client) -> None:
    page = client.get("/datasets/flights")
    text = text_of(page)
    assert page.text.count('class="g lanes-') == 7
    assert 'class="lane-1 side"' in page.text
    assert text.index("Merge flights@fix-wind") < text.index("month 4") < text.index("month 1")
    assert EVIL not in page.text
    assert "wind-alarm@1" in text
    assert "fix-wind" in text
    assert "v1" in text
    assert "the newest 10" in text
    assert "1 row" in text
    line = client.get("/datasets/flights", params={"branch": "fix-wind"})
    assert "Commits of fix-wind" in text_of(line)
    assert "month 4" not in text_of(line)


def test_a_long_history_is_shown_a_page_at_a_time(
    empty_world: Any, client_of: Callable[..., Client]
) -> None:
    datasets = empty_world.data.browser().datasets
    datasets.create("long")
    for number in range(53):
        empty_world.now = NOW - timedelta(days=60 - number)
        datasets.commit("long", [PutFile("a", str(number).encode())], message=f"change {number};")
    empty_world.now = NOW
    client = client_of(empty_world)
    first, second = client.get("/datasets/long"), client.get("/datasets/long?page=2")
    assert "change 52;" in first.text
    assert "change 2;" not in first.text
    assert "change 2;" in second.text
    assert "change 3;" not in second.text
    beyond = client.get("/datasets/long?page=9")
    assert "There is no such page" in text_of(beyond)
    assert client.get("/datasets/long?branch=main&page=2").text.count("change ") == 3


def test_a_commit_shows_contents_columns_and_its_way_from_and_to(client: Client) -> None:
    page = client.get("/datasets/flights/commits/main")
    text = text_of(page)
    assert "flights@" in text
    assert "3,400 rows, 5 columns, told apart by id" in text
    assert "notes.txt" in text
    assert re.search(r"wind_speed double 0 % 5\.\d+ 2\.\d+ to 7\.\d+", text)
    assert "carrier string 0 % 3 levels none" in text
    assert "2013" not in text
    assert 'aria-label="Spread of wind_speed: 30' in page.text
    assert "Made from nothing recorded" in text
    assert "monthly@" in text
    assert "wind-alarm@1" in text
    up = re.search(r'href="(/datasets/monthly/commits/[0-9a-f]+)"', page.text)
    assert up is not None
    other = client.get(up[1])
    back = re.search(r'<a href="(/datasets/flights/commits/[0-9a-f]+)"><b>', other.text)
    assert back is not None
    assert text_of(client.get(back[1])) == text
    first = text_of(client.get("/datasets/flights/commits/main~3"))
    assert "source acme-ops" in first


def test_two_commits_are_compared_by_column(client: Client) -> None:
    page = client.get("/datasets/flights/compare?before=v1&after=main")
    text = text_of(page)
    assert "2 paths differ." in text
    assert "Rows added 400" in text
    assert "notes.txt added" in text
    assert "before dashed" in page.text
    assert re.search(r"wind_speed differs double 0 % [\d.]+ → [\d.]+", text)
    assert "Nothing differs." in text_of(
        client.get("/datasets/flights/compare?before=main&after=main")
    )
    wrong = client.get("/datasets/flights/compare", params={"before": '"><b>x', "after": "main"})
    assert wrong.status_code == 404
    assert "names no" in text_of(wrong) or "can't name" in text_of(wrong)
    assert '"><b>x' not in wrong.text
    alone = client.get("/datasets/monthly/compare")
    assert alone.status_code == 200
    assert "Two commits of monthly side by side." in text_of(alone)


def test_sources_that_need_somebody_come_first_and_say_why(client: Client) -> None:
    page = client.get("/sources")
    text = text_of(page)
    assert "3 sources: 1 stopped." in text
    assert text.index("bolt") < text.index("carta") < text.index("acme-ops")
    assert "never polled" in text
    ill = text_of(client.get("/sources/bolt"))
    assert "This source stopped itself; others go on" in ill
    assert "amount" in ill
    assert "roadworthy data source resume bolt" in ill
    assert "1 of 3 sources fit." in text_of(client.get("/sources?q=bo"))


def test_the_overview_names_sources_that_are_not_well(client: Client) -> None:
    text = text_of(client.get("/"))
    assert "Source bolt: stopped" in text
    assert "resume bolt" in text
    assert "Source acme-ops" not in text


def test_a_source_shows_polls_deliveries_and_quarantine_with_reasons(client: Client) -> None:
    page = client.get("/sources/acme-ops")
    text = text_of(page)
    assert "Quarantine (1)" in text
    assert "amount" in text
    assert EVIL not in page.text
    assert "&lt;script&gt;" in page.text
    assert "committed" in text
    assert re.search(r'href="/datasets/flights/commits/[0-9a-f]{12}"', page.text)
    assert "required" in text
    beyond = client.get("/sources/acme-ops?aside=3&polls=4")
    assert beyond.status_code == 200
    assert "aside=2" in beyond.text


def test_a_release_and_a_run_lead_to_the_commits_they_came_from(world: Any, client: Client) -> None:
    page = client.get("/models/wind-alarm/releases/1")
    found = re.search(r'href="(/datasets/flights/commits/[0-9a-f]{12})"', page.text)
    assert found is not None
    assert "asked for as flights@main" in text_of(page)
    assert client.get(found[1]).status_code == 200
    run = world.registry.release("wind-alarm@1").run
    assert found[1] in client.get(f"/runs/{run}").text
    assert "no longer kept here" in text_of(client.get("/models/flight-delay/releases/4"))


def test_what_is_not_there_is_said_with_the_nearest_name(client: Client) -> None:
    for path, said in (
        ("/datasets/flihgts", "did you mean flights"),
        ("/datasets/Flights!", "can't be the name of a dataset"),
        ("/datasets/flights?branch=fix-wnd", "fix-wnd"),
        ("/datasets/flights/commits/00000000", "flights"),
        ("/datasets/flights/commits/main?table=flihgts", "did you mean flights"),
        ("/sources/bollt", "did you mean bolt"),
    ):
        missing = client.get(path)
        assert missing.status_code == 404, path
        assert said in text_of(missing), path


def test_a_damaged_table_leaves_the_rest_of_its_page(world: Any, client: Client) -> None:
    for path in sorted((world.settings.home / "data").rglob("*")):
        if path.is_file() and path.stat().st_size > 8000:
            content = bytearray(path.read_bytes())
            for place in range(40, len(content), 50):
                content[place] ^= 1
            path.chmod(0o600)
            path.write_bytes(content)
    page = client.get("/datasets/flights")
    assert page.status_code == 200
    answer = client.get("/datasets/flights/commits/main")
    assert answer.status_code in (200, 500)
    assert "damaged" in text_of(answer)


def test_without_data_the_pages_say_how_it_comes(
    empty_world: Any, client_of: Callable[..., Client]
) -> None:
    client = client_of(empty_world)
    assert "roadworthy data init flights" in text_of(client.get("/datasets"))
    assert "roadworthy data source add FILE.toml" in text_of(client.get("/sources"))
    empty_world.data.browser().datasets.create("bare")
    assert "No commit yet" in text_of(client.get("/datasets/bare"))


def test_many_columns_and_paths_are_shown_a_page_at_a_time(
    empty_world: Any, client_of: Callable[..., Client], tmp_path: Path
) -> None:
    datasets = empty_world.data.browser().datasets
    datasets.create("wide")
    table = pa.table({f"c{n:03}": [n, n + 1] for n in range(60)})
    files = [PutFile(f"photos/{n:03}.jpg", bytes([n])) for n in range(60)]
    datasets.commit("wide", [PutTable("a-table", table), *files], message="wide")
    client = client_of(empty_world)
    page = client.get("/datasets/wide/commits/main?table=a-table")
    assert "c024" in page.text
    assert "c025" not in page.text
    more = re.search(r'href="([^"]*after=[^"]*)"', page.text)
    assert more is not None
    rest = client.get(more[1].replace("&amp;", "&"))
    assert "photos/059.jpg" in rest.text
    assert "photos/010.jpg" not in rest.text
    assert "c025" in client.get("/datasets/wide/commits/main?table=a-table&columns=2").text
