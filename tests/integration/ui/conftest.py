"""A real app over a real registry in a temporary home, on a day of ``flight-delay``."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
import uvicorn
from fastapi import FastAPI
from httpx import Client
from httpx import Response as Answer
from pyarrow import parquet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.integration.ui.browsing import chromium, open_page  # noqa: F401 (fixtures)

from roadworthy.api.problems import STATUS_BY_CODE
from roadworthy.core.capture import (
    CaptureReport,
    Decision,
    GraphNode,
    Mark,
    SourceFile,
    SourceLine,
    StateEntry,
)
from roadworthy.core.certificate import Certificate, Check, ResourceProfile
from roadworthy.core.deployment import AgentStatus, Deployment, WorkerStatus
from roadworthy.core.names import Stage
from roadworthy.core.release import Lock, Release
from roadworthy.core.run import DatasetRead, Package, Run
from roadworthy.core.signature import Column, Output, Signature
from roadworthy.data import Datasets
from roadworthy.data.browser import Browser
from roadworthy.data.ingestion import Sources
from roadworthy.operations.bell import Bell
from roadworthy.operations.desired import Desired, deployment_of, save_deployment
from roadworthy.operations.placing import Placement
from roadworthy.operations.transitions import routed, wanted
from roadworthy.registry import Registry, ReleaseDraft
from roadworthy.serving.answers import Answered
from roadworthy.serving.codec_plain import read_plain, write_plain
from roadworthy.serving.log_entries import Entry
from roadworthy.serving.options import LogOptions
from roadworthy.serving.prediction_log import PredictionLog
from roadworthy.serving.problems import Refused, render
from roadworthy.serving.validation import check_rows
from roadworthy.settings import Settings
from roadworthy.storage.blobs import open_blobs
from roadworthy.storage.opening import open_database
from roadworthy.ui import GatewayClient, PageData, mount_pages, page_data

NOW = datetime(2026, 3, 18, 10, 40, 12, tzinfo=UTC)
EVIL = "<script>document.title='taken'</script><img src=x onerror=document.title='taken'>"

PROGRAM = """import matplotlib.pyplot as plt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

raw = pd.read_parquet("flights.parquet")
print(raw.shape)
raw.arr_delay.clip(-60, 180).hist(bins=60)
flights = raw.dropna(subset=["arr_delay"])
late = (flights.arr_delay > 15).astype(int)

