"""Objects under a prefix in S3, Google Cloud Storage or Azure."""

from __future__ import annotations

import contextlib
import fnmatch
import re
from collections.abc import Iterator
from dataclasses import replace

import obstore
from blake3 import blake3
from obstore import exceptions as foreign

from roadworthy.data.ingestion.arriving import Arrived, Found, Visit
from roadworthy.errors import Unavailable, UsageError
from roadworthy.storage.objects import open_object_store

_PAGE = 1000
_CHUNK = 1 << 20
_MAGIC = re.compile(r"[*?\[]")


class ObjectReader:
    """Each object is a delivery; its ETag (or size) and time are its version."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        scheme, _, rest = visit.source.url.partition("://")
        bucket, _, self._pattern = rest.partition("/")
        self._store = open_object_store(f"{scheme}://{bucket}", visit.source.options)

    def look(self) -> Found:
        """The objects that are new or changed, by time and path."""
        fresh: list[tuple[str, str, str]] = []
        folder = _MAGIC.split(self._pattern)[0].rpartition("/")[0]
        whole = self._pattern if _MAGIC.search(self._pattern) else f"{self._pattern.rstrip('/')}*"
        with self._calling("listing"):
            for page in obstore.list(self._store, prefix=folder or None, chunk_size=_PAGE):
                listed = [
                    (str(entry["last_modified"]), entry["path"], _version(entry))
                    for entry in page
                    if fnmatch.fnmatchcase(entry["path"], whole)
                ]
                known = self._visit.known([path for _, path, _ in listed])
                fresh += [each for each in listed if each[1:] not in known]
        fresh.sort()
        most = self._visit.source.most_deliveries
        arrived = [Arrived(identity=path, version=version) for _, path, version in fresh[:most]]
        return Found(arrived, {}, left=len(fresh) > most)

    def fetch(self, one: Arrived) -> Arrived | None:
        """The object's bytes, if it is still the version that was listed."""
        target = self._visit.scratch / f"{blake3(one.identity.encode()).hexdigest()[:16]}"
        hasher = blake3()
        with self._calling(f"reading {one.identity}"):
            try:
                got = obstore.get(self._store, one.identity)
            except (foreign.NotFoundError, FileNotFoundError):
                return None
            if _version(got.meta) != one.version:
                return None
            if got.meta["size"] > self._visit.source.most_bytes:
                raise UsageError(
                    f"{self._visit.place}: {one.identity} has more than most_bytes",
                    cure="raise most_bytes",
                )
            with target.open("wb") as copy:
                for chunk in got.stream(min_chunk_size=_CHUNK):
                    hasher.update(chunk)
                    copy.write(chunk)
        return replace(one, content=hasher.hexdigest(), file=target)

    def done(self) -> None:
        """Objects stay where they are."""

    def close(self) -> None:
        """Connections are obstore's own."""

    @contextlib.contextmanager
    def _calling(self, action: str) -> Iterator[None]:
        try:
            yield
        except (foreign.BaseError, OSError) as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            refused = (foreign.PermissionDeniedError, foreign.UnauthenticatedError)
            cure = (
                "check `options` of the source and the rights they give"
                if isinstance(error, refused)
                else "check that the object store answers; it is tried again at the next poll"
            )
            message = f"{self._visit.place}: {action} failed: {said}"
            raise Unavailable(message, cure=cure) from error


def _version(entry: obstore.ObjectMeta) -> str:
    tag = (entry["e_tag"] or "").strip('"')  # Azure quotes it in some answers
    return f"{tag or entry['size']} {entry['last_modified'].isoformat()}"
