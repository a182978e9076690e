"""The pages' data from the control plane's own parts: what wiring calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from roadworthy.core.deployment import AgentStatus, Deployment, StageChange
from roadworthy.core.names import Stage
from roadworthy.core.operation import Operation
from roadworthy.core.release import Release
from roadworthy.operations.asking import begin_promote, roll_back
from roadworthy.operations.comparing import compare
from roadworthy.operations.data_doctor import examine_data
from roadworthy.operations.desired import Desired
from roadworthy.operations.doctor import Finding, examine_machine, examine_system
from roadworthy.operations.logs import log_files, read_log
from roadworthy.operations.sampling import (
    AnswerChanges,
    recorded_changes,
    sample_of_release,
    shared_columns,
)
from roadworthy.registry import Registry
from roadworthy.serving.log_query import Asked, Found, logged_models, search_rows
from roadworthy.settings import Settings
from roadworthy.storage.queries import agents, deployments, operations
from roadworthy.storage.tracks import Tracks
from roadworthy.ui.data import PageData, utc_now
from roadworthy.ui.gateway import GatewayClient
from roadworthy.ui.settings import setting_lines
from roadworthy.ui.views.system import Control

if TYPE_CHECKING:
    from roadworthy.data.browser import Browser

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HISTORY_SHOWN = 50


def page_data(
    desired: Desired,
    registry: Registry,
    gateway: GatewayClient,
    settings: Settings,
    browser: Callable[[], Browser],
    *,
    statuses: Mapping[str, int],
    version: str = "",
    now: Callable[[], datetime] = utc_now,
) -> PageData:
    """What the pages call. ``statuses`` maps error codes to HTTP statuses; the settings' token is
    asked for where it is not empty; ``version`` is this Roadworthy's.
    """
    metadata = _Metadata(desired, registry)
    return PageData(
        registry=registry,
        browser=browser,
        deployments=metadata.deployments,
        history=metadata.history,
        operations=metadata.operations,
        status=metadata.status,
        roll_back=metadata.roll_back,
        promote=metadata.promote,
        compare=partial(compare, registry),
        answer_changes=partial(_answer_changes, registry),
        sample_rows=partial(_sample_rows, registry),
        search_log=partial(_search_log, settings),
        log_names=lambda: list(log_files(settings)),
        read_log=partial(read_log, settings),
        examine=partial(_examine, settings, desired, registry, browser),
        settings=setting_lines(settings),
        control=Control(os.getpid(), version, settings.control_address),
        predict=gateway.predict,
        predict_rows=gateway.predict_rows,
        metrics=gateway.metrics,
        tracks=Tracks(settings.traffic),
        gateway=gateway.address,
        statuses=statuses,
        token=settings.token or None,
        hosts=LOOPBACK,
        now=now,
    )


class _Metadata:
    """What is wanted and what was reported, read anew each time."""

    def __init__(self, desired: Desired, registry: Registry) -> None:
        self._desired = desired
        self._registry = registry

    def deployments(self) -> Sequence[Deployment]:
        with self._desired.database.reading() as connection:
            return deployments.all_deployments(connection)

    def history(self, model: str) -> Sequence[StageChange]:
        with self._desired.database.reading() as connection:
            return deployments.stage_changes_of(connection, model, limit=HISTORY_SHOWN)

    def operations(self, most: int) -> Sequence[Operation]:
        with self._desired.database.reading() as connection:
            return operations.operations_of(connection, limit=most)

    def status(self) -> AgentStatus | None:
        if self._desired.status is not None:
            return self._desired.status
        with self._desired.database.reading() as connection:
            kept = agents.latest_agent_status(connection)
        return None if kept is None else kept[0]

    def roll_back(self, model: str, stage: Stage, generation: int, caller: str) -> Deployment:
        after, _ = roll_back(self._desired, self._registry, model, stage, generation, caller)
        return after

    def promote(
        self, release: str, stage: Stage, generation: int, caller: str, reason: str
    ) -> Operation:
        return begin_promote(
            self._desired, self._registry, release, stage, caller, reason, generation
        )


def _answer_changes(registry: Registry, before: Release, after: Release) -> AnswerChanges | None:
    samples = sample_of_release(registry, before), sample_of_release(registry, after)
    if samples[0] is None or samples[1] is None:
        return None
    return recorded_changes(samples[0], samples[1], shared_columns(before, after))


def _sample_rows(registry: Registry, release: Release) -> Sequence[Mapping[str, Any]]:
    sample = sample_of_release(registry, release)
    return sample.rows if sample else []


def _search_log(settings: Settings, asked: Asked, go_on: Callable[[], bool]) -> Found | None:
    if asked.model not in logged_models(settings.predictions):
        return None
    return search_rows(settings.predictions, asked, go_on)


def _examine(
    settings: Settings,
    desired: Desired,
    registry: Registry,
    browser: Callable[[], Browser],
    thorough: bool,
) -> Sequence[Finding]:
    return [
        *examine_machine(settings),
        *examine_system(desired, registry, contents=thorough),
        *examine_data(browser, contents=thorough),
    ]
