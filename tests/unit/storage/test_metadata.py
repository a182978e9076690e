"""The metadata on SQLite: what its driver raises, migrations, backups, pragmas."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from roadworthy.core.run import Run
from roadworthy.errors import (
    NewerFormat,
    RoadworthyError,
    SettingsError,
    StorageError,
    Unavailable,
)
from roadworthy.storage.blobs import open_blobs
from roadworthy.storage.metadata import Database, connect, translate
from roadworthy.storage.migrating import back_up, revisions
from roadworthy.storage.opening import open_database
from roadworthy.storage.queries.documents import decode


@pytest.mark.parametrize(
    ("said", "kind", "message", "cure"),
    [
        ("database is locked", Unavailable, "busy", "try again"),
        ("database or disk is full", StorageError, "no space", "free some space"),
        ("disk I/O error", StorageError, "its disk", "ulimit -f"),
        ("attempt to write a readonly database", StorageError, "read-only", "right to write"),
        ("unable to open database file", StorageError, "opened", "directory exists"),
        ("file is not a database", StorageError, "not a SQLite", "backup"),
        ("database disk image is malformed", StorageError, "damaged", "backup"),
        ("could not extend file: No space left on device", StorageError, "no space", "server"),
        ('password authentication failed for user "x"', StorageError, "password", "URL"),
        ('database "x" does not exist', StorageError, "does not know", "createdb"),
        ("canceling statement due to lock timeout", Unavailable, "busy", "try again"),
        ("deadlock detected", Unavailable, "each other's way", "try again"),
        ("server closed the connection unexpectedly", Unavailable, "does not answer", "server"),
        ("connection refused", Unavailable, "does not answer", "server"),
    ],
)
def test_what_a_driver_says_is_translated(
    said: str, kind: type[RoadworthyError], message: str, cure: str
) -> None:
    ours = translate(OperationalError("SELECT 1", {}, sqlite3.OperationalError(said)))
    assert type(ours) is kind
    assert message in ours.message
    assert cure in ours.cure


def test_a_lost_connection_is_lost_whatever_was_said() -> None:
    error = DBAPIError("COMMIT", {}, Exception("anything"), connection_invalidated=True)
    assert translate(error).details["lost"] is True


@pytest.mark.parametrize(
    "url", ["mysql://root@h/x", "sqlite://", "sqlite:///:memory:", "no url", ""]
)
def test_unknown_databases_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="metadata"):
        connect(url)


@pytest.mark.parametrize("url", ["ftp://host/x", "http://host/x"])
def test_unknown_stores_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="is not a kind of store"):
        open_blobs(url)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "roadworthy.db"


def test_commits_are_synced_and_keys_checked(path: Path) -> None:
    database = open_database(f"sqlite:///{path}")
    with database.reading() as connection:
        asked = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.close()
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def older(path: Path) -> None:
    """A database as an older version might have left it: other tables, another revision."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('0000')")
        connection.execute("CREATE TABLE precious (words TEXT)")
        connection.execute("INSERT INTO precious VALUES ('kept')")
    connection.close()


def test_a_backup_is_a_whole_database(path: Path) -> None:
    older(path)
    copy = back_up(path, "0000")
    assert copy.parent == path.parent / "backups"
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT words FROM precious").fetchall() == [("kept",)]
    connection.close()
    assert [each.name for each in copy.parent.iterdir()] == [copy.name]


def test_an_unknown_revision_is_refused_and_left_alone(path: Path) -> None:
    older(path)
    before = path.read_bytes()
    with pytest.raises(NewerFormat, match=f"0000.*{revisions()[-1]}"):
        open_database(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert names == {"alembic_version", "precious"}
    assert len(path.read_bytes()) == len(before)
    assert not (path.parent / "backups").exists()


def test_what_is_not_a_database_is_said(path: Path) -> None:
    path.write_bytes(b"this is no database at all, but it is long enough" * 10)
    with pytest.raises(StorageError, match="not a SQLite database"):
        open_database(f"sqlite:///{path}")


def test_a_long_writer_makes_others_wait_then_fail(path: Path) -> None:
    database = open_database(f"sqlite:///{path}")
    other = Database(sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 0.05}), path)
    with (
        database.writing(),
        pytest.raises(Unavailable, match="busy"),
        other.writing() as connection,
    ):
        connection.execute(sa.text("INSERT INTO models VALUES ('x', '', 0)"))
    other.close()
    database.close()


def test_a_disk_that_failed_is_not_written_again(path: Path) -> None:
    database = open_database(f"sqlite:///{path}")
    said = sqlite3.OperationalError("disk I/O error")
    said.sqlite_errorname = "SQLITE_IOERR_FSYNC"  # as the driver sets it
    with pytest.raises(StorageError, match="syncing the metadata"), database.writing():
        raise OperationalError("COMMIT", {}, said)
    with pytest.raises(StorageError, match="no longer written"), database.writing():
        pass
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    database.close()


def test_a_record_that_cannot_be_read_is_named() -> None:
    with pytest.raises(StorageError, match="record of run 7 can't be read"):
        decode('{"id": 3}', Run, "run 7")
