"""Journey 2, change and redeploy: edit a line, run the same command, no request is lost."""

from __future__ import annotations

import threading

import httpx
import pytest

from roadworthy.testing.programs import write_churn
from roadworthy.testing.systems import System

DEPLOY = ("deploy", "churn.py", "--input", "customers", "--output", "scores", "--name", "churn")
ROW = {"age": 40.0, "plan": "pro", "calls": 5}
pytestmark = pytest.mark.timeout(300)


def test_change_and_redeploy() -> None:
    with System() as system:
        program = write_churn(system.directory)
        done = system.run(*DEPLOY)
        assert done.returncode == 0, done.stdout + done.stderr

        stop = threading.Event()
        seen: list[str] = []
        lost: list[str] = []

        def ask() -> None:
            url = f"{system.gateway}/models/churn/predict"
            with httpx.Client(trust_env=False, timeout=20) as client:
                while not stop.is_set():
                    try:
                        answer = client.post(url, json=ROW)
                    except httpx.HTTPError as error:
                        lost.append(repr(error))
                        continue
                    if answer.status_code == 200:
                        seen.append(answer.json()["release"])
                    else:
                        lost.append(answer.text)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            program.write_text(program.read_text().replace('df["calls"] > 4', 'df["calls"] > 5'))
            done = system.run(*DEPLOY)
            again = system.run(*DEPLOY)
        finally:
            stop.set()
            thread.join()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "churn@2 is live" in done.stdout
        assert "churn@2 is live" in again.stdout, "the same program on the same data: one release"
        assert lost == []
        assert set(seen) == {"churn@1", "churn@2"}
        assert seen == sorted(seen), "the old release never answers after the new one"
        diff = system.answer("diff", "churn@1", "churn@2")
        (changed,) = [each["diff"] for each in diff["files"] if each["kind"] == "program"]
        assert '+df["many"] = df["calls"] > 5' in changed
