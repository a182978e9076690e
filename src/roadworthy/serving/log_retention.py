"""Keeps the prediction log within the age and size that are set: the oldest segments go first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from roadworthy.serving.log_segments import SUFFIX

DAY_SECONDS = 86_400.0
SUFFIXES = (SUFFIX, ".parquet")
"""How segments end: as gateways write them, and as they are kept."""


class Segment(NamedTuple):
    """A file of the log: when it was begun (seconds since 1970), its bytes, its path."""

    begun: float
    bytes: int
    path: Path


def segments(directory: Path) -> Iterator[Segment]:
    """All segments below a log's directory, in no order. Their names begin with microseconds."""
    for path in directory.glob("*/*/*/*"):
        begun = path.name.partition("-")[0]
        with contextlib.suppress(FileNotFoundError):
            if path.suffix in SUFFIXES and begun.isdigit():
                yield Segment(int(begun) / 1e6, path.stat().st_size, path)


def retain(directory: Path, now: float, days: float, most_bytes: int) -> list[Path]:
    """Remove what is older than ``days`` or beyond ``most_bytes``; 0 means without that limit.

    Returns what was removed, oldest first. Raises OSError.
    """
    if not days and not most_bytes:
        return []
    found = sorted(segments(directory))
    size = sum(segment.bytes for segment in found)
    removed = []
    for segment in found:
        too_old = days and segment.begun < now - days * DAY_SECONDS
        if not too_old and not (most_bytes and size > most_bytes):
            break
        segment.path.unlink(missing_ok=True)
        size -= segment.bytes
        removed.append(segment.path)
    for folder in {path.parent for path in removed}:
        with contextlib.suppress(OSError):
            folder.rmdir()
    return removed
