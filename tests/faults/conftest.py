"""Which fault a test makes, and how often it was made: for the campaigns of `make faults`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roadworthy.storage.metadata import Database
from roadworthy.storage.opening import open_database

REPORT = "FAULT_REPORT"
"""A file to which a line is added for each test: its rows, how often tried, whether it held."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database on this disk."""
    database = open_database(f"sqlite:///{tmp_path / 'roadworthy.db'}")
    yield database
    database.close()


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Iterator[Callable[[int], None]]:
    """To be called with how often a test made its fault, where that is not once."""
    counts: list[int] = []
    yield counts.append
    request.node.user_properties.append(("tried", sum(counts)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep the rows that a test is marked with where its report can be read."""
    if not any(name == "rows" for name, _ in item.user_properties):
        mark = item.get_closest_marker("fault")
        item.user_properties.append(("rows", mark.args[0] if mark else ""))
    yield


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add a line when a test is over."""
    path = os.environ.get(REPORT)
    if path is None or not (report.when == "teardown" or report.failed):
        return
    found = dict(report.user_properties)
    line = {
        "test": report.nodeid,
        "rows": str(found.get("rows", "")).split(),
        "tried": int(found.get("tried", 1)) or 1,
        "held": not report.failed,
    }
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
