"""How an agent hears of its routing table and reports: over HTTP, or as it is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from roadworthy.core.deployment import AgentStatus, RoutingTable
from roadworthy.errors import Unavailable

TableSource = Callable[[int, float], Awaitable[RoutingTable | None]]
"""``await source(after, wait)``: the table if its version is not ``after``, else None after
``wait`` seconds at most. Raises Unavailable while there is no control plane."""

StatusSink = Callable[[AgentStatus], Awaitable[None]]
"""``await sink(status)`` hands a status over. Raises Unavailable."""


def http_control(address: str, token: str = "") -> tuple[TableSource, StatusSink]:
    """Source and sink that speak to the control plane at ``address`` (``http://host:port``)."""
    import httpx

    headers = {"authorization": f"Bearer {token}"} if token else {}
    client = httpx.AsyncClient(base_url=address.rstrip("/"), headers=headers, trust_env=False)

    async def source(after: int, wait: float) -> RoutingTable | None:
        try:
            answer = await client.get(
                "/api/v1/agent/table",
                params={"after": after, "wait": wait},
                timeout=httpx.Timeout(wait + 10.0, connect=5.0),
            )
            if answer.status_code == 204:
                return None
            answer.raise_for_status()
            return msgspec.json.decode(answer.content, type=RoutingTable)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            raise _away(address, error) from None

    async def sink(status: AgentStatus) -> None:
        try:
            answer = await client.post(
                "/api/v1/agent/status",
                content=msgspec.json.encode(status),
                headers={"content-type": "application/json"},
                timeout=5.0,
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise _away(address, error) from None

    return source, sink


def _away(address: str, error: Exception) -> Unavailable:
    return Unavailable(
        f"the control plane at {address} does not answer: {error}",
        cure="start it; until then the last table is followed",
    )
