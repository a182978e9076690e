"""Deployments and the history of their changes; the routing table."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from roadworthy.core.deployment import Deployment, RoutingTable, StageChange
from roadworthy.core.names import Stage
from roadworthy.errors import Conflict
from roadworthy.storage.queries.documents import decode, encode
from roadworthy.storage.queries.writing import insert_unless_there, put_row
from roadworthy.storage.tables import deployments, routing, stage_changes


def deployment(connection: Connection, model: str, stage: Stage) -> Deployment | None:
    """What should run of a model at a stage, if anything was ever deployed there."""
    text = connection.execute(
        sa.select(deployments.c.document).where(
            deployments.c.model == model, deployments.c.stage == stage
        )
    ).scalar()
    return None if text is None else _deployment(text)


def all_deployments(connection: Connection) -> list[Deployment]:
    """What should run of every model at every stage, by model and stage."""
    found = map(_deployment, connection.execute(sa.select(deployments.c.document)).scalars())
    return sorted(found, key=lambda each: (each.model, each.stage))


def deployments_of(connection: Connection, model: str) -> list[Deployment]:
    """What should run of one model, by stage."""
    texts = connection.execute(
        sa.select(deployments.c.document).where(deployments.c.model == model)
    ).scalars()
    return sorted(map(_deployment, texts), key=lambda each: each.stage)


def save_deployment(
    connection: Connection,
    new: Deployment,
    expected: int | None,
    change: StageChange | None = None,
) -> None:
    """Replaces a deployment whose generation is still ``expected``; None: there is none yet.

    ``new.generation`` must be one more than expected (1 for the first). ``change`` is the
    line of history, for a change that somebody asked for. Doing again what has happened
    already does nothing. Raises Conflict, which tells who did what when.
    """
    if new.generation != (expected or 0) + 1:
        raise ValueError(f"generation {new.generation} does not follow {expected}")
    if not _compare_and_set(connection, new, expected):
        current = deployment(connection, new.model, new.stage)
        if current == new:
            return
        raise _overtaken(connection, new, current)
    if change is not None:
        connection.execute(
            sa.insert(stage_changes).values(
                model=change.model,
                stage=change.stage,
                generation=change.generation,
                at=change.at,
                document=encode(change),
            )
        )


def _compare_and_set(connection: Connection, new: Deployment, expected: int | None) -> bool:
    values: dict[str, Any] = {"generation": new.generation, "document": encode(new)}
    if expected is None:
        return insert_unless_there(
            connection, deployments, model=new.model, stage=new.stage, **values
        )
    result = connection.execute(
        sa.update(deployments)
        .where(
            deployments.c.model == new.model,
            deployments.c.stage == new.stage,
            deployments.c.generation == expected,
        )
        .values(**values)
    )
    return result.rowcount == 1


def _overtaken(connection: Connection, new: Deployment, current: Deployment | None) -> Conflict:
    what = f"{new.model} at {new.stage}"
    if current is None:
        return Conflict(f"{what} has not been deployed yet", cure="deploy it first")
    last = next(iter(stage_changes_of(connection, new.model, new.stage, limit=1)), None)
    told = (
        f"{last.caller or 'somebody'} did: {last.action} of {_named(new.model, last.release)} "
        f"at {last.at}"
        if last is not None and last.generation == current.generation
        else f"it was changed at {current.changed or 'an unknown time'}"
    )
    return Conflict(
        f"{what} was changed meanwhile: {told}",
        cure=f"look at it (roadworthy status {new.model}), then decide again",
        generation=current.generation,
        caller=last.caller if last else current.caller,
        release=current.release,
    )


def _named(model: str, release: int | None) -> str:
    return f"{model}@{release}" if release else model


def stage_changes_of(
    connection: Connection,
    model: str,
    stage: Stage | None = None,
    *,
    limit: int = 100,
) -> list[StageChange]:
    """What was done to a model's deployments, newest first."""
    query = sa.select(stage_changes.c.document).where(stage_changes.c.model == model)
    if stage is not None:
        query = query.where(stage_changes.c.stage == stage)
    texts = connection.execute(
        query.order_by(stage_changes.c.at.desc(), stage_changes.c.generation.desc()).limit(limit)
    ).scalars()
    return [decode(text, StageChange, f"a change of {model}") for text in texts]


def table_version(connection: Connection) -> int:
    """The version of the newest routing table; 0 before the first."""
    return connection.execute(sa.select(routing.c.version)).scalar() or 0


def next_table_version(connection: Connection) -> int:
    """Counts the version of the routing table up and gives it. Needs a writing transaction."""
    if not insert_unless_there(connection, routing, id=1, version=1):
        connection.execute(sa.update(routing).values(version=routing.c.version + 1))
    return table_version(connection)


def routing_table(connection: Connection) -> RoutingTable | None:
    """The newest routing table that was saved."""
    text = connection.execute(sa.select(routing.c.document)).scalar()
    return None if text is None else decode(text, RoutingTable, "the routing table")


def save_routing_table(connection: Connection, table: RoutingTable) -> None:
    """Keeps the newest routing table. Raises Conflict where a newer one is kept."""
    current = table_version(connection)
    if current > table.version:
        raise Conflict(
            f"routing table {table.version} is overtaken: {current} is the newest",
            cure="make it anew from the deployments",
        )
    put_row(connection, routing, {"id": 1}, version=table.version, document=encode(table))


def _deployment(text: str) -> Deployment:
    return decode(text, Deployment, "a deployment")
