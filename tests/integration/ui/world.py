"""A seeded home and the app over it: what tests of pages look at and change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import FastAPI
from tests.integration.ui.day import NOW, PROGRAM, SIGNATURE, certificate, logged, report, run_of

from roadworthy.core.deployment import AgentStatus, Deployment, WorkerStatus
from roadworthy.core.names import Stage
from roadworthy.core.release import Lock, Release
from roadworthy.operations.desired import Desired, deployment_of, save_deployment
from roadworthy.operations.transitions import routed, wanted
from roadworthy.registry import Registry, ReleaseDraft
from roadworthy.serving.options import LogOptions
from roadworthy.serving.prediction_log import PredictionLog
from roadworthy.settings import Settings
from roadworthy.ui import PageData


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
