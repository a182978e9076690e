"""Blobs: immutable contents, each named by the BLAKE3 digest of its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from roadworthy.errors import SettingsError


class Blobs(Protocol):
    """A place for contents by digest.

    The contract, which ``testing.blobs.BlobContract`` checks:

    - when ``put`` or ``put_file`` returns, the content is durable and whole; putting what is
      there already changes nothing, and mends it if it was damaged;
    - ``get`` and ``copy_to`` give exactly what was put, checked by digest, or raise: Damaged
      where bytes differ, StorageError where there is none. ``copy_to`` leaves no file then;
    - a failed put leaves nothing that ``exists``, ``digests`` or ``get`` would show;
    - ``delete`` of what is not there does nothing;
    - foreign errors come out as StorageError (something is wrong here) or Unavailable (trying
      later can help), naming the blob and what was being done.

    Safe to be used by several threads and processes at once.
    """

    readers: int
    """How many reads at once bring what is read sooner: 1 where no time is spent waiting."""

    def put(self, data: bytes | bytearray) -> str:
        """Keeps a content; its digest."""

    def put_file(self, path: Path) -> tuple[str, int]:
        """Keeps a file's content without having it in memory; digest and bytes."""

    def get(self, digest: str) -> bytes:
        """The content, checked."""

    def read(self, digest: str, start: int, length: int) -> bytes:
        """Some of a blob's bytes, *not* checked: whoever asks knows a digest of just these.

        Fewer than ``length`` where the blob ends before.
        """

    def read_into(self, digest: str, start: int, into: memoryview) -> int:
        """The same into memory that is there, as much as it takes; how many bytes it was."""

    def copy_to(self, digest: str, target: Path) -> None:
        """Writes the content, checked, to a file that takes the place of ``target`` at once."""

    def size(self, digest: str) -> int | None:
        """The bytes of a blob, None if there is none (its content is not checked)."""

    def exists(self, digest: str) -> bool:
        """Whether there is a blob of this name (its content is not checked)."""

    def delete(self, digest: str) -> None:
        """Removes a blob if it is there."""

    def digests(self) -> Iterator[str]:
        """The names of all blobs."""

    def sweep(self) -> int:
        """Removes what dead writers left half done; how many."""


def open_blobs(url: str, options: Mapping[str, str] | None = None) -> Blobs:
    """The blobs at a URL: a directory's path, ``file://``, ``s3://``, ``gs://`` or ``az://``.

    ``options`` are obstore's settings of the service (``endpoint``, ``region`` …); what is
    not given there comes from the service's own variables (``AWS_ACCESS_KEY_ID`` …).
    Raises SettingsError where the URL can't be used.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "file":
        from roadworthy.storage.directory import DirectoryBlobs

        return DirectoryBlobs(Path(rest if separator else url))
    if scheme in ("s3", "s3a", "gs", "az", "abfs", "abfss"):
        from roadworthy.storage.objects import ObjectBlobs, open_object_store

        return ObjectBlobs(open_object_store(url, options or {}), url)
    raise SettingsError(
        f"blobs can't be kept at {url!r}: {scheme}:// is not a kind of store that is known",
        cure="use a directory, or a URL that begins with s3://, gs:// or az://",
    )
