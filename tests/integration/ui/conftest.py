"""A real app over a real registry in a temporary home, on a day of ``flight-delay``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import Client
from tests.integration.ui.browsing import chromium, open_page  # noqa: F401 (fixtures)
from tests.integration.ui.day import EVIL, PROGRAM, ready, run_of, sample
from tests.integration.ui.servers import Gateway, Server
from tests.integration.ui.world import World, release_of

from roadworthy.api.problems import STATUS_BY_CODE
from roadworthy.core.run import DatasetRead
from roadworthy.data import Datasets
from roadworthy.data.browser import Browser
from roadworthy.data.ingestion import Sources
from roadworthy.operations.bell import Bell
from roadworthy.operations.desired import Desired
from roadworthy.operations.placing import Placement
from roadworthy.registry import Registry
from roadworthy.settings import Settings
from roadworthy.storage.blobs import open_blobs
from roadworthy.storage.opening import open_database
from roadworthy.ui import GatewayClient, mount_pages, page_data


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def gateway_address(gateway: Gateway) -> Iterator[str]:
    with Server(gateway.app) as server:
        yield server.address


@pytest.fixture
def empty_world(tmp_path: Path, gateway_address: str) -> Iterator[World]:
    """A home in which nothing has happened."""
    database = open_database(f"sqlite:///{tmp_path / 'roadworthy.db'}")
    client = GatewayClient(gateway_address)
    bell = Bell()
    placement = Placement(
        fits=lambda _python, _lock: "",
        realise=lambda _release: Path("/nowhere"),
        realised=lambda _lock: None,
        ring=bell.ring,
    )
    desired = Desired(database, placement, bell, clock=lambda: world.now.timestamp())  # noqa: PLW0108 (made below)
    registry = Registry(database, open_blobs(str(tmp_path / "blobs")), lambda: world.now)
    settings = Settings(home=tmp_path)
    datasets = Datasets(database, open_blobs(str(tmp_path / "data")), lambda: world.now)
    browser = Browser(Sources(datasets, tmp_path / "scratch"))
    data = page_data(
        desired,
        registry,
        client,
        settings,
        lambda: browser,
        statuses=STATUS_BY_CODE,
        now=lambda: world.now,
    )
    world = World(registry=registry, desired=desired, data=data, settings=settings, app=FastAPI())
    mount_pages(world.app, data)
    yield world
    placement.close()
    client.close()
    database.close()


@pytest.fixture
def world(empty_world: World) -> World:
    """Four releases of ``flight-delay``, two of them live, one bad; a run that failed."""
    found = empty_world
    release_of(found, "flight-delay", b"flow = 9", timedelta(days=57), "wind in m/s")
    release_of(found, "flight-delay", b"flow = 10", timedelta(days=33), "split by date", True)
    release_of(
        found,
        "flight-delay",
        b"flow = 11",
        timedelta(days=15),
        "age of the plane",
        files={"sample.parquet": sample(), "state/model.pickle": b"11"},
        datasets=[DatasetRead(name=f"flights@{'c8' * 32}", asked="flights@main")],
    )
    release_of(
        found,
        "flight-delay",
        b"flow = 12",
        timedelta(hours=3),
        EVIL,
        program=PROGRAM.replace("max_depth=6", "max_depth=8") + f"# {EVIL}\n",
        files={"sample.parquet": sample(0.02), "state/model.pickle": b"12"},
        metrics={"auc": 0.853, "brier": 0.144},
        datasets=[DatasetRead(name=f"flights@{'3f' * 32}", asked="flights@main")],
    )
    found.registry.quarantine("flight-delay@1", "wind in m/s instead of knots")
    for number, ago in ((2, timedelta(days=33)), (3, timedelta(days=15))):
        found.want("flight-delay", "production", number, ago, "network-ops", "evening gain")
    found.want("flight-delay", "staging", 4, timedelta(hours=2), "flight-analytics", "")
    found.registry.record_run(
        run_of(
            found.registry,
            found.at(minutes=12),
            status="failed",
            seconds=3.4,
            metrics={},
            problem={
                "code": "program-failed",
                "message": "KeyError: 'wind_sped'",
                "line": 14,
                "cure": "mend the line, then run the same command",
                "details": {
                    "traceback": 'Traceback (most recent call last):\n  File "train.py", '
                    "line 14, in <module>\nKeyError: 'wind_sped' " + EVIL
                },
            },
        ),
        None,
        {"train.py": PROGRAM.encode()},
    )
    found.report(
        ready("flight-delay@3"), ready("flight-delay@2", "w2"), ready("flight-delay@4", "w3")
    )
    return found


def served(world: World, **changes: Any) -> Server:
    """The world's app on a port; ``changes`` replace fields of its PageData."""
    if not changes:
        return Server(world.app)
    app = FastAPI()
    mount_pages(app, replace(world.data, **changes))
    return Server(app)


@pytest.fixture
def serve() -> Any:
    """Starts a world's app on a port."""
    return served


@pytest.fixture
def client_of(serve: Any) -> Iterator[Callable[..., Client]]:
    """Makes a client of a world's app on a port; changes replace fields of its PageData."""
    with ExitStack() as stack:

        def make(world: Any, **changes: Any) -> Client:
            server = stack.enter_context(serve(world, **changes))
            return stack.enter_context(Client(base_url=server.address, trust_env=False))

        yield make
