"""Looking around in versioned data a page at a time: datasets, history, contents, provenance."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from roadworthy.core.dataset import (
    MAIN,
    Branch,
    Committed,
    Dataset,
    Entry,
    Provenance,
    Use,
)
from roadworthy.core.values import Document
from roadworthy.data.datasets import Datasets
from roadworthy.data.snapshot import Snapshot
from roadworthy.errors import InvalidName, NotFound
from roadworthy.storage.queries import datasets as asked

SET_ASIDE = "quarantine/"
"""How the branches begin that hold rows which sources set aside."""


class Listed(Document, frozen=True):
    """A dataset in a list: the newest commit of ``main`` (None: there is none), its branches."""

    dataset: Dataset
    head: Committed | None
    branches: int


class FileLine(Document, frozen=True):
    """A path of a commit and what is there; ``rows`` of a table."""

    path: str
    kind: str
    content: str
    size: int
    rows: int | None = None

    @classmethod
    def of(cls, entry: Entry) -> FileLine:
        """What an entry tells, without where its pieces are."""
        rows = entry.rows if entry.kind == "table" else None
        return cls(
            path=entry.path, kind=entry.kind, content=entry.content, size=entry.size, rows=rows
        )


class FileChange(Document, frozen=True):
    """How one path differs between two commits; None: it is not there."""

    path: str
    kind: str
    before: FileLine | None
    after: FileLine | None


class Origin(Document, frozen=True):
    """One thing that a commit was made from; ``commit`` where it is one that is kept here."""

    provenance: Provenance
    commit: Committed | None = None


class Walk(Document, frozen=True):
    """What a commit came from and what came of it, with the commits among them."""

    commit: Committed
    parents: list[Committed]
    origins: list[Origin]
    uses: list[Use]
    made: dict[str, Committed]


def listed(datasets: Datasets, names: Sequence[str]) -> list[Listed]:
    """Datasets by name, with what their ``main`` holds; one that is gone meanwhile is left out."""
    with datasets.database.reading() as connection:
        found = []
        for name in names:
            dataset = asked.dataset(connection, name)
            if dataset is None:
                continue
            own = ordinary(asked.branches(connection, name))
            main = next((each.commit for each in own if each.name == MAIN), "")
            head = asked.commit(connection, main) if main else None
            found.append(Listed(dataset=dataset, head=head, branches=len(own)))
        return found


def ordinary(branches: Sequence[Branch]) -> list[Branch]:
    """The branches that are no quarantine; ``main`` first."""
    found = [each for each in branches if not each.name.startswith(SET_ASIDE)]
    return sorted(found, key=lambda each: (each.name != MAIN, each.name))


def history(datasets: Datasets, name: str, limit: int) -> list[Committed]:
    """A dataset's newest commits of all branches but quarantines, children before parents."""
    datasets.dataset(name)
    with datasets.database.reading() as connection:
        commits = asked.commits_newest_first(connection, name)
        kept = (each for each in commits if not each.commit.branch.startswith(SET_ASIDE))
        return children_first(list(itertools.islice(kept, limit)))


def children_first(commits: list[Committed]) -> list[Committed]:
    """The same commits; of those of the same moment, children before their parents."""
    ordered: list[Committed] = []
    for _, some in itertools.groupby(commits, key=lambda each: each.commit.at):
        left = list(some)
        while left:
            parents = {parent for each in left for parent in each.commit.parents}
            ready = [each for each in left if each.digest not in parents] or left
            ordered += ready
            left = [each for each in left if each not in ready]
    return ordered


def contents(snapshot: Snapshot, after: str, limit: int) -> tuple[list[FileLine], bool]:
    """Some paths in their order, and whether there are more."""
    found = [
        FileLine.of(each) for each in itertools.islice(snapshot.entries_after(after), limit + 1)
    ]
    return found[:limit], len(found) > limit


def changed_paths(
    before: Snapshot, after: Snapshot, skip: int, limit: int
) -> tuple[list[FileChange], bool]:
    """Some of the paths that differ, and whether there are more."""
    changes = itertools.islice(before.differences(after), skip, skip + limit + 1)
    found = [
        FileChange(
            path=each.path,
            kind=each.kind,
            before=None if each.before is None else FileLine.of(each.before),
            after=None if each.after is None else FileLine.of(each.after),
        )
        for each in changes
    ]
    return found[:limit], len(found) > limit


def walk(datasets: Datasets, name: str) -> Walk:
    """What a commit, by any of its names, was made from, and all that it reached.

    Raises NotFound, InvalidName.
    """
    commit = datasets.find(name)
    uses = datasets.downstream(commit.digest)
    with datasets.database.reading() as connection:
        parents = [asked.commit(connection, digest) for digest in commit.commit.parents]
        made = {
            use.name: found
            for use in uses
            if use.kind == "commit" and (found := asked.commit(connection, use.name)) is not None
        }
    return Walk(
        commit=commit,
        parents=[each for each in parents if each is not None],
        origins=[_origin(datasets, each) for each in commit.commit.provenance],
        uses=uses,
        made=made,
    )


def _origin(datasets: Datasets, each: Provenance) -> Origin:
    if each.kind == "commit":
        try:
            return Origin(provenance=each, commit=datasets.find(each.name))
        except (NotFound, InvalidName):
            pass  # dropped by a retention rule, or of another home
    return Origin(provenance=each)


def commits_used_by(datasets: Datasets, kind: str, name: str) -> list[Committed]:
    """The commits that a run, release or job used, as far as they are kept."""
    with datasets.database.reading() as connection:
        found = [
            asked.commit(connection, digest) for digest, _ in asked.used_by(connection, kind, name)
        ]
    return [each for each in found if each is not None]
