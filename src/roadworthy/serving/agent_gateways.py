"""All gateways of a host, which share a port, as one: each is kept running on its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from roadworthy.errors import Unavailable
from roadworthy.serving.agent_gateway import (
    GatewayKeeper,
    GatewayRecord,
    GatewayState,
    table_path,
    write_atomically,
)
from roadworthy.serving.options import AgentOptions
from roadworthy.serving.table import GatewayTable


class Gateways:
    """Keeps the gateways running and has all of them follow the same table."""

    def __init__(self, options: AgentOptions, sockets: Path, lease: Path) -> None:
        self.options = options
        self.table = table_path(options)
        self._keepers = [
            GatewayKeeper(options, sockets, lease, number) for number in range(options.gateways)
        ]

    @property
    def address(self) -> str:
        """Host and port that they listen on."""
        host = f"[{self.options.host}]" if ":" in self.options.host else self.options.host
        return f"{host}:{self._keepers[0].port}"

    @property
    def pid(self) -> int | None:
        """The process of the first one that runs and has answered."""
        return next((keeper.pid for keeper in self._keepers if keeper.pid is not None), None)

    @property
    def restarts(self) -> int:
        """How often one of them was replaced."""
        return sum(keeper.restarts for keeper in self._keepers)

    @property
    def problem(self) -> str:
        """What is wrong with them."""
        return "; ".join(keeper.problem for keeper in self._keepers if keeper.problem)

    @property
    def state(self) -> GatewayState | None:
        """What they say of themselves, taken together; None while none has answered."""
        return together([keeper.state for keeper in self._keepers if keeper.state is not None])

    def records(self) -> list[GatewayRecord]:
        """What the ledger keeps, each with its number."""
        return [record for k in self._keepers if (record := k.record()) is not None]

    async def take_over(self, records: list[GatewayRecord]) -> None:
        """Become the keeper of a predecessor's gateways; those that can't be used are killed."""
        for record in records:
            if record.number < len(self._keepers):
                await self._keepers[record.number].take_over(record)

    def open(self) -> None:
        """Listen where no gateway that was taken over does. Raises UsageError."""
        for keeper in self._keepers:
            keeper.port = keeper.port or self._keepers[0].port
            keeper.open()

    async def look(self, draining: bool = False) -> None:
        """Replace those that died; kill those that don't answer."""
        for keeper in self._keepers:
            await keeper.look(draining)

    async def swap(self, table: GatewayTable) -> None:
        """Write the table and have the gateways follow it. Raises Unavailable."""
        write_atomically(self.table, msgspec.json.encode(table))
        swaps = (keeper.swap() for keeper in self._keepers)
        for outcome in await asyncio.gather(*swaps, return_exceptions=True):
            if isinstance(outcome, Unavailable):
                raise outcome
            if isinstance(outcome, BaseException):
                raise outcome

    async def stop(self) -> None:
        """Have them finish what they are doing and end."""
        await asyncio.gather(*(keeper.stop() for keeper in self._keepers))


def together(states: list[GatewayState]) -> GatewayState | None:
    """Several gateways' states as one: connected is who all reach, and the table is the oldest.

    Workers that only some still reach count as retiring: somebody may wait for them.
    """
    if len(states) < 2:
        return states[0] if states else None
    reached = [set(state.connected) for state in states]
    everywhere = set.intersection(*reached)
    somewhere = set.union(*reached)
    retiring = {id for state in states for id in state.retiring}
    return GatewayState(
        pid=states[0].pid,
        version=min(state.version for state in states),
        revision=min(state.revision for state in states),
        connected=sorted(everywhere),
        retiring=sorted(retiring | (somewhere - everywhere)),
        problems=[problem for state in states for problem in state.problems],
    )
