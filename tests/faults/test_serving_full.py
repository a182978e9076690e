"""Row 2 for serving: no space for the prediction log, or for the agent's files. Answers go on."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
from collections.abc import Iterator

import pytest

from roadworthy.testing.hosts import Host, wait_until

pytestmark = pytest.mark.fault("2")
ROW = {"a": 1.5, "b": 2, "kind": "fine"}


@contextlib.contextmanager
def files_of_at_most(pid: int, size: int) -> Iterator[None]:
    """No file that the process writes may grow beyond this, as on a disk that is full."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def counted(client, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def ask(client) -> bool:
    return client.post("/models/tiny/predict", json=ROW).status_code == 200


def test_without_space_for_the_log_answers_go_on_and_the_loss_is_counted():
    with Host() as host:
        host.follow(1, host.add_flow(1))
        host.applied()
        dropped = 'roadworthy_log_dropped_total{reason="write failed"}'
        with host.client() as client:
            with files_of_at_most(host.status().gateway_pid, 100):
                wait_until(lambda: ask(client) and counted(client, dropped), what="a loss")
            written = counted(client, "roadworthy_log_written_total")
            wait_until(
                lambda: ask(client) and counted(client, "roadworthy_log_written_total") > written,
                what="the log's return",
            )
        assert not list((host.directory / "predictions").rglob("*.new"))


def test_an_agent_without_space_keeps_what_runs_and_goes_on_by_itself():
    with Host() as host:
        host.follow(1, host.add_flow(1), host.add_flow(2))
        host.applied()
        old = host.workers("tiny@1")
        with host.client() as client:
            with files_of_at_most(host.process.pid, 0):
                os.kill(old[0], signal.SIGKILL)
                assert client.post("/models/tiny/versions/2/predict", json=ROW).status_code == 200
            wait_until(lambda: set(host.workers("tiny@1")) - set(old), what="another worker")
            assert ask(client)
