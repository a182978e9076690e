"""Files that are noted for a commit, and what a commit makes of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from roadworthy.core.dataset_names import CommitName, check_tree_path
from roadworthy.core.values import Document
from roadworthy.errors import NotFound, StorageError, UsageError
from roadworthy.storage.disk import Disk

if TYPE_CHECKING:
    from roadworthy.data import Change, Datasets


class Planned(Document, frozen=True):
    """A local file, where it goes in the dataset, and as what (auto, file, table)."""

    source: str
    path: str
    kind: str = "auto"


class Stage:
    """What was added for the next commit to a branch: a small file in the home."""

    def __init__(self, home: Path, name: CommitName) -> None:
        branch = name.ref.replace("/", "%2F")
        self._file = home / "run" / "staged" / f"{name.dataset}@{branch}.json"

    def read(self) -> list[Planned]:
        """What was added so far."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=list[Planned])
        except FileNotFoundError:
            return []
        except msgspec.MsgspecError as error:
            raise StorageError(f"{self._file} can't be read: {error}", cure="remove it") from error

    def add(self, files: Sequence[Planned]) -> None:
        """Adds files; one for the same path takes the place of the one before."""
        known = {each.path: each for each in self.read()} | {each.path: each for each in files}
        Disk().write(self._file, msgspec.json.encode(list(known.values())))

    def clear(self) -> None:
        """Nothing is added any more."""
        self._file.unlink(missing_ok=True)


def planned(paths: Sequence[Path], at: str, kind: str) -> list[Planned]:
    """The files that are meant, folders with all that is in them, and where each goes.

    Raises NotFound, UsageError, InvalidName.
    """
    if kind not in ("auto", "file", "table"):
        raise UsageError(f"{kind!r} is not a form to keep files in", cure="auto, file or table")
    found: list[Planned] = []
    for path in paths:
        if path.is_dir():
            base = at.rstrip("/") or ("" if path.name in ("", ".", "..") else path.name)
            found += _inside(str(path.absolute()), f"{base}/" if base else "", kind)
        elif path.is_file():
            single = len(paths) == 1 and at and not at.endswith("/")
            prefix = at.rstrip("/") + "/" if at else ""
            found.append(_one(path, at if single else f"{prefix}{path.name}", kind))
        else:
            raise NotFound(f"{path} is not there", cure="check the path")
    return found


def _inside(folder: str, prefix: str, kind: str) -> Iterator[Planned]:
    """The files of a folder, in the order of their names; links to folders are not followed."""
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda each: each.name)
    for each in entries:
        if each.is_dir(follow_symlinks=False):
            yield from _inside(each.path, f"{prefix}{each.name}/", kind)
        elif each.is_file():
            path = check_tree_path(prefix + each.name)
            yield Planned(source=each.path, path=path, kind=kind)


def _one(source: Path, path: str, kind: str) -> Planned:
    return Planned(source=str(source.absolute()), path=check_tree_path(path), kind=kind)


@dataclass(frozen=True)
class Keys:
    """The columns that tell rows apart: those that were asked for, else the dataset's own.

    The dataset's hold for tables that have them; what is asked for must be there.
    """

    asked: Sequence[str]
    usual: Sequence[str]

    def of(self, source: Path) -> Sequence[str]:
        """The key of a file's table. Raises UsageError, StorageError."""
        from roadworthy.data.sources import open_rows

        if self.asked or not self.usual:
            return self.asked
        with open_rows(source) as reader:
            return self.usual if set(self.usual) <= set(reader.schema.names) else ()


def changes_of(
    datasets: Datasets,
    name: str,
    files: Sequence[Planned],
    append: bool,
    keys: Keys,
    remove: Sequence[str],
    mirror: bool,
) -> list[Change]:
    """The changes that committing these files makes."""
    from roadworthy.data import Append, PutFile, PutTable, Remove
    from roadworthy.data.sources import format_of

    changes: list[Change] = []
    for each in files:
        is_table = each.kind == "table" or (each.kind == "auto" and format_of(each.source))
        if append and not is_table:
            raise UsageError(f"{each.source} has no rows to append", cure="leave out --append")
        if not is_table:
            changes.append(PutFile(each.path, each.source))
            continue
        source = Path(each.source)
        table = Append if append else PutTable
        changes.append(table(each.path, source, key=keys.of(source)))
    gone = set(remove)
    if mirror and datasets.log(name, limit=1):
        given = {each.path for each in files}
        gone |= {each.path for each in datasets.read(name).entries() if each.path not in given}
    return changes + [Remove(path) for path in sorted(gone)]
