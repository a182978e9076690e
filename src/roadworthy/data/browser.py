"""What the API and the pages show of versioned data: reading only, a page at a time."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from roadworthy.core.dataset import Branch, Committed, Dataset, Erasure, Field, Tag, Use
from roadworthy.core.source import Delivery, Poll, Source, SourceState
from roadworthy.core.source_health import Health, health_of
from roadworthy.core.values import Document
from roadworthy.data.browsing import (
    FileChange,
    FileLine,
    Listed,
    Walk,
    changed_paths,
    commits_used_by,
    contents,
    history,
    listed,
    walk,
)
from roadworthy.data.checking import Checker, Looked
from roadworthy.data.comparing import RowChange, changed_columns, row_change
from roadworthy.data.describing import croissant
from roadworthy.data.ingestion import Sources
from roadworthy.data.pieces import PieceStore
from roadworthy.data.profiling import Profile, profile
from roadworthy.data.reading import TableReader
from roadworthy.data.tables import fields_of
from roadworthy.storage.queries import datasets as asked

MOST_CELLS = 5_000_000
"""The values that are read to tell rows apart; more are for `roadworthy data diff`."""
_PROFILES = 32


class About(Document, frozen=True):
    """A dataset with the names of its commits, and what was erased of it."""

    dataset: Dataset
    branches: list[Branch]
    tags: list[Tag]
    erasures: list[Erasure]


class SourceLine(Document, frozen=True):
    """A source in a list."""

    source: Source
    state: SourceState
    last: Poll | None
    health: Health


class TableLook(Document, frozen=True):
    """A table of a commit: its columns, and the statistics of some of them."""

    table: FileLine
    fields: list[Field]
    key: list[str]
    statistics: Profile


class TableDiff(Document, frozen=True):
    """How a table that both commits have differs.

    ``changed`` are the columns whose values differ somewhere. ``rows`` is None where too much
    would have to be read for a page.
    """

    path: str
    changed: list[str]
    columns: list[str]
    rows: RowChange | None
    statistics: Profile


class Browser:
    """Looks around in the datasets and sources of a home. Safe to be used by several threads."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.datasets = sources.datasets
        # Contents never change: what was once worked out of them holds.
        self._profile = functools.lru_cache(_PROFILES)(self._read_profile)

    # Datasets

    def names(self, search: str = "") -> list[str]:
        """The names of the datasets that have a text in them."""
        return [each.name for each in self.datasets.all() if search in each.name]

    def listed(self, names: Sequence[str]) -> list[Listed]:
        """Datasets by name, with what their ``main`` holds."""
        return listed(self.datasets, names)

    def about(self, name: str) -> About:
        """A dataset and the names in it. Raises NotFound."""
        return About(
            dataset=self.datasets.dataset(name),
            branches=self.datasets.branches(name),
            tags=self.datasets.tags(name),
            erasures=self.datasets.erasures(name),
        )

    def history(self, name: str, limit: int) -> list[Committed]:
        """The newest commits of all branches but quarantines. Raises NotFound."""
        return history(self.datasets, name, limit)

    def log(self, name: str, limit: int, skip: int) -> list[Committed]:
        """A commit and those before it on its line. Raises NotFound, InvalidName."""
        return self.datasets.log(name, limit, skip)

    def find(self, name: str) -> Committed:
        """The commit that a name means. Raises NotFound, InvalidName."""
        return self.datasets.find(name)

    def files(self, name: str, after: str, limit: int) -> tuple[list[FileLine], bool]:
        """What a commit holds beyond a path, and whether there is more."""
        return contents(self.datasets.read(name), after, limit)

    def table(self, name: str, path: str | None, skip: int, limit: int) -> TableLook:
        """A table of a commit, with statistics of some columns. Raises NotFound, StorageError."""
        reader = self.datasets.read(name).table(path)
        some = tuple(reader.schema.names[skip : skip + limit])
        return TableLook(
            table=FileLine.of(reader.entry),
            fields=fields_of(reader.schema),
            key=reader.manifest.key,
            statistics=self._profile(None, _Read(reader), some),
        )

    def changed_paths(
        self, before: str, after: str, skip: int, limit: int
    ) -> tuple[list[FileChange], bool]:
        """Some of the paths that differ between two commits, and whether there are more."""
        return changed_paths(self.datasets.read(before), self.datasets.read(after), skip, limit)

    def table_diff(self, before: str, after: str, path: str, skip: int, limit: int) -> TableDiff:
        """How a table differs; statistics of some columns, those that differ first.

        Raises NotFound, UsageError, StorageError.
        """
        old = self.datasets.read(before).table(path)
        new = self.datasets.read(after).table(path)
        names = list(dict.fromkeys([*new.schema.names, *old.schema.names]))
        changed = changed_columns(old, new) | {
            name for name in names if name not in old.schema.names or name not in new.schema.names
        }
        names.sort(key=lambda name: name not in changed)
        some = tuple(names[skip : skip + limit])
        return TableDiff(
            path=path,
            changed=[name for name in names if name in changed],
            columns=names,
            rows=row_change(old, new, MOST_CELLS),
            statistics=self._profile(_Read(old), _Read(new), some),
        )

    def _read_profile(self, before: _Read | None, after: _Read, names: tuple[str, ...]) -> Profile:
        return profile([None if before is None else before.reader, after.reader], names)

    def walk(self, name: str) -> Walk:
        """What a commit was made from and what it reached. Raises NotFound, InvalidName."""
        return walk(self.datasets, name)

    def uses(self, digests: Sequence[str]) -> list[Use]:
        """What used these commits directly."""
        with self.datasets.database.reading() as connection:
            return asked.uses_of(connection, list(digests))

    def used_by(self, kind: str, name: str) -> list[Committed]:
        """The commits that a run, release or job used."""
        return commits_used_by(self.datasets, kind, name)

    def croissant(self, name: str) -> dict[str, Any]:
        """A commit's Croissant description."""
        return croissant(self.datasets.read(name))

    def damage(self, most_bytes: int) -> Looked:
        """What a quick look finds damaged: packs that are gone, and what branches hold."""
        return Checker(PieceStore(self.datasets.database, self.datasets.blobs)).look(most_bytes)

    # Sources

    def source_lines(self) -> list[SourceLine]:
        """All sources by name, with how they are."""
        now = self.datasets.clock()
        return [
            SourceLine(
                source=source, state=state, last=last, health=health_of(source, state, last, now)
            )
            for source, state, last in self.sources.states()
        ]

    def source(self, name: str) -> SourceLine:
        """A source by name. Raises NotFound."""
        one = self.sources.show(name)
        health = health_of(one.source, one.state, one.last, self.datasets.clock())
        return SourceLine(source=one.source, state=one.state, last=one.last, health=health)

    def quarantined(self, source: Source) -> int:
        """How many rows of a source are set aside."""
        return self.sources.quarantined(source)

    def polls(self, name: str, limit: int, skip: int) -> list[Poll]:
        """A source's polls, newest first. Raises NotFound."""
        return self.sources.polls(name, limit, skip)

    def deliveries(self, name: str, limit: int, skip: int) -> list[Delivery]:
        """What was taken from a source, newest first. Raises NotFound."""
        return self.sources.deliveries(name, limit, skip)

    def quarantine(self, name: str, limit: int, skip: int) -> list[dict[str, Any]]:
        """Rows that are set aside: delivery, row, reason, raw, at. Raises NotFound."""
        return self.sources.quarantine(name, limit, skip)


class _Read:
    """A reader that is the same as another of the same content."""

    def __init__(self, reader: TableReader) -> None:
        self.reader = reader

    def __hash__(self) -> int:
        return hash(self.reader.entry.content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Read) and other.reader.entry.content == self.reader.entry.content
