"""Bringing a database to this version's tables: forward only, after a backup.

A database at the newest revision costs one query and no import of Alembic.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from roadworthy.errors import NewerFormat, StorageError
from roadworthy.storage.disk import Disk, translated
from roadworthy.storage.metadata import Database

MIGRATIONS = Path(__file__).parent / "migrations"
_ALEMBIC = threading.Lock()  # its context is one for the whole process
_LOCK = 7_270_419  # any number, the same in every process: PostgreSQL's advisory lock


def revisions(folder: Path = MIGRATIONS) -> list[str]:
    """All revisions that this version knows, oldest first."""
    return sorted(file.stem.split("_")[0] for file in (folder / "versions").glob("[0-9]*.py"))


def migrate(database: Database, folder: Path = MIGRATIONS) -> None:
    """Brings the database to the newest revision of a folder, or leaves it as it was.

    One process does it, others wait. Raises NewerFormat, StorageError, Unavailable.
    """
    if database.path is not None:
        Disk().make_directory(database.path.parent)
    known = revisions(folder)
    newest = known[-1]
    with database.reading() as connection:
        if _check(revision(connection), known) == newest:
            return
    with database.writing() as connection:
        if not database.on_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        before = _check(revision(connection), known)
        if before == newest:
            return
        backup = back_up(database.path, before) if before and database.path is not None else None
        try:
            _upgrade(connection, folder)
        except BaseException:
            if backup is not None:
                backup.unlink()  # of what is still there: a process that is restarted makes no pile
            raise


def revision(connection: Connection) -> str:
    """The revision of the tables, or an empty text where there are none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() or ""


def back_up(path: Path, revision: str) -> Path:
    """A consistent copy of a SQLite database, in ``backups/`` beside it; its path.

    Raises StorageError; then nothing has been changed.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    target = path.parent / "backups" / f"{path.stem}-{revision}-{moment}.db"
    disk = Disk()
    with translated(f"backing up {path}"):
        disk.make_directory(target.parent)
        partial = target.with_suffix(".part")
        try:
            with (
                contextlib.closing(sqlite3.connect(path)) as original,
                contextlib.closing(sqlite3.connect(partial)) as copy,
            ):
                original.backup(copy)
            with partial.open("rb") as file:
                disk.sync(file.fileno(), partial)
            partial.rename(target)
        except sqlite3.Error as error:
            raise StorageError(
                f"the metadata can't be backed up before it is migrated: {error}",
                cure="free some space, or check the disk; nothing was changed",
            ) from error
        finally:
            partial.unlink(missing_ok=True)
        disk.sync_directory(target.parent)
    return target


def _check(found: str, known: list[str]) -> str:
    if found and found not in known:
        raise NewerFormat(
            f"the metadata is of a newer Roadworthy (its tables are at {found}, "
            f"this version knows up to {known[-1]})",
            cure="install that Roadworthy again (pip install --upgrade roadworthy), "
            "or restore the backup in backups/ that was taken before it was migrated",
            found=found,
            known=known[-1],
        )
    return found


def _upgrade(connection: Connection, folder: Path) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, "head")
