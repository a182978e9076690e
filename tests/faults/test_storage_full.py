"""Row 2 for storage: no space is said plainly, and nothing is half visible."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from roadworthy.errors import NotFound, StorageError
from roadworthy.registry import Registry
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import PARTIAL, Disk
from roadworthy.storage.metadata import Database
from roadworthy.testing.values import a_draft, a_run, ticking_clock

pytestmark = pytest.mark.fault("2")


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Registry:
    registry = Registry(database, DirectoryBlobs(tmp_path / "blobs"), ticking_clock())
    registry.record_run(a_run("run-1"), None, {"train.py": b"print(1)"})
    return registry


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file may grow beyond this, as on a disk with a quota."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_blob_over_the_limit(registry: Registry, tmp_path: Path) -> None:
    draft = a_draft("run-1", b"x" * 1_000_000)
    limited = files_of_at_most(500_000)
    with limited, pytest.raises(StorageError, match="failed: File too large") as raised:
        registry.record_release(draft)
    assert "limit on the size of files" in raised.value.cure
    assert not list(tmp_path.rglob(f"{PARTIAL}*"))
    with pytest.raises(NotFound):
        registry.release("flight-delay")
    assert registry.record_release(a_draft("run-1", b"small")).number == 1


def test_metadata_over_the_limit(registry: Registry) -> None:
    first = registry.record_release(a_draft("run-1", b"first"))
    limited = files_of_at_most(500_000)
    with limited, pytest.raises(StorageError, match="limit on file sizes"):
        registry.set_notes("flight-delay@1", "n" * 1_000_000)
    assert registry.release("flight-delay") == first
    assert registry.set_notes("flight-delay@1", "short").notes == "short"


def test_a_full_disk_under_blobs(database: Database, tmp_path: Path) -> None:
    """``/dev/full`` answers every write as a full file system does."""
    blobs = DirectoryBlobs(tmp_path / "blobs", _FullDisk())
    registry = Registry(database, blobs, ticking_clock())
    with pytest.raises(StorageError, match="No space left on device") as raised:
        registry.record_run(a_run("run-2"), None, {"train.py": b"x" * 100_000})
    assert "free some space" in raised.value.cure
    assert list(blobs.digests()) == []
    with pytest.raises(NotFound):
        registry.run("run-2")


class _FullDisk(Disk):
    """A disk without space: what is written to a file of it goes to ``/dev/full``."""

    def sync(self, descriptor: int, what: Path) -> None:
        """Writes once more, to where there is no space."""
        if what.suffix == "" and not what.is_dir():
            with Path("/dev/full").open("wb", buffering=0) as full:
                full.write(b"x")
        super().sync(descriptor, what)


def test_a_full_metadata_database(registry: Registry, database: Database) -> None:
    """SQLite may have no further page: it answers as it does when its disk is full."""
    first = registry.record_release(a_draft("run-1", b"first"))

    @event.listens_for(database.engine, "begin")
    def limit(connection: object) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()  # type: ignore[attr-defined]
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]

    with pytest.raises(StorageError, match="no space is left") as raised:
        registry.set_notes("flight-delay@1", "n" * 1_000_000)
    assert "free some space" in raised.value.cure
    assert registry.release("flight-delay") == first
    event.remove(database.engine, "begin", limit)
    database.engine.dispose()
    assert registry.set_notes("flight-delay@1", "short").notes == "short"
    assert registry.record_release(a_draft("run-1", b"second")).number == 2
