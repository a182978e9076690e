"""Files of this machine that match a pattern."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

from blake3 import blake3

from roadworthy.data.ingestion.arriving import Arrived, Found, Visit
from roadworthy.errors import Unavailable, UsageError

_CHUNK = 1 << 20
_MAGIC = re.compile(r"[*?\[]")


class FileReader:
    """Each file is a delivery; its size, time and place on the disk are its version.

    A file that was written to less than ``settle_seconds`` ago waits for the next look.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._pattern = visit.source.url.removeprefix("file://")

    def look(self) -> Found:
        """The files that are new or changed, by time and path."""
        found: list[tuple[int, str, str]] = []
        settle = self._visit.source.settle_seconds
        root, pattern = self._split()
        if not root.is_dir():
            raise Unavailable(
                f"{self._visit.place}: there is no folder {root}", cure="make it, or mount it"
            )
        for path in root.glob(pattern):
            name = str(path)
            if not path.is_file():
                continue
            status = path.stat()
            if 0 <= time.time() - status.st_mtime < settle:
                continue
            found.append((status.st_mtime_ns, name, _version(path)))
        known = self._visit.known([name for _, name, _ in found])
        fresh = sorted(each for each in found if each[1:] not in known)
        most = self._visit.source.most_deliveries
        arrived = [Arrived(identity=name, version=version) for _, name, version in fresh[:most]]
        return Found(arrived, {}, left=len(fresh) > most)

    def fetch(self, one: Arrived) -> Arrived | None:
        """A copy of the file, if it did not change while it was made."""
        path = Path(one.identity)
        target = self._visit.scratch / f"{blake3(one.identity.encode()).hexdigest()[:16]}"
        hasher = blake3()
        try:
            if path.stat().st_size > self._visit.source.most_bytes:
                raise UsageError(
                    f"{self._visit.place}: {path} has more than most_bytes", cure="raise most_bytes"
                )
            with path.open("rb") as source, target.open("wb") as copy:
                while chunk := source.read(_CHUNK):
                    hasher.update(chunk)
                    copy.write(chunk)
            if _version(path) != one.version:
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(
                f"{self._visit.place}: {path} can't be read: {error.strerror}",
                cure="give this user the right to read it",
            ) from error
        return replace(one, content=hasher.hexdigest(), file=target)

    def done(self) -> None:
        """Files stay where they are."""

    def close(self) -> None:
        """Nothing is open."""

    def _split(self) -> tuple[Path, str]:
        """The folder in which to look, and the pattern of what is looked for there."""
        path = Path(self._pattern)
        if path.is_dir():
            return path, "*"
        parts = path.parts
        fixed = next((n for n, part in enumerate(parts) if _MAGIC.search(part)), len(parts) - 1)
        return Path(*parts[:fixed]), "/".join(parts[fixed:])


def _version(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"
