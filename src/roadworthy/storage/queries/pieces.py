"""Packs and the pieces in them: where they are, and which may be relied on.

A pack is ``live``, then ``condemned`` by gc (a commit that relies on it makes it live again),
then ``deleting`` and ``deleted``, from where only writing its content again leads back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from roadworthy.errors import Conflict
from roadworthy.storage.queries.writing import insert_for_id, insert_plain_rows
from roadworthy.storage.tables import data_packs, data_pieces

_AT_ONCE = 500
_PLACE = ("pack", "start", "length", "check", "base")


class Place(NamedTuple):
    """Where a piece is: the pack's digest, where in it, what its stored bytes are checked by,
    and the piece that it is a patch of (empty: it stands alone).
    """

    pack: str
    start: int
    length: int
    check: bytes
    base: bytes


class PackGone(Conflict):
    """What a commit relies on was removed by gc while it was being written."""


def in_parts(digests: Iterable[bytes], size: int = _AT_ONCE) -> Iterable[list[bytes]]:
    """The digests, some at a time."""
    some: list[bytes] = []
    for digest in digests:
        some.append(digest)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


def places_of(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, Place]:
    """Where pieces are; those that are nowhere are left out."""
    rows = _pieces(connection, digests)
    return {each.digest: each.place for each in rows if each.state != "deleted"}


def live_packs_of(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, int]:
    """The live packs in which pieces are already; those that are in none are left out."""
    rows = _pieces(connection, digests)
    return {each.digest: each.number for each in rows if each.state == "live"}


class _Piece(NamedTuple):
    digest: bytes
    number: int
    state: str
    place: Place


_PIECES = """
    SELECT one.digest, one.pack, of.state, of.digest, one.start, one.length, one."check", one.base
    FROM {} data_pieces AS one {} JOIN data_packs AS of ON of.id = one.pack"""
_ANY = _PIECES.format("", "") + " WHERE one.digest = ANY(%s)"


def _pieces(connection: Connection, digests: Iterable[bytes]) -> Iterator[_Piece]:
    """The pieces that are known, with their packs; in the drivers' own words, for they are many.

    SQLite would sort what is asked for with IN before it looks for it.
    """
    for some in in_parts(digests):
        if connection.dialect.name == "sqlite":
            asked = f"(VALUES {', '.join(['(?)'] * len(some))}) AS asked CROSS JOIN"
            text = _PIECES.format(asked, "ON one.digest = asked.column1")
            rows = connection.exec_driver_sql(text, tuple(some))
        else:
            rows = connection.exec_driver_sql(_ANY, (some,))
        for digest, number, state, *where in rows.fetchall():
            yield _Piece(digest, number, state, Place(*where))


def register_pack(
    connection: Connection,
    digest: str,
    size: int,
    pieces: Sequence[tuple[bytes, int, int, bytes, bytes]],
    at: str,
    *,
    rewritten: bool = False,
) -> list[bytes]:
    """Makes a pack and its pieces (digest, start, length, check, base) known.

    The answer is the pieces that another pack had already: a commit relies on that one then.
    Raises PackGone where gc is removing this very pack, or did: it must be put again, and then
    registered as ``rewritten``.
    """
    return register_packs(connection, [(digest, size, pieces)], at, rewritten=rewritten)


def register_packs(
    connection: Connection,
    packs: Iterable[tuple[str, int, Sequence[tuple[bytes, int, int, bytes, bytes]]]],
    at: str,
    *,
    rewritten: bool = False,
) -> list[bytes]:
    """The same for several packs (digest, size, pieces), of which no two hold the same piece.

    The pieces of all of them are put in together, in the order of the table: each of its pages
    is then written once, and not once for each pack.
    """
    rows: list[tuple[Any, ...]] = []
    own: set[int] = set()
    for name, size, pieces in packs:
        identity = _own_pack(connection, name, size, at, rewritten)
        own.add(identity)
        rows += [(digest, identity, *where) for digest, *where in pieces]
    rows.sort()
    if not rows or insert_plain_rows(connection, data_pieces, rows) == len(rows):
        return []
    elsewhere: list[bytes] = []
    mine: dict[bytes, dict[str, Any]] = {
        row[0]: dict(zip(data_pieces.c.keys(), row, strict=True)) for row in rows
    }
    for some in in_parts(mine):
        found = connection.execute(
            sa.select(data_pieces.c.digest, data_packs.c.id, data_packs.c.state)
            .join(data_packs, data_packs.c.id == data_pieces.c.pack)
            .where(data_pieces.c.digest.in_(some), data_pieces.c.pack.not_in(own))
        ).all()
        elsewhere += [row.digest for row in found if row.state == "live"]
        for row in found:
            if row.state != "live":
                values = {key: mine[row.digest][key] for key in _PLACE}
                change = sa.update(data_pieces).where(data_pieces.c.digest == row.digest)
                connection.execute(change.values(**values))
    return elsewhere


def _own_pack(connection: Connection, digest: str, size: int, at: str, rewritten: bool) -> int:
    fresh = insert_for_id(connection, data_packs, digest=digest, bytes=size, state="live", since=at)
    if fresh is not None:
        return fresh
    row = connection.execute(
        sa.select(data_packs.c.id, data_packs.c.state).where(data_packs.c.digest == digest)
    ).one()
    if row.state == "deleting" or (row.state == "deleted" and not rewritten):
        raise PackGone(
            f"pack b3:{digest[:7]} was removed by gc while it was being written again",
            cure="try again",
            state=row.state,
            pack=digest,
        )
    if row.state != "live":
        revive = sa.update(data_packs).where(data_packs.c.id == row.id)
        connection.execute(revive.values(state="live", since=at))
    return int(row.id)


def hold(connection: Connection, digests: Iterable[bytes], packs: Iterable[str], at: str) -> None:
    """Makes sure that pieces and packs are there and stay: condemned packs are live again.

    For the transaction that makes a commit. Raises PackGone.
    """
    wanted, named = set(digests), list(packs)
    if not wanted and not named:
        return
    relied, bases = _packs_and_bases(connection, wanted)
    relied |= _packs_and_bases(connection, bases - wanted)[0]
    condemned = sa.and_(data_packs.c.state == "condemned")
    revive = sa.update(data_packs).values(state="live", since=at)
    for number in sorted(relied):
        connection.execute(revive.where(condemned, data_packs.c.id == number))
    for digest in named:
        connection.execute(revive.where(condemned, data_packs.c.digest == digest))
        state = connection.execute(
            sa.select(data_packs.c.state).where(data_packs.c.digest == digest)
        ).scalar()
        if state != "live":
            raise _gone()


def _packs_and_bases(
    connection: Connection, digests: Iterable[bytes]
) -> tuple[set[int], set[bytes]]:
    """The packs that pieces are in, and the pieces that they are patches of."""
    packs: set[int] = set()
    bases: set[bytes] = set()
    wanted = set(digests)
    found = 0
    for each in _pieces(connection, wanted):
        if each.state in ("live", "condemned"):
            found += 1
            packs.add(each.number)
            bases |= {each.place.base} - {b""}
    if found < len(wanted):
        raise _gone()
    return packs, bases


def _gone() -> PackGone:
    return PackGone(
        "gc removed what this commit was to use: writing it took longer than gc's grace period",
        cure="commit again; roadworthy data gc --grace sets a longer period",
    )
