"""Reading the prediction log: rows by time, release, request, caller and outcome, newest first."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from roadworthy.core.names import nearest
from roadworthy.core.values import Value
from roadworthy.errors import NotFound
from roadworthy.serving.log_compaction import superseded
from roadworthy.serving.log_entries import CHECK
from roadworthy.serving.log_retention import SUFFIXES
from roadworthy.serving.log_segments import SUFFIX
from roadworthy.serving.log_tables import plain, table_of
from roadworthy_runtime.frames import FrameError

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MICROSECOND = datetime.timedelta(microseconds=1)
DAY = datetime.timedelta(days=1)
LATER_COLUMNS = ("key", "protocol", "refused", "weight")
"""Columns that the log's first segments did not have; they read as nulls there."""
_ORDER = ("time", "request_id", "row")
_REASONS = ("refused", "rejected", "error")
Place = tuple[datetime.datetime, str, int]
"""Where a row stands: newest first, then by request and by its place there."""


class Asked(Value, frozen=True):
    """Which rows are wanted. ``release`` is a number; '' and None mean any.

    ``unanswered`` wants rows that were rejected or failed, and requests that were refused.
    ``checks`` wants what certification asked too, which is left out where no request id is given.
    ``beyond`` wants what comes after that row, newest first: the page after.
    """

    model: str
    release: str = ""
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    request_id: str = ""
    caller: str = ""
    key: str = ""
    unanswered: bool = False
    checks: bool = False
    beyond: Place | None = None
    most: int = 50


class Found(Value, frozen=True):
    """Rows, newest first. ``looked_to``: the search ended there early, and older ones may fit."""

    rows: list[dict[str, Any]]
    looked_to: datetime.datetime | None = None


def logged_models(directory: Path) -> list[str]:
    """The models that the log in this directory has something of."""
    return sorted(path.name for path in directory.glob("*") if path.is_dir())


def find_rows(directory: Path, asked: Asked) -> list[dict[str, Any]]:
    """The rows that are asked for, newest first, as the log keeps them.

    What waits in a gateway's memory is not found: that is at most what came since the last
    flush. A segment that can't be read is told on standard error and left out. Raises NotFound.
    """
    return search_rows(directory, asked).rows


def search_rows(directory: Path, asked: Asked, go_on: Callable[[], bool] = lambda: True) -> Found:
    """As ``find_rows``, for as long as ``go_on`` says so: it is asked before each segment.

    At least one segment is read. Raises NotFound.
    """
    if asked.model not in logged_models(directory):
        close = nearest(asked.model, logged_models(directory), most=1)
        raise NotFound(
            f"the prediction log has nothing of {asked.model!r}",
            cure=f"did you mean {close[0]}?" if close else "it is written once the model is asked",
        )
    found: list[tuple[Any, dict[str, Any]]] = []
    begun = False
    for segment in _segments(directory, asked) if asked.most > 0 else ():
        oldest = EPOCH - MICROSECOND * found[-1][0][0] if len(found) >= asked.most else None
        if oldest is not None and segment.ended < oldest:
            continue
        if begun and not go_on():
            return Found(rows=[row for _, row in found], looked_to=segment.ended)
        begun = True
        fresh = [(_place(row), row) for row in _rows(segment.path, asked, oldest)]
        found = sorted([*found, *fresh], key=lambda each: each[0])[: asked.most]
    return Found(rows=[row for _, row in found])


class _Segment(NamedTuple):
    """A file of the log: no row in it is newer than ``ended``."""

    path: Path
    ended: datetime.datetime


