"""What happened to a dataset as OpenLineage events: its commits, and who read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roadworthy.core.dataset import Committed
from roadworthy.data.datasets import Datasets
from roadworthy.data.describing import lineage_event, read_event
from roadworthy.errors import NotFound
from roadworthy.storage.queries import datasets as asked

_MADE_BY = ("pipeline", "source", "run", "release")


def events(datasets: Datasets, name: str, limit: int) -> Iterator[dict[str, Any]]:
    """An event for each of a line's newest commits, oldest first, and for each that read it.

    A commit's job is the pipeline, source, run or release that made it, else its author; its
    inputs are the commits that it was made from, as far as they are kept. Raises NotFound.
    """
    for made in reversed(datasets.log(name, limit)):
        commit = made.commit
        makers = {each.kind: each.name for each in commit.provenance}
        maker = next((f"{kind} {makers[kind]}" for kind in _MADE_BY if kind in makers), "")
        yield lineage_event(made, _inputs(datasets, made), maker or commit.author or "commit")
        with datasets.database.reading() as connection:
            uses = asked.uses_of(connection, [made.digest])
        for use in uses:
            if use.kind != "commit":  # those have events of their own
                job = f"{use.kind} {use.name}"
                yield read_event([made], job, f"{job} {made.digest}", use.at)


def _inputs(datasets: Datasets, made: Committed) -> list[Committed]:
    found = []
    for each in made.commit.provenance:
        if each.kind == "commit":
            try:
                found.append(datasets.find(each.name))
            except NotFound:
                continue  # dropped by a retention rule
    return found
