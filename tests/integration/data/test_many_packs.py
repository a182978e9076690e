"""A commit of many packs: they are known at once, their pieces together, whatever comes between."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from roadworthy.data import Datasets, PutFile
from roadworthy.data import sending as module
from roadworthy.data.pieces import PieceWriter
from roadworthy.data.stored import digest_bytes, load_bytes, store_bytes
from roadworthy.errors import StorageError
from roadworthy.settings import Settings
from roadworthy.storage.queries.packs import all_packs
from roadworthy.storage.queries.pieces import PackGone, hold, register_pack
from roadworthy.wiring import open_datasets

SMALL = 4000  # bytes of a pack
NOW = timedelta(0)


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Datasets]:
    """Datasets whose packs are known by threes."""
    monkeypatch.setattr(module, "_PACKS_TOGETHER", 3)
    with open_datasets(Settings(home=tmp_path / "home")) as datasets:
        yield datasets


def some_pieces(count: int, seed: int = 0) -> dict[bytes, bytes]:
    """Pieces by digest: about seven of them fill a pack."""
    chance = random.Random(seed)
    contents = [chance.randbytes(chance.randrange(1, 1200)) for _ in range(count)]
    return {digest_bytes(data): data for data in contents}


def put(writer: PieceWriter, contents: dict[bytes, bytes]) -> None:
    """Puts pieces that are all missing."""
    assert writer.missing(contents) == set(contents)
    for digest, data in contents.items():
        writer.put(digest, store_bytes(data))


def commit(datasets: Datasets, writer: PieceWriter) -> None:
    """Finishes a writer's packs, and does with them what the transaction of a commit does."""
    writer.finish()
    at = datasets.now()
    fresh = {digest for digest, _, _ in writer.unregistered}

    def work(connection: Connection, rewritten: bool = False) -> None:
        relied = set(writer.relied)
        for pack in writer.unregistered:
            relied.update(register_pack(connection, *pack, at, rewritten=rewritten))
        hold(connection, relied, [each for each in writer.packs if each not in fresh], at)

    try:
        datasets.database.write(work)
    except PackGone as error:
        if error.details.get("state") != "deleted":
            raise
        writer.put_again()
        datasets.database.write(lambda connection: work(connection, True))


def test_pieces_are_read_wherever_they_are(datasets: Datasets) -> None:
    contents = some_pieces(200)
    with PieceWriter(datasets.store, datasets.now, SMALL) as writer:
        for number, (digest, data) in enumerate(contents.items()):
            writer.put(digest, store_bytes(data))
            old = list(contents)[random.Random(number).randrange(number + 1)]
            if number % 9 == 0:
                assert writer.get(old) == contents[old]
                assert load_bytes(writer.stored([old])[old], old) == contents[old]
            assert not writer.missing([old, digest])
        commit(datasets, writer)
        assert len(writer.packs) > 20
    found = datasets.store.stored(list(contents))
    assert {digest: load_bytes(found[digest], digest) for digest in contents} == contents
    assert not PieceWriter(datasets.store, datasets.now).missing(contents)


def test_two_writers_of_the_same_pieces(datasets: Datasets) -> None:
    contents = some_pieces(120)
    one = PieceWriter(datasets.store, datasets.now, SMALL)
    other = PieceWriter(datasets.store, datasets.now, SMALL + 500)
    with one, other:
        put(one, some_pieces(20, seed=1) | contents)
        missing = other.missing(contents)
        assert set() < missing < set(contents)  # those of the first three packs are known
        for digest in missing:
            other.put(digest, store_bytes(contents[digest]))
        for writer in (other, one):
            commit(datasets, writer)
    found = datasets.store.stored(list(contents))
    assert {digest: load_bytes(found[digest], digest) for digest in contents} == contents


