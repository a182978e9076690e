"""The contract of Blobs as tests: subclass it, and give the fixture ``blobs``."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from roadworthy.errors import StorageError, UsageError
from roadworthy.storage.blobs import Blobs
from roadworthy.storage.digests import digest_of


class BlobContract:
    """What every implementation of Blobs does. ``blobs`` is a fixture with an empty store."""

    @pytest.mark.parametrize("size", [0, 1, 1000, 1 << 20])
    def test_gives_back_what_was_put(self, blobs: Blobs, size: int) -> None:
        data = b"x" * size
        digest = blobs.put(data)
        assert digest == digest_of(data)
        assert blobs.get(digest) == data
        assert blobs.size(digest) == size
        assert blobs.exists(digest)

    @pytest.mark.parametrize("size", [0, 5, 9 << 20])
    def test_keeps_files_and_copies_them_out(self, blobs: Blobs, tmp_path: Path, size: int) -> None:
        original = tmp_path / "original"
        original.write_bytes(b"some bytes, repeated " * (size // 21 + 1))
        length = original.stat().st_size
        assert blobs.put_file(original) == (digest_of(original.read_bytes()), length)
        target = tmp_path / "new" / "folder" / "copy"
        blobs.copy_to(digest_of(original.read_bytes()), target)
        assert target.read_bytes() == original.read_bytes()
        assert [entry.name for entry in target.parent.iterdir()] == ["copy"]

    def test_reads_some_of_a_content(self, blobs: Blobs) -> None:
        digest = blobs.put(bytes(range(256)))
        assert blobs.read(digest, 10, 5) == bytes(range(10, 15))
        assert blobs.read(digest, 250, 100) == bytes(range(250, 256))
        into = bytearray(8)
        assert blobs.read_into(digest, 20, memoryview(into)) == 8
        assert into == bytes(range(20, 28))
        assert blobs.read_into(digest, 252, memoryview(into)) == 4
        assert into == bytes([*range(252, 256), *range(24, 28)])
        with pytest.raises(StorageError, match="missing"):
            blobs.read(digest_of(b"absent"), 0, 5)
        with pytest.raises(StorageError, match="missing"):
            blobs.read_into(digest_of(b"absent"), 0, memoryview(into))

    def test_putting_again_changes_nothing(self, blobs: Blobs) -> None:
        assert blobs.put(b"same") == blobs.put(b"same")
        assert list(blobs.digests()) == [digest_of(b"same")]

    def test_lists_all_names(self, blobs: Blobs) -> None:
        names = {blobs.put(str(number).encode()) for number in range(20)}
        assert set(blobs.digests()) == names

    def test_an_empty_store_lists_nothing(self, blobs: Blobs) -> None:
        assert list(blobs.digests()) == []
        assert blobs.sweep() == 0

    def test_what_is_missing_is_named(self, blobs: Blobs, tmp_path: Path) -> None:
        absent = digest_of(b"absent")
        assert not blobs.exists(absent)
        assert blobs.size(absent) is None
        with pytest.raises(StorageError, match=absent[:7]) as raised:
            blobs.get(absent)
        assert raised.value.details["blob"] == absent
        with pytest.raises(StorageError, match=absent[:7]):
            blobs.copy_to(absent, tmp_path / "copy")
        assert list(tmp_path.iterdir()) == []

    def test_deletes_and_deletes_again(self, blobs: Blobs) -> None:
        digest = blobs.put(b"gone soon")
        blobs.delete(digest)
        blobs.delete(digest)
        assert not blobs.exists(digest)
        assert list(blobs.digests()) == []

    @pytest.mark.parametrize("name", ["", "abc", "../../etc/passwd", "A" * 64, "0" * 63 + "/"])
    def test_refuses_what_is_not_a_digest(self, blobs: Blobs, name: str) -> None:
        with pytest.raises(UsageError, match="not a digest"):
            blobs.get(name)

    def test_a_file_that_is_not_there_leaves_nothing(self, blobs: Blobs, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="absent"):
            blobs.put_file(tmp_path / "absent")
        assert list(blobs.digests()) == []

    def test_many_writers_of_one_content(self, blobs: Blobs) -> None:
        results: list[str] = []
        writers = [
            threading.Thread(target=lambda: results.append(blobs.put(b"shared" * 1000)))
            for _ in range(8)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert results == [digest_of(b"shared" * 1000)] * 8
        assert blobs.get(results[0]) == b"shared" * 1000
