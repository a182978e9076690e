"""Measures the pages over 10,000 releases of 1,000 models and ten million logged predictions.

Run it on a machine that does nothing else: ``python benches/pages/bench.py``. Prints, for each
page, the median time on the server and the bytes of a first load, compressed, beside their goals.
``--rows`` is how many predictions are logged; what is made stays in ``--home`` and is used again.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
from fastapi import FastAPI
from msgspec.structs import replace
from pyarrow import parquet

from roadworthy.api.problems import STATUS_BY_CODE
from roadworthy.core.certificate import Certificate, Check, ResourceProfile
from roadworthy.core.deployment import AgentStatus, Deployment, StageChange, WorkerStatus
from roadworthy.core.release import FlowFile, Lock, Release
from roadworthy.core.run import Package, Run
from roadworthy.core.signature import Column, Output, Signature
from roadworthy.core.traffic import Point, Stretch
from roadworthy.data import Datasets
from roadworthy.data.browser import Browser
from roadworthy.data.ingestion import Sources
from roadworthy.operations.bell import Bell
from roadworthy.operations.desired import Desired
from roadworthy.operations.placing import Placement
from roadworthy.registry import Registry
from roadworthy.serving.metrics import Metrics
from roadworthy.settings import Settings
from roadworthy.storage.blobs import open_blobs
from roadworthy.storage.metadata import Database
from roadworthy.storage.opening import open_database
from roadworthy.storage.queries import deployments, releases, runs
from roadworthy.storage.tracks import Tracks
from roadworthy.ui import GatewayClient, Traffic, mount_pages, page_data
from roadworthy.ui.traffic import OVER

MODELS, EACH = 1000, 10
TIME_GOAL, SIZE_GOAL = 0.2, 150_000
ROUNDS = 7
SEGMENT_ROWS = 50_000
NOW = datetime.now(UTC)
BUSY = "model-0007"

SIGNATURE = Signature(
    input="rows",
    kind="dataframe",
    columns=[
        Column(
            name=f"column_{n}", type="float", dtype="float64", minimum=0.0, maximum=1.0, example=0.5
        )
        for n in range(20)
    ],
    outputs=[
        Output(
            name="scores",
            kind="array",
            columns=[Column(name="scores", type="float", dtype="float64")],
        )
    ],
)  # fmt: skip
PROFILE = ResourceProfile(
    start_seconds=0.7, idle_bytes=2 * 10**8, load_bytes=3 * 10**8, cpu_ms_per_request=0.6,
    cpu_ms_per_row=0.02, rows_per_second={"1": 2000.0}, p50_ms=2.0, p95_ms=4.0, p99_ms=8.0,
    requests_per_second=2000.0,
)  # fmt: skip
CHECKS = [
    Check(
        id=f"check-{n}", group="service", title=f"Check {n}", outcome="passed",
        required="all of it", measured="all of it", evidence={"rows": 200, "equal": 200},
    )
    for n in range(25)
]  # fmt: skip


def main() -> int:
    """Measure; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="roadworthy-pages-") as folder:
        home = given.home or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        return measure(Settings(home=home), given.rows)


def measure(settings: Settings, rows: int) -> int:
    """Fill the home where it is empty, then ask each page."""
    fresh = not (settings.home / "roadworthy.db").exists()
    database = open_database(settings.metadata_url)
    registry = Registry(database, open_blobs(settings.blobs_url), lambda: NOW)
    if fresh:
        began = time.perf_counter()
        fill(database, registry)
        log_rows(settings.predictions / BUSY / "10", rows)
        track_week(Tracks(settings.traffic))
        print(f"made in {time.perf_counter() - began:.0f} s", flush=True)
    app = app_over(settings, database, registry)
    missed = asyncio.run(ask(app, registry.release(f"{BUSY}@10").run))
    database.close()
    return 1 if missed else 0


