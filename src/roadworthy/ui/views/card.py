"""A model's card: what it is for, its limits, how its values are called; shown and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from roadworthy.core.card import ModelCard
from roadworthy.core.signature import Signature
from roadworthy.ui.formats import count, dated
from roadworthy.ui.views.parts import View, crumbs_to, model_path, page

LABEL, UNIT = "label.", "unit."
MOST_NAME = 80
TEXTS = (
    ("title", "Title of the app", "what people call it", 120),
    ("purpose", "What it is for", "in a sentence or two", 2000),
    ("limits", "Limits", "where it must not be used, what it does not know", 2000),
    ("contact", "Who to ask", "a team rather than a person", 200),
)
"""Field, label, hint, most characters."""


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What the page is made from; ``typed`` is what was sent and refused, ``errors`` say what is
    wrong at a field.
    """

    card: ModelCard
    signature: Signature
    typed: Mapping[str, str] | None
    refused: str
    token: str
    now: datetime
    errors: Mapping[str, str] = field(default_factory=dict)
    signed_in: bool = False


def too_long(typed: Mapping[str, str]) -> dict[str, str]:
    """A reason for each field that holds more than its most characters."""
    most = {name: limit for name, _, _, limit in TEXTS}
    return {
        name: f"These are {count(len(value.strip()))} characters; {count(limit)} fit."
        for name, value in typed.items()
        if name in most or name.startswith((LABEL, UNIT))
        if len(value.strip()) > (limit := most.get(name, MOST_NAME))
    }


def value_names(signature: Signature) -> list[str]:
    """The names that people read: columns, outputs, and columns of outputs that have several."""
    names = [column.name for column in signature.columns]
    for output in signature.outputs:
        names.append(output.name)
        if len(output.columns) > 1:
            names += [column.name for column in output.columns]
    return list(dict.fromkeys(names))


def card_page(facts: CardFacts) -> View:
    """The view of the form."""
    card, typed = facts.card, facts.typed

    def now(name: str, kept: str) -> str:
        return typed.get(name, "") if typed is not None else kept

    return {
        "page": page(f"Card of {card.model}", facts.now, nav="models", signed_in=facts.signed_in),
        "crumbs": crumbs_to(card.model),
        "model": card.model,
        "action": f"{model_path(card.model)}/card",
        "back": model_path(card.model),
        "refused": facts.refused,
        "generation": card.generation,
        "token": facts.token,
        "texts": [
            {
                "id": name,
                "name": name,
                "label": label,
                "unit": "",
                "hint": f"{hint}; {count(most)} characters at most",
                "control": "area" if most > 500 else "input",
                "choices": [],
                "mode": "text",
                "note": "",
                "error": facts.errors.get(name, ""),
                "focus": name == next(iter(facts.errors), ""),
                "value": now(name, getattr(card, name)),
            }
            for name, label, hint, most in TEXTS
        ],
        "values": [
            {
                "id": f"v{place}",
                "name": name,
                "label": now(LABEL + name, card.labels.get(name, "")),
                "unit": now(UNIT + name, card.units.get(name, "")),
                "label_error": facts.errors.get(LABEL + name, ""),
                "unit_error": facts.errors.get(UNIT + name, ""),
            }
            for place, name in enumerate(value_names(facts.signature))
        ],
    }


def card_view(card: ModelCard, now: datetime) -> View:
    """The card as a model's page shows it."""
    return {
        "written": card.written,
        "title": card.title,
        "purpose": card.purpose,
        "limits": card.limits,
        "contact": card.contact,
        "changed": dated(card.changed, now) if card.changed else None,
        "href": f"{model_path(card.model)}/card",
    }
