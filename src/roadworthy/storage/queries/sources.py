"""Sources of data: configuration, state, what was taken from them, their polls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from roadworthy.core.source import Delivery, Poll, Source, SourceState
from roadworthy.storage.queries.documents import decode, encode
from roadworthy.storage.queries.writing import insert_unless_there, put_row
from roadworthy.storage.tables import data_deliveries, data_polls, data_sources

_SOME = 500


@dataclass(frozen=True)
class Kept:
    """A source as it is kept; ``generation`` grows with each change of either part."""

    source: Source
    state: SourceState
    generation: int


def source(connection: Connection, name: str) -> Kept | None:
    """A source by name."""
    row = connection.execute(sa.select(data_sources).where(data_sources.c.name == name)).first()
    return None if row is None else _kept(row)


def all_sources(connection: Connection) -> list[Kept]:
    """All sources, by name."""
    rows = connection.execute(sa.select(data_sources).order_by(data_sources.c.name))
    return [_kept(row) for row in rows]


def any_polled(connection: Connection) -> bool:
    """Whether a source is polled by itself: it is active, and has a schedule or a trigger."""
    return any(
        each.state.status == "active" and (each.source.schedule or each.source.trigger)
        for each in all_sources(connection)
    )


def insert_source(connection: Connection, new: Source, state: SourceState, at: str) -> bool:
    """Keeps a source unless there is one of its name; whether it did."""
    return insert_unless_there(
        connection,
        data_sources,
        name=new.name,
        generation=1,
        at=at,
        document=encode(new),
        state=encode(state),
    )


def change_source(
    connection: Connection, before: Kept, after: Source, state: SourceState, at: str
) -> bool:
    """Replaces a source's configuration and state if nobody has since; whether it did."""
    result = connection.execute(
        sa.update(data_sources)
        .where(
            data_sources.c.name == before.source.name,
            data_sources.c.generation == before.generation,
        )
        .values(
            generation=before.generation + 1, at=at, document=encode(after), state=encode(state)
        )
    )
    return result.rowcount == 1


def forget_deliveries(connection: Connection, name: str) -> None:
    """Forgets what was taken from a source."""
    connection.execute(sa.delete(data_deliveries).where(data_deliveries.c.source == name))


def delete_source(connection: Connection, name: str) -> bool:
    """Forgets a source and what was taken from it; whether there was one."""
    forget_deliveries(connection, name)
    connection.execute(sa.delete(data_polls).where(data_polls.c.source == name))
    return (
        connection.execute(sa.delete(data_sources).where(data_sources.c.name == name)).rowcount == 1
    )


# What was taken


def known_versions(
    connection: Connection, of: str, identities: Sequence[str]
) -> set[tuple[str, str]]:
    """Which states (identity, version) of these deliveries were taken."""
    found: set[tuple[str, str]] = set()
    for some in _some(identities):
        query = sa.select(data_deliveries.c.identity, data_deliveries.c.version).where(
            data_deliveries.c.source == of, data_deliveries.c.identity.in_(some)
        )
        found.update((row.identity, row.version) for row in connection.execute(query))
    return found


def known_contents(connection: Connection, of: str, contents: Sequence[str]) -> set[str]:
    """Which of these contents were taken."""
    found: set[str] = set()
    for some in _some(contents):
        query = sa.select(data_deliveries.c.content).where(
            data_deliveries.c.source == of, data_deliveries.c.content.in_(some)
        )
        found.update(connection.execute(query).scalars())
    return found


def insert_deliveries(connection: Connection, taken: Iterable[Delivery]) -> None:
    """Keeps what was taken; a state that is there already is an error of the database."""
    rows = [
        {
            "source": each.source,
            "identity": each.identity,
            "version": each.version,
            "content": each.content,
            "poll": each.poll,
            "document": encode(each),
        }
        for each in taken
    ]
    if rows:
        connection.execute(sa.insert(data_deliveries), rows)


def deliveries_of(connection: Connection, of: str, limit: int, skip: int = 0) -> list[Delivery]:
    """What was taken last from a source, newest first."""
    query = sa.select(data_deliveries.c.document).where(data_deliveries.c.source == of)
    ordered = query.order_by(data_deliveries.c.poll.desc(), data_deliveries.c.identity)
    return [
        decode(text, Delivery, f"a delivery of {of}")
        for text in connection.execute(ordered.limit(limit).offset(skip)).scalars()
    ]


def put_poll(connection: Connection, done: Poll) -> None:
    """Keeps a poll; of those in a row that found nothing new, the last."""
    if done.outcome == "nothing":
        for before in polls_of(connection, done.source, 1):
            if before.outcome == "nothing" and not before.twice:
                connection.execute(sa.delete(data_polls).where(data_polls.c.id == before.id))
    put_row(
        connection,
        data_polls,
        {"id": done.id},
        source=done.source,
        at=done.at,
        document=encode(done),
    )


def poll(connection: Connection, id: str) -> Poll | None:
    """A poll by its id."""
    query = sa.select(data_polls.c.document).where(data_polls.c.id == id)
    text = connection.execute(query).scalar()
    return None if text is None else decode(text, Poll, f"poll {id}")


def polls_of(connection: Connection, of: str, limit: int, skip: int = 0) -> list[Poll]:
    """A source's polls, newest first."""
    query = sa.select(data_polls.c.document).where(data_polls.c.source == of)
    ordered = query.order_by(data_polls.c.at.desc(), data_polls.c.id.desc())
    return [
        decode(text, Poll, f"a poll of {of}")
        for text in connection.execute(ordered.limit(limit).offset(skip)).scalars()
    ]


def last_polls(connection: Connection) -> dict[str, Poll]:
    """The newest poll of each source that was ever polled."""
    place = sa.func.row_number().over(
        partition_by=data_polls.c.source,
        order_by=[data_polls.c.at.desc(), data_polls.c.id.desc()],
    )
    ranked = sa.select(data_polls.c.source, data_polls.c.document, place.label("place")).subquery()
    query = sa.select(ranked.c.source, ranked.c.document).where(ranked.c.place == 1)
    return {
        row.source: decode(row.document, Poll, f"a poll of {row.source}")
        for row in connection.execute(query)
    }


def _some(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[at : at + _SOME] for at in range(0, len(values), _SOME))


def _kept(row: sa.Row[tuple[str, ...]]) -> Kept:
    name = row._mapping
    return Kept(
        source=decode(name["document"], Source, f"source {name['name']}"),
        state=decode(name["state"], SourceState, f"the state of source {name['name']}"),
        generation=name["generation"],
    )
