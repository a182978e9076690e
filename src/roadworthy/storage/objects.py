"""Blobs in an object store (S3, Google Cloud Storage, Azure) through obstore."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from blake3 import blake3
from obstore import exceptions as foreign
from obstore import store as stores

from roadworthy.errors import RoadworthyError, SettingsError, StorageError, Unavailable
from roadworthy.storage.digests import CHUNK, check_digest, digest_of, digest_of_file, short
from roadworthy.storage.directory import damaged, missing
from roadworthy.storage.disk import translated, unsynced_disk

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_IN_MEMORY = 8 << 20
_RETRIES: RetryConfig = {
    "retry_timeout": timedelta(seconds=30),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=4),
        "base": 2,
    },
}


class ObjectBlobs:
    """The Blobs contract on an obstore store: one object a blob, ``<two digits>/<62 digits>``.

    obstore retries what can help (5xx, throttling, dropped connections) with exponential
    back-off and jitter, five times and half a minute at most. A put of immutable content is
    idempotent, so repeating it does no harm.
    """

    readers = 8

    def __init__(self, store: stores.ObjectStore, place: str) -> None:
        self._store = store
        self.place = place

    def put(self, data: bytes | bytearray) -> str:
        """Keeps a content; its digest. Raises StorageError, Unavailable."""
        digest = digest_of(data)
        with self._calling("writing", digest):
            obstore.put(self._store, _key(digest), data, use_multipart=False)
        return digest

    def put_file(self, path: Path) -> tuple[str, int]:
        """Keeps a file's content; digest and bytes. Raises StorageError, Unavailable."""
        with translated(f"reading {path}"):
            size = path.stat().st_size
            if size <= _IN_MEMORY:
                return self.put(path.read_bytes()), size
            digest = digest_of_file(path)
        with self._calling("writing", digest):
            obstore.put(self._store, _key(digest), _unchanged(path, digest))
        return digest, size

    def get(self, digest: str) -> bytes:
        """The content, checked. Raises Damaged, StorageError, Unavailable."""
        with self._calling("reading", digest):
            data = bytes(obstore.get(self._store, _key(digest)).bytes())
        if digest_of(data) != digest:
            raise damaged(digest, self.place)
        return data

    def read(self, digest: str, start: int, length: int) -> bytes:
        """Some of a blob's bytes, not checked. Raises StorageError, Unavailable."""
        if length <= 0:
            return b""
        with self._calling("reading", digest):
            part = obstore.get_range(self._store, _key(digest), start=start, length=length)
            return bytes(part)

    def read_into(self, digest: str, start: int, into: memoryview) -> int:
        """The same into memory that is there; how many bytes it was. Raises the same."""
        data = self.read(digest, start, len(into))
        into[: len(data)] = data
        return len(data)

    def copy_to(self, digest: str, target: Path) -> None:
        """Writes the content, checked, to a file. Raises Damaged, StorageError, Unavailable."""
        hasher = blake3()
        with unsynced_disk().replacing(target) as copy:
            with self._calling("reading", digest):
                for chunk in obstore.get(self._store, _key(digest)).stream(min_chunk_size=CHUNK):
                    hasher.update(chunk)
                    copy.write(chunk)
            if hasher.hexdigest() != digest:
                raise damaged(digest, self.place)

    def size(self, digest: str) -> int | None:
        """The bytes of a blob, None if there is none. Raises StorageError, Unavailable."""
        try:
            with self._calling("looking for", digest):
                return int(obstore.head(self._store, _key(digest))["size"])
        except StorageError as error:
            if _is_absence(error.__cause__):
                return None
            raise

    def exists(self, digest: str) -> bool:
        """Whether there is a blob of this name. Raises StorageError, Unavailable."""
        return self.size(digest) is not None

    def delete(self, digest: str) -> None:
        """Removes a blob if it is there. Raises StorageError, Unavailable."""
        try:
            with self._calling("deleting", digest):
                obstore.delete(self._store, _key(digest))
        except StorageError as error:
            if not _is_absence(error.__cause__):
                raise

    def digests(self) -> Iterator[str]:
        """The names of all blobs. Raises StorageError, Unavailable."""
        with self._calling("listing", None):
            for page in obstore.list(self._store, chunk_size=1000):
                for entry in page:
                    name = entry["path"].replace("/", "")
                    if len(name) == 64:
                        yield name

    def sweep(self) -> int:
        """Nothing: an object store shows no half-written objects."""
        return 0

    @contextlib.contextmanager
    def _calling(self, action: str, digest: str | None) -> Iterator[None]:
        """Turns obstore's errors into ours, naming the blob and the action."""
        try:
            yield
        except (foreign.BaseError, OSError) as error:
            raise translate(error, action, digest, self.place) from error


def translate(error: Exception, action: str, digest: str | None, place: str) -> RoadworthyError:
    """Our error for one of obstore's."""
    what = f"{action} blob {short(digest)} in {place}" if digest else f"{action} blobs in {place}"
    if _is_absence(error):
        if digest and action == "reading":
            return missing(digest, place)
        return StorageError(f"{what} failed: not found", cure="make the bucket, or check its name")
    return trouble(error, what)


def trouble(error: Exception, what: str, again: str = "") -> RoadworthyError:
    """Our error for one of obstore's that is no absence; ``again`` says how to try once more."""
    if isinstance(
        error, (foreign.PermissionDeniedError, foreign.UnauthenticatedError, PermissionError)
    ):
        return StorageError(
            f"{what} is not allowed",
            cure="give the credentials in the service's own variables (AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY …) and check their rights",
        )
    if isinstance(error, foreign.GenericError):
        return Unavailable(
            f"{what} failed, also when repeated: {_first_line(error)}",
            cure=f"check that the object store answers, then {again or 'try again'}",
        )
    return StorageError(f"{what} failed: {_first_line(error)}", cure=again)


def open_object_store(
    url: str, options: Mapping[str, str], most_retries: int = 5
) -> stores.ObjectStore:
    """The store at a URL. Raises SettingsError."""
    client: ClientConfig = {"timeout": "30s", "connect_timeout": "5s"}
    given = dict(options)
    if given.get("endpoint", "").startswith("http://"):
        client["allow_http"] = True
    config: Any = given
    try:
        return stores.from_url(
            url,
            config=config or None,
            client_options=client,
            retry_config={**_RETRIES, "max_retries": most_retries},
        )
    except (foreign.BaseError, ValueError) as error:
        raise SettingsError(
            f"blobs can't be kept at {url!r}: {_first_line(error)}",
            cure="check `blobs` and `blob_options` in roadworthy.toml",
        ) from error


def _is_absence(error: BaseException | None) -> bool:
    return isinstance(error, (foreign.NotFoundError, FileNotFoundError))


def _key(digest: str) -> str:
    check_digest(digest)
    return f"{digest[:2]}/{digest[2:]}"


def _unchanged(path: Path, digest: str) -> Iterator[bytes]:
    """A file's chunks. Raises StorageError at the end if it is not what was announced."""
    hasher = blake3()
    with path.open("rb") as file:
        while chunk := file.read(_IN_MEMORY):
            hasher.update(chunk)
            yield chunk
    if hasher.hexdigest() != digest:
        raise StorageError(f"{path} was changed while it was being stored", cure="try again")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
