"""The contract of gc, fsck, erasure and rebuilding as tests: give ``datasets`` and ``again``."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import pyarrow as pa
import pytest

from roadworthy.core.dataset import Retention
from roadworthy.data import Datasets, PutFile, PutTable
from roadworthy.errors import Conflict, Erased, NotFound, UsageError
from roadworthy.testing.datasets import some_rows

NOW = timedelta(0)


class CareContract:
    """What keeps datasets healthy. ``again`` opens the same blobs with empty metadata."""

    def test_gc_removes_what_nothing_names_in_two_steps(self, datasets: Datasets) -> None:
        datasets.create("notes")
        first = datasets.commit("notes", [PutFile("a", _noise(1))], message="first")
        datasets.create_branch("notes", "trial", "notes@main")
        lost = datasets.commit("notes@trial", [PutFile("b", _noise(2))], message="lost")
        datasets.delete_branch("notes", "trial")
        told = datasets.collect(grace=NOW)
        assert (told.condemned, told.deleted) == (2, 0)  # a pack, and the commit itself
        assert datasets.collect(grace=NOW, dry_run=False).condemned == 2
        assert datasets.read(f"notes@{lost.digest}").open("b").read() == _noise(2)
        before = set(datasets.blobs.digests())
        assert datasets.collect(grace=NOW, dry_run=False).deleted == 2
        assert len(set(datasets.blobs.digests())) == len(before) - 2
        with pytest.raises(NotFound):
            datasets.find(f"notes@{lost.digest}")
        assert datasets.read("notes").open("a").read() == _noise(1)
        assert datasets.find("notes") == first
        assert datasets.collect(grace=NOW).condemned == 0
        assert datasets.check().problems == []

    def test_gc_waits_out_its_grace(self, datasets: Datasets) -> None:
        datasets.create("notes")
        datasets.create_branch("notes", "trial")
        datasets.commit("notes@trial", [PutFile("b", _noise(2))], message="lost")
        datasets.delete_branch("notes", "trial")
        for _ in range(3):
            told = datasets.collect(grace=timedelta(days=1), dry_run=False)
            assert told.deleted == 0

    def test_what_is_condemned_can_be_used_again(self, datasets: Datasets) -> None:
        datasets.create("notes")
        datasets.create_branch("notes", "trial")
        lost = datasets.commit("notes@trial", [PutFile("b", _noise(2))], message="lost")
        datasets.delete_branch("notes", "trial")
        datasets.collect(grace=NOW, dry_run=False)
        datasets.create_branch("notes", "back", f"notes@{lost.digest}")
        datasets.collect(grace=NOW, dry_run=False)
        datasets.collect(grace=NOW, dry_run=False)
        assert datasets.read("notes@back").open("b").read() == _noise(2)
        assert datasets.check().problems == []

    def test_a_deleted_content_can_be_committed_again(self, datasets: Datasets) -> None:
        datasets.create("notes")
        for _ in range(2):
            datasets.create_branch("notes", "trial")
            datasets.commit("notes@trial", [PutFile("b", _noise(2))], message="m")
            assert datasets.read("notes@trial").open("b").read() == _noise(2)
            datasets.delete_branch("notes", "trial")
            datasets.collect(grace=NOW, dry_run=False)
            datasets.collect(grace=NOW, dry_run=False)
        datasets.commit("notes", [PutFile("b", _noise(2))], message="m")
        assert datasets.read("notes").open("b").read() == _noise(2)
        assert datasets.check().problems == []

    def test_retention_drops_old_commits(self, datasets: Datasets) -> None:
        datasets.create("notes")
        made = [
            datasets.commit("notes", [PutFile("a", _noise(number))], message=str(number))
            for number in range(5)
        ]
        datasets.create_tag("notes", "kept", f"notes@{made[1].digest}")
        datasets.record_uses([made[0].digest], "release", "m@1")
        datasets.set_retention("notes", "main", Retention(last=2))
        datasets.collect(grace=NOW, dry_run=False)
        assert datasets.collect(grace=NOW, dry_run=False).commits == 1
        assert [each.commit.message for each in datasets.log("notes")] == ["4", "3"]
        for number in (0, 1, 3, 4):
            snapshot = datasets.snapshot(made[number])
            assert snapshot.open("a").read() == _noise(number)
        with pytest.raises(NotFound):
            datasets.find(f"notes@{made[2].digest}")
        assert datasets.check().problems == []

    def test_sparse_packs_are_moved_together(self, datasets: Datasets) -> None:
        datasets.create("notes")
        files = [PutFile(f"f{number}", _noise(number)) for number in range(20)]
        datasets.commit("notes", files, message="many")
        datasets.create_branch("notes", "few")
        datasets.commit("notes@few", files[:3], message="few")
        datasets.move_branch("notes", "main", "notes@few")
        before = sum(map(datasets.blobs.size, datasets.blobs.digests()))  # type: ignore[arg-type]
        for _ in range(3):
            datasets.collect(grace=NOW, dry_run=False)
        after = sum(map(datasets.blobs.size, datasets.blobs.digests()))  # type: ignore[arg-type]
        assert after < before * 0.3
        for number in range(3):
            assert datasets.read("notes").open(f"f{number}").read() == _noise(number)
        assert datasets.check().problems == []

    def test_fsck_names_what_is_damaged_and_whom_it_touches(self, datasets: Datasets) -> None:
        datasets.create("notes")
        datasets.commit("notes", [PutFile("a", _noise(1))], message="m")
        datasets.commit("notes", [PutFile("b", _noise(2))], message="m")
        assert datasets.check().problems == []
        pack = max(datasets.blobs.digests(), key=lambda each: datasets.blobs.size(each) or 0)
        datasets.blobs.delete(pack)
        found = datasets.check().problems
        assert {problem.path for problem in found if problem.path} <= {"a", "b"}
        assert any(problem.commits for problem in found)

    def test_erasing_leaves_the_digest_and_the_reason(self, datasets: Datasets) -> None:
        datasets.create("people")
        wrong = datasets.commit(
            "people", [PutFile("names", _noise(1)), PutFile("other", _noise(2))], message="m"
        )
        datasets.commit("people", [PutFile("names", _noise(3))], message="without Ada")
        with pytest.raises(UsageError, match="needs a reason"):
            datasets.erase("people", "names", reason=" ", keep_heads=True)
        planned = datasets.erase("people", "names", reason="asked", keep_heads=True, dry_run=True)
        assert datasets.read("people@main~1").open("names").read()
        done = datasets.erase("people", "names", reason="Ada asked", author="eve", keep_heads=True)
        assert [each.content for each in done] == [each.content for each in planned]
        assert done[0].bytes >= 100_000
        old = datasets.snapshot(wrong)
        with pytest.raises(Erased, match="by eve: Ada asked"):
            old.open("names").read()
        assert old.entry("names").content == done[0].content
        assert old.open("other").read() == _noise(2)
        assert datasets.read("people").open("names").read() == _noise(3)
        for digest in datasets.blobs.digests():
            assert _noise(1)[:64] not in datasets.blobs.get(digest)
        checked = datasets.check()
        assert (checked.problems, checked.erased) == ([], 1)
        assert [each.reason for each in datasets.erasures("people")] == ["Ada asked"]

    def test_erasing_a_table_spares_what_later_versions_share(self, datasets: Datasets) -> None:
        datasets.create("people")
        rows = some_rows(40_000)
        datasets.commit("people", [PutTable("t", rows, key=["id"])], message="m")
        price = rows["price"].to_pylist()
        price[123] = -1.0
        cleaned = rows.set_column(1, "price", pa.array(price, pa.float64()))
        datasets.commit("people", [PutTable("t", cleaned, key=["id"])], message="m")
        datasets.erase("people", "t", reason="asked", keep_heads=True)
        assert datasets.read("people").to_arrow().equals(cleaned)
        with pytest.raises(Erased):
            datasets.read("people@main~1").to_arrow()
        assert datasets.check().problems == []

    def test_metadata_is_made_again_from_the_store(
        self, datasets: Datasets, again: Callable[[], Datasets]
    ) -> None:
        datasets.create("notes", description="words", key=["id"])
        datasets.create("empty")
        for number in range(3):
            datasets.commit("notes", [PutFile(f"f{number}", _noise(number))], message=str(number))
        datasets.commit("notes", [PutTable("t", some_rows(3000))], message="table")
        datasets.create_branch("notes", "side", "notes@main~2")
        datasets.commit("notes@side", [PutFile("x", b"x")], message="side")
        datasets.create_branch("notes", "gone", "notes@main")
        datasets.delete_branch("notes", "gone")
        datasets.create_tag("notes", "v1", "notes@main~1", message="first")
        new = again()
        told = new.rebuild()
        assert (told.recovered, told.problems) == ([], [])
        assert new.dataset("notes").key == ["id"]
        assert [each.name for each in new.all()] == ["empty", "notes"]
        assert new.branches("notes") == datasets.branches("notes")
        assert new.tags("notes") == datasets.tags("notes")
        for name in ("notes", "notes@side", "notes@v1"):
            assert new.log(name) == datasets.log(name)
        assert new.read("notes").to_arrow("t").equals(some_rows(3000))
        assert new.read("notes").open("f2").read() == _noise(2)
        assert new.check().problems == []
        with pytest.raises(Conflict, match="only an empty one"):
            new.rebuild()


def _noise(seed: int, size: int = 100_000) -> bytes:
    return random.Random(seed).randbytes(size)
