"""Flow directories on disk, written from blobs and checked by digest before each use."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from roadworthy.core.release import FlowFile
from roadworthy.registry.drafts import check_path
from roadworthy.storage.digests import digest_of_file
from roadworthy.storage.disk import PARTIAL, new_directory, sweep, translated


class Copies(Protocol):
    """Where contents are copied from: blobs, or a control plane that has them."""

    def copy_to(self, digest: str, target: Path) -> None:
        """Writes the content, checked, to a file that takes the place of ``target`` at once."""


def materialise(blobs: Copies, files: Sequence[FlowFile], target: Path) -> Path:
    """The directory with exactly these files, each with the bytes of its digest.

    An existing one is checked and mended: what differs is written anew, what does not belong
    (compiled leftovers too) is removed. A new one appears at once and whole. Raises Damaged,
    StorageError, Unavailable; then there is no directory that looks whole but is not.
    """
    with translated(f"writing {target}"):
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            target.unlink()
        if not target.is_dir():
            _make(blobs, files, target)
        _mend(blobs, files, target)
    return target


def damaged_files(files: Sequence[FlowFile], directory: Path) -> list[str]:
    """The paths whose bytes are missing or not those of their digest."""
    return [file.path for file in files if not _is_whole(file, directory)]


def _make(blobs: Copies, files: Sequence[FlowFile], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep([target.parent])
    with new_directory(target) as partial:
        for file in files:
            blobs.copy_to(file.digest, partial / check_path(file.path))
        _rename_unless_there(partial, target)


def _rename_unless_there(partial: Path, target: Path) -> None:
    try:
        partial.rename(target)
    except OSError:
        if not target.is_dir():  # else another process made it meanwhile
            raise


def _mend(blobs: Copies, files: Sequence[FlowFile], directory: Path) -> None:
    wanted = {check_path(file.path) for file in files}
    folders = {parent.as_posix() for path in wanted for parent in Path(path).parents if parent.name}
    _remove_others(directory, wanted, folders)
    for file in files:
        if not _is_whole(file, directory):
            blobs.copy_to(file.digest, directory / file.path)


def _remove_others(directory: Path, wanted: set[str], folders: set[str]) -> None:
    sweep([directory, *(directory / folder for folder in folders)])
    for entry in sorted(directory.rglob("*"), reverse=True):
        if entry.name.startswith(PARTIAL):
            continue  # another process is mending
        path = entry.relative_to(directory).as_posix()
        if entry.is_symlink() or not entry.is_dir():
            if path not in wanted or entry.is_symlink():
                entry.unlink(missing_ok=True)
        elif path not in folders:
            shutil.rmtree(entry, ignore_errors=True)


def _is_whole(file: FlowFile, directory: Path) -> bool:
    path = directory / file.path
    try:
        return path.stat().st_size == file.bytes and digest_of_file(path) == file.digest
    except OSError:
        return False
