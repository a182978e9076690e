"""Traffic over time on disk: a SQLite file of its own, so that plots outlive the control plane."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from roadworthy.core.traffic import Point, Stretch, Track
from roadworthy.errors import NewerFormat, StorageError

FORMAT = 1
_TABLES = f"""
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS stretches (
        window TEXT, start REAL, "end" REAL, PRIMARY KEY (window, start)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS points (
        window TEXT, release TEXT, start REAL,
        requests REAL, errors REAL, p50 REAL, p95 REAL, p99 REAL,
        PRIMARY KEY (window, release, start)
    ) WITHOUT ROWID;
    PRAGMA user_version = {FORMAT};
    COMMIT;
"""
_STRETCHES = 'SELECT start, "end" FROM stretches WHERE window = ? AND "end" > ? ORDER BY start'
_POINTS = (
    "SELECT release, start, requests, errors, p50, p95, p99 FROM points "
    "WHERE window = ? AND release IN (SELECT value FROM json_each(?)) AND start >= ?"
)
_BUSY_SECONDS = 5.0


class Tracks:
    """What passed in the stretches of some windows (``1h``, say), by release.

    Each call opens the file anew, which takes a fraction of a millisecond: nothing is held, and
    any thread may call. What is here can be lost without harm, so it is not synced; a damaged
    file is set aside, and the next call begins a new one. Raises StorageError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, parts: Mapping[str, tuple[Stretch, Mapping[str, Point]]]) -> None:
        """Keep what passed in a stretch of each window; the same start again is the same stretch,
        which has become longer.
        """
        with self._open() as connection, connection:
            for window, (stretch, points) in parts.items():
                start = stretch.start.timestamp()
                connection.execute(
                    "INSERT OR REPLACE INTO stretches VALUES (?, ?, ?)",
                    (window, start, stretch.end.timestamp()),
                )
                connection.executemany(
                    "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [(window, release, start, *point) for release, point in points.items()],
                )

    def forget(self, window: str, before: datetime) -> None:
        """Drop the stretches of a window that began before a moment."""
        with self._open() as connection, connection:
            for table in ("stretches", "points"):
                connection.execute(
                    f"DELETE FROM {table} WHERE window = ? AND start < ?",
                    (window, before.timestamp()),
                )

    def of(self, window: str, releases: Iterable[str], since: datetime) -> Track:
        """What is known of these releases in the stretches of a window that ended after a moment;
        those that were not asked are left out.
        """
        with self._open() as connection:
            rows = connection.execute(_STRETCHES, (window, since.timestamp())).fetchall()
            if not rows:
                return Track()
            wanted = (window, json.dumps(sorted(releases)), rows[0][0])
            found: dict[str, dict[float, Point]] = {}
            for release, start, *values in connection.execute(_POINTS, wanted):
                found.setdefault(release, {})[start] = Point(*values)
        return Track(
            stretches=[Stretch(_moment(start), _moment(end)) for start, end in rows],
            points={
                release: [own.get(start) for start, _ in rows] for release, own in found.items()
            },
        )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connected()) as connection:
                yield connection
        except sqlite3.OperationalError as error:
            raise StorageError(f"{self._path}: {error}", cure="roadworthy doctor") from error
        except sqlite3.DatabaseError as error:
            aside = self._path.with_suffix(".damaged")
            self._path.replace(aside)
            raise StorageError(
                f"{self._path} can't be read: {error}",
                cure=f"nothing: it is set aside as {aside.name}, and plots begin anew",
            ) from error

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS)
        try:
            connection.execute("PRAGMA synchronous = OFF")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > FORMAT:
                raise NewerFormat(
                    f"{self._path} was written by a newer Roadworthy (format {version})",
                    cure="use that Roadworthy, or move the file away: it holds only plots",
                )
            if version < FORMAT:
                connection.executescript(_TABLES)
        except BaseException:
            connection.close()
            raise
        return connection


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
