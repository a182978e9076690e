"""Blobs in a local directory: durable writes, checked reads.

obstore's local store renames without a sync, so a power cut could leave an empty blob under
a right name; this one keeps what data.md promises.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

from roadworthy.errors import Damaged, StorageError
from roadworthy.storage.digests import CHUNK, check_digest, digest_of, digest_of_file, short
from roadworthy.storage.disk import Disk, sweep, translated, unsynced_disk


class DirectoryBlobs:
    """The Blobs contract on a directory: ``<root>/<two digits>/<62 digits>``."""

    readers = 1

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self.root = root
        self.disk = disk or Disk()

    def path(self, digest: str) -> Path:
        """Where the blob of this digest is or would be."""
        check_digest(digest)
        return self.root / digest[:2] / digest[2:]

    def put(self, data: bytes | bytearray) -> str:
        """Keeps a content; its digest. Raises StorageError."""
        digest = digest_of(data)
        if not self._is_whole(digest):
            self.disk.write(self.path(digest), data)
        return digest

    def put_file(self, path: Path) -> tuple[str, int]:
        """Keeps a file's content; digest and bytes. Raises StorageError."""
        with translated(f"reading {path}"):
            digest, size = digest_of_file(path), path.stat().st_size
        if not self._is_whole(digest):
            with self.disk.replacing(self.path(digest)) as copy, path.open("rb") as original:
                hasher = blake3()
                while chunk := original.read(CHUNK):
                    hasher.update(chunk)
                    copy.write(chunk)
                if hasher.hexdigest() != digest:
                    raise StorageError(
                        f"{path} was changed while it was being stored", cure="try again"
                    )
        return digest, size

    def get(self, digest: str) -> bytes:
        """The content, checked. Raises Damaged, StorageError."""
        with self._reading(digest, "reading"):
            data = self.path(digest).read_bytes()
        if digest_of(data) != digest:
            raise damaged(digest, str(self.root))
        return data

    def read(self, digest: str, start: int, length: int) -> bytes:
        """Some of a blob's bytes, not checked. Raises StorageError."""
        data = bytearray(length)
        return bytes(data[: self.read_into(digest, start, memoryview(data))])

    def read_into(self, digest: str, start: int, into: memoryview) -> int:
        """The same into memory that is there; how many bytes it was. Raises StorageError."""
        with self._reading(digest, "reading"):
            descriptor = os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
            try:
                return _read_all(descriptor, start, into)
            finally:
                os.close(descriptor)

    def copy_to(self, digest: str, target: Path) -> None:
        """Writes the content, checked, to a file. Raises Damaged, StorageError."""
        with self._reading(digest, "reading"):
            original = self.path(digest).open("rb")
        with original, unsynced_disk().replacing(target) as copy:
            hasher = blake3()
            with self._reading(digest, "reading"):
                while chunk := original.read(CHUNK):
                    hasher.update(chunk)
                    copy.write(chunk)
            if hasher.hexdigest() != digest:
                raise damaged(digest, str(self.root))

    def size(self, digest: str) -> int | None:
        """The bytes of a blob, None if there is none. Raises StorageError."""
        with translated(f"looking for blob {short(digest)} in {self.root}"):
            try:
                return self.path(digest).stat().st_size
            except FileNotFoundError:
                return None

    def exists(self, digest: str) -> bool:
        """Whether there is a blob of this name."""
        return self.size(digest) is not None

    def delete(self, digest: str) -> None:
        """Removes a blob if it is there. Raises StorageError."""
        self.disk.check_writable()
        path = self.path(digest)
        with translated(f"deleting blob {short(digest)}"), contextlib.suppress(FileNotFoundError):
            path.unlink()
            self.disk.sync_directory(path.parent)

    def digests(self) -> Iterator[str]:
        """The names of all blobs."""
        for directory in sorted(self._directories()):
            for entry in sorted(directory.iterdir()):
                name = directory.name + entry.name
                if len(name) == 64 and not entry.name.startswith("."):
                    yield name

    def sweep(self) -> int:
        """Removes what dead writers left half done; how many."""
        return sweep(self._directories())

    def _directories(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        return [entry for entry in self.root.iterdir() if len(entry.name) == 2 and entry.is_dir()]

    def _is_whole(self, digest: str) -> bool:
        """Whether the content is there undamaged; then also makes its name durable.

        Whoever renamed it may have died before the directory was synced.
        """
        self.disk.check_writable()
        path = self.path(digest)
        try:
            if digest_of_file(path) != digest:
                return False
        except OSError:
            return False
        self.disk.sync_directory(path.parent)
        return True

    @contextlib.contextmanager
    def _reading(self, digest: str, action: str) -> Iterator[None]:
        try:
            with translated(f"{action} blob {short(digest)} in {self.root}"):
                yield
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise missing(digest, str(self.root)) from error
            raise


def _read_all(descriptor: int, start: int, into: memoryview) -> int:
    """All that was asked for, or what there is: one call may give less than that."""
    done = 0
    while done < len(into) and (count := os.preadv(descriptor, [into[done:]], start + done)):
        done += count
    return done


def damaged(digest: str, place: str) -> Damaged:
    """The error for a blob whose bytes are not those of its name."""
    return Damaged(
        f"blob {short(digest)} in {place} is damaged: its bytes have another digest",
        cure="deploy the program again, which mends it, or restore it from a backup",
        blob=digest,
    )


def missing(digest: str, place: str) -> StorageError:
    """The error for a blob that is not there."""
    return StorageError(
        f"blob {short(digest)} is missing in {place}",
        cure="deploy the program again, which mends it, or restore it from a backup",
        blob=digest,
    )
