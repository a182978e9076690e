"""The composition root: the only place where the parts are put together, process by process."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import roadworthy
from roadworthy.core.release import FlowFile, Lock
from roadworthy.errors import Damaged, StorageError, Unavailable
from roadworthy.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from roadworthy.api.context import Context
    from roadworthy.operations.controller import Controller
    from roadworthy.operations.desired import Desired
    from roadworthy.registry import Registry
    from roadworthy.storage.blobs import Blobs
    from roadworthy.storage.metadata import Database

log = logging.getLogger(__name__)
TRAFFIC_SECONDS = 15.0
WARM_AFTER_SECONDS = 1.5


@dataclass(frozen=True, kw_only=True)
class ControlParts:
    """The control plane, put together and not yet running."""

    database: Database
    registry: Registry
    desired: Desired
    controller: Controller
    context: Context
    app: FastAPI


def start_logging(name: str) -> None:
    """Have a process log to its standard error: time, part, what."""
    logging.basicConfig(
        level=logging.INFO,
        format=f"%(asctime)s {name} %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )
    for chatty in ("httpx", "httpcore", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def utc_now() -> datetime:
    """The instant now, in UTC."""
    return datetime.now(UTC)


# Control plane


def build_control(settings: Settings, database: Database, blobs: Blobs) -> ControlParts:
    """The control plane on an open database and open blobs."""
    from roadworthy.api.app import create_app
    from roadworthy.api.context import Context
    from roadworthy.certification.junit import to_junit
    from roadworthy.operations.bell import Bell
    from roadworthy.operations.certifying import Certifier
    from roadworthy.operations.controller import Controller
    from roadworthy.operations.desired import Desired
    from roadworthy.operations.placing import Placement
    from roadworthy.registry import Registry

    bell = Bell()
    registry = Registry(database, blobs, utc_now)
    environments = _Environments(settings)
    placement = Placement(
        environments.misfit, environments.realise, environments.realised, bell.ring
    )
    desired = Desired(database, placement, bell)
    controller = Controller(desired, registry, Certifier(settings, desired, registry))
    context = Context(
        settings=settings,
        desired=desired,
        registry=registry,
        blobs=blobs,
        version=roadworthy.__version__,
        junit=to_junit,
        closing=threading.Event(),
    )
    app = create_app(context, lambda app: _mount_pages(app, settings, desired, registry, context))
    return ControlParts(
        database=database,
        registry=registry,
        desired=desired,
        controller=controller,
        context=context,
        app=app,
    )


def _mount_pages(
    app: FastAPI, settings: Settings, desired: Desired, registry: Registry, context: Context
) -> None:
    from roadworthy.api.problems import STATUS_BY_CODE
    from roadworthy.ui import GatewayClient, mount_pages, page_data

    gateway = GatewayClient(settings.gateway_address, settings.token or None)
    data = page_data(desired, registry, gateway, statuses=STATUS_BY_CODE, token=settings.token)
    traffic = mount_pages(app, data)

    def watch() -> None:
        while not context.closing.wait(TRAFFIC_SECONDS):
            traffic.look(utc_now())

    threading.Thread(target=watch, name="traffic", daemon=True).start()


def serve_control(settings: Settings) -> int:
    """Run a control plane until SIGTERM; the exit code. One at a time for a home."""
    from roadworthy.api.process import run_control
    from roadworthy.storage.blobs import open_blobs
    from roadworthy.storage.locks import FileLock
    from roadworthy.storage.opening import open_database

    start_logging("control")
    settings.run.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.run / "control.lock", "the control plane"):
        database = open_database(settings.metadata_url)
        try:
            blobs = open_blobs(settings.blobs_url, settings.blob_options)
            blobs.sweep()
            parts = build_control(settings, database, blobs)
            warmer = threading.Timer(WARM_AFTER_SECONDS, _load_what_checks_need)
            warmer.daemon = True
            warmer.start()
            return run_control(parts.app, parts.context, parts.controller)
        finally:
            database.close()


def _load_what_checks_need() -> None:
    """Load ahead, once everything is ready, what the first certification would load."""
    from pyarrow import parquet

    log.debug("%s is loaded", parquet.__name__)


class _Environments:
    """How placement asks for interpreters that fit a lock."""

    def __init__(self, settings: Settings) -> None:
        self._envs = settings.environments

    def misfit(self, python: Path, lock: Lock) -> str:
        """Why the interpreter does not fit; an empty text where it does."""
        from roadworthy.runtime.environments import satisfies

        found = satisfies(python, lock)
        return "" if found.fits else "; ".join(found.reasons)

    def realise(self, lock: Lock) -> Path:
        """The interpreter of the lock's environment, made if need be."""
        from roadworthy.runtime.realised import realise

        self._envs.mkdir(parents=True, exist_ok=True)
        return realise(lock, self._envs)

    def realised(self, lock: Lock) -> Path | None:
        """The interpreter of the lock's environment where it is made and whole."""
        from roadworthy.runtime.realised import environment_damage, realise

        directory = self._envs / lock.digest
        if not directory.is_dir() or environment_damage(directory, lock) is not None:
            return None
        return realise(lock, self._envs)


