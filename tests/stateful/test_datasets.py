"""Two writers and gc against datasets, beside a plain dictionary that says what must be there."""

from __future__ import annotations

import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from roadworthy.core.dataset import Committed
from roadworthy.data import Append, Datasets, PutFile, PutTable, Remove
from roadworthy.data.ingestion.upserting import Upsert
from roadworthy.errors import Conflict, NotFound, StorageError
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import Disk
from roadworthy.storage.opening import open_database
from roadworthy.testing.faulty import FailingSync

PATHS = st.sampled_from(["a", "b/c", "b/d", "e"])
BRANCHES = st.sampled_from(["main", "side"])
WRITERS = st.integers(0, 1)
SEEDS = st.integers(0, 5)
SIZES = st.sampled_from([0, 10, 70_000, 300_000])
Content = bytes | list[int]
State = dict[str, Content]


class DatasetMachine(RuleBasedStateMachine):
    """What commits must hold is kept in ``states``, by digest; what branches name in ``heads``."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.home = Path(self.folder.name)
        self.database = open_database(f"sqlite:///{self.home / 'roadworthy.db'}")
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)
        self.writers = [self.open(Disk(sync=lambda _: None)) for _ in range(2)]
        self.states: dict[str, State] = {}
        self.heads: dict[str, str] = {"main": ""}
        self.lines: dict[str, list[str]] = {"": []}

    def open(self, disk: Disk) -> Datasets:
        """Datasets of this home on a disk."""
        return Datasets(self.database, DirectoryBlobs(self.home / "data", disk), self.clock)

    def clock(self) -> datetime:
        """Later each time, except now and then."""
        self.moment += timedelta(seconds=1)
        return self.moment

    @initialize()
    def begin(self) -> None:
        """There is one dataset."""
        self.writers[0].create("d")

    def state(self, branch: str) -> State:
        """What a branch must hold now."""
        return dict(self.states.get(self.heads[branch], {}))

    def made(self, branch: str, committed: Committed, state: State) -> None:
        """A commit that was made is what its branch names from now on."""
        if committed.digest != self.heads[branch]:
            self.lines[committed.digest] = [committed.digest, *self.lines[self.heads[branch]]]
        self.states[committed.digest] = state
        self.heads[branch] = committed.digest

    @rule(
        writer=WRITERS, branch=st.sampled_from(["main", "side"]), path=PATHS, seed=SEEDS, size=SIZES
    )
    def put_file(self, writer: int, branch: str, path: str, seed: int, size: int) -> None:
        if branch not in self.heads:
            return
        data = random.Random(seed).randbytes(size)
        made = self.writers[writer].commit(f"d@{branch}", [PutFile(path, data)], message="file")
        self.made(branch, made, {**self.state(branch), path: data})

    @rule(writer=WRITERS, path=PATHS, seed=SEEDS, edits=st.integers(0, 3))
    def put_table(self, writer: int, path: str, seed: int, edits: int) -> None:
        values = [number * 7 % 1000 for number in range(seed * 900)]
        for edit in range(min(edits, len(values))):
            values[edit * 100] = -seed
        rows = pa.table(
            {"n": pa.array(range(len(values)), pa.int64()), "v": pa.array(values, pa.int64())}
        )
        made = self.writers[writer].commit("d", [PutTable(path, rows)], message="table")
        self.made("main", made, {**self.state("main"), path: values})

    @rule(writer=WRITERS, path=PATHS, count=st.integers(1, 3000))
    def append(self, writer: int, path: str, count: int) -> None:
        before = self.state("main").get(path, [])
        if isinstance(before, bytes):
            return
        fresh = list(range(count))
        numbers = range(len(before), len(before) + count)
        rows = pa.table({"n": pa.array(numbers, pa.int64()), "v": pa.array(fresh, pa.int64())})
        made = self.writers[writer].commit("d", [Append(path, rows)], message="append")
        self.made("main", made, {**self.state("main"), path: before + fresh})

    @rule(writer=WRITERS, path=PATHS, seed=SEEDS, step=st.integers(1, 900))
    def upsert(self, writer: int, path: str, seed: int, step: int) -> None:
        before = self.state("main").get(path)
        if not isinstance(before, list):
            return
        numbers = [*range(seed, len(before), step), *range(len(before), len(before) + seed)]
        fresh = pa.array([-seed] * len(numbers), pa.int64())
        rows = pa.table({"n": pa.array(numbers, pa.int64()), "v": fresh})
        own = self.writers[writer]
        change = Upsert(rows, ["n"]).change(own.read("d"), path)
        after = [*before, *[0] * seed]
        for number in numbers:
            after[number] = -seed
        made = own.commit("d", [change], message="upsert")
        self.made("main", made, {**self.state("main"), path: after})

    @rule(writer=WRITERS, path=PATHS)
    def remove(self, writer: int, path: str) -> None:
        state = self.state("main")
        if path not in state:
            try:
                self.writers[writer].commit("d", [Remove(path)], message="remove")
            except NotFound:
                return
            raise AssertionError("what is not there was removed")
        made = self.writers[writer].commit("d", [Remove(path)], message="remove")
        del state[path]
        self.made("main", made, state)

    @rule(path=PATHS, other=PATHS, seed=SEEDS)
    def two_at_once(self, path: str, other: str, seed: int) -> None:
        """The second writer commits while the first one is writing: one of them is told."""
        before, head = self.state("main"), self.heads["main"]
        happened: list[Committed] = []
        theirs = random.Random(seed).randbytes(1000)
        ours = random.Random(seed + 100).randbytes(1000)

        def meanwhile(_path: str, _size: int) -> None:
            if not happened:
                change = [PutFile(other, theirs)]
                happened.append(self.writers[1].commit("d", change, message="theirs"))

        change = PutFile(path, ours)
        try:
            made = self.writers[0].commit("d", [change], message="ours", report=meanwhile)
        except Conflict as raised:
            self.made("main", happened[0], {**before, other: theirs})
            if raised.details["theirs"] != happened[0].digest:
                raise AssertionError("the conflict names another commit") from raised
            return
        self.made("main", happened[0], {**before, other: theirs})
        if head and made.digest == head:  # it changed nothing of what it had seen
            assert before[path] == ours
            return
        self.made("main", made, {**self.state("main"), path: ours})
        assert path not in before or happened[0].digest == head

    @rule(path=PATHS, seed=SEEDS, at=st.integers(1, 4))
    def disk_fails(self, path: str, seed: int, at: int) -> None:
        """A sync fails: the commit is not there, and this writer writes no more."""
        sync = FailingSync(at)
        broken = self.open(Disk(sync=sync))
        data = random.Random(seed + 50).randbytes(2000)
        try:
            made = broken.commit("d", [PutFile(path, data)], message="broken")
        except StorageError:
            assert sync.calls >= at
            return
        self.made("main", made, {**self.state("main"), path: data})

    @rule()
    def branch(self) -> None:
        if "side" not in self.heads and self.heads["main"]:
            self.writers[0].create_branch("d", "side", "d@main")
            self.heads["side"] = self.heads["main"]

    @rule()
    def drop_branch(self) -> None:
        if self.heads.pop("side", None) is not None:
            self.writers[1].delete_branch("d", "side")

    @rule(writer=WRITERS)
    def collect(self, writer: int) -> None:
        self.writers[writer].collect(grace=timedelta(0), dry_run=False)

    @invariant()
    def branches_hold_what_they_must(self) -> None:
        for branch, head in self.heads.items():
            if not head:
                continue
            snapshot = self.writers[0].read(f"d@{branch}")
            assert snapshot.committed.digest == head
            state = self.states[head]
            found = {entry.path: entry for entry in snapshot.entries()}
            assert found.keys() == state.keys()
            assert snapshot.committed.commit.files == len(state)
            for path, content in state.items():
                if isinstance(content, bytes):
                    assert snapshot.open(path).read() == content
                else:
                    assert snapshot.to_arrow(path)["v"].to_pylist() == content

    def teardown(self) -> None:
        for branch, head in self.heads.items():
            if head:
                log = [each.digest for each in self.writers[1].log(f"d@{branch}", limit=100)]
                assert log == self.lines[head]
                for digest in log[:4]:
                    snapshot = self.writers[1].read(f"d@{digest}")
                    assert {entry.path for entry in snapshot.entries()} == set(self.states[digest])
        assert self.writers[1].check().problems == []
        self.database.close()
        self.folder.cleanup()


DatasetMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25)
TestDatasets = DatasetMachine.TestCase
