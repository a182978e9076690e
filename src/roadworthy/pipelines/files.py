"""Files where pipelines read and write: on a local disk, or in an object store by its URL."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from roadworthy.errors import NotFound, RoadworthyError, StorageError, UsageError
from roadworthy.storage.disk import Disk, sweep, translated

OBJECT_SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss")
_BUFFER = 1 << 20


class Files(Protocol):
    """The files of one place, by their paths in it.

    What is written appears whole or not at all, and is durable when ``writing`` has ended.
    Foreign errors come out as StorageError or Unavailable, naming the file.
    """

    def fingerprint(self, path: str) -> str:
        """What changes with the content: size and time or tag; empty where there is no file."""

    def open(self, path: str) -> BinaryIO:
        """The file for reading, with seeking. Raises NotFound."""

    def writing(self, path: str, within: str = "") -> contextlib.AbstractContextManager[BinaryIO]:
        """A file to write, which takes the place of ``path`` when the block ends well.

        What a killed writer leaves is in the folder ``within``, or else beside ``path``.
        """

    def names(self, folder: str) -> list[str]:
        """The paths of the files directly in a folder."""

    def delete(self, path: str) -> None:
        """Removes a file if it is there."""


def locate(url: str, options: Mapping[str, str] | None = None) -> tuple[Files, str]:
    """The place that a path or URL is in, and the path there. Raises UsageError, SettingsError.

    ``options`` are obstore's settings of an object store (``endpoint``, ``region`` …).

    >>> locate("/data/rows.csv")[1], locate("file:///data/rows.csv")[1]
    ('/data/rows.csv', '/data/rows.csv')
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "file":
        return LocalFiles(), str(Path(rest if separator else url).absolute())
    if scheme not in OBJECT_SCHEMES:
        raise UsageError(
            f"{url!r} can't be used: {scheme}:// is not a kind of place that is known",
            cure="use a file's path, or a URL that begins with s3://, gs:// or az://",
        )
    bucket, _, path = rest.partition("/")
    if not bucket or not path:
        raise UsageError(f"{url!r} names no object", cure=f"write {scheme}://bucket/path")
    return ObjectFiles(f"{scheme}://{bucket}", options or {}), path


class LocalFiles:
    """Files on this machine's disks."""

    def __init__(self) -> None:
        self._disk = Disk()

    def fingerprint(self, path: str) -> str:
        """Size and time of its last change."""
        try:
            found = Path(path).stat()
        except FileNotFoundError:
            return ""
        return f"{found.st_size}-{found.st_mtime_ns}"

    def open(self, path: str) -> BinaryIO:
        """The file for reading. Raises NotFound, StorageError."""
        try:
            with translated(f"reading {path}"):
                return Path(path).open("rb")
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise NotFound(f"there is no file {path}", cure="check the path") from None
            raise

    def writing(self, path: str, within: str = "") -> contextlib.AbstractContextManager[BinaryIO]:
        """A file to write. Raises StorageError."""
        return self._disk.replacing(Path(path), Path(within) if within else None)

    def names(self, folder: str) -> list[str]:
        """The files directly in a folder; what killed writers left is removed before."""
        if not Path(folder).is_dir():
            return []
        sweep([Path(folder)])
        return sorted(str(path) for path in Path(folder).iterdir() if path.is_file())

    def delete(self, path: str) -> None:
        """Removes a file, and its folder if that is empty now."""
        Path(path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            Path(path).parent.rmdir()


class ObjectFiles:
    """Objects of one bucket, through obstore, which repeats what can help."""

    def __init__(self, place: str, options: Mapping[str, str]) -> None:
        from roadworthy.storage.objects import open_object_store

        self._place = place
        self._store = open_object_store(place, options)

    def fingerprint(self, path: str) -> str:
        """Size and the store's tag."""
        import obstore

        try:
            with self._calling("looking for", path):
                found = obstore.head(self._store, path)
        except NotFound:
            return ""
        return f"{found['size']}-{found['e_tag'] or found['last_modified']}"

    def open(self, path: str) -> BinaryIO:
        """The object for reading, a buffer at a time. Raises what reading it does."""
        import obstore

        with self._calling("reading", path):
            reader = obstore.open_reader(self._store, path, buffer_size=_BUFFER)
        return _Reader(reader, lambda: self._calling("reading", path))  # type: ignore[return-value]

    @contextlib.contextmanager
    def writing(self, path: str, within: str = "") -> Iterator[BinaryIO]:
        """A file that is uploaded when the block ends well; it lies on the local disk till then."""
        import obstore

        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            with self._calling("writing", path):
                obstore.put(self._store, path, file)

    def names(self, folder: str) -> list[str]:
        """The objects whose path begins with the folder's."""
        import obstore

        with self._calling("listing", folder):
            pages = obstore.list(self._store, prefix=folder, chunk_size=1000)
            return sorted(entry["path"] for page in pages for entry in page)

    def delete(self, path: str) -> None:
        """Removes an object if it is there."""
        import obstore

        with contextlib.suppress(NotFound), self._calling("deleting", path):
            obstore.delete(self._store, path)

    @contextlib.contextmanager
    def _calling(self, action: str, path: str) -> Iterator[None]:
        from obstore import exceptions as foreign

        try:
            yield
        except (foreign.BaseError, OSError) as error:
            raise _translate(error, f"{action} {self._place}/{path}") from error


class _Reader(io.RawIOBase):
    """obstore's reader as Python's own kind of file, its errors translated."""

    def __init__(self, reader: Any, calling: Any) -> None:
        self._reader = reader
        self._calling = calling

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with self._calling():
            return int(self._reader.seek(offset, whence))

    def tell(self) -> int:
        return int(self._reader.tell())

    def read(self, size: int | None = -1) -> bytes:
        with self._calling():
            return bytes(self._reader.read(None if size is None or size < 0 else size))

    def readall(self) -> bytes:
        return self.read()


def _translate(error: Exception, what: str) -> RoadworthyError:
    from obstore import exceptions as foreign

    from roadworthy.storage.objects import trouble

    if isinstance(error, (foreign.NotFoundError, FileNotFoundError)):
        return NotFound(f"{what} failed: it is not there", cure="check bucket and path")
    return trouble(error, what, again="run the same command again")
