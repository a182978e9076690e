"""What agents reported last."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from roadworthy.core.deployment import AgentStatus
from roadworthy.storage.queries.documents import decode, encode
from roadworthy.storage.queries.writing import put_row
from roadworthy.storage.tables import agents


def save_agent_status(connection: Connection, status: AgentStatus, seen: str) -> None:
    """Keeps an agent's report as its latest. ``seen`` is when it came in (UTC, ISO 8601)."""
    put_row(connection, agents, {"agent": status.agent}, seen=seen, document=encode(status))


def latest_agent_status(
    connection: Connection, agent: str | None = None
) -> tuple[AgentStatus, str] | None:
    """An agent's latest report and when it came in; without a name, the newest of any."""
    query = sa.select(agents.c.document, agents.c.seen).order_by(agents.c.seen.desc()).limit(1)
    if agent is not None:
        query = query.where(agents.c.agent == agent)
    row = connection.execute(query).first()
    return None if row is None else (decode(row.document, AgentStatus, "an agent"), row.seen)


def agent_statuses(connection: Connection) -> list[tuple[AgentStatus, str]]:
    """Every agent's latest report and when it came in, by name."""
    rows = connection.execute(sa.select(agents.c.document, agents.c.seen)).all()
    found = [(decode(row.document, AgentStatus, "an agent"), str(row.seen)) for row in rows]
    return sorted(found, key=lambda each: each[0].agent)
