"""The command line names the page that shows the same, wherever there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from roadworthy.testing.systems import System

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System() as running:
        running.up()
        running.deploy(2.0)
        running.deploy(3.0)
        yield running


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("why tiny", "/models/tiny"),
        ("history tiny", "/models/tiny#history"),
        ("releases", "/models"),
        ("releases tiny", "/models/tiny#releases"),
        ("show tiny@2", "/models/tiny/releases/2"),
        ("diff tiny@1 tiny@2", "/models/tiny/compare?before=1&after=2"),
        ("runs", "/runs"),
        ("runs --model tiny", "/runs?model=tiny"),
        ("verify tiny@2", "/models/tiny/releases/2#certificate"),
        ("rollback tiny", "/models/tiny"),
        ("promote tiny@2 --to staging", "/models/tiny"),
        ("doctor", "/system/doctor"),
    ],
)
def test_the_page_is_named_and_there(system: System, command: str, path: str) -> None:
    done = system.run(*command.split())
    (said,) = re.findall(r"^page.*?: (\S+)$", done.stdout, re.M)
    assert said == system.address + path, done.stdout + done.stderr
    assert httpx.get(said, trust_env=False, timeout=30).status_code == 200
