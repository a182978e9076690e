"""What is reached from what: the commits that are kept, the pieces that a tree rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection

from roadworthy.core.dataset import Branch, Commit, Committed, Entry
from roadworthy.data import paged
from roadworthy.data.files import chunks_of, list_pieces
from roadworthy.data.pieces import PieceStore
from roadworthy.data.snapshot import entry_of
from roadworthy.data.tables import load_manifest
from roadworthy.errors import StorageError
from roadworthy.storage.queries import datasets as asked

PINNING = ("run", "release", "job", "pipeline")
Failed = Callable[[str, StorageError], None]


def kept_commits(connection: Connection, now: datetime) -> dict[str, Commit]:
    """The commits that branches, by their retention rules, tags, runs, releases and jobs keep."""
    known = {each.digest: each.commit for each in asked.commits_of(connection, None)}
    kept: dict[str, Commit] = {}
    for branch in asked.branches(connection):
        for digest in _kept_by(branch, known, now):
            kept[digest] = known[digest]
    pinned = asked.all_used(connection, PINNING) | {tag.commit for tag in asked.tags(connection)}
    kept.update({digest: known[digest] for digest in pinned if digest in known})
    return kept


def _kept_by(branch: Branch, known: dict[str, Commit], now: datetime) -> Iterator[str]:
    rule = branch.retention
    if rule.last is None and rule.days is None:
        yield from ancestors(branch.commit, known)
        return
    oldest = (now - timedelta(days=rule.days)).isoformat() if rule.days is not None else None
    digest, number = branch.commit, 0
    while digest in known:
        commit = known[digest]
        young = oldest is not None and commit.at >= oldest
        if number == 0 or young or (rule.last is not None and number < rule.last):
            yield digest
        digest = commit.parents[0] if commit.parents else ""
        number += 1


def ancestors(digest: str, known: dict[str, Commit]) -> set[str]:
    """A commit and all before it, along all parents."""
    found: set[str] = set()
    wave = [digest]
    while wave:
        each = wave.pop()
        if each in known and each not in found:
            found.add(each)
            wave += known[each].parents
    return found


def entry_pieces(store: PieceStore, entry: Entry, seen: set[bytes]) -> Iterator[bytes]:
    """The pieces that an entry's content rests on; pages that are in ``seen`` are passed by.

    What pieces are patches of is not among them. Raises StorageError.
    """
    if entry.kind == "file":
        yield from list_pieces(entry)
        for chunk in chunks_of(store, entry):
            yield chunk.digest
        return
    header = bytes.fromhex(entry.content)
    if header in seen:
        return
    manifest = load_manifest(store, entry)
    yield header
    seen.add(header)
    for page, runs in paged.pages_of(store.get, manifest.runs, seen):
        yield page
        for run in runs:
            for at in range(0, len(run.payload), 32):
                yield run.payload[at : at + 32]


def tree_pieces(
    store: PieceStore, committed: Committed, seen: set[bytes], failed: Failed | None = None
) -> Iterator[bytes]:
    """The pieces that a commit's tree and contents rest on, except what ``seen`` had already.

    What can't be read raises StorageError, or is told with its path where ``failed`` is given.
    """
    try:
        pages = paged.pages_of(store.get, bytes.fromhex(committed.commit.tree), seen)
        for page, rows in pages:
            yield page
            for row in rows:
                yield from _entry(store, entry_of(row), seen, failed)
    except StorageError as error:
        if failed is None:
            raise
        failed("", error)


def _entry(
    store: PieceStore, entry: Entry, seen: set[bytes], failed: Failed | None
) -> Iterator[bytes]:
    try:
        yield from entry_pieces(store, entry, seen)
    except StorageError as error:
        if failed is None:
            raise
        failed(entry.path, error)


def live_pieces(
    store: PieceStore, commits: Iterable[Committed], failed: Failed | None = None
) -> set[bytes]:
    """All pieces that some commits rest on, what patches rest on included."""
    seen: set[bytes] = set()
    live: set[bytes] = set()
    for committed in commits:
        live.update(tree_pieces(store, committed, seen, failed))
    return live | store.bases(live)
