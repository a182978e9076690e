"""The controller's loop, where its checks end while it looks."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from roadworthy.core.certificate import Certificate, Check
from roadworthy.core.deployment import WorkerSpec
from roadworthy.core.operation import Operation
from roadworthy.core.release import Release
from roadworthy.operations.bell import Bell
from roadworthy.operations.controller import Controller
from roadworthy.operations.decisions import Observed
from roadworthy.operations.desired import Desired, Snapshot, deployment_of
from roadworthy.operations.placing import Placement
from roadworthy.registry import Registry
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import unsynced_disk
from roadworthy.storage.opening import open_database
from roadworthy.storage.queries import operations
from roadworthy.testing.hosts import wait_until
from roadworthy.testing.values import a_draft, a_run, ticking_clock


class OldNews(Desired):
    """What is wanted, told only after the checks that ran meanwhile have ended."""

    checking: threading.Event
    looked: threading.Event

    def observed(self) -> Observed:
        return Observed(ready={"m@1": 1}, applied=super().snapshot().table.version, silent=0.0)

    def snapshot(self) -> Snapshot:
        now = super().snapshot()
        if self.checking.is_set() and not self.looked.is_set():
            self.looked.set()
            wait_until(lambda: self.step() != "certify", what="the checks' end")
            time.sleep(0.1)  # the thread of the checks ends too
        return now

    def step(self) -> str:
        with self.database.reading() as connection:
            return operations.operation(connection, "1").step


def test_checks_that_end_during_a_look_are_not_begun_again(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'roadworthy.db'}")
    clock = ticking_clock()
    registry = Registry(database, DirectoryBlobs(tmp_path / "blobs", unsynced_disk()), clock)
    run = registry.new_id()
    registry.record_run(a_run(run), None, {"train.py": b"x = 1\n"})
    registry.record_release(a_draft(run, b"x = 1\n", model="m"))
    bell = Bell()
    placement = Placement(lambda *_: "", lambda *_: "", lambda *_: "", bell.ring)
    spec = WorkerSpec(release="m@1", flow="f", python="p")
    placement.adopt([spec])
    desired = OldNews(database, placement, bell)
    desired.checking, desired.looked = threading.Event(), threading.Event()
    times: list[str] = []

    def certify(release: Release, checks: list[Check], breaking: bool) -> Certificate:
        times.append(release.name)
        desired.checking.set()
        desired.looked.wait(10.0)
        passed = Check("law", "capture", "law", "passed", required="", measured="")
        return Certificate(
            release=release.name, depth="quick", made=desired.at(), seconds=0.1, checks=[passed]
        )

    operation = Operation(
        id="1",
        kind="promote",
        model="m",
        stage="production",
        generation=0,
        caller="ada",
        started=desired.at(),
        since=desired.clock(),
        step="certify",
        release="m@1",
    )
    database.write(lambda connection: operations.save_operation(connection, operation))
    controller = Controller(desired, registry, certify)
    try:
        wait_until(lambda: controller.look() or desired.step() == "ended", what="end")
    finally:
        controller.stop()
    with database.reading() as connection:
        ended = operations.operation(connection, "1")
        assert ended.state == "done", ended.problem
        assert deployment_of(connection, "m", "production").live == 1
    assert [line.step for line in ended.progress] == ["switch", "route", "ended"]
    assert times == ["m@1"]
    database.close()
