"""Bringing a program's files back into a directory: nothing outside it, nothing lost in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from blake3 import blake3

from roadworthy.core.run import ProgramFile
from roadworthy.errors import StorageError, UsageError


def safe_target(folder: Path, path: str) -> Path:
    """Where a file of a program goes. Raises UsageError where that is not inside the folder.

    Also where a link on the way leads out of it.
    """
    parts = PurePosixPath(path).parts
    strange = not parts or ".." in parts or PurePosixPath(path).is_absolute() or "\\" in path
    if strange or not path.isprintable():
        raise UsageError(
            f"{path!r} would be written outside {folder}", cure="this release can't be checked out"
        )
    target = folder.joinpath(*parts)
    root = Path(os.path.realpath(folder))
    if root not in Path(os.path.realpath(target)).parents:
        raise UsageError(
            f"{target} leads outside {folder}, by a link", cure="--to another directory"
        )
    return target


def check_targets(folder: Path, files: Sequence[ProgramFile]) -> list[Path]:
    """The files that are there already with another content."""
    differing = []
    for file in files:
        target = safe_target(folder, file.path)
        if (
            target.is_symlink()
            or target.is_dir()
            or (target.exists() and blake3(target.read_bytes()).hexdigest() != file.digest)
        ):
            differing.append(target)
    return differing


def write_files(
    folder: Path, files: Sequence[ProgramFile], content: Callable[[str], bytes]
) -> list[Path]:
    """Write the files, each replaced as a whole; their paths relative to the folder.

    All contents are fetched before the first is written.
    """
    contents = [(safe_target(folder, file.path), content(file.digest)) for file in files]
    try:
        for target, data in contents:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_symlink():
                target.unlink()
            _replace(target, data)
    except OSError as error:
        raise StorageError(
            f"{error.filename or folder} can't be written: {error.strerror}",
            cure="--to another directory",
        ) from error
    return [Path(file.path) for file in files]


def _replace(target: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".checkout-")
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        partial.chmod(0o644)
        partial.replace(target)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
