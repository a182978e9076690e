"""The contract of datasets as tests: subclass it, and give the fixture ``datasets``."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import Connection

from roadworthy.core.dataset import Committed, Provenance
from roadworthy.data import Append, Datasets, PutFile, PutTable, Remove
from roadworthy.errors import Conflict, InvalidName, NotFound, UsageError


def some_rows(rows: int, seed: int = 0, start: int = 0) -> pa.Table:
    """A table of ids, numbers with nulls, and texts."""
    chance = random.Random(seed)
    return pa.table(
        {
            "id": pa.array(range(start, start + rows), pa.int64()),
            "price": [None if chance.random() < 0.1 else chance.random() for _ in range(rows)],
            "city": [chance.choice(("Oslo", "Lima", "", "Ålesund")) for _ in range(rows)],
        }
    )


def _counting(seen: Counter[str]) -> Callable[[str, int], None]:
    """What adds up the progress of each path."""
    return lambda path, count: seen.update({path: count})


class DatasetContract:
    """What datasets do wherever they are kept. ``datasets`` is a fixture with none in it."""

    def test_files_come_back_byte_for_byte(self, datasets: Datasets) -> None:
        datasets.create("photos")
        contents = {
            "empty": b"",
            "small.txt": b"a line\n",
            "deep/er/large.bin": random.Random(1).randbytes(3_000_000),
            "deep/zeros": bytes(1_000_000),
        }
        made = datasets.commit(
            "photos@main", [PutFile(path, data) for path, data in contents.items()], message="m"
        )
        assert made.commit.files == 4
        assert made.commit.bytes == sum(map(len, contents.values()))
        snapshot = datasets.read("photos")
        assert [entry.path for entry in snapshot.entries()] == sorted(contents)
        for path, data in contents.items():
            assert snapshot.open(path).read() == data
            assert b"".join(snapshot.parts(snapshot.entry(path))) == data
        with snapshot.open("deep/er/large.bin") as file:
            file.seek(1_234_567)
            assert file.read(1000) == contents["deep/er/large.bin"][1_234_567:1_235_567]
        assert [each.path for each in snapshot.entries("deep/er")] == ["deep/er/large.bin"]

    def test_tables_come_back_as_values(self, datasets: Datasets) -> None:
        datasets.create("trips", key=["id"])
        rows = some_rows(50_000)
        datasets.commit("trips@main", [PutTable("t.parquet", rows, key=["id"])], message="m")
        snapshot = datasets.read("trips")
        assert snapshot.to_arrow().equals(rows)
        assert snapshot.to_arrow(columns=["city"]).equals(rows.select(["city"]))
        some = pa.Table.from_batches(snapshot.batches(start=777, stop=40_001))
        assert some.equals(rows.slice(777, 40_001 - 777))
        assert snapshot.to_pandas(columns=["id"])["id"].sum() == sum(range(50_000))
        with pytest.raises(UsageError, match="no column 'town'"):
            snapshot.to_arrow(columns=["town"])

    def test_rows_are_appended(self, datasets: Datasets) -> None:
        datasets.create("trips")
        for number in range(3):
            rows = some_rows(1000, number, number * 1000)
            made = datasets.commit("trips", [Append("t", rows)], message=f"part {number}")
        assert made.commit.append_only
        assert datasets.read("trips").to_arrow()["id"].to_pylist() == list(range(3000))
        wrong = some_rows(5).rename_columns(["id", "price", "town"])
        with pytest.raises(UsageError, match="city is missing; town is new"):
            datasets.commit("trips", [Append("t", wrong)], message="wrong")
        assert len(datasets.log("trips")) == 3

    def test_rows_are_appended_to_a_table_of_many_pages(self, datasets: Datasets) -> None:
        wide = pa.table({f"c{n}": pa.array(range(8000), pa.int16()) for n in range(120)})
        datasets.create("wide")
        datasets.commit("wide", [Append("t", wide)], message="first")
        datasets.commit("wide", [Append("t", wide.slice(0, 900))], message="second")
        found = datasets.read("wide").to_arrow()
        assert found.equals(pa.concat_tables([wide, wide.slice(0, 900)]))

    def test_every_name_of_a_commit(self, datasets: Datasets) -> None:
        datasets.create("notes")
        made = [
            datasets.commit("notes@main", [PutFile("n", b"%d" % number)], message=f"{number}")
            for number in range(4)
        ]
        datasets.create_tag("notes", "v1", "notes@main~3")
        datasets.create_branch("notes", "trial", "notes@main~1")
        assert datasets.find("notes") == datasets.find("notes@main") == made[3]
        assert datasets.find("notes@main~2") == made[1]
        assert datasets.find(f"notes@{made[2].digest[:10]}") == made[2]
        assert datasets.find("notes@v1") == made[0]
        assert datasets.find("notes@trial~1") == made[1]
        assert datasets.find(f"notes@{made[1].commit.at}") == made[1]
        assert datasets.find(f"notes@main@{made[2].commit.at}") == made[2]
        assert [each.commit.message for each in datasets.log("notes", limit=2)] == ["3", "2"]
        with pytest.raises(NotFound, match="before the first commit"):
            datasets.find("notes@main~4")
        with pytest.raises(NotFound, match="before the first commit"):
            datasets.find("notes@2020-01-01")
        with pytest.raises(NotFound, match="no branch, tag or commit 'trail'") as raised:
            datasets.find("notes@trail")
        assert "notes@trial" in raised.value.cure
        with pytest.raises(NotFound, match="no dataset note"):
            datasets.find("note")

    def test_two_writers_of_one_path_conflict(self, datasets: Datasets) -> None:
        datasets.create("notes")
        first = datasets.commit("notes", [PutFile("n", b"1")], message="one", author="ada")
        with pytest.raises(Conflict, match="which the changes are meant for") as raised:
            datasets.commit("notes", [PutFile("n", b"2")], message="two", expected="")
        assert raised.value.details["theirs"] == first.digest

        def meanwhile(_path: str, _size: int) -> None:
            if len(datasets.log("notes")) == 1:
                datasets.commit("notes", [PutFile("n", b"3")], message="three", author="bob")

        with pytest.raises(Conflict, match="by bob") as raised:
            datasets.commit("notes", [PutFile("n", b"4")], message="four", report=meanwhile)
        assert raised.value.details["ours"] == first.digest
        assert raised.value.details["theirs"] == datasets.find("notes").digest
        assert datasets.read("notes").open("n").read() == b"3"

    def test_appends_meanwhile_are_both_kept(self, datasets: Datasets) -> None:
        datasets.create("trips")
        datasets.commit("trips", [Append("t", some_rows(10))], message="first")

        def meanwhile(_path: str, _size: int) -> None:
            if len(datasets.log("trips")) == 1:
                rows = some_rows(5, start=10)
                datasets.commit("trips", [Append("t", rows)], message="second")

        rows = some_rows(5, start=15)
        datasets.commit("trips", [Append("t", rows)], message="third", report=meanwhile)
        assert datasets.read("trips").to_arrow()["id"].to_pylist() == list(range(20))
        assert [each.commit.message for each in datasets.log("trips")] == [
            "third",
            "second",
            "first",
        ]

    def test_an_act_happens_once(self, datasets: Datasets) -> None:
        datasets.create("notes")
        seen: list[str] = []

        def also(_connection: Connection, made: Committed) -> None:
            seen.append(made.digest)

        made = [
            datasets.commit("notes", [PutFile("n", b"1")], message="m", write="w-1", also=also)
            for _ in range(2)
        ]
        assert made[0] == made[1]
        assert seen == [made[0].digest]
        assert len(datasets.log("notes")) == 1

    def test_what_happens_also_fails_the_commit(self, datasets: Datasets) -> None:
        datasets.create("notes")

        def also(_connection: Connection, _made: Committed) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            datasets.commit("notes", [PutFile("n", b"1")], message="m", also=also)
        assert datasets.log("notes") == []

    def test_no_difference_makes_no_commit(self, datasets: Datasets) -> None:
        datasets.create("notes")
        first = datasets.commit("notes", [PutFile("n", b"1")], message="m")
        assert datasets.commit("notes", [PutFile("n", b"1")], message="again") == first

    def test_paths_are_removed(self, datasets: Datasets) -> None:
        datasets.create("notes")
        files = [PutFile(f"a/{number}", b"x") for number in range(700)]
        datasets.commit("notes", [*files, PutFile("b", b"y")], message="m")
        made = datasets.commit("notes", [Remove("a", below=True)], message="less")
        assert made.commit.files == 1
        assert [each.path for each in datasets.read("notes").entries()] == ["b"]
        with pytest.raises(NotFound, match="can't be removed"):
            datasets.commit("notes", [Remove("a", below=True)], message="none")

    def test_the_same_content_is_kept_once(self, datasets: Datasets) -> None:
        datasets.create("one")
        datasets.create("two")
        data = random.Random(2).randbytes(500_000)
        first = datasets.commit("one", [PutFile("x", data)], message="m")
        second = datasets.commit("two", [PutFile("y", data)], message="m")
        assert first.commit.added > 500_000
        assert second.commit.added < 2_000

    def test_provenance_is_found_both_ways(self, datasets: Datasets) -> None:
        datasets.create("raw")
        datasets.create("clean")
        raw = datasets.commit("raw", [PutFile("x", b"1")], message="m")
        made = datasets.commit(
            "clean",
            [PutFile("y", b"2")],
            message="m",
            provenance=[Provenance(kind="commit", name=f"raw@{raw.digest}")],
        )
        datasets.record_uses([made.digest], "release", "model@1")
        assert [(use.kind, use.name) for use in datasets.downstream(raw.digest)] == [
            ("commit", made.digest),
            ("release", "model@1"),
        ]

    def test_files_are_kept_alike_however_they_are_given(
        self, datasets: Datasets, tmp_path: Path
    ) -> None:
        chance = random.Random(3)
        sizes = [0, 1, 63, 64, 5000, (16 << 10) - 1, 16 << 10, (16 << 10) + 1, 300_000]
        contents = {f"ä{n % 7}/{n}": chance.randbytes(n % 5000) for n in range(900)}
        contents |= {f"z/{size}": chance.randbytes(size) for size in sizes}
        contents |= {"\U0001f6f0": b"text " * 300, "\uffee": b"text " * 299}
        for path, data in contents.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_bytes(data)
        given = {
            "bytes": [PutFile(path, data) for path, data in contents.items()],
            "paths": [PutFile(path, tmp_path / path) for path in contents],
            "texts": [PutFile(path, str(tmp_path / path)) for path in reversed(contents)],
        }
        trees = set()
        for name, changes in given.items():
            datasets.create(name)
            seen: Counter[str] = Counter()
            made = datasets.commit(name, changes, message="m", report=_counting(seen))
            assert seen == Counter({path: len(data) for path, data in contents.items()})
            trees.add(made.commit.tree)
        assert len(trees) == 1
        found = datasets.read("texts")
        assert {path: b"".join(found.parts(found.entry(path))) for path in contents} == contents

    @pytest.mark.parametrize("path", ["", "/etc/passwd", "a/../b", "a//b", "./a", "a\\b", "a\nb"])
    def test_paths_that_lead_out_are_refused(self, datasets: Datasets, path: str) -> None:
        datasets.create("notes")
        with pytest.raises(InvalidName):
            datasets.commit("notes", [PutFile(path, b"")], message="m")

    def test_a_file_that_is_away_leaves_nothing(self, datasets: Datasets, tmp_path: Path) -> None:
        datasets.create("notes")
        with pytest.raises(Exception, match="can't be read"):
            datasets.commit("notes", [PutFile("a", tmp_path / "away")], message="m")
        assert datasets.log("notes") == []