async def ask(app: FastAPI, run: str) -> int:
    """Ask for every page; how many missed a goal."""
    transport = httpx.ASGITransport(app=app)
    client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
    shared = 0
    for name in ("style.css", "ui.js", "icon.svg", "fonts/barlow-latin-600.woff2"):
        shared += len(gzip.compress((await client.get(f"/static/{name}")).content))
    missed = 0
    for path in (
        "/", "/models", "/models?sort=requests&page=7", "/models?q=77", f"/models/{BUSY}",
        f"/models/{BUSY}?over=24h", f"/models/{BUSY}?over=7d",
        f"/models/{BUSY}/releases/10", f"/models/{BUSY}/releases/10/try",
        f"/models/{BUSY}/releases/9/promote", f"/models/{BUSY}/releases/10/notes",
        f"/models/{BUSY}/compare", "/runs", f"/runs?model={BUSY}", f"/runs/{run}",
        f"/apps/{BUSY}", f"/models/{BUSY}/card",
        f"/models/{BUSY}/log", f"/models/{BUSY}/log?request=no-such-request",
        f"/models/{BUSY}/log?caller=caller-3&since=2d", f"/models/{BUSY}/log?only=unanswered",
        "/system", "/system/doctor", "/system/settings",
    ):  # fmt: skip
        missed += not await fine(client, path, shared)
    await client.aclose()
    return missed


async def fine(client: httpx.AsyncClient, path: str, shared: int) -> bool:
    """Print one page's figures; whether both goals are reached."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = await client.get(path)
        times.append(time.perf_counter() - began)
        assert answer.status_code == 200, (path, answer.status_code)
    size = len(gzip.compress(answer.content)) + shared
    seconds = statistics.median(times)
    reached = seconds <= TIME_GOAL and size <= SIZE_GOAL
    time_said = f"{seconds * 1000:7.1f} ms (goal {TIME_GOAL * 1000:.0f})"
    size_said = f"{size / 1000:6.1f} kB (goal {SIZE_GOAL / 1000:.0f})"
    verdict = "reached" if reached else "missed"
    print(f"{path:<52} {time_said} {size_said}: {verdict}", flush=True)
    return reached


def app_over(settings: Settings, database: Database, registry: Registry) -> FastAPI:
    """The pages over a home, with a gateway's metrics of a thousand live releases."""
    bell = Bell()
    placement = Placement(
        fits=lambda _python, _lock: "", realise=lambda _: Path("/"), realised=lambda _: None,
        ring=bell.ring,
    )  # fmt: skip
    desired = Desired(database, placement, bell)
    workers = [
        WorkerStatus(
            id=f"w{n}", release=f"model-{n:04}@{number}", flow="f" * 64, state="ready", pid=n + 1,
            rss_bytes=2 * 10**8, cpu_seconds=5.0,
        )
        for n in range(MODELS)
        for number in (EACH - 1, EACH)
    ]  # fmt: skip
    desired.report(
        AgentStatus(
            agent="local", pid=1, at=NOW.isoformat(), applied=1, workers=workers, gateway_pid=2
        )
    )
    metrics = Metrics()
    for n in range(MODELS):
        name = f"model-{n:04}@{EACH}"
        metrics.requests.labels(name, "plain", "200").inc(n)
        metrics.seconds.labels(name).observe(0.003)
        for stage in ("decode", "validate", "queue", "batch", "worker", "encode"):
            metrics.stages.labels(name, stage).observe(0.0005)
    text = metrics.text().decode()
    datasets = Datasets(database, open_blobs(settings.data_url), lambda: NOW)
    browser = Browser(Sources(datasets, settings.sources))
    data = page_data(
        desired, registry, GatewayClient("http://127.0.0.1:9"), settings, lambda: browser,
        statuses=STATUS_BY_CODE,
    )  # fmt: skip
    data = type(data)(
        **{
            **{name: getattr(data, name) for name in data.__dataclass_fields__},
            "metrics": lambda: text,
            "hosts": ("localhost",),
            "now": lambda: NOW,
        }
    )
    traffic = Traffic(data.metrics, data.tracks)
    traffic.look(NOW - timedelta(seconds=30))
    app = FastAPI()
    mount_pages(app, data, traffic)
    return app


def fill(database: Database, registry: Registry) -> None:
    """Runs, releases with certificates, and two deployments a model, in one transaction."""
    source = registry.record_run(_run("source", 0), None, {"train.py": b"scores = 1\n" * 80})
    flow = registry._blobs.put(b"flow = 1\n" * 100)

    def work(connection: Any) -> None:
        for n in range(MODELS):
            model = f"model-{n:04}"
            releases.lock_model(connection, model, NOW.isoformat())
            for number in range(1, EACH + 1):
                run = replace(_run(f"{n:04}-{number:02}", number), files=source.files)
                runs.insert_run(connection, run, None)
                digest = f"{n * EACH + number:064x}"
                releases.insert_release(connection, _release(model, number, digest, run.id, flow))
                certificate = _certificate(f"{model}@{number}")
                releases.insert_certificate(connection, digest[-26:], digest, certificate)
            for stage in ("staging", "production"):
                _deploy(connection, model, stage)

    database.write(work)


