"""The registry against a plain dictionary, under random commands (Hypothesis)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from roadworthy.errors import NotFound
from roadworthy.registry import Registry
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import unsynced_disk
from roadworthy.storage.opening import open_database
from roadworthy.testing.values import a_draft, a_run, ticking_clock

MODELS = st.sampled_from(["one", "two", "three"])
CONTENTS = st.binary(min_size=1, max_size=2)
NUMBERS = st.integers(1, 6)


class RegistryMachine(RuleBasedStateMachine):
    """The oracle is ``contents`` (a model's contents, in order) and what was said of each."""

    @initialize()
    def open(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="rw-"))
        self.contents: dict[str, list[bytes]] = {}
        self.notes: dict[str, str] = {}
        self.quarantined: dict[str, str] = {}
        self.runs: dict[str, dict[str, bytes]] = {}
        self.clock = ticking_clock()
        self._connect()
        self.record_run(b"first")

    def _connect(self) -> None:
        self.database = open_database(f"sqlite:///{self.home / 'roadworthy.db'}")
        blobs = DirectoryBlobs(self.home / "blobs", unsynced_disk())
        self.registry = Registry(self.database, blobs, self.clock)

    @rule()
    def reopen(self) -> None:
        """Nothing depends on the process."""
        self.database.close()
        self._connect()

    @rule(source=CONTENTS)
    def record_run(self, source: bytes) -> None:
        run = self.registry.new_id()
        self.registry.record_run(a_run(run), None, {"train.py": source})
        self.runs[run] = {"train.py": source}

    @rule(model=MODELS, content=CONTENTS, notes=st.text(max_size=3))
    def record_release(self, model: str, content: bytes, notes: str) -> None:
        run = max(self.runs)
        release = self.registry.record_release(a_draft(run, content, model=model, notes=notes))
        known = self.contents.setdefault(model, [])
        if content not in known:
            known.append(content)
            self.notes[f"{model}@{len(known)}"] = notes
        assert release.number == known.index(content) + 1
        assert release.notes == self.notes[release.name]

    @rule(model=MODELS, number=NUMBERS, text=st.text(max_size=5))
    def set_notes(self, model: str, number: int, text: str) -> None:
        name = f"{model}@{number}"
        if name in self.notes:
            self.registry.set_notes(name, text)
            self.notes[name] = text
        else:
            with pytest.raises(NotFound):
                self.registry.set_notes(name, text)

    @rule(model=MODELS, number=NUMBERS, lift=st.booleans())
    def quarantine(self, model: str, number: int, lift: bool) -> None:
        name = f"{model}@{number}"
        if name not in self.notes:
            return
        if lift:
            self.registry.lift(name)
            self.quarantined.pop(name, None)
        else:
            self.registry.quarantine(name, "a reason")
            self.quarantined[name] = "a reason"

    @precondition(lambda self: getattr(self, "notes", None))
    @rule(pick=st.randoms(use_true_random=False), flip=st.booleans())
    def materialise(self, pick: object, flip: bool) -> None:
        name = pick.choice(sorted(self.notes))  # type: ignore[attr-defined]
        model, _, number = name.partition("@")
        content = self.contents[model][int(number) - 1]
        digest = self.registry.release(name).digest
        directory = self.registry.materialise(digest, self.home / "releases")
        assert (directory / "flow.py").read_bytes() == content
        if flip:
            (directory / "flow.py").write_bytes(b"damaged")

    @invariant()
    def everything_is_found_again(self) -> None:
        if not hasattr(self, "contents"):
            return
        summary = {each.name: each.releases for each in self.registry.models()}
        assert summary == {model: len(known) for model, known in self.contents.items()}
        for model, known in self.contents.items():
            releases = self.registry.releases(model, limit=100)
            assert [each.number for each in releases] == list(range(len(known), 0, -1))
            for release in releases:
                assert release.notes == self.notes[release.name]
                assert release.quarantined == self.quarantined.get(release.name, "")
                assert self.registry.file(release, "flow.py") == known[release.number - 1]
        assert [run.id for run in self.registry.runs(limit=1000)] == sorted(self.runs, reverse=True)

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            shutil.rmtree(self.home)


RegistryMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRegistry = RegistryMachine.TestCase
