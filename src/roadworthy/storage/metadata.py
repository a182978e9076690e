"""The metadata database: SQLite in a file, or PostgreSQL, by URL.

A transaction is short and either reads or writes. What the database driver raises is turned
into our errors here, once.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from roadworthy.errors import RoadworthyError, SettingsError, StorageError, Unavailable

T = TypeVar("T")

_WRITES = "roadworthy_writes"
_BUSY_SECONDS = 10.0
_ATTEMPTS = 4


class Database:
    """Transactions on the metadata. Safe to be used by several threads.

    ``reading`` and ``writing`` give a connection for one transaction each; ``write`` runs a
    whole transaction again when the connection was lost, so its work must look first whether
    it has happened already.
    """

    def __init__(self, engine: Engine, path: Path | None) -> None:
        self.engine = engine
        self.path = path
        self.read_only_because = ""

    @property
    def on_sqlite(self) -> bool:
        """Whether this is a SQLite file (``path``) rather than a PostgreSQL server."""
        return self.engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the metadata. Raises Unavailable, StorageError."""
        with self._translating(), self.engine.connect() as connection:
            yield connection  # rolled back at the end: nothing was changed

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection whose changes all happen, durably, when the block ends well, or none.

        On SQLite there is one writer at a time, from the first statement on. Raises
        Unavailable, StorageError. When a commit's answer is lost, Unavailable says so: it may
        have happened.
        """
        self.check_writable()
        with (
            self._translating(),
            self.engine.connect().execution_options(**{_WRITES: True}) as connection,
            connection.begin(),
        ):
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """What the work gives, done in one transaction, exactly once.

        If the connection is lost, also while committing, the work runs again in a new
        transaction, four times at most. It must find what it did before and give that: then a
        lost answer has no double effect.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self.writing() as connection:
                    return work(connection)
            except Unavailable as error:
                if attempt == _ATTEMPTS or not error.details.get("lost"):
                    raise
                time.sleep(random.uniform(0.1, 0.3) * 2**attempt)
        raise AssertionError("the loop returns or raises")

    def check_writable(self) -> None:
        """Raises StorageError if the disk under the database failed before."""
        if self.read_only_because:
            raise StorageError(
                f"the metadata is no longer written: {self.read_only_because}",
                cure="check the disk (dmesg, smartctl), then restart Roadworthy",
            )

    def close(self) -> None:
        """Gives back all connections."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            ours = translate(error)
            if ours.details.get("disk_failed"):
                self.read_only_because = ours.message
            raise ours from error


def connect(url: str) -> Database:
    """The database as it is: nothing is made, read or changed yet. Raises SettingsError."""
    parsed = _parse(url)
    if parsed.drivername == "sqlite":
        return _connect_sqlite(parsed)
    return _connect_postgresql(parsed)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise SettingsError(
            f"`metadata` is not a URL of a database: {error}",
            cure="write postgresql://user@host/database, or leave it out for SQLite",
        ) from None
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    raise SettingsError(
        f"metadata can't be kept in {parsed.drivername!r}: a SQLite file and PostgreSQL are known",
        cure="write postgresql://user@host/database, or leave it out for SQLite",
    )


def _connect_sqlite(url: URL) -> Database:
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        for pragma in ("foreign_keys=ON", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return Database(engine, Path(url.database or ""))


def _connect_postgresql(url: URL) -> Database:
    try:
        engine = sa.create_engine(
            url,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": 5,
                "application_name": "roadworthy",
                "options": "-c lock_timeout=10s -c statement_timeout=60s "
                "-c idle_in_transaction_session_timeout=60s -c timezone=UTC",
            },
        )
    except ImportError:
        raise SettingsError(
            "PostgreSQL needs the package psycopg, which is not installed",
            cure="pip install 'roadworthy[postgres]'",
        ) from None
    return Database(engine, None)


_FAILED_SYNCS = ("SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC")

# What a driver says → what we say: (in the message, lower case), class, ours, cure, details.
_SAYINGS: tuple[tuple[str, type[RoadworthyError], str, str, dict[str, Any]], ...] = (
    (
        "database is locked",
        Unavailable,
        "the metadata database is busy: another process has been writing for long",
        "try again; roadworthy status shows what runs",
        {},
    ),
    (
        "database or disk is full",
        StorageError,
        "the metadata can't be written: no space is left for it",
        "free some space on its file system, then try again",
        {},
    ),
    (
        "disk i/o error",
        StorageError,
        "reading or writing the metadata database failed: its disk, or a limit on file sizes",
        "look at ulimit -f and at the disk (dmesg, smartctl), then try again",
        {},
    ),
    (
        "attempt to write a readonly database",
        StorageError,
        "the metadata can't be written: its file is read-only",
        "give this user the right to write it and its directory",
        {},
    ),
    (
        "unable to open database file",
        StorageError,
        "the metadata database can't be opened",
        "check that its directory exists and that this user may write there",
        {},
    ),
    (
        "file is not a database",
        StorageError,
        "the metadata file is not a SQLite database, or it is damaged",
        "restore it from a backup: the newest is in backups/ beside it",
        {"damaged": True},
    ),
    (
        "malformed",
        StorageError,
        "the metadata database is damaged",
        "restore it from a backup: the newest is in backups/ beside it",
        {"damaged": True},
    ),
    (
        "no space left on device",
        StorageError,
        "the metadata can't be written: the database server has no space left",
        "free some space on the server, then try again",
        {},
    ),
    (
        "password authentication failed",
        StorageError,
        "the database server refuses the user or password of `metadata`",
        "check the URL in roadworthy.toml or ROADWORTHY_METADATA",
        {},
    ),
    (
        "does not exist",
        StorageError,
        "the database server does not know the database, user or table that is meant",
        "check the URL in roadworthy.toml or ROADWORTHY_METADATA; createdb makes a database",
        {},
    ),
    (
        "lock timeout",
        Unavailable,
        "the metadata database is busy: another process has been writing for long",
        "try again; roadworthy status shows what runs",
        {},
    ),
    (
        "deadlock detected",
        Unavailable,
        "two changes of the metadata were in each other's way",
        "try again",
        {"lost": True},
    ),
)


def translate(error: SQLAlchemyError) -> RoadworthyError:
    """Our error for one of the database driver's.

    ``details["lost"]`` says that the connection is gone and a commit may have happened.
    """
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return _gone(said)
    if getattr(getattr(error, "orig", None), "sqlite_errorname", "") in _FAILED_SYNCS:
        return StorageError(
            "syncing the metadata database to its disk failed",
            cure="check the disk (dmesg, smartctl), then restart Roadworthy",
            said=said,
            disk_failed=True,
        )
    for words, kind, message, cure, details in _SAYINGS:
        if words in said.lower():
            return kind(message, cure=cure, said=said, **details)
    if isinstance(error, PoolTimeout):
        return Unavailable("all connections to the metadata database are in use", cure="try again")
    if isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError)):
        return _gone(said)
    return StorageError(f"the metadata database refused: {said}", said=said)


def _gone(said: str) -> Unavailable:
    return Unavailable(
        "the metadata database does not answer",
        cure="check that the database server runs; it is used again as soon as it answers",
        said=said,
        lost=True,
    )
