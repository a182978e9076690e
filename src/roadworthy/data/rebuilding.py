"""Making the metadata of datasets again from the store alone: packs, commits, changes of names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from roadworthy.core.dataset import (
    MAIN,
    Branch,
    Commit,
    Committed,
    Dataset,
    Erasure,
    RefChange,
    Tag,
)
from roadworthy.core.values import Document
from roadworthy.data.collecting import Say
from roadworthy.data.documents import LINES, LONGEST, load_document
from roadworthy.data.packs import ANY_MAGIC, read_footer
from roadworthy.data.pieces import PieceStore
from roadworthy.errors import Conflict, RoadworthyError
from roadworthy.storage.queries import datasets as asked
from roadworthy.storage.queries import erasures
from roadworthy.storage.queries.pieces import register_pack


class Rebuilt(Document, frozen=True):
    """What was found in the store and is known again. ``problems`` say what could not be."""

    packs: int
    pieces: int
    commits: int
    datasets: int
    branches: int
    tags: int
    recovered: list[str]
    problems: list[str]


@dataclass
class _Read:
    """Everything that the store holds."""

    commits: dict[str, Commit] = field(default_factory=dict)
    changes: dict[str, RefChange] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    packs: int = 0
    pieces: int = 0


def rebuild(store: PieceStore, now: Callable[[], str], say: Say | None = None) -> Rebuilt:
    """Fills empty metadata with the datasets that the store holds.

    Where two commits claim to be the same step of a branch (a writer died just before its branch
    moved, or just after), the one that others build on is taken, else the later; the other is
    kept under a branch ``recovered-…``. Retention rules and uses by runs and releases are not in
    the store. Raises Conflict where datasets are known already, StorageError, Unavailable.
    """
    with store.database.reading() as connection:
        if asked.all_datasets(connection):
            raise Conflict(
                "the metadata knows datasets already: only an empty one is filled",
                cure="give an empty database (ROADWORTHY_METADATA=sqlite:///new.db)",
            )
    read = _read(store, now(), say)
    recovered: list[str] = []
    branches = _branches(read, recovered)
    tags = _tags(read)
    datasets = _datasets(read)

    def work(connection: Connection) -> None:
        for dataset in datasets.values():
            asked.insert_dataset(connection, dataset)
        for digest, commit in read.commits.items():
            register_pack(connection, digest, 0, [], commit.at)
            asked.insert_commit(connection, Committed(digest=digest, commit=commit))
            uses = [
                (each.name.partition("@")[2], "commit", digest, each.detail)
                for each in commit.provenance
                if each.kind == "commit"
            ]
            asked.save_uses(connection, uses, commit.at)
        for digest, change in read.changes.items():
            register_pack(connection, digest, 0, [], change.at)
            if change.kind == "erased":
                _erased_again(connection, change)
        for moves in branches.values():
            for branch in moves:
                asked.keep_move(connection, branch)
            asked.insert_branch(connection, moves[-1])
        for tag in tags:
            asked.insert_tag(connection, tag)
        asked.refs_changed(connection)

    store.database.write(work)
    return Rebuilt(
        packs=read.packs,
        pieces=read.pieces,
        commits=len(read.commits),
        datasets=len(datasets),
        branches=len(branches),
        tags=len(tags),
        recovered=recovered,
        problems=read.problems,
    )


def _erased_again(connection: Connection, change: RefChange) -> None:
    pieces = [bytes.fromhex(each) for each in change.detail.get("pieces", [])]
    record = Erasure(
        content=change.commit,
        dataset=change.dataset,
        path=change.name,
        at=change.at,
        author=change.author,
        reason=str(change.detail.get("reason", "")),
        pieces=len(pieces),
        bytes=int(change.detail.get("bytes", 0)),
    )
    erasures.save_erasure(connection, record, pieces)


def _read(store: PieceStore, at: str, say: Say | None) -> _Read:
    read = _Read()
    for number, digest in enumerate(sorted(store.blobs.digests())):
        try:
            _read_one(store, digest, at, read)
        except RoadworthyError as error:
            read.problems.append(f"b3:{digest[:12]}: {error.message}")
        if say is not None:
            say("blobs", number + 1, 0)
    return read


def _read_one(store: PieceStore, digest: str, at: str, read: _Read) -> None:
    head = store.blobs.read(digest, 0, LONGEST)
    if head.startswith(LINES[Commit]):
        read.commits[digest] = load_document(store.blobs.get(digest), digest, Commit)
    elif head.startswith(LINES[RefChange]):
        read.changes[digest] = load_document(store.blobs.get(digest), digest, RefChange)
    elif head.startswith(ANY_MAGIC):
        size = store.blobs.size(digest) or 0
        packed = read_footer(lambda s, n: store.blobs.read(digest, s, n), size, digest)
        store.database.write(lambda c: register_pack(c, digest, size, packed, at))
        read.packs += 1
        read.pieces += len(packed)
    else:
        read.problems.append(f"b3:{digest[:12]} is neither a pack nor a commit")


def _datasets(read: _Read) -> dict[str, Dataset]:
    found: dict[str, Dataset] = {}
    for change in sorted(read.changes.values(), key=lambda each: each.at):
        if change.kind == "dataset":
            found.setdefault(
                change.dataset,
                Dataset(
                    name=change.dataset,
                    created=change.at,
                    description=str(change.detail.get("description", "")),
                    key=list(change.detail.get("key", [])),
                ),
            )
    for commit in sorted(read.commits.values(), key=lambda each: each.at):
        made = Dataset(
            name=commit.dataset, created=commit.at, description=commit.description, key=commit.key
        )
        found.setdefault(commit.dataset, made)
    return found


def _tags(read: _Read) -> list[Tag]:
    found: dict[tuple[str, str], Tag | None] = {}
    for change in sorted(read.changes.values(), key=lambda each: each.at):
        if change.kind == "tag":
            there = change.commit in read.commits
            found[change.dataset, change.name] = (
                Tag(
                    dataset=change.dataset,
                    name=change.name,
                    commit=change.commit,
                    at=change.at,
                    author=change.author,
                    message=str(change.detail.get("message", "")),
                )
                if there
                else None
            )
    return [tag for tag in found.values() if tag is not None]


def _branches(read: _Read, recovered: list[str]) -> dict[tuple[str, str], list[Branch]]:
    """The moves of each branch that there is, in order; the last one is where it is."""
    steps: dict[tuple[str, str], dict[int, list[Branch]]] = defaultdict(lambda: defaultdict(list))
    for digest, commit in read.commits.items():
        move = Branch(
            dataset=commit.dataset,
            name=commit.branch,
            commit=digest,
            generation=commit.generation,
            at=commit.at,
        )
        steps[commit.dataset, commit.branch][commit.generation].append(move)
    for change in read.changes.values():
        if change.kind in ("branch", "dataset"):
            move = Branch(
                dataset=change.dataset,
                name=change.name,
                commit=change.commit,
                generation=change.generation,
                at=change.at,
            )
            steps[change.dataset, change.name][change.generation].append(move)
    built_on = {parent for commit in read.commits.values() for parent in commit.parents}
    found: dict[tuple[str, str], list[Branch]] = {}
    removed = {
        (change.dataset, change.name, change.generation)
        for change in read.changes.values()
        if change.kind == "branch" and not change.commit and change.generation > 1
    }
    for (dataset, name), by_generation in steps.items():
        moves: list[Branch] = []
        for generation in sorted(by_generation):
            claims = by_generation[generation]
            best = max(claims, key=lambda each: (each.commit in built_on, each.at))
            moves.append(best)
            for other in claims:
                if other.commit not in ("", best.commit) and other.commit not in built_on:
                    label = f"recovered-{other.commit[:12]}"
                    recovered.append(f"{dataset}@{label}")
                    spare = Branch(
                        dataset=dataset, name=label, commit=other.commit, generation=1, at=other.at
                    )
                    found[dataset, label] = [spare]
        last = moves[-1]
        if name == MAIN or (dataset, name, last.generation) not in removed or last.commit:
            found[dataset, name] = moves
    return found
