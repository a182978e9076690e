"""roadworthy data … on a home of its own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from roadworthy import cli

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs ``roadworthy data …`` in a folder with a home; its output, or its JSON."""
    (tmp_path / "roadworthy.toml").touch()

    def run_it(*words: str, code: int = 0) -> Any:
        capfd.readouterr()
        assert cli.run(["data", *words]) == code
        said = capfd.readouterr()
        return json.loads(said.out) if "--json" in words else said.out + said.err

    with contextlib.chdir(tmp_path):
        yield run_it


def rows(path: str, count: int, first: int = 0, price: float = 1.5) -> None:
    """A CSV file with so many rows."""
    lines = [f"{first + number},{price},city{number % 3}" for number in range(count)]
    Path(path).write_text("\n".join(["id,price,city", *lines]) + "\n")


def test_every_command_of_the_group_answers_programs_too() -> None:
    group = dict(cli.command("data").commands)
    sources = group.pop("source").commands
    group |= {f"source {name}": command for name, command in sources.items()}
    for name, command in group.items():
        options = {option for each in command.params for option in each.opts}
        assert command.help
        assert name in ("cat", "describe", "lineage") or "--json" in options, name
        changing = ("init", "add", "commit", "branch", "tag", "merge", "checkout", "erase")
        if name in (*changing, "source add", "source poll", "source pause", "source remove"):
            assert "--dry-run" in options, name


def test_from_the_first_file_to_a_difference(run: Run) -> None:
    assert "empty branch main" in run("init", "trips", "--key", "id")
    assert run("list", "--json")[0]["dataset"]["key"] == ["id"]
    rows("a.csv", 1000)
    assert "nothing to commit" in run("commit", "trips", code=2)
    assert "would put table t.csv" in run("commit", "trips", "a.csv", "--at", "t.csv", "--dry-run")
    run("add", "trips", "a.csv", "--at", "t.csv")
    first = run("commit", "trips", "-m", "first", "--json")
    assert first["new"]
    assert "nothing to commit" in run("commit", "trips", code=2)
    assert "nothing changed" in run("commit", "trips", "a.csv", "--at", "t.csv", "-m", "again")
    rows("b.csv", 10, first=1000)
    run("commit", "trips", "b.csv", "--at", "t.csv", "--append", "-m", "more")
    Path("note.txt").write_bytes(b"\x00\xffnot text")
    run("commit", "trips@main", "note.txt", "-m", "a file")
    assert [each["commit"]["message"] for each in run("log", "trips", "--json")] == [
        "a file",
        "more",
        "first",
    ]
    assert "rows 1000 → 1010: 10 added, 0 removed, 0 changed" in run("diff", "trips@main~2")
    assert "rows" not in run("diff", "trips@main~2", "--schema")
    shown = run("show", "trips")
    assert "note.txt" in shown
    assert "price" in shown
    assert (
        run("cat", "trips@main~1", "-n", "1", "--columns", "id,city") == '"id","city"\n0,"city0"\n'
    )
    assert run("describe", "trips")
    out = run("checkout", "trips", "--to", "out", "--json")
    assert sorted(out["files"]) == ["out/note.txt", "out/t.csv"]
    assert Path("out/note.txt").read_bytes() == b"\x00\xffnot text"
    assert Path("out/t.csv").read_text().count("\n") == 1011
    assert "--force" in run("checkout", "trips", "--to", "out", code=4)
    assert "did you mean trips" in run("log", "tripz", code=3)


def test_branches_tags_and_merging(run: Run) -> None:
    run("init", "trips")
    rows("a.csv", 100)
    run("commit", "trips", "a.csv", "-m", "first")
    run("branch", "trips", "trial")
    rows("b.csv", 5, first=100)
    rows("c.csv", 5, first=200)
    run("commit", "trips@trial", "b.csv", "--at", "a.csv", "--append", "-m", "theirs")
    run("commit", "trips", "c.csv", "--at", "a.csv", "--append", "-m", "ours")
    run("tag", "trips", "before", "--of", "trips@main")
    merged = run("merge", "trips@main", "trips@trial", "--json")
    assert len(merged["commit"]["parents"]) == 2
    ids = [int(line.split(",")[0]) for line in run("cat", "trips").splitlines()[1:]]
    assert ids == [*range(100), *range(200, 205), *range(100, 105)]
    rows("a.csv", 100, price=2.5)
    run("branch", "trips", "other", "--of", "trips@before")
    run("commit", "trips@other", "a.csv", "-m", "rewritten")
    assert "both changed a.csv" in run("merge", "trips@main", "trips@other", code=4)
    run("branch", "trips", "other", "--delete")
    assert "keeps the last 1" in run("branch", "trips", "trial", "--keep-last", "1")
    assert {each["name"] for each in run("branch", "trips", "--json")} == {"main", "trial"}
    assert [each["name"] for each in run("tag", "trips", "--json")] == ["before"]


def test_care(run: Run) -> None:
    run("init", "trips")
    rows("a.csv", 100)
    run("commit", "trips", "a.csv", "-m", "first")
    rows("a.csv", 90)
    run("commit", "trips", "a.csv", "-m", "second")
    assert "needs a reason" in run("erase", "trips", "a.csv", "--keep-heads", code=2)
    assert "erased b3:" in run("erase", "trips", "a.csv", "--keep-heads", "--reason", "asked")
    assert "was erased on" in run("cat", "trips@main~1", code=10)
    assert "nothing was changed" in run("gc")
    assert "deleted" in run("gc", "--run", "--grace", "0")
    assert run("fsck", "--json")["healthy"]
    assert run("impact", "trips@main~1", "--json") == []
    run("export", "trips", "elsewhere")
    assert "already" in run("import", "trips", "elsewhere", code=4)
    Path("other").mkdir()
    Path("other/roadworthy.toml").touch()
    with contextlib.chdir("other"):
        run("import", "trips", "../elsewhere")
        assert run("cat", "trips").count("\n") == 91
        assert run("fsck", "--json")["healthy"]
    packs = [each for each in Path(".roadworthy/blobs/data").rglob("*") if each.is_file()]
    largest = max(packs, key=lambda each: each.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:100])
    assert "is damaged" in run("fsck", code=10)


def test_the_key_of_a_dataset_holds_for_the_tables_that_have_it(run: Run) -> None:
    run("init", "orders", "--key", "id")
    rows("orders.csv", 5)
    Path("names.csv").write_text("name,phone\nAda,1\n")
    said = run("commit", "orders", "orders.csv", "names.csv", "--message", "both")
    assert "2 paths" in said
    asked = run("commit", "orders", "names.csv", "--key", "id", "--message", "no", code=2)
    assert "names.csv: the key's column 'id' is not in the table" in asked
    rows("orders.csv", 5, price=2.5)
    assert "1 path" in run("init", "one") + run("commit", "one", "orders.csv", "--message", "m")
    run("commit", "orders", "orders.csv", "--message", "dearer")
    assert "0 added, 0 removed, 5 changed" in run("diff", "orders@main~1")


def test_what_is_asked_wrongly_is_told_shortly(run: Run) -> None:
    run("init", "trips")
    assert "write trips@main~1" in run("show", "trips~1", code=2)
    assert len(run("show", "trips@" + "a" * 3000, code=2)) < 400
    assert "no dataset is there" in run("import", "planes", "nowhere", code=3)
