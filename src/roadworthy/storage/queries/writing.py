"""Rows that may be there already: inserted or replaced in one statement, on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite import pysqlite as sqlite_driver

_ROWS_AT_ONCE = 500


def insert_unless_there(connection: Connection, table: sa.Table, **values: Any) -> bool:
    """Inserts a row unless one of its key is there; whether it did."""
    statement = _insert_or_leave(connection.dialect.name, table)
    return connection.execute(statement, values).rowcount == 1


def insert_for_id(connection: Connection, table: sa.Table, **values: Any) -> int | None:
    """The id of the row that was inserted; None where one of its key is there."""
    statement = _insert_or_leave(connection.dialect.name, table).returning(table.c.id)
    found: int | None = connection.execute(statement, values).scalar()
    return found


def insert_unless_there_many(
    connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]
) -> int:
    """Inserts the rows whose key is not there; how many it did."""
    statement = _insert_or_leave(connection.dialect.name, table)
    return int(connection.execute(statement, rows).rowcount)


def insert_plain_rows(
    connection: Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]
) -> int:
    """The same for very many rows with a value for each column, in a form that drivers take."""
    names = table.c.keys()
    if connection.dialect.name != "sqlite":
        named = [dict(zip(names, row, strict=True)) for row in rows]
        return insert_unless_there_many(connection, table, named)
    return sum(
        _insert_plain(connection, table, rows[at : at + _ROWS_AT_ONCE])
        for at in range(0, len(rows), _ROWS_AT_ONCE)
    )


def _insert_plain(connection: Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> int:
    text = _sqlite_text(table, len(rows))
    values = tuple(itertools.chain.from_iterable(rows))
    counted = {"preserve_rowcount": True}
    return int(connection.exec_driver_sql(text, values, execution_options=counted).rowcount)


@lru_cache(maxsize=32)
def _sqlite_text(table: sa.Table, rows: int) -> str:
    """The statement for so many rows: one a row would take half as long again."""
    row = f"({', '.join('?' * len(table.c))})"
    one = str(_insert_or_leave("sqlite", table).compile(dialect=sqlite_driver.dialect()))
    before, found, after = one.partition(row)
    if not found:
        raise NotImplementedError(f"SQLAlchemy writes an insertion as {one!r}")
    return before + ", ".join([row] * rows) + after


def put_row(connection: Connection, table: sa.Table, key: Mapping[str, Any], **values: Any) -> None:
    """Inserts a row, or changes the one of its key."""
    statement = _put(connection.dialect.name, table, tuple(key), tuple(values))
    connection.execute(statement, {**key, **values})


@cache
def _put(dialect: str, table: sa.Table, key: tuple[str, ...], values: tuple[str, ...]) -> Any:
    statement = _insert(dialect, table)
    given = {name: statement.excluded[name] for name in values}
    return statement.on_conflict_do_update(index_elements=list(key), set_=given)


@cache
def _insert_or_leave(dialect: str, table: sa.Table) -> Any:
    statement = _insert(dialect, table).on_conflict_do_nothing()
    return statement.execution_options(preserve_rowcount=True)


def _insert(dialect: str, table: sa.Table) -> Any:
    of: Any = sqlite if dialect == "sqlite" else postgresql
    return of.insert(table)
