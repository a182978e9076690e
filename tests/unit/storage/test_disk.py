"""Durable writes: the order of syncs, what a failed one does, what dead writers leave."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from roadworthy.errors import Conflict, Damaged, StorageError
from roadworthy.storage.digests import digest_of
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import PARTIAL, Disk, cure_of, sweep
from roadworthy.storage.locks import FileLock
from roadworthy.testing.faulty import FailingSync


def recorded(log: list[str]) -> Disk:
    """A disk that writes down what it syncs, and whether the target was there by then."""

    def sync(descriptor: int) -> None:
        log.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        os.fsync(descriptor)

    return Disk(sync=sync)


def test_content_is_synced_before_the_rename_and_the_directory_after(tmp_path: Path) -> None:
    log: list[str] = []
    recorded(log).write(tmp_path / "new" / "file", b"data")
    assert log[0] == str(tmp_path)  # the name `new` is durable first
    assert PARTIAL in log[1]
    assert log[2:] == [str(tmp_path / "new")]
    assert (tmp_path / "new" / "file").read_bytes() == b"data"


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_failed_sync_is_final(tmp_path: Path, at: int) -> None:
    sync = FailingSync(at)
    blobs = DirectoryBlobs(tmp_path / "blobs", Disk(sync=sync))
    with pytest.raises(StorageError, match=r"nothing more is written: syncing .* failed"):
        [blobs.put(str(number).encode()) for number in range(10)]
    calls = sync.calls
    for attempt in (lambda: blobs.put(b"later"), lambda: blobs.delete("0" * 64)):
        with pytest.raises(StorageError, match="Input/output error") as raised:
            attempt()
        assert "restart" in raised.value.cure
    assert sync.calls == calls  # never tried again
    assert not list(tmp_path.rglob(f"{PARTIAL}*"))


def test_what_was_put_before_the_failed_sync_can_be_read(tmp_path: Path) -> None:
    blobs = DirectoryBlobs(tmp_path / "blobs", Disk(sync=FailingSync(6)))
    kept = blobs.put(b"kept")
    with pytest.raises(StorageError):
        blobs.put(b"lost")
    assert blobs.get(kept) == b"kept"


def test_a_failed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), Disk().replacing(target) as file:
        file.write(b"ne" * (1 // 0))
    assert target.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_only_dead_writers_are_swept(tmp_path: Path) -> None:
    dead = tmp_path / f"{PARTIAL}dead"
    dead.write_bytes(b"half")
    dead_folder = tmp_path / f"{PARTIAL}folder"
    dead_folder.mkdir()
    (dead_folder / "flow.py").write_bytes(b"half")
    with Disk().replacing(tmp_path / "living") as file:
        file.write(b"whole")
        assert sweep([tmp_path, tmp_path / "absent"]) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["living"]


def test_damage_is_named_and_mended_by_putting_again(tmp_path: Path) -> None:
    blobs = DirectoryBlobs(tmp_path)
    digest = blobs.put(b"content")
    blobs.path(digest).write_bytes(b"c0ntent")
    for read in (lambda: blobs.get(digest), lambda: blobs.copy_to(digest, tmp_path / "copy")):
        with pytest.raises(Damaged, match=f"b3:{digest[:7]}") as raised:
            read()
        assert raised.value.details["blob"] == digest
    assert not (tmp_path / "copy").exists()
    assert blobs.put(b"content") == digest_of(b"content")
    assert blobs.get(digest) == b"content"


def test_every_error_number_has_a_cure() -> None:
    assert "free some space" in cure_of(28)
    assert "doctor" in cure_of(None)


def test_one_holder_of_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "run" / "supervisor.lock"
    first, second = FileLock(path, "roadworthy"), FileLock(path, "roadworthy")
    with first:
        assert second.holder() == os.getpid()
        with pytest.raises(Conflict, match=f"runs already, as process {os.getpid()}") as raised:
            second.acquire()
        assert raised.value.details["pid"] == os.getpid()
        with pytest.raises(Conflict, match="this process"):
            first.acquire()
    assert second.holder() is None
    with second:
        assert first.holder() == os.getpid()


def test_a_dead_holders_lock_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    child = os.fork()
    if child == 0:
        FileLock(path, "it").acquire()
        os._exit(0)
    os.waitpid(child, 0)
    assert path.read_text() == f"{child}\n"
    with FileLock(path, "it"):
        assert path.read_text() == f"{os.getpid()}\n"


def test_asking_for_the_holder_does_not_keep_others_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with path.open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        with pytest.raises(Conflict):
            FileLock(path, "it").acquire()
    with FileLock(path, "it") as lock:
        assert lock.holder() == os.getpid()