planes = pd.read_parquet("planes.parquet")
flights = flights.merge(planes, on="tailnum", how="left")
flights["wind"] = flights.wind_speed.fillna(flights.wind_speed.median())
flights["route"] = flights.origin + "-" + flights.dest
X = pd.get_dummies(flights[COLUMNS], columns=["carrier", "origin"])
X_train, X_test, y_train, y_test = train_test_split(X, late, random_state=0)
model = HistGradientBoostingClassifier(max_depth=6)
model.fit(X_train, y_train)
plt.savefig("scores.png")
scores = model.predict_proba(X)[:, 1]
"""
_ROLES: dict[int, tuple[str, str]] = {
    1: ("dropped", "plots only"),
    2: ("kept", ""),
    3: ("dropped", "training only"),
    4: ("dropped", "training only"),
    5: ("blank", ""),
    6: ("dropped", "the input: rows come with the request"),
    7: ("dropped", "prints"),
    8: ("dropped", "plot"),
    9: ("dropped", "filter bypassed: it needs arr_delay, the target"),
    10: ("dropped", "the target"),
    11: ("blank", ""),
    12: ("frozen", ""),
    13: ("kept", ""),
    14: ("kept", ""),
    15: ("kept", ""),
    16: ("kept", ""),
    17: ("dropped", "split bypassed: request rows take both sides' way"),
    18: ("dropped", "training"),
    19: ("frozen", ""),
    20: ("dropped", "plot"),
    21: ("kept", "the output"),
}
_MARKS: dict[int, list[Mark]] = {
    12: [Mark(start=0, end=0, note="table of 3,322 rows")],
    14: [Mark(start=44, end=71, note="10.357")],
    16: [Mark(start=4, end=18, note="16 carriers, 3 origins, order of 27 columns")],
    19: [Mark(start=0, end=0, note="fitted estimator, 412 KiB")],
}

SIGNATURE = Signature(
    input="raw",
    kind="dataframe",
    columns=[
        Column(
            name="carrier",
            type="text",
            dtype="str",
            levels=["UA", "B6", "EV", "DL"],
            level_count=4,
            example="UA",
        ),
        Column(
            name="origin",
            type="text",
            dtype="str",
            levels=["EWR", "JFK", "LGA"],
            level_count=3,
            example="EWR",
        ),
        Column(
            name="sched_dep_time",
            type="int",
            dtype="int64",
            minimum=106,
            maximum=2359,
            example=1745,
        ),
        Column(name="distance", type="int", dtype="int64", minimum=17, maximum=4983, example=719),
        Column(
            name="tailnum",
            type="text",
            dtype="str",
            nullable=True,
            level_count=4043,
            example="N14228",
        ),
        Column(
            name="wind_speed",
            type="float",
            dtype="float64",
            nullable=True,
            minimum=0.0,
            maximum=42.57886,
            example=13.80936,
        ),
        Column(name="holiday", type="bool", dtype="bool", example=False),
        Column(
            name="time_hour",
            type="datetime",
            dtype="datetime64[us]",
            minimum="2013-01-01T05:00:00",
            maximum="2013-12-31T23:00:00",
            example="2013-03-01T17:00:00",
        ),
    ],
    outputs=[
        Output(
            name="scores",
            kind="array",
            columns=[
                Column(
                    name="scores",
                    type="float",
                    dtype="float64",
                    minimum=0.0,
                    maximum=1.0,
                    example=0.341,
                )
            ],
        ),
    ],
)


@dataclass
class World:
    """A seeded home, the app over it, and what the tests change about it."""

    registry: Registry
    desired: Desired
    data: PageData
    settings: Settings
    app: FastAPI
    now: datetime = NOW

    def at(self, **ago: float) -> str:
        """An instant before now, as recorded."""
        return (NOW - timedelta(**ago)).isoformat(timespec="seconds")

    def deployment(self, model: str, stage: Stage) -> Deployment:
        """What is wanted there."""
        with self.desired.database.reading() as connection:
            return deployment_of(connection, model, stage)

    def want(
        self,
        model: str,
        stage: Stage,
        number: int,
        ago: timedelta,
        caller: str,
        reason: str = "",
    ) -> None:
        """Somebody deploys a release, and it takes over."""
        at = (NOW - ago).isoformat(timespec="seconds")

        def work(connection: Any) -> None:
            before = deployment_of(connection, model, stage)
            after, change = wanted(before, number, "deploy", at, caller, reason)
            save_deployment(connection, before, after, change)
            save_deployment(connection, after, routed(after))

        self.desired.database.write(work)

    def asked(self, *asked: dict[str, Any], release: str = "flight-delay@3") -> None:
        """The gateway logs requests of a row each; fields replace those of a plain one."""
        log = PredictionLog(LogOptions(directory=str(self.settings.predictions)))
        for place, fields in enumerate(asked):
            log.append(logged(release, place, **fields))
        log.close()

    def report(self, *workers: WorkerStatus, seconds_ago: float = 1, **fields: Any) -> None:
        """The agent reports these workers."""
        self.desired.report(
            AgentStatus(
                agent="local",
                pid=4000,
                at=self.at(seconds=seconds_ago),
                applied=7,
                workers=list(workers),
                **{"gateway_pid": 4001, **fields},
            )
        )


def logged(release: str, place: int, minutes: float = 0.0, **fields: Any) -> Entry:
    """A request of one row, ``minutes`` before now."""
    at = NOW - timedelta(minutes=minutes)
    row = {column.name: column.example for column in SIGNATURE.columns}
    row["time_hour"] = 0
    row.update(fields.pop("row", {}))
    values: dict[str, Any] = {
        "at": int(at.timestamp() * 1e6) * 1000,
        "seconds": 0.0031,
        "request_id": f"01JQ8-{place:04}",
        "trace": "",
        "caller": "crew-app",
        "key": "",
        "protocol": "plain",
        "release": release,
        "stage": "production",
        "status": 200,
        "refused": "",
        "times": {"decode": 40, "validate": 25, "encode": 12},
        "signature": SIGNATURE,
        "n": 1,
        "bytes": 200,
        "columns": {column.name: (column.type, [row[column.name]]) for column in SIGNATURE.columns},
        "answered": Answered(
            n=1,
            columns={"scores": [0.341]},
            rejected={},
            failed={},
            warnings=[],
            times={"queue": 90, "batch": 1, "worker": 1800, "flow": 1500},
            batch=1,
        ),
    }
    return Entry(**{**values, **fields})


def run_of(registry: Registry, started: str, **fields: Any) -> Run:
    values: dict[str, Any] = {
        "id": registry.new_id(),
        "program": "train.py",
        "files": [],
        "arguments": [],
        "parameters": {"depth": 6},
        "metrics": {"auc": 0.84213},
        "python": "3.12.9",
        "packages": [Package(name="pandas", version="3.0.1")],
        "started": started,
        "seconds": 252.0,
        "status": "captured",
        "caller": "flight-analytics",
    }
    return Run(**{**values, **fields})


def report() -> CaptureReport:
    lines = [
        SourceLine(
            number=n, text=text, role=_ROLES[n][0], why=_ROLES[n][1], marks=_MARKS.get(n, [])
        )
        for n, text in enumerate(PROGRAM.splitlines(), start=1)
    ]
    return CaptureReport(
        files=[SourceFile(path="train.py", lines=lines)],
        decisions=[
            Decision(
                line=9,
                decision="filter bypassed",
                because="it needs arr_delay, which a request does not have",
                override="rw.deploy(…, keep_filters=True)",
            ),
            Decision(
                line=14,
                decision="median frozen over all rows",
                because="it was computed before the split; test rows took part",
                override="move line 14 below line 17, or rw.learned(value)",
            ),
            Decision(
                line=17,
                decision="split bypassed",
                because="request rows are neither train nor test",
                override='with rw.captured("split"):',
            ),
        ],
        state=[
            StateEntry(
                name="wind_speed_median",
                summary="number 10.357",
                file="values.json",
                format="json",
                digest="ab" * 32,
                bytes=18,
                line=14,
            ),
            StateEntry(
                name="planes",
                summary="table of 3,322 rows",
                file="planes.parquet",
                format="parquet",
                digest="cd" * 32,
                bytes=128_000,
                line=12,
            ),
            StateEntry(
                name="model",
                summary="HistGradientBoostingClassifier",
                file="model.pickle",
                format="pickle",
                digest="ef" * 32,
                bytes=421_888,
                line=19,
            ),
            StateEntry(
                name="COLUMNS",
                summary="list of 8 names",
                file="values.json",
                format="json",
                digest="ab" * 32,
                bytes=96,
                learned=False,
            ),
        ],
        statements=18,
        kept=6,
        frozen=2,
        dropped=10,
        nodes=[
            GraphNode(id="input", kind="input", label="raw"),
            GraphNode(id="line-13", kind="step", label=PROGRAM.splitlines()[12], line=13),
            GraphNode(id="state-planes", kind="state", label="planes"),
            GraphNode(id="output-scores", kind="output", label="scores"),
        ],
        edges=[
            ("input", "line-13"),
            ("state-planes", "line-13"),
            ("line-13", "output-scores"),
        ],
        details={"target": "arr_delay", "unused": ["arr_delay", "minute"]},
        warnings=["the median of line 14 saw rows that the split puts aside for testing"],
    )


def certificate(release: str, failed: bool = False) -> Certificate:
    def check(
        id_: str,
        group: Any,
        title: str,
        required: str,
        measured: str,
        outcome: Any = "passed",
        **evidence: Any,
    ) -> Check:
        return Check(
            id=id_,
            group=group,
            title=title,
            outcome=outcome,
            required=required,
            measured=measured,
            evidence=evidence,
        )

    return Certificate(
        release=release,
        depth="quick",
        made="2026-03-18T09:57:41+00:00",
        seconds=8.2,
        checks=[
            check(
                "replay",
                "capture",
                "Replay equals",
                "200 of 200 rows, exactly",
                "200 of 200",
                rows=200,
                equal=200,
            ),
            check(
                "law",
                "capture",
                "Law of the flow",
                "alone, permuted, halves, repeated, no row",
                "5 of 5 hold",
                held=["alone", "permuted", "halves", "repeated", "no row"],
            ),
            check(
                "effects", "capture", "Forbidden effects", "no file, network, clock", "none seen"
            ),
            check(
                "latency",
                "service",
                "Latency p50 / p95 / p99",
                "p95 ≤ 50 ms",
                "8 / 62 / 80 ms" if failed else "8 / 24 / 41 ms",
                "failed" if failed else "passed",
                requests=1200,
                p95_ms=62 if failed else 24,
            ),
            check("memory", "service", "Memory at load", "≤ 400 MiB", "268 MiB"),
            check(
                "signature",
                "compatibility",
                "Signature compatibility",
                "nothing that breaks callers",
                "no change",
            ),
            check(
                "vulnerabilities",
                "environment",
                "Known vulnerabilities",
                "when a list is supplied",
                "no list supplied",
                "not applicable",
            ),
        ],
        profile=ResourceProfile(
            start_seconds=0.74,
            idle_bytes=212 * 2**20,
            load_bytes=268 * 2**20,
            cpu_ms_per_request=0.61,
            cpu_ms_per_row=0.02,
            rows_per_second={"1": 2300.0, "32": 16400.0, "1000": 48900.0},
            p50_ms=8.0,
            p95_ms=62.0 if failed else 24.0,
            p99_ms=41.0,
            requests_per_second=2300.0,
        ),
    )


def release_of(
    world: World,
    model: str,
    flow: bytes,
    ago: timedelta,
    notes: str = "",
    failed: bool = False,
    *,
    program: str = PROGRAM,
    files: Mapping[str, bytes] | None = None,
    **run: Any,
) -> Release:
    """A run, its release and certificate."""
    world.now = NOW - ago
    started = (NOW - ago).isoformat(timespec="seconds")
    recorded = world.registry.record_run(
        run_of(world.registry, started, **run), report(), {"train.py": program.encode()}
    )
    release = world.registry.record_release(
        ReleaseDraft(
            model=model,
            files={
                "flow.py": flow,
                "flow.toml": b"format = 1\n",
                "state/index.json": b"{}",
                **(files or {}),
            },
            signature=SIGNATURE,
            lock=Lock(
                python="3.12.9", text="pandas==3.0.1\nscikit-learn==1.8.0\n", digest=64 * "c"
            ),
            run=recorded.id,
            caller="flight-analytics",
            notes=notes,
        )
    )
    world.registry.record_certificate(release.digest, certificate(release.name, failed))
    world.now = NOW
    return release


def sample(shift: float = 0.0, rows: int = 20) -> bytes:
    """Rows of creation with answers, the odd ones moved by ``shift``."""
    cells = [
        {**{column.name: column.example for column in SIGNATURE.columns}, "distance": 100 + row}
        for row in range(rows)
    ]
    table = pa.Table.from_pylist(cells)
    table = table.append_column(
        "answer:scores", pa.array([0.25 + shift * (row % 2) for row in range(rows)])
    )
    table = table.append_column("rejected", pa.array([False] * rows))
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    return bytes(sink.getvalue())


def ready(release: str, at: str = "w1", **fields: Any) -> WorkerStatus:
    return WorkerStatus(
        id=at,
        release=release,
        flow="f" * 64,
        **{"state": "ready", "pid": 4242, "rss_bytes": 231 * 2**20, **fields},
    )


class Gateway:
    """A gateway for one model: the real codecs and checks, and a flow of one line.

    ``requests`` and ``errors`` are what its ``/metrics`` tell; ``rows`` what it was asked.
    """

    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []
        self.asked: list[str] = []
        self.requests = 0

    async def predict(self, request: Request) -> Response:
        name, number = request.path_params["model"], request.path_params.get("number")
        self.asked.append(f"{name}@{number}" if number else name)
        release = f"{name}@{number or 3}"
        body = msgspec.json.decode(await request.body())
        try:
            sent = read_plain(SIGNATURE, body, 1000)
            checked = check_rows(SIGNATURE, sent)
        except Refused as refused:
            status, kind, content = render(refused, "plain", "01JQ8-7T4K")
            return Response(content, status, media_type=kind)
        self.rows += body if isinstance(body, list) else [body]
        winds = checked.columns["wind_speed"][1]
        answered = Answered(
            n=checked.n,
            columns={"scores": [0.341234 if wind else None for wind in winds]},
            rejected={
                row: ("dropna: wind_speed is null", 14)
                for row, wind in enumerate(winds)
                if not wind
            },
            failed={},
            warnings=checked.warnings,
            times={},
            batch=checked.n,
        )
        status, content = write_plain(SIGNATURE, sent, answered, release, "01JQ8-7T4K")
        return Response(content, status, media_type="application/json")

    async def metrics(self, _: Request) -> Response:
        return PlainTextResponse("")

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route(
                    "/models/{model}/versions/{number:int}/predict", self.predict, methods=["POST"]
                ),
                Route("/models/{model}/predict", self.predict, methods=["POST"]),
                Route("/metrics", self.metrics),
            ]
        )


class Server:
    """An ASGI app on a port of its own, in a thread."""

    def __init__(self, app: Any) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def __enter__(self) -> Server:
        self._socket.listen()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


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


def text_of(response: Answer) -> str:
    """What a person reads, without tags and with plain spaces."""
    bare = re.sub(r"<[^>]+>", " ", response.text)
    return re.sub(r"\s+", " ", unescape(bare).replace("\u00a0", " "))
