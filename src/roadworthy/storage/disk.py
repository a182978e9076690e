"""Writing to a local disk so that it is still there after a power cut.

The order is: written beside its place, synced, renamed, directory synced. A sync that failed
is never tried again, because the kernel may have dropped the pages and report success.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from roadworthy.errors import StorageError

PARTIAL = ".partial-"


class Disk:
    """The lowest layer under blobs and files: opens, syncs, renames.

    ``sync`` is ``os.fsync`` or, in tests, something that fails; with None nothing is synced.
    After a failed sync every further write is refused with the reason of the first.
    """

    def __init__(self, sync: Callable[[int], None] | None = os.fsync) -> None:
        self._sync = sync
        self.read_only_because = ""

    def check_writable(self) -> None:
        """Raises StorageError if a sync failed before."""
        if self.read_only_because:
            raise StorageError(
                f"nothing more is written: {self.read_only_because}",
                cure="check the disk (dmesg, smartctl), then restart Roadworthy",
            )

    def sync(self, descriptor: int, what: Path) -> None:
        """Has the kernel put it on the disk. Raises StorageError, once and for all."""
        if self._sync is None:
            return
        try:
            self._sync(descriptor)
        except OSError as error:
            self.read_only_because = f"syncing {what} failed ({error.strerror or error})"
            self.check_writable()

    def sync_directory(self, directory: Path) -> None:
        """Makes the names in a directory durable."""
        if self._sync is None:
            return
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sync(descriptor, directory)
        finally:
            os.close(descriptor)

    def make_directory(self, directory: Path) -> None:
        """The directory and its parents, each durable in its parent."""
        if directory.is_dir():
            return
        self.make_directory(directory.parent)
        with contextlib.suppress(FileExistsError):
            directory.mkdir()
        self.sync_directory(directory.parent)

    @contextlib.contextmanager
    def replacing(self, target: Path, within: Path | None = None) -> Iterator[BinaryIO]:
        """A file to write; takes the place of ``target`` when the block ends well.

        It is written beside the target, or in the directory ``within`` of the same file system.
        Raises StorageError when there is no space, no right or no disk. Whatever happens,
        ``target`` is what it was or what was written, never a part.
        """
        self.check_writable()
        with translated(f"writing {target}"):
            self.make_directory(target.parent)
            partial, file = _open_partial(within or target.parent)
            try:
                with file:
                    yield file
                    file.flush()
                    self.sync(file.fileno(), target)
                    partial.rename(target)
                self.sync_directory(target.parent)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise

    def write(self, target: Path, data: bytes | bytearray) -> None:
        """A file with exactly these bytes, durably."""
        with self.replacing(target) as file:
            file.write(data)


@contextlib.contextmanager
def translated(action: str) -> Iterator[None]:
    """Turns what the operating system says into a StorageError with its cure."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{action} failed: {error.strerror or error}", cure=cure_of(error.errno)
        ) from error


def cure_of(number: int | None) -> str:
    """What to do about an error number of the operating system."""
    import errno

    return {
        errno.ENOSPC: "free some space on this file system, then try again",
        errno.EDQUOT: "free some of your quota on this file system, then try again",
        errno.EFBIG: "raise the limit on the size of files (ulimit -f), then try again",
        errno.EACCES: "give this user the right to write there, or choose another `home`",
        errno.EPERM: "give this user the right to write there, or choose another `home`",
        errno.EROFS: "mount the file system writable, or choose another `home`",
        errno.EMFILE: "raise the limit on open files (ulimit -n), then restart Roadworthy",
        errno.EIO: "check the disk (dmesg, smartctl)",
    }.get(number or 0, "look at the file system that it is on: roadworthy doctor")


def _open_partial(directory: Path) -> tuple[Path, BinaryIO]:
    """A new file in the directory, locked for as long as it is open.

    The lock tells a sweeper that its writer lives; it goes with the process, however it ends.
    """
    while True:
        partial = directory / f"{PARTIAL}{secrets.token_hex(8)}"
        file = partial.open("xb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return partial, file
        file.close()  # swept between being made and being locked


def write_small(target: str, data: bytes, *, executable: bool = False) -> None:
    """A small file that takes the place of ``target`` at once, whole, and is not synced.

    For very many of them: no lock tells a sweeper of it. Raises StorageError.
    """
    folder = target.rpartition("/")[0]
    partial = f"{folder}/{PARTIAL}{os.getpid()}-{threading.get_ident()}"
    mode = 0o777 if executable else 0o666
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with translated(f"writing {target}"):
        try:
            descriptor = os.open(partial, flags, mode)
        except FileNotFoundError:
            Path(folder).mkdir(parents=True, exist_ok=True)
            descriptor = os.open(partial, flags, mode)
        try:
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(descriptor, left) :]
            finally:
                os.close(descriptor)
            os.rename(partial, target)  # noqa: PTH104 - a Path for each costs as much as the rest
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def new_directory(beside: Path) -> Iterator[Path]:
    """A directory beside another path, to fill and rename; what is left of it is removed.

    It is locked while the block lasts, so that sweepers leave it alone.
    """
    partial, descriptor = _make_partial_directory(beside)
    try:
        yield partial
    finally:
        os.close(descriptor)
        shutil.rmtree(partial, ignore_errors=True)


def _make_partial_directory(beside: Path) -> tuple[Path, int]:
    while True:
        partial = beside.with_name(f"{PARTIAL}{secrets.token_hex(8)}")
        partial.mkdir()
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if partial.is_dir():
                return partial, descriptor
            os.close(descriptor)  # swept between being made and being locked


def unsynced_disk() -> Disk:
    """A disk for what is checked before each use and can be made again."""
    return Disk(sync=None)


def sweep(directories: Iterable[Path]) -> int:
    """Removes what dead writers left half done in these directories; how many."""
    swept = 0
    for directory in directories:
        if directory.is_dir():
            for entry in directory.iterdir():
                if entry.name.startswith(PARTIAL) and _writer_is_dead(entry):
                    swept += 1
    return swept


def _writer_is_dead(entry: Path) -> bool:
    """Removes the entry, file or directory, if nobody holds its lock; whether it did."""
    try:
        descriptor = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
