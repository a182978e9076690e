"""Taking a dataset with its whole history from one store to another; commits keep their digests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from roadworthy.core.dataset import MAIN, Branch, Committed, Dataset, RefChange, Tag
from roadworthy.data.documents import put_document
from roadworthy.data.erasing import erasure_note
from roadworthy.data.naming import find_dataset
from roadworthy.data.pieces import PieceWriter
from roadworthy.data.reachable import live_pieces
from roadworthy.errors import Conflict, Erased, NotFound, StorageError
from roadworthy.storage.queries import datasets as asked
from roadworthy.storage.queries import erasures
from roadworthy.storage.queries.pieces import hold, register_pack

if TYPE_CHECKING:
    from roadworthy.data.datasets import Datasets

_AT_ONCE = 256


def copy_dataset(source: Datasets, target: Datasets, name: str) -> dict[str, int]:
    """Copies a dataset: how many commits, how many bytes were stored anew.

    Raises NotFound, Conflict where the target has a dataset of this name, StorageError.
    """
    with source.database.reading() as connection:
        if not asked.all_datasets(connection):
            raise NotFound(
                "no dataset is there to be taken over",
                cure="give the folder or URL that export wrote, or a home's blobs/data",
            )
        dataset = find_dataset(connection, name)
        commits = asked.commits_of(connection, name)
        branches = asked.branches(connection, name)
        tags = asked.tags(connection, name)
        erased = [
            (each, erasures.pieces_erased(connection, each.content))
            for each in erasures.erasures_of(connection, name)
        ]
    with target.database.reading() as connection:
        if asked.dataset(connection, name) is not None:
            raise Conflict(f"there is a dataset {name} already", cure="remove or rename one")

    with PieceWriter(target.store, target.now) as writer:
        _copy_pieces(source, commits, writer)
        made = [put_document(target.blobs, each.commit) for each in commits]
        refs = [put_document(target.blobs, each) for each in _names(dataset, branches, tags)]
        refs += [put_document(target.blobs, erasure_note(*each)) for each in erased]

        def work(connection: Connection) -> None:
            at = target.now()
            for digest, size, packed in writer.unregistered:
                register_pack(connection, digest, size, packed, at)
            for digest in (*made, *refs):
                register_pack(connection, digest, 0, [], at)
            hold(connection, writer.relied, writer.packs, at)
            if not asked.insert_dataset(connection, dataset):
                return  # done already, and the answer was lost
            for each in commits:
                asked.insert_commit(connection, each)
            for branch in branches:
                asked.insert_branch(connection, branch)
            for tag in tags:
                asked.insert_tag(connection, tag)
            for record, pieces in erased:
                erasures.save_erasure(connection, record, pieces)
            asked.refs_changed(connection)

        target.database.write(work)
    return {"commits": len(commits), "bytes": writer.added}


def _names(dataset: Dataset, branches: Sequence[Branch], tags: Sequence[Tag]) -> list[RefChange]:
    """What makes a dataset's names known to whoever has only its store."""
    return [
        RefChange(
            kind="dataset",
            dataset=dataset.name,
            name=MAIN,
            commit="",
            generation=0,
            at=dataset.created,
            detail={"description": dataset.description, "key": dataset.key},
        ),
        *(
            RefChange(
                kind="branch",
                dataset=dataset.name,
                name=each.name,
                commit=each.commit,
                generation=each.generation,
                at=each.at,
            )
            for each in branches
        ),
        *(
            RefChange(
                kind="tag",
                dataset=dataset.name,
                name=each.name,
                commit=each.commit,
                generation=1,
                at=each.at,
                author=each.author,
                detail={"message": each.message},
            )
            for each in tags
        ),
    ]


def _copy_pieces(source: Datasets, commits: Sequence[Committed], writer: PieceWriter) -> None:
    """Keeps what commits rest on; what was erased stays so."""

    def failed(_path: str, error: StorageError) -> None:
        if not isinstance(error, Erased):
            raise error

    wanted = sorted(live_pieces(source.store, commits, failed))
    for at in range(0, len(wanted), _AT_ONCE):
        missing = sorted(writer.missing(wanted[at : at + _AT_ONCE]))
        with source.database.reading() as connection:
            gone = erasures.erased_among(connection, missing)
        missing = [each for each in missing if each not in gone]
        stored = source.store.stored(missing)
        for digest in missing:
            writer.put(digest, bytes(stored[digest]))
    writer.finish()
