"""Row 17, what needs no rollout: a release that is not fit to serve never gets traffic."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from roadworthy.errors import RoadworthyError
from roadworthy.testing.systems import System

pytestmark = [pytest.mark.timeout(900), pytest.mark.fault("17")]

LEAKS = """
kept, plain = [], Flow.answer_columns
def answer_columns(self, columns, n):
    kept.append(bytearray(os.urandom(1024) * 512))
    return plain(self, columns, n)
Flow.answer_columns = answer_columns
"""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System() as running:
        running.up()
        running.deploy(2.0)
        yield running


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"factor": 3.0, "sample_factor": 2.0}, "golden request"),
        ({"factor": 4.0, "extra": "raise RuntimeError('no luck today')"}, "no luck today"),
        ({"factor": 5.0, "extra": "import sys\nsys.exit(9)"}, "exit"),
        ({"factor": 6.0, "extra": LEAKS}, "Keeps no memory from request to request"),
    ],
    ids=["answers wrongly", "fails warm-up", "ends at start", "leaks"],
)
def test_it_never_gets_traffic_and_says_why(system: System, how, said: str) -> None:
    with pytest.raises(RoadworthyError, match=said):
        system.deploy(**how)
    assert system.live() == 1
    assert system.predict()["release"] == "tiny@1"
    number = len(system.answer("releases", "tiny"))
    (found,) = [each for each in system.control.get("/deployments") if each["model"] == "tiny"]
    assert (found["release"], found["live"]) == (1, 1)
    answer = httpx.post(
        f"{system.gateway}/models/tiny/predict?stage=staging", json={}, trust_env=False
    )
    assert answer.status_code == 404
    assert number > 1
