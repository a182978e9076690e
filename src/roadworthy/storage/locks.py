"""Locks between processes of one machine: held by the kernel, gone with their holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import sqlalchemy as sa

from roadworthy.errors import Conflict
from roadworthy.storage.disk import Disk, translated
from roadworthy.storage.metadata import Database

_WORKFLOWS = 7_270_420
"""Any number, the same in every process: PostgreSQL's advisory lock."""


@contextlib.contextmanager
def leased(database: Database, stopping: threading.Event) -> Iterator[None]:
    """Holds the right to run a database's workflows: one process at a time, of all its hosts.

    Waits for it until it is told to stop; gone with the connection. A SQLite file has one host,
    whose file lock is enough.
    """
    if database.on_sqlite:
        yield
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        ask = sa.select(sa.func.pg_try_advisory_lock(_WORKFLOWS))
        while not connection.execute(ask).scalar() and not stopping.wait(1.0):
            pass
        yield


class FileLock:
    """One holder at a time, of a name that is a file. A dead holder holds nothing.

    The file stays; what it says (the holder's process) is for people. A child process must
    not inherit the lock: it is closed on exec.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self.what = what
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Takes the lock or raises Conflict, at once, naming the process that has it."""
        if self._descriptor is not None:
            raise Conflict(f"{self.what} is held by this process already")
        Disk().make_directory(self.path.parent)
        with translated(f"opening the lock {self.path}"):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not self._try(descriptor):
            os.close(descriptor)
            raise self._held()
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Gives the lock back, if it is held."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> int | None:
        """The process that holds the lock, 0 where it has not said so yet, None if nobody."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
        except BlockingIOError:
            said = os.read(descriptor, 32).strip()
            return int(said) if said.isdigit() else 0
        finally:
            os.close(descriptor)

    def _try(self, descriptor: int) -> bool:
        """Whether it got the lock. Somebody who only asks for the holder is waited out."""
        for _ in range(20):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if self.holder() is not None:
                    return False
        return False

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _held(self) -> Conflict:
        process = self.holder()
        by = f"process {process}" if process else "another process"
        return Conflict(
            f"{self.what} runs already, as {by}",
            cure="use that one (roadworthy status), or stop it first (roadworthy down)",
            pid=process,
        )
