"""The registry where the database matters: concurrent writers, a lost connection, a server away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from roadworthy.core.release import Release
from roadworthy.errors import StorageError, Unavailable
from roadworthy.registry import Registry
from roadworthy.storage.blobs import Blobs
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.metadata import Database
from roadworthy.storage.opening import open_database
from roadworthy.storage.queries import deployments
from roadworthy.testing.faulty import CuttingProxy
from roadworthy.testing.metadata import a_change, a_deployment
from roadworthy.testing.servers import postgres_database
from roadworthy.testing.values import a_draft, a_run, ticking_clock


def a_registry(database: Database, folder: Path) -> Registry:
    registry = Registry(database, DirectoryBlobs(folder / "blobs"), ticking_clock())
    registry.record_run(a_run("run-1"), None, {"train.py": b"print(1)"})
    return registry


def test_numbers_have_no_gaps_with_many_writers(database: Database, tmp_path: Path) -> None:
    registry = a_registry(database, tmp_path)
    made: list[Release] = []

    def record(writer: int) -> None:
        for number in range(6):
            content = f"{writer if number % 2 else 'shared'} {number}".encode()
            made.append(registry.record_release(a_draft("run-1", content)))

    writers = [threading.Thread(target=record, args=(writer,)) for writer in range(5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    numbers = [each.number for each in registry.releases("flight-delay", limit=100)]
    assert numbers == list(range(18, 0, -1))  # 5 x 3 of their own, 3 shared
    assert len(made) == 30
    assert len({(each.number, each.digest) for each in made}) == 18


def test_a_release_in_an_object_store(database: Database, s3_blobs: Blobs, tmp_path: Path) -> None:
    registry = Registry(database, s3_blobs, ticking_clock())
    registry.record_run(a_run("run-1"), None, {"train.py": b"print(1)"})
    release = registry.record_release(a_draft("run-1"))
    directory = registry.materialise(release.digest, tmp_path / "releases")
    assert (directory / "flow.py").read_bytes() == b"flow"
    registry.check(release)


@pytest.fixture
def proxy() -> Iterator[CuttingProxy]:
    proxy = CuttingProxy("127.0.0.1", 5432)
    yield proxy
    proxy.close()


@pytest.fixture
def behind(proxy: CuttingProxy) -> Iterator[Database]:
    """A PostgreSQL database reached through the proxy."""
    with postgres_database() as url:
        database = open_database(str(sa.make_url(url).set(port=proxy.port)))
        yield database
        database.close()


def test_a_lost_answer_to_a_commit_has_no_double_effect(
    behind: Database, proxy: CuttingProxy, tmp_path: Path
) -> None:
    registry = a_registry(behind, tmp_path)
    for number in range(1, 4):
        proxy.lose_answer_to(b"COMMIT")
        release = registry.record_release(a_draft("run-1", str(number).encode()))
        assert release.number == number
    assert proxy.cuts == 3
    proxy.lose_answer_to(b"INSERT INTO releases")
    assert registry.record_release(a_draft("run-1", b"4")).number == 4
    proxy.lose_answer_to(b"COMMIT")
    registry.record_run(a_run("run-2"), None, {})
    assert [run.id for run in registry.runs()] == ["run-2", "run-1"]
    assert [each.number for each in registry.releases("flight-delay")] == [4, 3, 2, 1]


def test_a_lost_answer_to_a_change_of_a_deployment(
    behind: Database, proxy: CuttingProxy, tmp_path: Path
) -> None:
    a_registry(behind, tmp_path).record_release(a_draft("run-1"))
    new = a_deployment(1, 1)
    proxy.lose_answer_to(b"COMMIT")
    behind.write(lambda c: deployments.save_deployment(c, new, None, a_change(new)))
    assert proxy.cuts == 1
    with behind.reading() as connection:
        assert deployments.deployment(connection, "flight-delay", "production") == new
        assert len(deployments.stage_changes_of(connection, "flight-delay")) == 1


def test_a_server_that_is_away_is_said_and_used_again_when_back(
    behind: Database, proxy: CuttingProxy
) -> None:
    behind.write(deployments.next_table_version)
    proxy.refuse()
    with (
        pytest.raises(Unavailable, match="metadata database does not answer"),
        behind.reading(),
    ):
        pass
    proxy.accept()
    with behind.reading() as connection:
        assert deployments.table_version(connection) == 1


def test_a_block_that_must_not_be_repeated_says_that_it_may_have_happened(
    behind: Database, proxy: CuttingProxy
) -> None:
    proxy.lose_answer_to(b"COMMIT")
    with pytest.raises(Unavailable) as raised, behind.writing() as connection:
        deployments.next_table_version(connection)
    assert raised.value.details["lost"] is True
    with behind.reading() as connection:
        assert deployments.table_version(connection) == 1


def test_an_unknown_database_and_user_are_said() -> None:
    with pytest.raises(StorageError, match="does not know") as raised:
        open_database("postgresql://postgres@127.0.0.1:5432/absent-database")
    assert "createdb" in raised.value.cure
    with pytest.raises(Unavailable, match="does not answer"):
        open_database("postgresql://postgres@127.0.0.1:9/test")
