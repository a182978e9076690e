"""Row 3 for storage: every flipped bit and torn file is found before use, and named."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from roadworthy.core.release import Release
from roadworthy.errors import Damaged
from roadworthy.registry import Registry
from roadworthy.registry.materialise import damaged_files
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import unsynced_disk
from roadworthy.storage.metadata import Database
from roadworthy.testing.values import a_draft, a_run, ticking_clock

pytestmark = pytest.mark.fault("3")

FLIPS = 1000


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path / "blobs", unsynced_disk())


@pytest.fixture
def registry(database: Database, blobs: DirectoryBlobs) -> Registry:
    registry = Registry(database, blobs, ticking_clock())
    registry.record_run(a_run("run-1"), None, {"train.py": b"print(1)"})
    return registry


def flipped(data: bytes, chance: random.Random) -> bytes:
    bit = chance.randrange(len(data) * 8)
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def a_release(registry: Registry) -> Release:
    return registry.record_release(a_draft("run-1", random.Random(5).randbytes(5000)))


def test_flips_in_blobs(registry: Registry, blobs: DirectoryBlobs, tmp_path: Path) -> None:
    chance = random.Random(11)
    release = a_release(registry)
    names = [file.digest for file in release.files]
    found = 0
    for number in range(FLIPS):
        name = names[number % len(names)]
        path = blobs.path(name)
        whole = path.read_bytes()
        path.write_bytes(flipped(whole, chance))
        with pytest.raises(Damaged, match=name[:7]) as raised:
            blobs.get(name) if number % 2 else blobs.copy_to(name, tmp_path / "copy")
        found += raised.value.details["blob"] == name
        path.write_bytes(whole)
    assert found == FLIPS
    assert not (tmp_path / "copy").exists()
    registry.check(release)


def test_flips_in_flow_directories(registry: Registry, tmp_path: Path) -> None:
    chance = random.Random(12)
    release = a_release(registry)
    directory = registry.materialise(release.digest, tmp_path / "releases")
    found = mended = 0
    for number in range(FLIPS):
        file = release.files[number % len(release.files)]
        path = directory / file.path
        whole = path.read_bytes()
        path.write_bytes(flipped(whole, chance))
        found += damaged_files(release.files, directory) == [file.path]
        registry.materialise(release.digest, tmp_path / "releases")
        mended += path.read_bytes() == whole
    assert (found, mended) == (FLIPS, FLIPS)


@pytest.mark.parametrize("keep", [0, 1, 2500, 4999])
def test_torn_blobs(registry: Registry, blobs: DirectoryBlobs, tmp_path: Path, keep: int) -> None:
    release = a_release(registry)
    flow = next(file for file in release.files if file.path == "flow.py")
    other = registry.record_release(a_draft("run-1", b"other"))
    path = blobs.path(flow.digest)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Damaged, match=flow.digest[:7]):
        registry.materialise(release.digest, tmp_path / "releases")
    assert list((tmp_path / "releases").iterdir()) == []
    registry.materialise(other.digest, tmp_path / "releases")  # the rest is usable


def test_flips_in_the_records_are_found_by_a_check(
    registry: Registry, blobs: DirectoryBlobs
) -> None:
    chance = random.Random(13)
    release = a_release(registry)
    path = blobs.path(release.digest)
    whole = path.read_bytes()
    for _ in range(50):
        path.write_bytes(flipped(whole, chance))
        with pytest.raises(Damaged, match=release.digest[:7]):
            registry.check(release)
