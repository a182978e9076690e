"""Datasets: named sequences of immutable commits, the branches and tags that name them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from roadworthy.core.values import Document, Value

MAIN = "main"
EntryKind = Literal["file", "table"]
ProvenanceKind = Literal["commit", "run", "release", "source", "pipeline"]


class Provenance(Document, frozen=True):
    """One thing that a commit was made from: a commit, run, release, source or pipeline.

    ``name`` is how it is called (``flights@3f2a…``, a run's id, ``flight-delay@12``);
    ``detail`` what else there is to know (a datum's path, a source's state).
    """

    kind: ProvenanceKind
    name: str
    detail: str = ""


class Retention(Document, frozen=True):
    """Which commits of a branch's line are kept: the newest ``last``, and those of ``days``.

    None in both keeps all. A commit that either rule keeps is kept, and so is whatever a tag,
    another branch or a release names.
    """

    last: int | None = None
    days: float | None = None


class Dataset(Document, frozen=True):
    """A dataset. ``key`` names the columns that tell its tables' rows apart, where known."""

    name: str
    created: str
    description: str = ""
    key: list[str] = []
    format: int = 1


class Field(Document, frozen=True):
    """A column of a table: its name, its Arrow type as text, whether nulls are allowed."""

    name: str
    type: str
    nullable: bool = True


class Entry(Document, frozen=True, omit_defaults=True):
    """A path of a commit's tree and what is there.

    ``content`` is the digest that identifies it: of a file its bytes' BLAKE3, of a table its
    manifest's. ``pieces`` are the file's chunks in order (their digests, 32 bytes each, one
    after the other); for a table, and for a file of very many chunks, those of the manifest
    that lists them (``indirect``). ``size`` is the file's length, or what the table takes in
    memory; ``rows`` a table's.
    """

    path: str
    kind: EntryKind
    content: str
    size: int
    pieces: bytes = b""
    indirect: bool = False
    rows: int = 0
    executable: bool = False


class TableSummary(Document, frozen=True):
    """A table of a commit: where, how many rows, which columns."""

    path: str
    rows: int
    fields: list[Field]


class Commit(Document, frozen=True):
    """One immutable state of a dataset.

    ``tree`` is the digest of the root page of its tree; ``parents`` the commits before it,
    the first of them the line it continues; ``branch`` and ``generation`` the move that it was
    made for, so that the metadata can be made again from the store. ``write`` identifies the
    act of writing. ``at`` is UTC, ISO 8601, and never before a parent's. ``added`` counts the
    bytes of the packs that were written for it.
    """

    dataset: str
    tree: str
    parents: list[str]
    branch: str
    generation: int
    author: str
    message: str
    at: str
    write: str
    files: int
    bytes: int
    added: int = 0
    tables: list[TableSummary] = []
    more_tables: int = 0
    provenance: list[Provenance] = []
    append_only: bool = False
    description: str = ""
    key: list[str] = []
    format: int = 1


class Committed(Document, frozen=True):
    """A commit with the digest that names it."""

    digest: str
    commit: Commit

    @property
    def name(self) -> str:
        """``flights@3f2a90c1d2e4``: enough of the digest to find it again."""
        return f"{self.commit.dataset}@{self.digest[:12]}"


class Branch(Document, frozen=True):
    """A movable name of a commit; ``commit`` is empty until the first one."""

    dataset: str
    name: str
    commit: str
    generation: int
    at: str
    retention: Retention = Retention()


class Tag(Document, frozen=True):
    """A name of a commit that stays."""

    dataset: str
    name: str
    commit: str
    at: str
    author: str = ""
    message: str = ""


class RefChange(Document, frozen=True):
    """A branch or tag that was made, moved or removed without a commit; kept in the store.

    ``commit`` is empty where it was removed.
    """

    kind: Literal["dataset", "branch", "tag", "erased"]
    dataset: str
    name: str
    commit: str
    generation: int
    at: str
    author: str = ""
    detail: dict[str, Any] = {}
    format: int = 1


class Erasure(Document, frozen=True):
    """A content that was removed from all history: what stays is its digest, and why."""

    content: str
    dataset: str
    path: str
    at: str
    author: str
    reason: str
    pieces: int = 0
    bytes: int = 0


class Use(Document, frozen=True):
    """That a commit was used: by another commit (its digest), a run, a release, a job."""

    commit: str
    kind: str
    name: str
    detail: str
    at: str


class TreeChange(Value, frozen=True):
    """How one path differs between two trees; None: it is not there."""

    path: str
    before: Entry | None
    after: Entry | None

    @property
    def kind(self) -> Literal["added", "removed", "changed"]:
        """What happened to the path."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


def replaced(entry: Entry, **changes: Any) -> Entry:
    """A copy of an entry with some fields changed."""
    return msgspec.structs.replace(entry, **changes)
