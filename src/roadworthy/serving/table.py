"""What the gateway reads: the routing table with signatures and the sockets of ready workers."""

from __future__ import annotations

from pathlib import Path

import msgspec

from roadworthy.core.deployment import Route
from roadworthy.core.signature import Signature
from roadworthy.core.values import Document
from roadworthy.errors import Damaged, NewerFormat, NotFound

FORMAT = 1


class GatewayWorker(Document):
    """A worker that is ready: its id, and the Unix socket on which it answers."""

    id: str
    socket: str


class GatewayRelease(Document):
    """A release that can be asked. ``failed`` says why no worker of it will come up.

    ``failures`` counts what happened to its workers, by kind, since its agent began.
    """

    release: str
    flow: str
    signature: Signature
    workers: list[GatewayWorker]
    batch_seconds: float = 30.0
    failed: str = ""
    failures: dict[str, int] = {}


class GatewayTable(Document):
    """``version`` is the routing table's; ``revision`` grows with each change of workers."""

    version: int
    revision: int
    releases: list[GatewayRelease]
    routes: list[Route]
    format: int = FORMAT


def read_table(path: Path) -> GatewayTable:
    """The table in a file. Raises NotFound, Damaged or NewerFormat."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no routing table at {path}", cure="start the agent") from None
    try:
        table = msgspec.json.decode(content, type=GatewayTable)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Damaged(
            f"the routing table at {path} can't be read: {error}", cure="restart the agent"
        ) from None
    if table.format > FORMAT:
        raise NewerFormat(
            f"the routing table at {path} has format {table.format}, newer than {FORMAT}",
            cure="upgrade Roadworthy here as well",
        )
    return table
