"""The control plane with real processes: deploying, switching, going back, the command line."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from roadworthy import Client
from roadworthy.errors import (
    Conflict,
    InvalidRows,
    NotAllowed,
    NotFound,
    SignatureConflict,
    UsageError,
)
from roadworthy.testing.flows import SIGNATURE
from roadworthy.testing.hosts import wait_until
from roadworthy.testing.systems import System

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System() as running:
        running.up()
        running.deploy(2.0)
        running.deploy(3.0)
        yield running


def generation(system: System, model: str = "tiny") -> int:
    (found,) = [each for each in system.control.get("/deployments") if each["model"] == model]
    return int(found["generation"])


def test_a_release_answers_and_the_one_before_is_kept_warm(system: System) -> None:
    assert system.predict(a=3.0, b=1)["release"] == f"tiny@{system.live()}"
    (why,) = system.answer("why", "tiny")
    assert why["live"] == "tiny@2"
    assert why["back"] == "tiny@1"
    assert why["warm"]
    assert why["evidence"]["passed"]
    assert why["evidence"]["p95_ms"] > 0


def test_the_same_content_is_the_same_release(system: System) -> None:
    before = system.live()
    operation = system.deploy(3.0)
    assert operation.release == "tiny@2"
    assert system.live() == before
    assert len(system.answer("releases", "tiny")) == 2


def test_rollback_takes_less_than_a_second_and_is_remembered(system: System) -> None:
    began = time.monotonic()
    found = system.control.rollback("tiny", "production", generation(system), reason="by test")
    seconds = time.monotonic() - began
    assert found["applied"]
    assert seconds < 1.0
    assert system.predict()["answer"]["scores"] == 7.0
    history = system.answer("history", "tiny")
    assert [history[0][key] for key in ("action", "release", "replaced", "reason")] == [
        "rollback",
        1,
        2,
        "by test",
    ]
    at = history[1]["at"]
    (then,) = system.answer("history", "tiny", "--at", at)
    assert then["release"] == 2
    forward = system.answer("rollback", "tiny", "--to", "tiny@2")
    assert forward["deployment"]["live"] == 2


def test_of_two_operators_the_second_is_told_who_did_what(system: System) -> None:
    seen = generation(system)
    system.control.rollback("tiny", "production", seen, reason="first")
    with pytest.raises(Conflict, match=r"tester set it to tiny@1 .*first"):
        system.control.rollback("tiny", "production", seen, reason="second")
    system.control.rollback("tiny", "production", generation(system))
    assert system.live() == 2


def test_twenty_switches_under_a_steady_stream_lose_no_request(system: System) -> None:
    stop = threading.Event()
    answered: list[float] = []
    lost: list[str] = []

    def ask() -> None:
        with httpx.Client(base_url=system.gateway, trust_env=False, timeout=10) as client:
            while not stop.is_set():
                try:
                    answer = client.post(
                        "/models/tiny/predict", json={"a": 3.0, "b": 1, "kind": None}
                    )
                except httpx.HTTPError as error:
                    lost.append(repr(error))
                    continue
                if answer.status_code == 200:
                    answered.append(answer.json()["answer"]["scores"])
                else:
                    lost.append(answer.text)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            found = system.control.rollback("tiny", "production", generation(system))
            assert found["applied"]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert lost == []
    assert len(answered) > 100
    assert set(answered) == {7.0, 10.0}


def test_a_release_that_breaks_callers_is_refused_unless_it_is_meant(system: System) -> None:
    signature = json.loads(json.dumps(SIGNATURE))
    signature["columns"][0]["type"] = "text"
    with pytest.raises(SignatureConflict, match="a is text, was float"):
        system.deploy(9.0, signature=signature)
    assert system.live() == 2
    assert system.predict()["release"] == "tiny@2"


def test_a_release_that_can_not_start_never_answers(system: System) -> None:
    done = system.begin(5.0, extra="raise RuntimeError('no such thing')", model="broken")
    with pytest.raises(Exception, match="no such thing"):
        system.control.follow(done, lambda line: None)
    assert system.live("broken") is None
    assert system.predict()["release"] == "tiny@2"


def test_a_release_that_answers_otherwise_than_creation_never_answers(system: System) -> None:
    done = system.begin(5.0, sample_factor=6.0, model="wrong")
    with pytest.raises(Exception, match="wrong@1"):
        system.control.follow(done, lambda line: None)
    assert system.live("wrong") is None


def test_staging_is_its_own(system: System) -> None:
    system.deploy(4.0, model="stages", stage="staging")
    assert system.live("stages", "staging") == 1
    assert system.live("stages", "production") is None
    done = system.run("promote", "stages@1", "--to", "production")
    assert done.returncode == 0, done.stderr
    assert system.live("stages", "production") == 1


def test_verify_repeats_the_checks(system: System) -> None:
    certificate = system.answer("verify", "tiny@1")
    assert certificate["release"] == "tiny@1"
    assert all(check["outcome"] != "failed" for check in certificate["checks"])
    assert len(system.control.get("/operations", model="tiny")) >= 3


def test_the_python_client_asks_the_gateway(system: System) -> None:
    with Client(system.gateway) as client:
        rows = [{"a": 1.0, "b": 1, "kind": None}, {"a": -1.0, "b": 1, "kind": "fine"}]
        answers = client.model("tiny").predict(rows)
        assert answers.release == "tiny@2"
        assert answers.column("scores") == [4.0, None]
        assert answers.rejected[0].reason == "a is below zero"
        assert client.model("tiny@1").predict(rows).column("scores")[0] == 3.0
        with pytest.raises(InvalidRows) as caught:
            client.model("tiny").predict([{"a": 1.0, "b": 1}, {"a": "x", "b": None}])
        assert 1 in {finding["row"] for finding in caught.value.details["findings"]}
        with pytest.raises(NotFound):
            client.model("tinny").predict(rows)


def test_predict_reads_csv_and_standard_input(system: System) -> None:
    rows = system.directory / "rows.csv"
    rows.write_text("a,b,kind,surplus\n1.0,1,fine,9\n-1,2,,9\n")
    done = system.run("predict", "tiny", str(rows))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["scores,labels", "4.0,low", ","]
    assert "row 1: rejected: a is below zero (line 7)" in done.stderr
    piped = system.run("predict", "tiny@1", "--json", given='{"a": 2, "b": 0, "kind": "x"}')
    assert json.loads(piped.stdout)["answers"][0]["scores"] == 4.0
    wrong = system.run("predict", "tiny", "-", given="a,b,kind\nmuch,1,fine\n")
    assert wrong.returncode == 2
    assert "row 0, a" in wrong.stderr


def test_diff_notes_checkout_and_show(system: System) -> None:
    diff = system.answer("diff", "tiny@1", "tiny@2")
    (program,) = [each for each in diff["files"] if each["kind"] == "program"]
    assert "-factor = 2.0\n+factor = 3.0" in program["diff"]
    noted = system.run("notes", "tiny@2", "Three, not two.")
    assert noted.stdout.endswith(f"page: {system.address}/models/tiny/releases/2\n")
    assert system.answer("notes", "tiny@2")["notes"] == "Three, not two."
    assert system.run("checkout", "tiny@1", "--to", "old").returncode == 0
    written = system.directory / "old" / "train.py"
    assert written.read_text().startswith("factor = 2.0")
    written.write_text("my own work\n")
    refused = system.run("checkout", "tiny@1", "--to", "old")
    assert refused.returncode == 4
    assert "--force" in refused.stderr
    assert written.read_text() == "my own work\n"
    assert system.run("checkout", "tiny@1", "--to", "old", "--force").returncode == 0
    assert written.read_text().startswith("factor = 2.0")
    shown = system.run("show", "tiny@2")
    assert "Three, not two." in shown.stdout


def test_an_unknown_name_is_answered_with_the_nearest(system: System) -> None:
    done = system.run("why", "tinny")
    assert done.returncode == 3
    assert "did you mean tiny?" in done.stderr
    assert system.run("rollback", "tiny", "--to", "99").returncode == 3
    problem = json.loads(system.run("show", "tinny", "--json").stdout)["error"]
    assert problem["code"] == "not-found"


def test_doctor_status_and_logs_say_what_is(system: System) -> None:
    assert system.answer("doctor")["healthy"]
    status = system.answer("status")
    assert status["table"] == status["applied"]
    told = system.run("status").stdout
    assert "tiny@2" in told
    assert told.endswith(f"page: {system.address}/\n")
    assert system.run("status", "tiny").stdout.endswith(f"page: {system.address}/models/tiny\n")
    assert system.run("logs", "agent").returncode == 0
    assert system.run("logs", "agnet").returncode == 3


def test_up_again_says_that_it_runs(system: System) -> None:
    assert not system.answer("up")["started"]


def test_pages_and_api_refuse_what_another_site_asks(system: System) -> None:
    url = f"{system.address}/api/v1/deployments/tiny/production/rollback"
    body = {"generation": 1}
    with httpx.Client(trust_env=False) as client:
        evil = client.post(url, json=body, headers={"Origin": "http://evil.example"})
        assert evil.status_code == 403
        rebound = client.get(f"{system.address}/api/v1/status", headers={"Host": "evil.example"})
        assert rebound.status_code == 403
        cross = client.post(url, json=body, headers={"Sec-Fetch-Site": "cross-site"})
        assert cross.status_code == 403
        form = client.post(url, data={"generation": "1"})
        assert form.status_code == 400
        assert form.headers["content-type"] == "application/problem+json"
        page = client.get(system.address + "/")
        assert page.status_code == 200
        assert "tiny" in page.text


def test_a_blob_is_kept_only_under_its_own_digest(system: System) -> None:
    with pytest.raises(UsageError, match="its digest is"):
        system.control._send(
            "PUT",
            f"/blobs/{'0' * 64}",
            content=b"something",
            headers={"Content-Type": "application/octet-stream"},
        )
    digest = system.control.upload_bytes(b"something")
    assert system.control.blob(digest) == b"something"


def test_up_beyond_loopback_asks_for_a_token(system: System) -> None:
    done = system.run("up", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "token" in done.stderr


def test_a_port_in_use_is_named_with_its_holder() -> None:
    import os
    import socket

    with System() as other, socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        done = other.run("up", "--port", str(port))
        assert done.returncode == 4
        assert f"port {port} is in use by process {os.getpid()}" in done.stderr
        assert "--port" in done.stderr
        assert other.run("status").returncode == 9


def test_a_token_is_asked_for_everywhere_but_for_health() -> None:
    with System() as other:
        other.environment["ROADWORTHY_TOKEN"] = "a-token-for-this-test"
        other.up()
        with pytest.raises(NotAllowed):
            other.control.get("/status")
        assert httpx.get(f"{other.address}/api/v1/health", trust_env=False).status_code == 200
        assert other.answer("status")["deployments"] == []
        wait_until(lambda: other.answer("status")["agent_present"], what="the agent's report")
