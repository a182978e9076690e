"""Which release answers: the table that the gateway follows, swapped as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from roadworthy.core.deployment import Route
from roadworthy.core.names import nearest
from roadworthy.errors import Unavailable
from roadworthy.serving.dispatch import Pool
from roadworthy.serving.link import Link, connect
from roadworthy.serving.options import Limits
from roadworthy.serving.problems import Refused
from roadworthy.serving.table import GatewayRelease, GatewayTable


class Routing:
    """The pools of all releases that can be asked, and the routes to them.

    ``watch`` is given each new pool, so that its numbers can be counted.
    """

    def __init__(self, limits: Limits, watch: Callable[[Pool], None] = lambda _: None) -> None:
        self.version = 0
        self.revision = 0
        self.pools: dict[str, Pool] = {}
        self.retiring: set[Pool] = set()
        self._limits = limits
        self._watch = watch
        self._routes: dict[str, list[tuple[Route, Pool]]] = {}
        self._swap = asyncio.Lock()

    @property
    def models(self) -> list[str]:
        """Models that some release is routed for, or can be asked for by number."""
        return sorted({name.partition("@")[0] for name in self.pools})

    @property
    def routed(self) -> list[str]:
        """Models with a route."""
        return sorted(self._routes)

    def find(self, model: str, number: str = "", stage: str = "") -> tuple[Pool, str]:
        """The pool that answers, and its stage: a release by number, else what is routed.

        Raises Refused where there is none.
        """
        return self.resolve_number(model, number) if number else self.resolve(model, stage)

    def resolve(self, model: str, stage: str = "") -> tuple[Pool, str]:
        """The pool and stage that answer for a model; production before staging.

        Raises Refused where nothing is routed.
        """
        found = self._routes.get(model)
        if found is not None:
            for route, pool in found:
                if not stage or route.stage == stage:
                    return pool, route.stage
        raise self._unknown(model, stage)

    def resolve_number(self, model: str, number: str) -> tuple[Pool, str]:
        """The pool of one release, routed or not, and the stage it is live in ('' if none)."""
        pool = self.pools.get(f"{model}@{number}")
        if pool is None:
            there = ", ".join(self.numbers(model))
            raise Refused(
                "not-found",
                f"{model[:80]}@{number[:20]} does not run here",
                cure=f"running of this model: {there}" if there else "see /models",
            )
        for route, routed in self._routes.get(model, ()):
            if routed is pool:
                return pool, route.stage
        return pool, ""

    def numbers(self, model: str) -> list[str]:
        """The numbers of the model's releases that run, in order."""
        found = [name.partition("@")[2] for name in self.pools if name.startswith(model + "@")]
        return sorted(found, key=lambda number: (len(number), number))

    def retiring_workers(self) -> set[str]:
        """Workers that left the table and may still have to answer something."""
        named = {link.id for pool in self.pools.values() for link in pool.links}
        used = {id for pool in self.retiring for id in pool.in_use()}
        used |= {id for pool in self.pools.values() for id in pool.in_use()}
        return used - named

    def connected(self) -> list[str]:
        """The ids of the workers that requests go to."""
        return sorted(link.id for pool in self.pools.values() for link in pool.links)

    async def apply(self, table: GatewayTable) -> list[str]:
        """Follow this table. New links are made first, then all changes at once.

        Returns what could not be reached. An older revision is ignored.
        """
        async with self._swap:
            known = {link.id for pool in self.pools.values() for link in pool.links}
            wanted = [
                (worker.id, worker.socket)
                for release in table.releases
                for worker in release.workers
                if worker.id not in known
            ]
            made = await asyncio.gather(
                *(connect(id, path) for id, path in wanted), return_exceptions=True
            )
            links: dict[str, Link] = {}
            problems: list[str] = []
            for result in made:
                if isinstance(result, Link):
                    links[result.id] = result
                elif isinstance(result, Unavailable):
                    problems.append(result.message)
                else:
                    raise result
            self._swap_in(table, links)
            return problems

    def _swap_in(self, table: GatewayTable, links: dict[str, Link]) -> None:
        before, self.pools = self.pools, {}
        for release in table.releases:
            pool = before.get(release.release)
            if pool is None or pool.flow != release.flow:
                pool = Pool(release.release, release.flow, release.signature, self._limits)
                pool.emptied = self.retiring.discard
                self._watch(pool)
            self.pools[release.release] = pool
            self._update(pool, release, links)
        self._routes = {}
        for route in sorted(table.routes, key=lambda route: route.stage != "production"):
            pool = self.pools.get(route.release)
            if pool is not None:
                self._routes.setdefault(route.model, []).append((route, pool))
        for name, pool in before.items():
            if self.pools.get(name) is not pool:
                self.retiring.add(pool)
                pool.retire()
        self.version, self.revision = table.version, table.revision

    def _update(self, pool: Pool, release: GatewayRelease, links: dict[str, Link]) -> None:
        pool.batch_seconds = release.batch_seconds
        pool.failed = release.failed
        pool.failures = release.failures
        named = {worker.id for worker in release.workers}
        for id in named:
            if id in links:
                pool.add(links[id])
        for link in list(pool.links):
            if link.id not in named:
                pool.remove(link.id)
        if pool.failed and not pool.links:
            pool.refuse_all(Refused("unavailable", pool.failed, retry_after=1))

    def _unknown(self, model: str, stage: str) -> Refused:
        if model in self._routes:
            return Refused("not-found", f"{model} is not live in {stage[:40]!r}")
        numbers = self.numbers(model)
        if numbers:
            return Refused(
                "not-found",
                f"no release of {model} is live",
                cure=f"ask one by its number: /models/{model}/versions/{numbers[-1]}/predict",
            )
        meant = nearest(model[:80], self.models, most=1)
        return Refused(
            "not-found",
            f"there is no model {model[:80]!r} here",
            cure=f"is {meant[0]!r} meant?" if meant else "see /models",
        )
