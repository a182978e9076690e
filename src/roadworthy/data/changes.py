"""What a commit changes in its parent's tree: files and tables put, rows appended, removals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from roadworthy.core.dataset import Entry


class PutFile(msgspec.Struct, frozen=True):
    """A file's bytes at a path: from a local file (its path), bytes, or an open binary file.

    A struct with a text is nothing that the garbage collector has to look at: a million of them
    are no burden.
    """

    path: str
    source: str | Path | bytes | BinaryIO


@dataclass(frozen=True)
class PutTable:
    """A table at a path, in place of what is there.

    ``rows`` is an Arrow table, a record batch, a reader, an iterable of record batches or a
    pandas frame; or the path of a Parquet, CSV, JSON lines or Arrow file. ``key`` names the
    columns that tell rows apart.
    """

    path: str
    rows: Any
    key: Iterable[str] = ()


@dataclass(frozen=True)
class Append:
    """Rows to come after those of the table at a path; the table is made if there is none."""

    path: str
    rows: Any
    key: Iterable[str] = ()


@dataclass(frozen=True)
class Update:
    """Rows in place of some of those of the table at a path, and rows that come after them.

    ``places`` are the numbers of the rows that give way, ascending; ``rows`` (Arrow) those that
    take their places, in the same order; ``content`` identifies the table that they are meant
    for: a commit raises Conflict where another is there by then.
    """

    path: str
    content: str
    places: Any
    rows: Any
    added: Any


@dataclass(frozen=True)
class PutEntry:
    """A content that is in the store already, at a path: taken over from another commit."""

    entry: Entry


@dataclass(frozen=True)
class Remove:
    """A path, or with ``below`` everything under it, that is to be gone."""

    path: str
    below: bool = False


Change = PutFile | PutTable | Append | Update | PutEntry | Remove
