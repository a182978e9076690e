"""Rows 1 and 5 for data that arrives by brokers, from object stores and over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from roadworthy.testing.place_kills import Shared, campaign
from roadworthy.testing.places import file_place, http_place, nats_place, object_place, rabbit_place
from roadworthy.testing.servers import azure_server, postgres_database, s3_server

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
KILLS = 6


@pytest.mark.fault("1")
@pytest.mark.timeout(400 + 400 * ROUNDS)
def test_brokers_stores_and_http_under_kills_lose_and_double_nothing(
    tmp_path: Path, tried: Callable[[int], None]
) -> None:
    with ExitStack() as stack:
        s3, azure = stack.enter_context(s3_server()), stack.enter_context(azure_server())
        places = [
            stack.enter_context(nats_place()),
            stack.enter_context(rabbit_place()),
            stack.enter_context(http_place(tmp_path / "site")),
            object_place("s3", "s3://ready-check", s3),
            object_place("azure", "az://tests", azure),
        ]
        home = tmp_path / "home"
        shared = Shared(home, f"sqlite:///{home / 'roadworthy.db'}")
        rows, problems = campaign(shared, places, 1, KILLS * ROUNDS)
    tried(KILLS * ROUNDS)
    assert problems == []
    assert rows > 100


@pytest.mark.fault("1 5")
@pytest.mark.timeout(400 + 400 * ROUNDS)
def test_two_hosts_that_poll_the_same_sources_at_once_take_all_once(
    tmp_path: Path, tried: Callable[[int], None]
) -> None:
    places = [file_place(f"customer-{number}", tmp_path / str(number)) for number in range(3)]
    with postgres_database() as url:
        shared = Shared(tmp_path / "home", url)
        rows, problems = campaign(shared, places, 2, KILLS * ROUNDS, ("one", "two"))
        with shared.opened() as sources:
            polled = [each.outcome for place in places for each in sources.polls(place.source.name)]
    tried(KILLS * ROUNDS)
    assert problems == []
    assert rows > 50
    assert "failed" not in polled
    assert "stopped" not in polled
