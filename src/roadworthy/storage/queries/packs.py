"""Packs over their life: listed, condemned, moved together, deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from roadworthy.storage.queries.writing import insert_unless_there
from roadworthy.storage.tables import data_packs, data_pieces

_AT_ONCE = 500


class Pack(NamedTuple):
    """A blob that is known: a pack of pieces, or (``size`` 0) a commit or change of names."""

    id: int
    digest: str
    size: int
    state: str
    since: str


def all_packs(connection: Connection) -> list[Pack]:
    """Every pack and document, in the order in which they were made known."""
    rows = connection.execute(sa.select(data_packs).order_by(data_packs.c.id))
    return [Pack(row.id, row.digest, row.bytes, row.state, row.since) for row in rows]


def all_pieces(connection: Connection) -> Iterator[tuple[bytes, int, int]]:
    """Every piece: its digest, its pack, how many bytes it is stored in."""
    query = sa.select(data_pieces.c.digest, data_pieces.c.pack, data_pieces.c.length)
    for row in connection.execution_options(yield_per=10_000).execute(query):
        yield row.digest, row.pack, row.length


def pieces_in(connection: Connection, pack: int) -> list[bytes]:
    """The pieces in a pack, in their order."""
    query = sa.select(data_pieces.c.digest).where(data_pieces.c.pack == pack)
    return list(connection.execute(query.order_by(data_pieces.c.start)).scalars())


def bases_of(connection: Connection, digests: set[bytes]) -> set[bytes]:
    """The pieces that some of these are patches of."""
    query = sa.select(data_pieces.c.digest, data_pieces.c.base).where(data_pieces.c.base != b"")
    return {row.base for row in connection.execute(query) if row.digest in digests}


def patches_of(connection: Connection, bases: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """The patches that rest on pieces: patch and base."""
    wanted = set(bases)
    query = sa.select(data_pieces.c.digest, data_pieces.c.base).where(data_pieces.c.base != b"")
    return [(row.digest, row.base) for row in connection.execute(query) if row.base in wanted]


def condemn(
    connection: Connection, dead: list[int], revived: list[int], strays: list[str], at: str
) -> None:
    """Marks packs that nothing reaches, and unmarks those that something does again.

    Blobs that were not known become known, condemned.
    """
    _set(connection, dead, "live", "condemned", at)
    _set(connection, revived, "condemned", "live", at)
    for digest in strays:
        insert_unless_there(
            connection, data_packs, digest=digest, bytes=0, state="condemned", since=at
        )


def doom(connection: Connection, packs: list[int], cutoff: str) -> list[Pack]:
    """Marks condemned packs as being deleted, if nothing made them live since; those it did.

    Their pieces are known no more.
    """
    doomed: list[Pack] = []
    for some in _parts(packs):
        connection.execute(
            sa.update(data_packs)
            .where(
                data_packs.c.id.in_(some),
                data_packs.c.state == "condemned",
                data_packs.c.since <= cutoff,
            )
            .values(state="deleting")
        )
        rows = connection.execute(
            sa.select(data_packs).where(data_packs.c.id.in_(some), data_packs.c.state == "deleting")
        ).all()
        doomed += [Pack(row.id, row.digest, row.bytes, row.state, row.since) for row in rows]
    for some in _parts([each.id for each in doomed]):
        connection.execute(sa.delete(data_pieces).where(data_pieces.c.pack.in_(some)))
    return doomed


def bury(connection: Connection, pack: int) -> None:
    """The blob of a pack is gone; that it was stays known."""
    connection.execute(
        sa.update(data_packs)
        .where(data_packs.c.id == pack, data_packs.c.state == "deleting")
        .values(state="deleted")
    )


def move(
    connection: Connection,
    digest: str,
    size: int,
    pieces: Sequence[tuple[bytes, int, int, bytes, bytes]],
    old: int,
    at: str,
) -> None:
    """Has pieces of one pack be found in another, which is made known."""
    insert_unless_there(connection, data_packs, digest=digest, bytes=size, state="live", since=at)
    chosen = data_packs.c.digest == digest
    connection.execute(sa.update(data_packs).where(chosen).values(state="live", since=at))
    new = connection.execute(sa.select(data_packs.c.id).where(chosen)).scalar_one()
    for piece, start, length, check, base in pieces:
        connection.execute(
            sa.update(data_pieces)
            .where(data_pieces.c.digest == piece, data_pieces.c.pack == old)
            .values(pack=new, start=start, length=length, check=check, base=base)
        )


def packs_of(connection: Connection, digests: Iterable[bytes]) -> dict[int, list[bytes]]:
    """The packs that pieces are in, with those of the pieces that are in each."""
    found: dict[int, list[bytes]] = {}
    wanted = list(digests)
    for at in range(0, len(wanted), _AT_ONCE):
        query = sa.select(data_pieces.c.digest, data_pieces.c.pack).where(
            data_pieces.c.digest.in_(wanted[at : at + _AT_ONCE])
        )
        for row in connection.execute(query):
            found.setdefault(row.pack, []).append(row.digest)
    return found


def _set(connection: Connection, packs: list[int], was: str, now: str, at: str) -> None:
    for some in _parts(packs):
        connection.execute(
            sa.update(data_packs)
            .where(data_packs.c.id.in_(some), data_packs.c.state == was)
            .values(state=now, since=at)
        )


def _parts(numbers: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(numbers), _AT_ONCE):
        yield numbers[at : at + _AT_ONCE]
