"""Several workers of a release: forked, replaced at once, replaced when they leak (8, 17)."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import msgspec
import pytest

from roadworthy.serving.growth import LeakLimits
from roadworthy.serving.options import Limits
from roadworthy.testing.hosts import Host, wait_until

pytestmark = pytest.mark.fault("8")

ROW = {"a": 1.5, "b": 2, "kind": "fine"}
THREAD = "import threading\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
FAILS_FORKED = "import os\nat_first = os.getpid()\nold = Flow.answer_columns\n" + (
    "def answer_columns(self, columns, n):\n"
    "    if os.getpid() != at_first:\n"
    "        time.sleep(60)\n"
    "    return old(self, columns, n)\n"
    "Flow.answer_columns = answer_columns\n"
)


def parents(pids: list[int]) -> set[int]:
    return {
        int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in pids
    }


def with_replicas(host: Host, count: int, **how) -> list[int]:
    host.follow(1, msgspec.structs.replace(host.add_flow(1, **how), replicas=count))
    wait_until(lambda: len(host.workers("tiny@1")) == count, what=f"{count} workers")
    host.applied()
    return host.workers("tiny@1")


def ask(host: Host, kind: str = "fine"):
    with host.client() as client:
        return client.post("/models/tiny/predict", json={**ROW, "kind": kind})


def events(host: Host, kind: str):
    return [event for event in host.status().events if event.kind == kind]


def test_replicas_are_forked_from_one_and_share_its_memory():
    with Host() as host:
        pids = with_replicas(host, 3, extra="held = bytearray(b'x' * (64 << 20))")
        assert len(parents(pids)) == 1
        assert parents(pids) != {host.process.pid}
        for pid in pids:
            smaps = Path(f"/proc/{pid}/smaps_rollup").read_text()
            sizes = {line.split(":")[0]: line.split()[1] for line in smaps.splitlines()[1:]}
            assert int(sizes["Rss"]) > 64 << 10
            assert int(sizes["Pss"]) < 48 << 10
        assert ask(host).status_code == 200


def test_a_forked_worker_that_dies_is_replaced_and_says_how_it_ended():
    with Host() as host:
        old = with_replicas(host, 2)
        os.kill(old[0], signal.SIGSEGV)
        new = wait_until(
            lambda: [pid for pid in host.workers("tiny@1") if pid not in old], what="another"
        )
        assert parents(new) == parents(old[1:])
        (died,) = wait_until(lambda: events(host, "died"), what="the event")
        assert died.reason.startswith("it ended while serving with signal 11")
        with host.client() as client:

            def counted() -> bool:
                text = client.get("/metrics").text
                return 'roadworthy_worker_failures_total{kind="died",release="tiny@1"} 1.0' in text

            wait_until(counted, what="the metric")


def test_a_killed_nursery_is_replaced_when_it_is_needed():
    with Host() as host:
        old = with_replicas(host, 2)
        (nursery,) = parents(old)
        os.kill(nursery, signal.SIGKILL)
        assert ask(host).status_code == 200
        os.kill(old[0], signal.SIGKILL)
        wait_until(lambda: set(host.workers("tiny@1")) - set(old), what="another worker")
        assert old[1] in host.workers("tiny@1")


def test_a_killed_agents_successor_takes_forked_workers_over():
    with Host() as host:
        old = with_replicas(host, 2)
        host.kill()
        assert ask(host).status_code == 200
        host.start()
        host.applied()
        assert sorted(host.workers("tiny@1")) == sorted(old)
        os.kill(old[0], signal.SIGKILL)
        wait_until(lambda: set(host.workers("tiny@1")) - set(old), what="another worker")


@pytest.mark.parametrize(
    ("extra", "why"),
    [(THREAD, "1 threads of its libraries run"), (FAILS_FORKED, "a forked worker ended with")],
    ids=["threads", "does not come up"],
)
def test_where_forking_is_not_safe_workers_are_processes_of_their_own(extra: str, why: str):
    with Host() as host:
        pids = with_replicas(host, 2, extra=extra)
        assert parents(pids) == {host.process.pid}
        assert any(why in problem for problem in host.status().problems)
        assert ask(host).status_code == 200


@pytest.mark.fault("17")
def test_a_worker_that_leaks_is_replaced_and_no_request_is_lost():
    leaks = LeakLimits(every_seconds=0.1, window_seconds=3.0, least_bytes=8 << 20)
    with Host(limits=Limits(deadline_seconds=15.0), leaks=leaks) as host:
        old = with_replicas(host, 1)
        stop, statuses = threading.Event(), set()

        def stream() -> None:
            with host.client() as client:
                while not stop.is_set():
                    body = {**ROW, "kind": "leak"}
                    statuses.add(client.post("/models/tiny/predict", json=body).status_code)

        thread = threading.Thread(target=stream)
        thread.start()
        try:
            wait_until(lambda: set(host.workers("tiny@1")) - set(old), 60, what="another worker")
            wait_until(lambda: old[0] not in host.workers("tiny@1"), what="the old one's end")
        finally:
            stop.set()
            thread.join()
        assert statuses == {200}
        assert "its memory grew from" in events(host, "tired")[0].reason


def test_events_outlive_the_agent():
    with Host() as host:
        with_replicas(host, 1)
        host.kill()
        host.start()
        lines = (host.directory / "agent" / "events.jsonl").read_bytes().splitlines()
        assert msgspec.json.decode(lines[0])["kind"] == "ready"
