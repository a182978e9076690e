"""What was erased from all history: the records that stay."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from roadworthy.core.dataset import Erasure
from roadworthy.storage.queries.documents import decode, encode
from roadworthy.storage.queries.writing import insert_unless_there_many, put_row
from roadworthy.storage.tables import data_erased_pieces, data_erasures, data_pieces


def erasure_of_piece(connection: Connection, digest: bytes) -> Erasure | None:
    """Why a piece is gone, if it was erased."""
    query = sa.select(data_erasures.c.document).join(
        data_erased_pieces, data_erased_pieces.c.content == data_erasures.c.content
    )
    text = connection.execute(query.where(data_erased_pieces.c.digest == digest)).scalar()
    return None if text is None else decode(text, Erasure, "an erasure")


def erasure_of(connection: Connection, content: str) -> Erasure | None:
    """The record of an erased content."""
    text = connection.execute(
        sa.select(data_erasures.c.document).where(data_erasures.c.content == content)
    ).scalar()
    return None if text is None else decode(text, Erasure, "an erasure")


def erasures_of(connection: Connection, dataset: str) -> list[Erasure]:
    """What was erased of a dataset, oldest first."""
    texts = connection.execute(
        sa.select(data_erasures.c.document).where(data_erasures.c.dataset == dataset)
    ).scalars()
    return sorted((decode(text, Erasure, "an erasure") for text in texts), key=lambda e: e.at)


def save_erasure(connection: Connection, erasure: Erasure, pieces: Iterable[bytes]) -> None:
    """Keeps the record of an erased content and of the pieces that went with it."""
    put_row(
        connection,
        data_erasures,
        {"content": erasure.content},
        dataset=erasure.dataset,
        document=encode(erasure),
    )
    rows = [{"digest": piece, "content": erasure.content} for piece in pieces]
    if rows:
        insert_unless_there_many(connection, data_erased_pieces, rows)


def pieces_erased(connection: Connection, content: str) -> list[bytes]:
    """The pieces that went with a content."""
    query = sa.select(data_erased_pieces.c.digest).where(data_erased_pieces.c.content == content)
    return sorted(connection.execute(query).scalars())


def erased_among(connection: Connection, pieces: list[bytes]) -> set[bytes]:
    """Which of some pieces were erased, and were not written again since."""
    found: set[bytes] = set()
    for at in range(0, len(pieces), 500):
        query = sa.select(data_erased_pieces.c.digest).where(
            data_erased_pieces.c.digest.in_(pieces[at : at + 500]),
            data_erased_pieces.c.digest.not_in(sa.select(data_pieces.c.digest)),
        )
        found |= set(connection.execute(query).scalars())
    return found
