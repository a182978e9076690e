"""How a source is, told from its state and its last poll: well, failing, late or stopped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from roadworthy.core.source import Poll, Source, SourceState
from roadworthy.core.values import Value

GRACE = timedelta(minutes=5)
"""How long after it was due a poll may begin before its source counts as late."""

Kind = Literal["well", "new", "paused", "failing", "late", "stopped"]


class Health(Value, frozen=True):
    """How a source is, why, and what to do about it."""

    kind: Kind
    said: str = ""
    cure: str = ""

    @property
    def ill(self) -> bool:
        """Whether somebody should look at it."""
        return self.kind in ("failing", "late", "stopped")


def health_of(source: Source, state: SourceState, last: Poll | None, now: datetime) -> Health:
    """How a source is at a moment."""
    if state.status == "stopped":
        said, _, cure = (state.said or "it stopped itself").partition("\n  → ")
        resume = f"roadworthy data source resume {source.name}"
        if resume not in cure:
            cure = f"{cure or 'correct it'}, then {resume}"
        return Health(kind="stopped", said=said, cure=cure)
    if state.status == "paused":
        resume = f"roadworthy data source resume {source.name}"
        return Health(kind="paused", said="paused by somebody", cure=resume)
    if last is None:
        poll = f"roadworthy data source poll {source.name}"
        return Health(kind="new", said="never polled", cure=poll)
    if last.outcome == "failed":
        said, _, cure = last.said.partition("\n  → ")
        return Health(
            kind="failing",
            said=said or "the last poll failed",
            cure=cure or f"roadworthy data source poll {source.name}",
        )
    return _punctual(source, last, now)


def _punctual(source: Source, last: Poll, now: datetime) -> Health:
    schedule = source.when()
    if schedule is None:
        return Health(kind="well")
    due = schedule.after(datetime.fromisoformat(last.at) + timedelta(seconds=last.seconds))
    if due + GRACE >= now:
        return Health(kind="well")
    return Health(
        kind="late",
        said=f"a poll was due at {due:%Y-%m-%d %H:%M} UTC and did not come",
        cure="roadworthy up, and roadworthy logs sources says why",
    )
