"""What the doctor says of sources and datasets, on a home of files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from roadworthy.core.source import Column, Poll, Source, SourceState
from roadworthy.core.source_health import health_of
from roadworthy.data import Datasets, PutTable
from roadworthy.data.browser import Browser
from roadworthy.data.ingestion import Sources
from roadworthy.operations.data_doctor import examine_data
from roadworthy.storage.blobs import open_blobs
from roadworthy.storage.opening import open_database

NOW = datetime(2026, 3, 18, 10, 40, tzinfo=UTC)


def a_source(**more: Any) -> Source:
    given: dict[str, Any] = {"name": "acme", "url": "in/*.csv", "dataset": "orders"}
    return Source(**{**given, **more})


def a_poll(outcome: Any = "nothing", said: str = "", **ago: float) -> Poll:
    at = (NOW - timedelta(**ago)).isoformat()
    return Poll(id="1", source="acme", at=at, outcome=outcome, said=said)


@pytest.mark.parametrize(
    ("source", "state", "last", "kind"),
    [
        (a_source(), SourceState(), None, "new"),
        (a_source(), SourceState(), a_poll(days=90), "well"),
        (a_source(schedule="every hour"), SourceState(), a_poll(minutes=59), "well"),
        (a_source(schedule="every hour"), SourceState(), a_poll(minutes=64), "well"),
        (a_source(schedule="every hour"), SourceState(), a_poll(minutes=66), "late"),
        (a_source(schedule="0 6 * * *"), SourceState(), a_poll(hours=4), "well"),
        (a_source(schedule="0 6 * * *"), SourceState(), a_poll(hours=5), "late"),
        (a_source(schedule="every hour"), SourceState(), a_poll(hours=-2), "well"),
        (a_source(), SourceState(), a_poll("failed", "no\n  → look"), "failing"),
        (a_source(), SourceState(status="stopped", said="no\n  → mend"), None, "stopped"),
        (a_source(schedule="every hour"), SourceState(status="paused"), None, "paused"),
    ],
)
def test_a_source_is_as_its_state_and_last_poll_say(
    source: Source, state: SourceState, last: Poll | None, kind: str
) -> None:
    found = health_of(source, state, last, NOW)
    assert found.kind == kind
    assert found.ill == (kind in ("late", "failing", "stopped"))
    assert not found.ill or (found.said and found.cure)


@pytest.fixture
def browser(tmp_path: Path) -> Any:
    database = open_database(f"sqlite:///{tmp_path / 'rw.db'}")
    datasets = Datasets(database, open_blobs(str(tmp_path / "data")), lambda: NOW)
    yield Browser(Sources(datasets, tmp_path / "scratch"))
    database.close()


def test_nothing_is_said_where_there_is_no_data(browser: Browser) -> None:
    assert examine_data(lambda: browser) == []


def test_sources_that_stopped_are_named_with_their_cure(browser: Browser, tmp_path: Path) -> None:
    columns = {"id": Column(type="int64", required=True)}
    for name, text in (("acme", "id\n1\n"), ("bolt", "other\n1\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text(text)
        source = a_source(name=name, url=f"{tmp_path}/{name}/*", columns=columns, settle_seconds=0)
        browser.sources.add(source)
        browser.sources.poll(name)
    found = examine_data(lambda: browser)
    assert [(each.part, each.state) for each in found] == [
        ("source bolt", "wrong"),
        ("data", "fine"),
    ]
    assert "'id' is missing" in found[0].said
    assert "resume bolt" in found[0].cure


def test_damage_is_found_by_size_and_by_digest(browser: Browser, tmp_path: Path) -> None:
    browser.datasets.create("flights")
    table = pa.table({"id": list(range(5000))})
    browser.datasets.commit("flights", [PutTable("flights", table)], message="one")
    well = examine_data(lambda: browser)
    assert [each.state for each in well] == ["fine"]
    assert "what branches hold is as recorded" in well[0].said
    packs = [each for each in (tmp_path / "data").rglob("*") if each.is_file()]
    largest = max(packs, key=lambda each: each.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 4] ^= 1
    largest.chmod(0o600)
    largest.write_bytes(content)
    assert [each.state for each in examine_data(lambda: browser, contents=False)] == ["fine"]
    flipped = examine_data(lambda: browser)
    assert flipped[0].state == "wrong"
    assert "fsck" in flipped[0].cure
    largest.write_bytes(content[:-1])
    torn = examine_data(lambda: browser, contents=False)
    assert f"{len(content) - 1} bytes of {len(content)}" in torn[0].said
    largest.unlink()
    assert "is missing" in examine_data(lambda: browser, contents=False)[0].said
