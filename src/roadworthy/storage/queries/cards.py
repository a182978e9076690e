"""The cards of models."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from roadworthy.core.card import ModelCard
from roadworthy.errors import Conflict
from roadworthy.storage.queries.documents import decode, encode
from roadworthy.storage.queries.writing import insert_unless_there
from roadworthy.storage.tables import model_cards


def model_card(connection: Connection, model: str) -> ModelCard | None:
    """A model's card, if one was ever written."""
    text = connection.execute(
        sa.select(model_cards.c.document).where(model_cards.c.model == model)
    ).scalar()
    return None if text is None else decode(text, ModelCard, f"the card of {model}")


def save_model_card(connection: Connection, new: ModelCard) -> None:
    """Replaces the card whose generation is one less than this one's. Raises Conflict."""
    values = {"generation": new.generation, "document": encode(new)}
    if new.generation == 1:
        done = insert_unless_there(connection, model_cards, model=new.model, **values)
    else:
        result = connection.execute(
            sa.update(model_cards)
            .where(
                model_cards.c.model == new.model,
                model_cards.c.generation == new.generation - 1,
            )
            .values(**values)
        )
        done = result.rowcount == 1
    if not done:
        current = model_card(connection, new.model)
        who = current.caller if current and current.caller else "somebody"
        raise Conflict(
            f"the card of {new.model} was changed meanwhile by {who}",
            cure="look at it, then write it again",
        )
