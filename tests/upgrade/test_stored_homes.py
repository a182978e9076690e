"""Homes as earlier versions left them: each is opened, brought to today's form, and read in full.

A home is kept as text (``metadata.sql``) and contents (``blobs/``, ``predictions/``). Add one
whenever a format changes; never change one that is there.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from roadworthy.registry import Registry
from roadworthy.serving.log_query import Asked, find_rows
from roadworthy.storage.blobs import open_blobs
from roadworthy.storage.metadata import Database
from roadworthy.storage.opening import open_database
from roadworthy.storage.queries.deployments import stage_changes_of

HOMES = sorted(path for path in (Path(__file__).parent / "homes").iterdir() if path.is_dir())
ROW = {"age": 40.0, "plan": "pro", "calls": 5}
ANSWERS = {"churn@1": 0.9230642144588559}
"""What the release answered to the row when the home was made."""


@pytest.fixture(params=HOMES, ids=lambda path: path.name)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    kept: Path = request.param
    for part in ("blobs", "predictions"):
        shutil.copytree(kept / part, tmp_path / part)
    connection = sqlite3.connect(tmp_path / "roadworthy.db")
    connection.executescript((kept / "metadata.sql").read_text(encoding="utf-8"))
    connection.close()
    return tmp_path


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{home / 'roadworthy.db'}")
    yield opened
    opened.close()


@pytest.fixture
def registry(home: Path, database: Database) -> Registry:
    return Registry(database, open_blobs(str(home / "blobs")), lambda: datetime.now(UTC))


def test_models_releases_runs_and_certificates_are_all_there(registry: Registry) -> None:
    assert [summary.name for summary in registry.models()] == ["churn"]
    second, first = registry.releases("churn")
    assert (first.name, first.notes) == ("churn@1", "more than 4 calls")
    assert second.name == "churn@2"
    for release in (first, second):
        registry.check(release)
        certificate = registry.latest_certificate(release.digest)
        assert certificate is not None
        assert certificate.passed
        assert registry.run(release.run).status == "captured"
        assert registry.run_report(release.run) is not None
    assert b"> 4" in registry.run_files(first.run)["churn.py"]


def test_a_release_still_answers_as_it_did(registry: Registry, tmp_path: Path) -> None:
    for name, answer in ANSWERS.items():
        directory = registry.materialise(registry.release(name).digest, tmp_path / "releases")
        asking = (
            "import warnings; warnings.simplefilter('ignore'); import pandas, flow; "
            f"print(float(flow.predict(pandas.DataFrame([{ROW!r}]))[0]))"
        )
        done = subprocess.run(
            [sys.executable, "-B", "-c", asking],
            cwd=directory, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert json.loads(done.stdout) == pytest.approx(answer, rel=1e-9)


def test_the_prediction_log_is_found(home: Path) -> None:
    (row,) = find_rows(home / "predictions", Asked(model="churn"))
    assert row["output:scores"] == pytest.approx(ANSWERS["churn@1"], rel=1e-12)
    assert {name: row[f"input:{name}"] for name in ROW} == ROW


def test_rows_that_are_not_parquet_yet_are_found(home: Path) -> None:
    rows = find_rows(home / "predictions", Asked(model="tiny"))
    assert [(row["request_id"], row["row"]) for row in rows] == [
        ("large", 0), ("large", 1), ("small", 0), ("small", 1), ("small", 2),
    ]  # fmt: skip
    assert [row["input:kind"] for row in rows] == ["é", "x", None, None, None]
    assert [row["output:scores"] for row in rows] == [1.0, 1.0, 1.0, None, None]
    assert (rows[2]["warnings"], rows[3]["rejected"], rows[4]["error"]) == (
        ["odd"], "too low", "ValueError",
    )  # fmt: skip


def test_what_was_done_to_its_stages_is_told(database: Database) -> None:
    with database.reading() as connection:
        changes = stage_changes_of(connection, "churn")
    assert sorted((each.generation, each.action, each.release) for each in changes) == [
        (1, "deploy", 1),
        (3, "deploy", 2),
        (5, "rollback", 1),
    ]
