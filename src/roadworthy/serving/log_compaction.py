"""Puts small segments of the prediction log together: one file for what many held.

A note says first which segments the new one stands for; those are removed the next time. Whoever
lists a folder leaves out what a note names where what stands for it is in the list, so that each
row is found once whatever is killed, or asked for, when.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import msgspec

from roadworthy.serving.log_retention import Segment, segments

SMALL_BYTES = 1 << 20
MOST_BYTES = 8 << 20
FEWEST = 8
SETTLED_SECONDS = 600.0
"""Segments begun so long ago are complete, and nobody waits for their rows any more."""
NOTE = ".replaces"


def superseded(folder: Path, listed: set[str]) -> set[str]:
    """The names of segments whose rows another one has that is among those ``listed``."""
    found: set[str] = set()
    for note in folder.glob(f".*{NOTE}"):
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            if note.name.removesuffix(NOTE)[1:] in listed:
                found.update(msgspec.json.decode(note.read_bytes(), type=list[str]))
    return found


def compact(directory: Path, now: float, fewest: int = FEWEST) -> int:
    """Put together what is small and old enough in each folder; how many segments that were.

    First removes what was put together before. Raises OSError.
    """
    by_folder: dict[Path, list[Segment]] = {}
    for segment in segments(directory):
        by_folder.setdefault(segment.path.parent, []).append(segment)
    count = 0
    for folder, found in sorted(by_folder.items()):
        _settle(folder)
        small = [s for s in sorted(found) if s.bytes < SMALL_BYTES and s.path.exists()]
        for group in _groups([s for s in small if s.begun < now - SETTLED_SECONDS]):
            if len(group) >= fewest:
                count += _put_together(folder, group, now)
    return count


def _groups(small: list[Segment]) -> list[list[Segment]]:
    groups: list[list[Segment]] = []
    size = MOST_BYTES
    for segment in small:
        if size + segment.bytes > MOST_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(segment)
        size += segment.bytes
    return groups


def _put_together(folder: Path, group: list[Segment], now: float) -> int:
    """Write the group's rows as one segment; of how many segments, all with the same columns."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    tables: list[Any] = []
    paths: list[Path] = []
    for segment in group:
        try:
            with parquet.ParquetFile(segment.path) as file:
                table = file.read(use_threads=False)
        except (pa.ArrowException, FileNotFoundError):
            continue  # who asks for its rows is told
        if not tables or table.schema.equals(tables[0].schema):
            tables.append(table)
            paths.append(segment.path)
    if len(paths) < 2:
        return 0
    start = paths[0].name.partition("-")[0]
    target = folder / f"{start}-{int(now * 1e6)}-{len(paths)}.parquet"
    note = folder / f".{target.name}{NOTE}"
    _write(note, msgspec.json.encode([path.name for path in paths]))
    fresh = folder / f".{target.name}.new"
    try:
        with fresh.open("wb") as file:
            parquet.write_table(pa.concat_tables(tables), file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        newest = max(path.stat().st_mtime_ns for path in paths)
        os.utime(fresh, ns=(newest, newest))  # no row in it is newer
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    tables.clear()
    del table
    pa.default_memory_pool().release_unused()
    return len(paths)


def _settle(folder: Path) -> None:
    """Remove what has a successor, then the notes, also those of what never came about."""
    for name in superseded(folder, {path.name for path in folder.iterdir()}):
        (folder / name).unlink(missing_ok=True)
    for note in folder.glob(f".*{NOTE}"):
        note.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
