"""The notes of a release: what changed, for those who approve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from roadworthy.core.deployment import Deployment
from roadworthy.core.release import Release
from roadworthy.ui.views.parts import View, crumbs_to, page, plate, release_path

MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class NotesFacts:
    """What the page is made from; ``typed`` is what was sent and refused, ``error`` why its field
    can't be taken, ``refused`` why nothing was written though it can.
    """

    release: Release
    deployments: Sequence[Deployment]
    seen: str
    token: str
    now: datetime
    typed: str | None = None
    error: str = ""
    refused: str = ""
    signed_in: bool = False


def notes_page(facts: NotesFacts) -> View:
    """The page's view."""
    release = facts.release
    own = release_path(release.model, release.number)
    return {
        "page": page(
            f"Notes of {release.name}",
            facts.now,
            nav="models",
            command=f"roadworthy notes {release.name}",
            signed_in=facts.signed_in,
        ),
        "crumbs": crumbs_to(release.model, release.number),
        "plate": plate(release.model, release.number, facts.deployments),
        "refused": facts.refused,
        "now": release.notes if facts.refused else "",
        "action": f"{own}/notes",
        "back": own,
        "seen": facts.seen,
        "token": facts.token,
        "field": {
            "id": "notes",
            "name": "notes",
            "label": "Notes",
            "unit": "",
            "control": "area",
            "value": release.notes if facts.typed is None else facts.typed,
            "error": facts.error,
            "note": "",
            "hint": "what changed, in a sentence or two",
            "focus": bool(facts.error),
        },
    }
