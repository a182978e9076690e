"""Small parts of operations: the bell, observations, history, checkout, logs, processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from blake3 import blake3

from roadworthy.core.deployment import AgentStatus, StageChange, WorkerStatus
from roadworthy.core.run import ProgramFile
from roadworthy.errors import Conflict, NotFound, UsageError
from roadworthy.operations.answers import held_at
from roadworthy.operations.bell import Bell
from roadworthy.operations.checkout import check_targets, safe_target, write_files
from roadworthy.operations.logs import read_log, tail
from roadworthy.operations.observing import observe
from roadworthy.operations.processes import Process, describe, lives, stop
from roadworthy.operations.supervisor import check_port
from roadworthy.settings import Settings


def test_a_waiter_that_knows_the_count_misses_no_ring() -> None:
    bell = Bell()
    seen = bell.count
    bell.ring()
    assert bell.wait(seen, 0.0) == seen + 1
    assert asyncio.run(bell.heard(seen, 0.0)) == seen + 1


def test_a_ring_from_a_thread_wakes_an_event_loop() -> None:
    bell = Bell()

    async def hear() -> int:
        threading.Timer(0.05, bell.ring).start()
        return await bell.heard(bell.count, 10.0)

    assert asyncio.run(hear()) == 1


def worker(release: str, state: str, **fields: object) -> WorkerStatus:
    return WorkerStatus(id="w", release=release, flow="f", state=state, **fields)  # type: ignore[arg-type]


def test_a_report_is_read_as_ready_failing_and_broken() -> None:
    status = AgentStatus(
        agent="a",
        pid=1,
        at="",
        applied=4,
        gateway_pid=2,
        workers=[
            worker("m@1", "ready"),
            worker("m@1", "failed", error="gone", restarts=3),
            worker("m@2", "failed", error="no module"),
            worker("m@3", "failed", error="no module", restarts=1),
            worker("m@4", "failed", error="once", restarts=1),
            worker("m@4", "starting"),
        ],
    )
    seen = observe(status, 0.5)
    assert seen.ready == {"m@1": 1}
    assert set(seen.failing) == {"m@2", "m@3"}
    assert set(seen.broken) == {"m@3"}
    assert seen.applied == 4
    assert seen.present
    assert not observe(None, 0.0).present


def change(generation: int, at: str, release: int) -> StageChange:
    return StageChange(
        model="m",
        stage="production",
        generation=generation,
        release=release,
        replaced=None,
        action="deploy",
        at=at,
        caller="",
        reason="",
    )


def test_history_says_what_held_at_a_moment() -> None:
    changes = [change(2, "2026-03-02T00:00:00Z", 2), change(1, "2026-03-01T00:00:00Z", 1)]
    (held,) = held_at(changes, datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert held.release == 1
    assert held_at(changes, datetime(2026, 2, 1, tzinfo=UTC)) == []


@pytest.mark.parametrize("path", ["../out.py", "/etc/passwd", "a/../../b", "", "a\\b", "a\nb"])
def test_a_checkout_writes_nothing_outside_its_directory(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError):
        safe_target(tmp_path / "out", path)


def test_a_checkout_does_not_follow_a_link_out(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "lib").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="by a link"):
        safe_target(tmp_path / "out", "lib/a.py")


def test_a_checkout_tells_what_differs_and_writes_whole_files(tmp_path: Path) -> None:
    content = b"print(1)\n"
    digest = blake3(content).hexdigest()
    files = [ProgramFile(path="lib/a.py", digest=digest, bytes=len(content))]
    assert check_targets(tmp_path, files) == []
    write_files(tmp_path, files, lambda _: content)
    assert check_targets(tmp_path, files) == []
    (tmp_path / "lib" / "a.py").write_text("mine")
    assert check_targets(tmp_path, files) == [tmp_path / "lib" / "a.py"]
    write_files(tmp_path, files, lambda _: content)
    assert [each.name for each in (tmp_path / "lib").iterdir()] == ["a.py"]


def test_a_log_is_read_from_its_end(tmp_path: Path) -> None:
    path = tmp_path / "run" / "control.log"
    path.parent.mkdir()
    path.write_text("".join(f"line {number}\n" for number in range(20_000)))
    assert tail(path, 2) == ["line 19998", "line 19999"]
    settings = Settings(home=tmp_path)
    assert read_log(settings, "control", 1) == ["line 19999"]
    with pytest.raises(NotFound, match="contrl") as caught:
        read_log(settings, "contrl", 1)
    assert "control" in caught.value.cure


def test_a_process_is_told_from_another_one_under_its_pid() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = describe(child.pid, "child")
    assert lives(process)
    assert not lives(Process(pid=child.pid, born="1"))
    assert stop(process, 10.0)
    child.communicate()
    assert not lives(process)


def test_a_port_in_use_is_named_with_its_holder() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(Conflict, match=f"port {port} is in use by process {os.getpid()}"):
            check_port("127.0.0.1", port, "--port")