# Agent and gateway


def serve_agent(settings: Settings, control: str = "") -> int:
    """Run this host's agent until SIGTERM; the exit code."""
    from roadworthy.runtime.bundle import put_runtime
    from roadworthy.serving.agent import run_agent
    from roadworthy.serving.agent_control import http_control
    from roadworthy.serving.options import AgentOptions

    start_logging("agent")
    for folder in (settings.agent, settings.predictions):
        folder.mkdir(parents=True, exist_ok=True)
    options = AgentOptions(
        directory=str(settings.agent),
        runtime=str(put_runtime(settings.home)),
        predictions=str(settings.predictions),
        host=settings.gateway.host,
        port=settings.gateway.port,
        token=settings.token,
        flush_seconds=settings.log.flush_seconds,
    )
    source, sink = http_control(control or settings.control_address, settings.token)
    return run_agent(options, _FlowSource(settings).fetch, source, sink)


def serve_gateway(options: Path) -> int:
    """Run a gateway with the options in a file until SIGTERM; the exit code."""
    from roadworthy.serving.gateway_process import run_gateway
    from roadworthy.serving.options import GatewayOptions

    start_logging("gateway")
    try:
        return run_gateway(msgspec.json.decode(options.read_bytes(), type=GatewayOptions))
    except (OSError, msgspec.DecodeError) as error:
        raise StorageError(
            f"the gateway's options in {options} can't be read: {error}",
            cure="roadworthy serve agent starts a gateway with its options",
        ) from None


class _FlowSource:
    """Finds flow directories for the agent, with the metadata away as well."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._registry: Registry | None = None

    def fetch(self, digest: str) -> Path:
        """The directory of a release's flow, each file checked by its digest.

        Raises Unavailable where it is not there yet and the metadata is away, Damaged.
        """
        try:
            return self._find().materialise(digest, self._settings.releases)
        except Unavailable:
            directory = self._settings.releases / digest
            if not directory.is_dir():
                raise
            self._check(directory, digest)
            return directory

    def _find(self) -> Registry:
        from roadworthy.registry import Registry
        from roadworthy.storage.blobs import open_blobs
        from roadworthy.storage.metadata import connect

        with self._lock:
            if self._registry is None:
                blobs = open_blobs(self._settings.blobs_url, self._settings.blob_options)
                database = connect(self._settings.metadata_url)
                self._registry = Registry(database, blobs, utc_now)
            return self._registry

    def _check(self, directory: Path, digest: str) -> None:
        """Compare a directory with the manifest whose digest is the release's."""
        from roadworthy.registry.materialise import damaged_files
        from roadworthy.storage.blobs import open_blobs

        blobs = open_blobs(self._settings.blobs_url, self._settings.blob_options)
        manifest = msgspec.json.decode(blobs.get(digest))
        files = [
            FlowFile(path=path, digest=content, bytes=_size(directory / path))
            for path, content in manifest["files"]
        ]
        damaged = damaged_files(files, directory)
        if damaged:
            raise Damaged(
                f"{damaged[0]} in {directory} is not as it was recorded",
                cure="bring the metadata database back; the file is mended then",
            )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


# Supervisor


def child_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which a part reads the same settings as were given here."""
    told = {
        "ROADWORTHY_HOME": str(settings.home),
        "ROADWORTHY_METADATA": settings.metadata,
        "ROADWORTHY_BLOBS": settings.blobs,
        "ROADWORTHY_TOKEN": settings.token,
        "ROADWORTHY_CONTROL_HOST": settings.control.host,
        "ROADWORTHY_CONTROL_PORT": str(settings.control.port),
        "ROADWORTHY_GATEWAY_HOST": settings.gateway.host,
        "ROADWORTHY_GATEWAY_PORT": str(settings.gateway.port),
        "ROADWORTHY_LOG_FLUSH_SECONDS": str(settings.log.flush_seconds),
    }
    kept = {key: value for key, value in environ.items() if not key.startswith("ROADWORTHY_")}
    return {**kept, **{key: value for key, value in told.items() if value}}


def part_commands() -> dict[str, Sequence[str]]:
    """How each part is started."""
    return {
        part: [sys.executable, "-m", "roadworthy", "serve", part] for part in ("control", "agent")
    }


def run_supervisor(settings: Settings) -> int:
    """Run control plane and agent until SIGTERM; the exit code."""
    from roadworthy.operations.supervisor import Supervisor

    start_logging("supervisor")
    return Supervisor(
        settings=settings,
        commands=part_commands(),
        environment=child_environment(settings, os.environ),
        started=utc_now().isoformat(timespec="seconds"),
    ).run()
