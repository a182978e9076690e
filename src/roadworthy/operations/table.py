"""The routing table, built from deployments and the candidates of running operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from roadworthy.core.deployment import Deployment, Route, RoutingTable, WorkerSpec
from roadworthy.core.names import ReleaseName
from roadworthy.core.operation import Operation

CANDIDATE_STEPS = ("start", "certify", "switch", "route")


def wanted_replicas(
    deployments: Iterable[Deployment], operations: Iterable[Operation]
) -> dict[str, int]:
    """How many workers each release should have, by the release's name.

    What answers and what should answer gets the deployment's workers; the way back and
    candidates are kept warm with one.
    """
    replicas: dict[str, int] = {}

    def want(model: str, number: int | None, count: int) -> None:
        if number is not None:
            name = str(ReleaseName(model=model, number=number))
            replicas[name] = max(replicas.get(name, 0), count)

    for each in deployments:
        want(each.model, each.live, each.workers)
        want(each.model, each.release, each.workers)
        want(each.model, each.previous, 1)
    for operation in operations:
        if operation.state == "running" and operation.step in CANDIDATE_STEPS:
            if operation.release:
                replicas[operation.release] = max(replicas.get(operation.release, 0), 1)
    return replicas


def build_table(
    deployments: Iterable[Deployment],
    operations: Iterable[Operation],
    specs: Mapping[str, WorkerSpec],
    last: RoutingTable,
) -> RoutingTable:
    """The table as it should be: the last one itself where nothing differs, else a newer one.

    ``specs`` says how to run each release; a release that has none yet (its environment is
    being made) gets no workers.
    """
    deployments = list(deployments)
    replicas = wanted_replicas(deployments, operations)
    workers = [
        replace(specs[name], replicas=count)
        for name, count in sorted(replicas.items())
        if name in specs
    ]
    routes = [
        Route(
            model=each.model,
            release=str(ReleaseName(model=each.model, number=each.live)),
            stage=each.stage,
        )
        for each in sorted(deployments, key=lambda each: (each.model, each.stage))
        if each.live is not None
    ]
    if workers == last.workers and routes == last.routes:
        return last
    return RoutingTable(version=last.version + 1, workers=workers, routes=routes)
