"""Operations: what was asked of the control plane and takes steps."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from roadworthy.core.operation import Operation
from roadworthy.errors import NotFound
from roadworthy.storage.queries.documents import decode, encode
from roadworthy.storage.queries.writing import put_row
from roadworthy.storage.tables import operations


def save_operation(connection: Connection, operation: Operation) -> None:
    """Keeps an operation, new or changed, under its id."""
    values = {
        "kind": operation.kind,
        "model": operation.model,
        "stage": operation.stage,
        "state": operation.state,
        "started": operation.started,
        "document": encode(operation),
    }
    put_row(connection, operations, {"id": operation.id}, **values)


def operation(connection: Connection, identity: str) -> Operation:
    """The operation of an id. Raises NotFound."""
    text = connection.execute(
        sa.select(operations.c.document).where(operations.c.id == identity)
    ).scalar()
    if text is None:
        raise NotFound(
            f"there is no operation {identity}", cure="roadworthy history MODEL lists them"
        )
    return _operation(text)


def running_operations(connection: Connection) -> list[Operation]:
    """The operations that have not ended, oldest first."""
    texts = connection.execute(
        sa.select(operations.c.document)
        .where(operations.c.state == "running")
        .order_by(operations.c.started, operations.c.id)
    ).scalars()
    return [_operation(text) for text in texts]


def operations_of(
    connection: Connection, model: str | None = None, *, limit: int = 100
) -> list[Operation]:
    """The latest operations, of one model or of all, newest first."""
    query = sa.select(operations.c.document)
    if model is not None:
        query = query.where(operations.c.model == model)
    texts = connection.execute(
        query.order_by(operations.c.started.desc(), operations.c.id.desc()).limit(limit)
    ).scalars()
    return [_operation(text) for text in texts]


def _operation(text: str) -> Operation:
    return decode(text, Operation, "an operation")
