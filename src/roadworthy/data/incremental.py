"""Computing one dataset from another, datum by datum: only what is new or changed is done again.

A datum is a path, or a group of paths. What to do is told from digests: the source's commit that
the target was last computed from is compared with the new one, in time that grows with the
change. A changed program computes everything again. What a datum gave lies under its name in the
target; when the datum is gone, so is that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from roadworthy.core.dataset import Committed, Entry, Provenance
from roadworthy.core.dataset_names import check_tree_path, parse_commit
from roadworthy.core.values import Document
from roadworthy.data.changes import Change, PutFile, PutTable, Remove
from roadworthy.data.snapshot import Snapshot
from roadworthy.errors import Conflict, NotFound, UsageError

if TYPE_CHECKING:
    from roadworthy.data.datasets import Datasets

Work = Callable[[str, Snapshot, Sequence[Entry]], Iterable[PutFile | PutTable]]
"""What is computed for a datum: its name, the source's commit, its entries → files and tables,
whose paths are below the datum's."""


class Processed(Document, frozen=True):
    """What was done: the target's commit, which datums were computed, skipped, removed."""

    commit: str
    computed: list[str]
    skipped: int
    removed: list[str]


def by_path(path: str) -> str:
    """Each path is a datum of its own."""
    return path


def by_folder(path: str) -> str:
    """All paths of a folder are one datum; a path at the top is its own.

    >>> by_folder("2026/01/a.csv"), by_folder("b.csv")
    ('2026/01', 'b.csv')
    """
    return path.rpartition("/")[0] or path


def process(
    datasets: Datasets,
    source: str,
    target: str,
    work: Work,
    *,
    program: str,
    datum_of: Callable[[str], str] = by_path,
    author: str = "",
) -> Processed:
    """Brings the target's branch up to the source's commit, in one commit.

    ``program`` identifies what ``work`` does (a release's name, a digest): with another one all
    is computed again. Interrupted, nothing has happened; done again, nothing is doubled. Raises
    what ``work`` raises, NotFound, Conflict where the target was changed meanwhile.
    """
    wanted = parse_commit(target)
    now = datasets.read(source)
    head = _head(datasets, target)
    before = _computed_from(datasets, head, now, program)
    fresh, gone, total = _datums(before, now, datum_of)
    changes: list[Change] = []
    provenance = [
        Provenance(kind="commit", name=now.committed.commit.dataset + "@" + now.committed.digest),
        Provenance(kind="pipeline", name=program),
    ]
    there = datasets.snapshot(head) if head is not None else None
    for datum in sorted({*fresh, *gone}):
        results = _results(datum, work(datum, now, fresh[datum])) if datum in fresh else []
        kept = {each.path for each in results}
        if there is not None:
            changes += [
                Remove(entry.path) for entry in there.entries(datum) if entry.path not in kept
            ]
        changes += results
        inputs = ", ".join(f"{each.path} b3:{each.content[:12]}" for each in fresh.get(datum, ()))
        if inputs:
            provenance.append(Provenance(kind="source", name=datum, detail=inputs[:500]))
    if before is None and there is not None:
        changes += _strangers(there, fresh)
    if before is not None and not changes:
        assert head is not None
        return Processed(commit=head.digest, computed=sorted(fresh), skipped=total, removed=[])
    made = datasets.commit(
        str(wanted),
        changes,
        message=f"{program}: {len(fresh)} computed, {len(gone)} removed",
        author=author,
        provenance=provenance,
        expected=head.digest if head is not None else "",
    )
    return Processed(
        commit=made.digest,
        computed=sorted(fresh),
        skipped=total - len(fresh),
        removed=sorted(gone),
    )


def _head(datasets: Datasets, target: str) -> Committed | None:
    log = datasets.log(target, limit=1)
    return log[0] if log else None


def _computed_from(
    datasets: Datasets, head: Committed | None, now: Snapshot, program: str
) -> Snapshot | None:
    """The source's commit that the target holds the results of, with the same program."""
    if head is None:
        return None
    said = {each.kind: each.name for each in head.commit.provenance if each.kind != "source"}
    if said.get("pipeline") != program or "commit" not in said:
        if head.commit.provenance and "pipeline" not in said:
            raise Conflict(
                f"{head.name} was not computed by a pipeline",
                cure="give the pipeline a branch of its own",
            )
        return None
    try:
        return datasets.read(said["commit"])
    except NotFound:
        return None  # the source's commit was dropped by a retention rule


def _datums(
    before: Snapshot | None, now: Snapshot, datum_of: Callable[[str], str]
) -> tuple[Mapping[str, list[Entry]], set[str], int]:
    """The datums to compute with their entries, those that are gone, and how many there are."""
    members: dict[str, list[Entry]] = defaultdict(list)
    if before is None:
        for entry in now.entries():
            members[datum_of(entry.path)].append(entry)
        return members, set(), len(members)
    touched = {datum_of(change.path) for change in before.differences(now)}
    known: set[str] = set()
    for entry in now.entries():
        datum = datum_of(entry.path)
        known.add(datum)
        if datum in touched:
            members[datum].append(entry)
    return members, touched - members.keys(), len(known)


def _results(datum: str, given: Iterable[PutFile | PutTable]) -> list[PutFile | PutTable]:
    results = list(given)
    for each in results:
        check_tree_path(each.path)
        if each.path != datum and not each.path.startswith(f"{datum}/"):
            raise UsageError(
                f"{each.path} is not below {datum}, whose result it is",
                cure=f"put it at {datum}/{each.path}",
            )
    return results


def _strangers(there: Snapshot, fresh: Mapping[str, list[Entry]]) -> list[Change]:
    """What an earlier program left of datums that are not there any more."""
    return [
        Remove(entry.path)
        for entry in there.entries()
        if not any(datum in fresh for datum in _above(entry.path))
    ]


def _above(path: str) -> list[str]:
    """A path and all folders that it is in."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