@pytest.mark.parametrize("times", [1, 2])
def test_gc_beside_a_writer(datasets: Datasets, times: int) -> None:
    contents = some_pieces(50)
    with PieceWriter(datasets.store, datasets.now, SMALL) as writer:
        put(writer, contents)
        for _ in range(times):
            datasets.collect(grace=NOW, dry_run=False)
        if times == 2:  # condemned, then removed: it is said, and nothing is there by halves
            with pytest.raises(PackGone):
                commit(datasets, writer)
            return
        commit(datasets, writer)
    with datasets.database.reading() as connection:
        states = {each.digest: each.state for each in all_packs(connection)}
    assert {states[digest] for digest in writer.packs} == {"live"}
    found = datasets.store.stored(list(contents))
    assert {digest: load_bytes(found[digest], digest) for digest in contents} == contents


def test_what_gc_removed_before_is_stored_again(datasets: Datasets) -> None:
    contents = some_pieces(60)
    for _ in range(2):
        with PieceWriter(datasets.store, datasets.now, SMALL) as writer:
            put(writer, contents)
            commit(datasets, writer)
        found = datasets.store.stored(list(contents))
        assert {digest: load_bytes(found[digest], digest) for digest in contents} == contents
        for _ in range(2):
            datasets.collect(grace=NOW, dry_run=False)


def test_packs_of_a_writer_that_died_are_collected(datasets: Datasets) -> None:
    datasets.create("d")
    datasets.commit("d", [PutFile("a", b"a")], message="m")
    with PieceWriter(datasets.store, datasets.now, SMALL) as writer:
        put(writer, some_pieces(50))
    assert datasets.check().problems == []
    before = datasets.collect(grace=NOW, dry_run=False)
    assert before.condemned >= 3
    assert datasets.collect(grace=NOW, dry_run=False).deleted >= 3
    assert datasets.check().problems == []
    assert b"".join(datasets.read("d").parts(datasets.read("d").entry("a"))) == b"a"


def test_a_pack_that_could_not_be_stored_is_not_forgotten(
    datasets: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, failing = datasets.store.blobs.put, [True]

    def put_unless_full(data: bytes) -> str:
        if failing and failing.pop():
            raise StorageError("the disk is full")
        return plain(data)

    monkeypatch.setattr(datasets.store.blobs, "put", put_unless_full)

    def put_and_finish(writer: PieceWriter, seed: int) -> None:
        put(writer, some_pieces(50, seed))
        writer.finish()

    with PieceWriter(datasets.store, datasets.now, SMALL) as writer:
        for seed in range(2):  # storing works again the second time, and still pieces are missing
            with pytest.raises(StorageError, match="full"):
                put_and_finish(writer, seed)


def test_what_is_erased_is_in_no_pack(datasets: Datasets, tmp_path: Path) -> None:
    secret = random.Random(9).randbytes(1000)
    contents = some_pieces(5) | {digest_bytes(secret): secret} | some_pieces(12, seed=1)
    with PieceWriter(datasets.store, datasets.now, SMALL) as died:
        put(died, contents)  # its packs are known, but not what is in them
    other = PieceWriter(datasets.store, datasets.now, SMALL + 500)
    with PieceWriter(datasets.store, datasets.now, SMALL + 900) as late, other:
        put(late, {digest_bytes(secret): secret} | some_pieces(5, seed=2))
        put(other, {digest_bytes(secret): secret} | some_pieces(5, seed=3))
        commit(datasets, late)
        commit(datasets, other)
    datasets.create("d")
    datasets.commit("d", [PutFile("secret", secret), PutFile("kept", b"kept")], message="m")
    stored = [each for each in (tmp_path / "home").rglob("*") if each.is_file()]
    assert sum(secret in each.read_bytes() for each in stored) >= 3
    datasets.erase("d", "secret", reason="asked for")
    stored = [each for each in (tmp_path / "home").rglob("*") if each.is_file()]
    assert not any(secret in each.read_bytes() for each in stored)
    assert datasets.check().problems == []
    for seed in (2, 3):
        kept = some_pieces(5, seed=seed)
        found = datasets.store.stored(list(kept))
        assert {digest: load_bytes(found[digest], digest) for digest in kept} == kept
