"""Whether a release goes to a stage: what changes, what speaks against it, and the press."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from roadworthy.core.certificate import Certificate
from roadworthy.core.deployment import AgentStatus, Deployment, StageChange
from roadworthy.core.names import STAGES, Stage
from roadworthy.core.operation import Operation
from roadworthy.core.release import Release
from roadworthy.ui.formats import dated, duration, memory, with_unit
from roadworthy.ui.health import runs_now
from roadworthy.ui.views.parts import (
    View,
    certificate_word,
    change_sentence,
    crumbs_to,
    model_path,
    page,
    plate,
    promote_path,
    release_path,
)

MOST_REASON = 500


@dataclass(frozen=True, kw_only=True)
class PromoteFacts:
    """What the page is made from. ``deployment`` is the stage's as it is now, None where nothing
    ever was; ``going`` what is on its way there; ``seen`` the generation that a refused press
    was made against; ``refused`` why it was, where that is not somebody's change.
    """

    release: Release
    stage: Stage
    certificate: Certificate | None
    deployment: Deployment | None
    deployments: Sequence[Deployment]
    history: Sequence[StageChange]
    going: Operation | None
    status: AgentStatus | None
    token: str
    now: datetime
    typed: str = ""
    error: str = ""
    seen: int | None = None
    refused: str = ""
    signed_in: bool = False


def promote_page(facts: PromoteFacts) -> View:
    """The page's view."""
    release, stage = facts.release, facts.stage
    live = facts.deployment.live if facts.deployment else None
    own = release_path(release.model, release.number)
    return {
        "page": page(
            f"Promote {release.name} to {stage}",
            facts.now,
            nav="models",
            command=f"roadworthy promote {release.name} --to {stage}",
            signed_in=facts.signed_in,
        ),
        "crumbs": crumbs_to(release.model, release.number),
        "plate": plate(release.model, release.number, facts.deployments),
        "stage": stage,
        "lead": _lead(facts, live),
        "tabs": [
            {
                "href": promote_path(release.model, release.number, each),
                "text": f"To {each}",
                "current": each == stage,
            }
            for each in reversed(STAGES)
        ],
        "notice": _notice(facts),
        "rows": _rows(facts, live),
        "action": f"{own}/promote#answer",
        "label": f"Promote to {stage}",
        "against": _against(facts, live),
        "generation": facts.deployment.generation if facts.deployment else 0,
        "token": facts.token,
        "back": own,
        "reason": {
            "id": "reason",
            "name": "reason",
            "label": "Why",
            "unit": "shown in the history",
            "control": "input",
            "choices": [],
            "mode": "text",
            "value": facts.typed,
            "error": facts.error,
            "note": "",
            "hint": f"may be left empty; {MOST_REASON} characters at most",
            "focus": bool(facts.error),
        },
    }


def _lead(facts: PromoteFacts, live: int | None) -> str:
    if live == facts.release.number:
        return f"It answers in {facts.stage} already."
    if live is None:
        return f"Nothing answers in {facts.stage} yet. It does once a worker is ready and checked."
    return (
        f"It takes over from @{live} once a worker is ready and checked. "
        f"@{live} is kept warm: going back is one press."
    )


def _notice(facts: PromoteFacts) -> View | None:
    """Someone else acted, or the press was refused: nothing was done, and why."""
    if facts.refused:
        return {
            "title": "Nothing was changed by your press.",
            "lines": [{"moment": None, "text": facts.refused}],
        }
    if facts.seen is None:
        return None
    since = [
        each for each in facts.history if each.stage == facts.stage and each.generation > facts.seen
    ]
    return {
        "title": "Somebody acted before you: nothing was changed by your press.",
        "lines": [
            {
                "moment": dated(each.at, facts.now, seconds=True),
                "text": ": " + change_sentence(each),
            }
            for each in since
        ]
        or [{"moment": None, "text": "What your page showed is no longer so; this is how it is."}],
    }


def _rows(facts: PromoteFacts, live: int | None) -> list[View]:
    release, certificate = facts.release, facts.certificate
    rows: list[View] = []
    if live is not None:
        rows.append(
            {"term": "Answers there now", "plate": plate(release.model, live, facts.deployments)}
        )
    rows.append({"term": "Certificate", "pill": certificate_word(certificate)})
    profile = certificate.profile if certificate else None
    if profile:
        rows.append(
            {
                "term": "Measured",
                "text": f"p95 {with_unit(profile.p95_ms, 'ms')}, "
                f"{memory(profile.load_bytes)} a worker, "
                f"starts in {duration(profile.start_seconds)}",
            }
        )
    warm = runs_now(facts.status, release.name, facts.now)
    if warm is not None and live != release.number:
        said = "is ready: it takes over at once" if warm else "is started first"
        rows.append({"term": "Its worker", "text": said})
    if release.notes:
        rows.append({"term": "What changed", "text": release.notes})
    if live is not None and live != release.number:
        query = urlencode({"before": live, "after": release.number})
        rows.append(
            {
                "term": "Differences",
                "text": f"@{live} and @{release.number} side by side",
                "href": f"{model_path(release.model)}/compare?{query}",
            }
        )
    return rows


def _against(facts: PromoteFacts, live: int | None) -> str:
    """Why the button has lost its sense; empty where it has not."""
    release = facts.release
    if release.quarantined:
        return f"{release.name} is quarantined: {release.quarantined}"
    if facts.certificate is not None and not facts.certificate.passed:
        return f"{release.name} did not pass its checks."
    if facts.going is not None:
        what = facts.going.release or "A new release"
        by = facts.going.caller or "somebody"
        return f"{what} is on its way to {facts.stage}, begun by {by}."
    wanted = facts.deployment.release if facts.deployment else None
    if live == release.number and wanted == live:
        return f"{release.name} answers in {facts.stage} already."
    return ""
