"""What an agent does next: a pure comparison of what should run with what does."""

from __future__ import annotations

from roadworthy.core.deployment import Route, RoutingTable, WorkerSpec, WorkerState
from roadworthy.core.values import Document, Value

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 10.0
STEADY_SECONDS = 60.0
TRIES = 3
RETRY_FAILED_SECONDS = 60.0


class Place(Document):
    """Where a worker belongs: one of the replicas of a spec. Places are compared by content."""

    release: str
    flow: str
    python: str
    memory_bytes: int | None
    slot: int


class Seen(Value):
    """A worker as it was last seen.

    ``in_use`` is whether the gateway may still send to it; ``tired`` why it should be replaced
    although it works (empty: it should not).
    """

    id: str
    place: Place
    state: WorkerState
    in_use: bool = False
    tired: str = ""


class Trouble(Value):
    """How often a place's worker failed in a row, when on a monotonic clock, and why.

    ``served`` is whether it had been ready before it failed, ``hopeless`` whether it said
    itself that it can't serve here.
    """

    failures: int
    at: float
    error: str
    served: bool = False
    hopeless: bool = False


class Plan(Value):
    """What to start and stop now, which workers the gateway may use, and its routes."""

    start: list[Place]
    stop: list[str]
    use: list[str]
    routes: list[Route]
    failed: dict[str, str]


def place_of(spec: WorkerSpec, slot: int) -> Place:
    """The place of one replica of a spec."""
    return Place(
        release=spec.release,
        flow=spec.flow,
        python=spec.python,
        memory_bytes=spec.memory_bytes,
        slot=slot,
    )


def pause_after(trouble: Trouble) -> float:
    """Seconds until a place may be filled again: at once after the first failure, then longer.

    >>> [pause_after(Trouble(failures=n, at=0, error="", served=True)) for n in (1, 2, 3, 9)]
    [0.0, 0.25, 0.5, 10.0]
    """
    if given_up(trouble):
        return RETRY_FAILED_SECONDS
    if trouble.failures <= 1:
        return 0.0
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(trouble.failures - 2, 20)))


def given_up(trouble: Trouble) -> bool:
    """Whether the place counts as failed; it is still tried again, rarely.

    What was ready before is never given up: it may be a request that kills it.
    """
    return trouble.hopeless or (trouble.failures >= TRIES and not trouble.served)


def next_plan(
    table: RoutingTable,
    seen: list[Seen],
    routed: list[Route],
    troubles: dict[Place, Trouble],
    now: float,
) -> Plan:
    """The next steps. ``routed`` are the routes that the gateway follows now.

    A route changes only once a worker of its release is ready; until then the one before
    stays, and so do that release's workers. A worker whose place is no longer wanted (its
    release moves to another environment, or has other limits), or which is tired, answers on
    until those that follow it are ready. It is stopped once the gateway has let it go.
    """
    ready = {worker.place.release for worker in seen if worker.state == "ready"}
    before = {(route.model, route.stage): route for route in routed}
    routes = []
    for route in table.routes:
        old = before.get((route.model, route.stage))
        keep = route.release not in ready and old is not None and old.release in ready
        routes.append(old if keep and old is not None else route)
    wanted = [place_of(spec, slot) for spec in table.workers for slot in range(spec.replicas)]
    held = {route.release for route in routes} - {spec.release for spec in table.workers}
    fresh = [worker for worker in seen if not worker.tired]
    taken = {worker.place for worker in fresh if worker.state in ("starting", "ready")}
    start = []
    for place in wanted:
        trouble = troubles.get(place)
        if place in taken or (trouble and now < trouble.at + pause_after(trouble)):
            continue
        start.append(place)
    gone = _leaving(table, fresh, seen, set(wanted), held)
    leave = [worker for worker in seen if worker.id in gone]
    return Plan(
        start=start,
        stop=[
            worker.id
            for worker in leave
            if worker.state in ("starting", "ready") and not worker.in_use
        ],
        use=[worker.id for worker in seen if worker.state == "ready" and worker.id not in gone],
        routes=routes,
        failed=_failed(wanted, taken | {w.place for w in seen if w.state == "ready"}, troubles),
    )


def _leaving(
    table: RoutingTable, fresh: list[Seen], seen: list[Seen], wanted: set[Place], held: set[str]
) -> set[str]:
    """The ids of workers that nothing needs any more."""
    missing = {(spec.release, spec.flow): spec.replicas for spec in table.workers}
    for worker in fresh:
        home = (worker.place.release, worker.place.flow)
        if worker.state == "ready" and worker.place in wanted and home in missing:
            missing[home] -= 1
    gone = set()
    for worker in seen:
        home = (worker.place.release, worker.place.flow)
        stays = worker.place in wanted and not worker.tired
        if not stays and worker.place.release not in held and missing.get(home, 0) <= 0:
            gone.add(worker.id)
    return gone


def _failed(
    wanted: list[Place], taken: set[Place], troubles: dict[Place, Trouble]
) -> dict[str, str]:
    """Releases of which no worker runs or is about to, and why."""
    hope = {place.release for place in taken}
    failed = {}
    for place in wanted:
        trouble = troubles.get(place)
        if trouble is None or not given_up(trouble):
            hope.add(place.release)
        else:
            failed[place.release] = trouble.error
    return {release: error for release, error in failed.items() if release not in hope}
