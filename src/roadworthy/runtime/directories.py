"""Directories that are made once, appear whole, and are checked before each use."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from roadworthy.errors import Damaged

_MAKING = ".making-"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at ``path``; waits for whoever has it.

    The lock ends with its process, so that a killed one leaves none behind.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def made_once(
    target: Path, build: Callable[[Path], None], damage: Callable[[Path], str | None]
) -> Path:
    """``target``, which is built first if it is absent or damaged.

    ``build`` fills an empty directory beside the target, which is renamed when it is whole;
    ``damage`` says what is wrong with a directory, or None. Processes that want the same
    target wait for the first of them; what a killed one began is removed by the next.
    Raises Damaged if what was just built is not whole, and whatever ``build`` raises.
    """
    if target.is_dir() and damage(target) is None:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(_lock_of(target)):
        if target.is_dir() and damage(target) is None:
            return target
        _remove_leftovers(target)
        making = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
        try:
            build(making)
            fault = damage(making)
            if fault is not None:
                raise Damaged(
                    f"{target.name} in {target.parent} was made and is not whole: {fault}",
                    cure="see whether the disk is full or failing, then try again",
                )
            _replace(target, making)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
    return target


def remove(target: Path) -> None:
    """Remove a directory that ``made_once`` made, and leftovers of it.

    Its empty lock file stays: somebody may be waiting for it.
    """
    with locked(_lock_of(target)):
        _remove_leftovers(target)
        if target.is_dir():
            _discard(target)


def _lock_of(target: Path) -> Path:
    return target.parent / f".{target.name}.lock"


def _prefix(target: Path) -> str:
    return f"{_MAKING}{target.name}-"


def _remove_leftovers(target: Path) -> None:
    for left in target.parent.glob(f"{_prefix(target)}*"):
        shutil.rmtree(left, ignore_errors=True)


def _replace(target: Path, making: Path) -> None:
    making.chmod(0o755)
    if target.exists():
        _discard(target)
    making.rename(target)


def _discard(target: Path) -> None:
    """Take the directory away in one step, so that nobody sees half of it, then delete it."""
    aside = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
    target.rename(aside / "old")
    shutil.rmtree(aside, ignore_errors=True)
