"""Releases are switched under a steady stream of requests, and none is lost."""

from __future__ import annotations

import threading

import httpx

from roadworthy.testing.hosts import Host, wait_until

ROW = {"a": 1.5, "b": 2, "kind": "fine"}
SWITCHES = 20


class Stream(threading.Thread):
    """Asks without a pause, each request on the same connection, and keeps what came."""

    def __init__(self, host: Host) -> None:
        super().__init__(daemon=True)
        self.host = host
        self.done = threading.Event()
        self.answers: list[tuple[int, str, float]] = []
        self.errors: list[str] = []

    def run(self) -> None:
        with self.host.client() as client:
            while not self.done.is_set():
                try:
                    answer = client.post("/models/tiny/predict", json=ROW)
                    body = answer.json()
                    scores = body["answer"]["scores"]
                    self.answers.append((answer.status_code, body["release"], scores))
                except (httpx.HTTPError, KeyError, ValueError) as error:
                    self.errors.append(repr(error))


def test_twenty_switches_lose_no_request_and_each_answer_is_its_releases_own():
    with Host() as host:
        specs = [host.add_flow(n, factor=float(n)) for n in range(1, SWITCHES + 2)]
        host.follow(1, specs[0])
        host.applied()
        streams = [Stream(host) for _ in range(3)]
        for stream in streams:
            stream.start()
        for number in range(2, SWITCHES + 2):
            host.follow(number - 1, specs[number - 2], specs[number - 1])
            host.applied()
            host.follow(number, specs[number - 1])
            host.applied()
            seen = len(streams[0].answers)
            wait_until(
                lambda at=seen, name=f"tiny@{number}": any(
                    release == name for _, release, _ in streams[0].answers[at:]
                ),
                what="an answer of the new release",
            )
        for stream in streams:
            stream.done.set()
            stream.join()
        answers = [answer for stream in streams for answer in stream.answers]
        assert [error for stream in streams for error in stream.errors] == []
        assert {status for status, _, _ in answers} == {200}
        assert {release for _, release, _ in answers} == {f"tiny@{n}" for n in range(1, 22)}
        for _, release, score in answers:
            assert score == 1.5 * float(release.partition("@")[2]) + 2
        wait_until(lambda: len(host.status().workers) == 1, what="only the last worker")


def test_a_route_to_a_release_that_does_not_get_ready_leaves_the_old_one_live():
    with Host() as host:
        good = host.add_flow(1)
        bad = host.add_flow(2, factor=3.0, sample_factor=4.0)
        host.follow(1, good)
        host.applied()
        host.follow(2, bad)
        failed = wait_until(
            lambda: [w for w in host.status().workers if w.state == "failed"], what="a failure"
        )
        assert failed[0].release == "tiny@2"
        assert "golden request" in failed[0].error
        assert host.status().applied != host.table.version
        with host.client() as client:
            assert client.post("/models/tiny/predict", json=ROW).json()["release"] == "tiny@1"
            refused = client.post("/models/tiny/versions/2/predict", json=ROW)
            assert refused.status_code == 503
            assert "golden" in refused.json()["detail"]


def test_versions_that_are_not_there_are_named():
    with Host() as host:
        host.follow(1, host.add_flow(1, requirements="numpy==0.0.1\nnot-a-package==1\n"))
        failed = wait_until(
            lambda: [w for w in host.status().workers if w.state == "failed"], what="a failure"
        )
        assert "numpy 0.0.1 is needed" in failed[0].error
        assert "not-a-package 1 is needed and is not installed" in failed[0].error
        assert "\n" not in failed[0].error
