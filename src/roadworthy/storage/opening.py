"""Opening the metadata: connected, and brought to this version's form."""

from __future__ import annotations

from roadworthy.storage.metadata import Database, connect
from roadworthy.storage.migrating import migrate


def open_database(url: str) -> Database:
    """The database at ``sqlite:///path`` or ``postgresql://…``, with this version's tables.

    A SQLite file is made if there is none, and backed up beside itself before it is changed.
    Raises NewerFormat where a newer Roadworthy wrote it, SettingsError, Unavailable,
    StorageError.
    """
    database = connect(url)
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return database
