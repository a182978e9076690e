"""Merging a branch into another: lines that only append, or that touch different paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from roadworthy.core.dataset import Commit, Committed, TreeChange
from roadworthy.data.changes import Append, Change, PutEntry, Remove
from roadworthy.data.reachable import ancestors
from roadworthy.data.reading import TableReader
from roadworthy.data.snapshot import Snapshot
from roadworthy.errors import Conflict, UsageError
from roadworthy.storage.queries import datasets as asked

if TYPE_CHECKING:
    from roadworthy.data.datasets import Datasets


def merge_changes(
    datasets: Datasets, ours: Committed, theirs: Committed
) -> tuple[list[Change], bool]:
    """What has to change in ``ours`` so that it has what ``theirs`` did since they parted.

    And whether ``theirs`` merely continues ``ours``. A path that both changed is merged where
    both only appended rows to the same table: ours come first. Raises Conflict, which lists the
    paths, where both changed one in another way; UsageError where they have nothing in common.
    """
    with datasets.database.reading() as connection:
        known = {
            each.digest: each.commit for each in asked.commits_of(connection, ours.commit.dataset)
        }
    base = _common(ours.digest, theirs.digest, known)
    if base is None:
        raise UsageError(
            f"{ours.name} and {theirs.name} have no commit in common", cure="commit the files anew"
        )
    if base == theirs.digest:
        return [], False
    start = datasets.snapshot(Committed(digest=base, commit=known[base]))
    mine = {each.path: each for each in start.differences(datasets.snapshot(ours))}
    changes: list[Change] = []
    conflicts: list[str] = []
    for change in start.differences(datasets.snapshot(theirs)):
        own = mine.get(change.path)
        if own is None:
            changes.append(PutEntry(change.after) if change.after else Remove(change.path))
        elif own.after != change.after:
            appended = _appended(datasets.snapshot(theirs), own, change)
            if appended is None:
                conflicts.append(change.path)
            else:
                changes.append(appended)
    if conflicts:
        raise Conflict(
            f"{ours.name} and {theirs.name} both changed {', '.join(conflicts[:5])}",
            cure="commit there what it should be, on one of the branches, then merge",
            ours=ours.digest,
            theirs=theirs.digest,
            paths=conflicts,
        )
    return changes, base == ours.digest


def _common(ours: str, theirs: str, known: dict[str, Commit]) -> str | None:
    """The youngest commit that both come from."""
    shared = ancestors(ours, known) & ancestors(theirs, known)
    older = {parent for digest in shared for parent in known[digest].parents}
    newest = sorted(shared - older, key=lambda digest: known[digest].at)
    return newest[-1] if newest else None


def _appended(theirs: Snapshot, own: TreeChange, change: TreeChange) -> Append | None:
    """The rows that they appended, if both sides only appended to the same table."""
    entries = (change.before, own.after, change.after)
    tables = [theirs.table_of(each) for each in entries if each and each.kind == "table"]
    if len(tables) < 3:
        return None
    base, mine, other = tables
    if not (_continues(base, mine) and _continues(base, other)):
        return None
    rows = other.batches(start=base.manifest.rows)
    return Append(change.path, pa.RecordBatchReader.from_batches(other.schema, rows))


def _continues(base: TableReader, after: TableReader) -> bool:
    """Whether a table begins with all rows of another; told from digests but for the last run.

    That one may have been cut again together with what was appended.
    """
    if base.schema != after.schema or after.manifest.rows < base.manifest.rows:
        return False
    before = base.runs()
    kept = max(0, len(before) - 1)
    if [run.payload for run in after.runs()[:kept]] != [run.payload for run in before[:kept]]:
        return False
    start, stop = sum(run.weight for run in before[:kept]), base.manifest.rows
    return bool(base.read(start, stop).equals(after.read(start, stop)))