def _run(identity: str, hours: int) -> Run:
    return Run(
        id=f"run-{identity}", program="train.py", files=[], arguments=[], parameters={"depth": 6},
        metrics={"auc": 0.84 + hours / 1000}, python="3.12.9",
        packages=[Package(name=f"package-{n}", version="1.0") for n in range(40)],
        started=(NOW - timedelta(hours=24 - hours)).isoformat(), seconds=252.0, status="captured",
        caller="analytics",
    )  # fmt: skip


def _release(model: str, number: int, digest: str, run: str, flow: str) -> Release:
    return Release(
        model=model, number=number, digest=digest,
        files=[FlowFile(path="flow.py", digest=flow, bytes=900)], signature=SIGNATURE,
        lock=Lock(
            python="3.12.9", text="".join(f"package-{n}==1.{number}\n" for n in range(40)),
            digest=64 * "c",
        ),
        run=run, made=(NOW - timedelta(hours=24 - number)).isoformat(), caller="analytics",
        notes="what changed in a sentence or two",
    )  # fmt: skip


def _certificate(release: str) -> Certificate:
    return Certificate(
        release=release, depth="quick", made=NOW.isoformat(), seconds=8.0, checks=CHECKS,
        profile=PROFILE,
    )  # fmt: skip


def _deploy(connection: Any, model: str, stage: Any) -> None:
    change = StageChange(
        model=model, stage=stage, generation=1, release=EACH, replaced=EACH - 1, action="deploy",
        at=NOW.isoformat(), caller="operations", reason="evening gain",
    )  # fmt: skip
    deployment = Deployment(
        model=model, stage=stage, generation=1, release=EACH, live=EACH, previous=EACH - 1,
        changed=NOW.isoformat(), asked=1,
    )  # fmt: skip
    deployments.save_deployment(connection, deployment, None, change)


def track_week(tracks: Tracks) -> None:
    """A thousand live releases that were asked all week, as far back as each window reaches."""
    for window, (step, kept) in OVER.items():
        for place in range(int(kept / step), 0, -1):
            start = NOW - timedelta(seconds=step * place)
            points = {
                f"model-{n:04}@{EACH}": Point(step * (n + place % 9), place % 3, 0.002, 0.004, 0.01)
                for n in range(MODELS)
            }
            tracks.add({window: (Stretch(start, start + timedelta(seconds=step)), points)})


def log_rows(folder: Path, rows: int) -> None:
    """Segments as a gateway writes them, the newest row a second before now."""
    step = 20_000  # microseconds between rows: 50 a second
    now = int(NOW.timestamp() * 1e6)
    floats = pa.array([n % 1000 / 1000 for n in range(SEGMENT_ROWS)])
    nulls = pa.nulls(SEGMENT_ROWS, pa.string())
    micros = pa.array([1500] * SEGMENT_ROWS)
    for first in range(0, rows, SEGMENT_ROWS):
        begin = now - (rows - first) * step - 1_000_000
        columns: dict[str, Any] = {
            "time": pa.array(range(begin, begin + SEGMENT_ROWS * step, step)).view(
                pa.timestamp("us", "UTC")
            ),
            "request_id": pa.array([f"{begin + n:020}" for n in range(SEGMENT_ROWS)]),
            "row": pa.array([0] * SEGMENT_ROWS, pa.int32()),
            "caller": pa.array([f"caller-{n % 9}" for n in range(SEGMENT_ROWS)]),
            "key": nulls,
            "release": pa.array([f"{BUSY}@10"] * SEGMENT_ROWS),
            "status": pa.array([200] * SEGMENT_ROWS, pa.int16()),
            **dict.fromkeys(("refused", "rejected", "error"), nulls),
            "line": pa.nulls(SEGMENT_ROWS, pa.int32()),
            "warnings": pa.nulls(SEGMENT_ROWS, pa.list_(pa.string())),
            **{f"{each}_us": micros for each in ("decode", "validate", "worker", "total")},
            **{f"input:column_{n}": floats for n in range(20)},
            "output:scores": floats,
        }
        ended = (begin + SEGMENT_ROWS * step) / 1e6
        day = folder / f"{datetime.fromtimestamp(begin / 1e6, UTC):%Y-%m-%d}"
        day.mkdir(parents=True, exist_ok=True)
        path = day / f"{begin}-1-{first}.parquet"
        parquet.write_table(pa.table(columns), path, compression="zstd")
        os.utime(path, (ended, ended))


if __name__ == "__main__":
    sys.exit(main())