def _place(row: dict[str, Any]) -> tuple[int, str, int]:
    return (-((row["time"] - EPOCH) // MICROSECOND), row["request_id"], row["row"])


def _segments(directory: Path, asked: Asked) -> Iterator[_Segment]:
    """The segments that may have such rows, the one written last first."""
    days: dict[str, list[Path]] = {}
    for folder in (directory / asked.model).glob(f"{asked.release or '*'}/*"):
        # The day is that of a segment's first row; the last may be of the day after.
        day = folder.name
        if asked.until is not None and day > f"{asked.until + DAY:%Y-%m-%d}":
            continue
        if asked.since is not None and day < f"{asked.since - DAY:%Y-%m-%d}":
            continue
        days.setdefault(day, []).append(folder)
    for day in sorted(days, reverse=True):
        found = [segment for folder in days[day] for segment in _segments_in(folder)]
        yield from sorted(found, key=lambda each: each.ended, reverse=True)


def _segments_in(folder: Path) -> Iterator[_Segment]:
    """A day's segments. A row is there before its segment is written, and so is its time."""
    listed = list(os.scandir(folder)) if folder.is_dir() else []
    gone = superseded(folder, {entry.name for entry in listed})
    for entry in listed:
        begin = entry.name.partition("-")[0]
        if not (entry.name.endswith(SUFFIXES) and begin.isdigit()) or entry.name in gone:
            continue
        try:
            written = datetime.datetime.fromtimestamp(entry.stat().st_mtime, datetime.UTC)
        except FileNotFoundError:
            continue  # it grew too old just now
        began = EPOCH + MICROSECOND * int(begin)
        # A file that is older than its name was written by a clock that has been set back.
        yield _Segment(Path(entry.path), written if written >= began else began + DAY)


def _rows(path: Path, asked: Asked, oldest: datetime.datetime | None) -> list[dict[str, Any]]:
    """The rows of a segment that are wanted, ``asked.most`` at most: the first by their place."""
    import pyarrow as pa

    try:
        if path.suffix == SUFFIX:
            table = plain(table_of(path.read_bytes()))
            return list(table.take(_wanted(table, asked)).to_pylist())
        return _parquet_rows(path, asked, oldest)
    except FileNotFoundError:
        return []  # it grew too old just now, or is Parquet now
    except (OSError, FrameError, pa.ArrowException) as error:
        print(f"{path} can't be read and is left out: {error}", file=sys.stderr)
        return []


def _parquet_rows(
    path: Path, asked: Asked, oldest: datetime.datetime | None
) -> list[dict[str, Any]]:
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(path) as file:
        if not _may_have(file, asked, oldest):
            return []
        known = set(file.schema_arrow.names)
        wanted = {*_ORDER, *_REASONS, "caller", "key", "role"} & known
        facts = file.read(columns=sorted(wanted))
        places = _wanted(facts, asked)
        if not len(places):
            return []
        table = file.read().take(places)
    missing = dict.fromkeys(name for name in LATER_COLUMNS if name not in known)
    return [{**missing, **row} for row in table.to_pylist()]


def _wanted(table: Any, asked: Asked) -> Any:
    """Which rows of a table of facts are wanted: their numbers, the first by place only."""
    import pyarrow as pa
    import pyarrow.compute as pc

    mask = pc.is_valid(table["time"])
    for column, value in (
        ("request_id", asked.request_id),
        ("caller", asked.caller),
        ("key", asked.key),
    ):
        if value:
            mask = pc.and_(mask, pc.fill_null(pc.equal(_column(table, column), value), False))
    if asked.since is not None:
        mask = pc.and_(mask, pc.greater_equal(table["time"], pa.scalar(asked.since)))
    if asked.until is not None:
        mask = pc.and_(mask, pc.less(table["time"], pa.scalar(asked.until)))
    if not (asked.checks or asked.request_id):
        own = pc.equal(_column(table, "role"), CHECK)
        mask = pc.and_(mask, pc.invert(pc.fill_null(own, False)))
    if asked.unanswered:
        reasons = [pc.is_valid(_column(table, name)) for name in _REASONS]
        mask = pc.and_(mask, pc.or_(reasons[0], pc.or_(reasons[1], reasons[2])))
    if asked.beyond is not None:
        mask = pc.and_(mask, _after(table, asked.beyond))
    places = pc.indices_nonzero(mask)
    if len(places) <= asked.most:
        return places
    keys = table.select(list(_ORDER)).take(places)
    order = pc.sort_indices(
        keys, [("time", "descending"), ("request_id", "ascending"), ("row", "ascending")]
    )
    return places.take(order[: asked.most])


def _after(table: Any, place: Place) -> Any:
    """Which rows come after a place."""
    import pyarrow as pa
    import pyarrow.compute as pc

    time, request, row = place
    moment = pa.scalar(time)
    same_request = pc.and_(pc.equal(table["request_id"], request), pc.greater(table["row"], row))
    later = pc.or_(pc.greater(table["request_id"], request), same_request)
    return pc.or_(pc.less(table["time"], moment), pc.and_(pc.equal(table["time"], moment), later))


def _column(table: Any, name: str) -> Any:
    """A column; nulls where the segment was written before there was one."""
    import pyarrow as pa

    if name in table.column_names:
        return table[name]
    return pa.nulls(table.num_rows, pa.string())


def _may_have(file: Any, asked: Asked, oldest: datetime.datetime | None) -> bool:
    """Whether what a segment's footer says of its columns leaves room for wanted rows."""
    until = asked.until
    if asked.beyond is not None:
        until = min(until or asked.beyond[0] + MICROSECOND, asked.beyond[0] + MICROSECOND)
    times = _bounds(file, "time")
    if times is not None:
        first, last = times
        if until is not None and first >= until:
            return False
        since = max(filter(None, (asked.since, oldest)), default=None)
        if since is not None and last < since:
            return False
    for column, value in (("request_id", asked.request_id), ("caller", asked.caller)):
        texts = _bounds(file, column) if value else None
        if texts is not None and not texts[0] <= value <= texts[1]:
            return False
    return True


def _bounds(file: Any, column: str) -> tuple[Any, Any] | None:
    """The least and greatest value of a column, by the footer; None where it does not say."""
    at = file.schema_arrow.get_field_index(column)
    if at < 0:
        return None
    found = [
        file.metadata.row_group(number).column(at).statistics
        for number in range(file.metadata.num_row_groups)
    ]
    if not found or any(each is None or not each.has_min_max for each in found):
        return None
    return min(each.min for each in found), max(each.max for each in found)
