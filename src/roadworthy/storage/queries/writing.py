"""Rows that may be there already: inserted or replaced in one statement, on both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite


def insert_unless_there(connection: Connection, table: sa.Table, **values: Any) -> bool:
    """Inserts a row unless one of its key is there; whether it did."""
    statement = _insert(connection, table).values(**values).on_conflict_do_nothing()
    counted = statement.execution_options(preserve_rowcount=True)
    return connection.execute(counted).rowcount == 1


def insert_unless_there_many(
    connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]
) -> int:
    """Inserts the rows whose key is not there; how many it did."""
    statement = _insert(connection, table).on_conflict_do_nothing()
    counted = statement.execution_options(preserve_rowcount=True)
    return int(connection.execute(counted, rows).rowcount)


def put_row(connection: Connection, table: sa.Table, key: Mapping[str, Any], **values: Any) -> None:
    """Inserts a row, or changes the one of its key."""
    statement = _insert(connection, table).values(**key, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))


def _insert(connection: Connection, table: sa.Table) -> Any:
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)
