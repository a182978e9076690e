"""Makes what gateways wrote Parquet, and puts small segments together: one file for many.

A note says first which segments the new one stands for; those are removed a while later. Whoever
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
from roadworthy.serving.log_segments import SUFFIX
from roadworthy.serving.log_tables import plain, read_table
from roadworthy_runtime.frames import FrameError

SMALL_BYTES = 1 << 20
MOST_BYTES = 8 << 20
GROUP_BYTES = 32 << 20
"""How much of what a new segment has waits in memory, as Arrow lays it out."""
FEWEST = 8
STATISTICS = ["time", "request_id", "caller"]
"""Columns that rows are looked for by: of these alone a segment says what is least and greatest."""
SETTLED_SECONDS = 600.0
"""Segments begun so long ago are complete, and nobody waits for their rows any more."""
GRACE_SECONDS = 60.0
"""What has a successor stays so long, for those who have listed it and not read it yet."""
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
    """Make Parquet of what gateways wrote, and one segment of what is small and old enough.

    First removes what was put together before. Returns how many segments were replaced. Raises
    OSError.
    """
    by_folder: dict[Path, list[Segment]] = {}
    for segment in segments(directory):
        by_folder.setdefault(segment.path.parent, []).append(segment)
    count = 0
    for folder, listed in sorted(by_folder.items()):
        _settle(folder, now)
        gone = superseded(folder, {segment.path.name for segment in listed})
        found = [s for s in sorted(listed) if s.path.name not in gone and s.path.exists()]
        for group in _groups([s for s in found if s.path.suffix == SUFFIX]):
            count += _put_together(folder, group, now)
        small = [s for s in found if s.path.suffix != SUFFIX and s.bytes < SMALL_BYTES]
        for group in _groups([s for s in small if s.begun < now - SETTLED_SECONDS]):
            if len(group) >= fewest:
                count += _put_together(folder, group, now, least=2)
    return count


def _groups(found: list[Segment]) -> list[list[Segment]]:
    groups: list[list[Segment]] = []
    size = MOST_BYTES
    for segment in found:
        if size + segment.bytes > MOST_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(segment)
        size += segment.bytes
    return groups


def _put_together(folder: Path, group: list[Segment], now: float, least: int = 1) -> int:
    """Write the group's rows, one segment for each set of columns; how many that replaces."""
    import pyarrow as pa

    begun: list[_Successor] = []
    try:
        for segment in group:
            try:
                table = _read(segment.path)
            except (pa.ArrowException, FrameError, FileNotFoundError):
                continue  # who asks for its rows is told
            place = next((at for at, each in enumerate(begun) if each.takes(table)), len(begun))
            if place == len(begun):
                begun.append(_Successor(folder / f".{int(now * 1e6)}-{place}.parquet.new"))
            begun[place].add(segment.path, table)
        wanted = [each for each in begun if len(each.paths) >= least]
        for each in wanted:
            start = each.paths[0].name.partition("-")[0]
            number = begun.index(each)
            each.replace(folder / f"{start}-{int(now * 1e6)}-{len(each.paths)}-{number}.parquet")
        return sum(len(each.paths) for each in wanted)
    finally:
        for each in begun:
            each.close()


def _read(path: Path) -> Any:
    """A segment's rows, as they can be written."""
    table = read_table(path)
    return plain(table) if _has_durations(table) else table


def _has_durations(table: Any) -> bool:
    import pyarrow as pa

    return any(pa.types.is_duration(field.type) for field in table.schema)


class _Successor:
    """A segment that is being written for several: their rows wait in bounded memory.

    Dictionaries are read back as what they hold. Parquet has no type of its own for durations, so
    that a table with some has to say Arrow's types.
    """

    def __init__(self, fresh: Path) -> None:
        self.paths: list[Path] = []
        self._fresh = fresh
        self._file = fresh.open("wb")
        self._writer: Any = None
        self._waiting: list[Any] = []

    def takes(self, table: Any) -> bool:
        """Whether it has the same columns."""
        return bool(table.schema.equals(self._writer.schema))

    def add(self, path: Path, table: Any) -> None:
        """Take the rows of a segment."""
        import pyarrow.parquet as parquet

        self.paths.append(path)
        if self._writer is None:
            self._writer = parquet.ParquetWriter(
                self._file,
                table.schema,
                compression="zstd",
                write_statistics=STATISTICS,
                store_schema=_has_durations(table),
            )
        self._waiting.append(table)
        if sum(each.nbytes for each in self._waiting) > GROUP_BYTES:
            self._write()

    def replace(self, target: Path) -> None:
        """Note what the target stands for, then put it there."""
        self._write()
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        newest = max(path.stat().st_mtime_ns for path in self.paths)
        os.utime(self._fresh, ns=(newest, newest))  # no row in it is newer
        names = [path.name for path in self.paths]
        _write(target.with_name(f".{target.name}{NOTE}"), msgspec.json.encode(names))
        self._fresh.replace(target)

    def close(self) -> None:
        """Leave nothing half done."""
        if self._writer is not None:
            self._writer.close()
        self._file.close()
        self._fresh.unlink(missing_ok=True)

    def _write(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting).unify_dictionaries())
            self._waiting.clear()


def _settle(folder: Path, now: float) -> None:
    """Remove what has had a successor for a while, then the note, also of what never came about.

    What was begun and not finished goes too: nobody else is at it.
    """
    for begun in folder.glob(".*.parquet*.new"):
        begun.unlink()
    for note in folder.glob(f".*{NOTE}"):
        target = note.name.removesuffix(NOTE)[1:]
        if int(target.split("-")[1]) / 1e6 > now - GRACE_SECONDS:
            continue
        if (folder / target).exists():
            for name in msgspec.json.decode(note.read_bytes(), type=list[str]):
                (folder / name).unlink(missing_ok=True)
        note.unlink()


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
