"""The composition root: the only place where the parts are put together, process by process."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import roadworthy
from roadworthy.core.release import WHEELS, FlowFile, Lock, Release
from roadworthy.errors import Damaged, RoadworthyError, StorageError, Unavailable
from roadworthy.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from roadworthy.api.context import Context
    from roadworthy.client.control import ControlPlane
    from roadworthy.data import Datasets
    from roadworthy.data.browser import Browser
    from roadworthy.data.ingestion import Sources
    from roadworthy.operations.controller import Controller
    from roadworthy.operations.desired import Desired
    from roadworthy.pipelines.cleansing import Cleanser
    from roadworthy.pipelines.workers import Runnable
    from roadworthy.registry import Registry
    from roadworthy.registry.materialise import Copies
    from roadworthy.serving.options import Limits, LogOptions
    from roadworthy.storage.blobs import Blobs
    from roadworthy.storage.metadata import Database

log = logging.getLogger(__name__)
TRAFFIC_SECONDS = 15.0
POLLING_SECONDS = 0.5
FORGET_SECONDS = 3600.0
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
    environments = _Environments(settings, blobs)
    placement = Placement(
        environments.misfit, environments.realise, environments.realised, bell.ring
    )
    desired = Desired(database, placement, bell)
    controller = Controller(
        desired,
        registry,
        Certifier(settings, desired, registry),
        settle_seconds=settings.workers.settle_seconds,
    )
    context = Context(
        settings=settings,
        desired=desired,
        registry=registry,
        blobs=blobs,
        version=roadworthy.__version__,
        junit=to_junit,
        closing=threading.Event(),
        browser=_browser_of(settings, database),
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


def _browser_of(settings: Settings, database: Database) -> Callable[[], Browser]:
    """What gives the reader of versioned data; its libraries are loaded when first asked for."""

    @functools.lru_cache(maxsize=1)
    def browser() -> Browser:
        from roadworthy.data import Datasets
        from roadworthy.data.browser import Browser
        from roadworthy.data.ingestion import Sources
        from roadworthy.storage.blobs import open_blobs

        blobs = open_blobs(settings.data_url, settings.blob_options)
        return Browser(Sources(Datasets(database, blobs, utc_now), settings.sources))

    return browser


@contextlib.contextmanager
def open_datasets(settings: Settings) -> Iterator[Datasets]:
    """Versioned data of a home: the metadata and blobs that its settings name, opened here."""
    from roadworthy.data import Datasets
    from roadworthy.storage.blobs import open_blobs
    from roadworthy.storage.opening import open_database

    database = open_database(settings.metadata_url)
    try:
        blobs = open_blobs(settings.data_url, settings.blob_options)
        blobs.sweep()
        yield Datasets(database, blobs, utc_now)
    finally:
        database.close()


@contextlib.contextmanager
def open_sources(settings: Settings) -> Iterator[Sources]:
    """Sources of data of a home, opened here."""
    from roadworthy.data.ingestion import Sources

    with open_datasets(settings) as datasets:
        yield Sources(datasets, settings.sources, through=lambda name: _cleanser(settings, name))


@contextlib.contextmanager
def _cleanser(settings: Settings, name: str) -> Iterator[Cleanser]:
    """A release that cleanses rows, in its own environment, for as long as the block lasts."""
    from roadworthy.client.control import ControlPlane
    from roadworthy.operations.supervisor import read_control
    from roadworthy.pipelines.cleansing import Cleanser

    running = read_control(settings)
    address = running.address if running else settings.control_address
    with ControlPlane(address, settings.token) as control:
        release, runnable = make_runnable(settings, control, name, lambda _step: None)
    with Cleanser(runnable, release.signature) as cleanser:
        yield cleanser


def import_dataset(settings: Settings, name: str, source: str) -> dict[str, int]:
    """Takes a dataset with its history over from another place's blobs; commits and bytes."""
    from roadworthy.data.transfer import copy_dataset

    with open_datasets(settings) as datasets, _datasets_at(settings, source) as other:
        other.rebuild()
        return copy_dataset(other, datasets, name)


def export_dataset(settings: Settings, name: str, target: str) -> dict[str, int]:
    """Writes a dataset with its history to a folder or bucket; commits and bytes."""
    from roadworthy.data.transfer import copy_dataset

    with open_datasets(settings) as datasets, _datasets_at(settings, target) as other:
        return copy_dataset(datasets, other, name)


@contextlib.contextmanager
def _datasets_at(settings: Settings, place: str) -> Iterator[Datasets]:
    """Datasets at a place that has blobs only; the metadata beside them is thrown away."""
    from roadworthy.data import Datasets
    from roadworthy.storage.blobs import open_blobs
    from roadworthy.storage.opening import open_database

    with tempfile.TemporaryDirectory(prefix="roadworthy-") as folder:
        database = open_database(f"sqlite:///{folder}/metadata.db")
        try:
            yield Datasets(database, open_blobs(place, settings.blob_options), utc_now)
        finally:
            database.close()


def _mount_pages(
    app: FastAPI, settings: Settings, desired: Desired, registry: Registry, context: Context
) -> None:
    from roadworthy.api.problems import STATUS_BY_CODE
    from roadworthy.ui import GatewayClient, mount_pages, page_data

    gateway = GatewayClient(settings.gateway_address, settings.token or None)
    data = page_data(
        desired,
        registry,
        gateway,
        settings,
        context.browser,
        statuses=STATUS_BY_CODE,
        version=roadworthy.__version__,
    )
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
            with _polling_beside(settings, database, blobs):
                return run_control(parts.app, parts.context, parts.controller)
        finally:
            database.close()


@contextlib.contextmanager
def _polling_beside(settings: Settings, database: Database, blobs: Blobs) -> Iterator[None]:
    """Has the process that polls sources run while there are sources to poll."""
    from roadworthy.operations.beside import Beside

    def needed() -> bool:
        from roadworthy.storage.queries.sources import any_polled

        with database.reading() as connection:
            return any_polled(connection)

    beside = Beside(
        command=[sys.executable, "-m", "roadworthy", "serve", "sources", "--attached"],
        environment=child_environment(settings, os.environ),
        cwd=settings.file.parent if settings.file else settings.home,
        log=settings.run / "sources.log",
        needed=needed,
    )
    thread = threading.Thread(target=beside.run, name="sources", daemon=True)
    thread.start()
    try:
        yield
    finally:
        beside.stop()
        thread.join(timeout=5.0)


def serve_sources(settings: Settings, attached: bool = False) -> int:
    """Poll sources of data, as they are scheduled, until SIGTERM; the exit code.

    One process at a time for a home, and for a database. ``attached``: also until standard
    input ends, which it does with the process that started this one.
    """
    from roadworthy.pipelines.polling import Poller
    from roadworthy.runtime.workflows import Workflows
    from roadworthy.storage.locks import FileLock, leased

    start_logging("sources")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if attached:
        threading.Thread(target=_watch_input, name="starter", daemon=True).start()
    settings.run.mkdir(parents=True, exist_ok=True)
    with (
        FileLock(settings.run / "sources.lock", "the polling of sources"),
        open_sources(settings) as sources,
        leased(sources.datasets.database, stopping),
    ):
        if stopping.is_set():
            return 0
        workflows = Workflows(settings.metadata_url)
        poller = Poller(sources, workflows, utc_now, time.monotonic)
        workflows.launch()
        try:
            forget_at = 0.0
            while not stopping.wait(POLLING_SECONDS):
                try:
                    poller.turn()
                    if time.monotonic() >= forget_at:
                        poller.forget()
                        forget_at = time.monotonic() + FORGET_SECONDS
                except RoadworthyError as error:
                    log.warning("looking for sources failed: %s", error)
        finally:
            workflows.close()
    return 0


def _watch_input() -> None:
    """Ends this process at once when its starter is gone: a poll bears that."""
    while os.read(0, 1024):
        pass
    os._exit(0)


def _load_what_checks_need() -> None:
    """Load ahead, once everything is ready, what the first certification would load."""
    from pyarrow import parquet

    log.debug("%s is loaded", parquet.__name__)


class _Environments:
    """How placement asks for interpreters that fit a lock."""

    def __init__(self, settings: Settings, blobs: Copies) -> None:
        self._settings = settings
        self._envs = settings.environments
        self._blobs = blobs

    def misfit(self, python: Path, lock: Lock) -> str:
        """Why the interpreter does not fit; an empty text where it does."""
        from roadworthy.runtime.environments import satisfies

        found = satisfies(python, lock)
        return "" if found.fits else "; ".join(found.reasons)

    def realise(self, release: Release) -> Path:
        """The interpreter of the release's own environment, made if need be.

        Packages that no index has come as wheels with the release.
        """
        from roadworthy.registry.materialise import materialise
        from roadworthy.runtime.realised import realise

        self._envs.mkdir(parents=True, exist_ok=True)
        kept = [file for file in release.files if file.path.startswith(WHEELS)]
        wheels = None
        if kept:
            folder = self._settings.wheels / release.lock.digest
            wheels = materialise(self._blobs, kept, folder) / WHEELS
        return realise(release.lock, self._envs, wheels=wheels)

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
        log=_log_options(settings),
        limits=_limits(settings),
        host=settings.gateway.host,
        port=settings.gateway.port,
        token=settings.token,
        gateways=settings.gateway.processes,
        bound={port: model for model, port in settings.gateway.models.items()},
        traces=settings.gateway.traces,
        trace_share=settings.gateway.trace_share,
        threads=settings.workers.threads,
    )
    source, sink = http_control(control or settings.control_address, settings.token)
    return run_agent(options, _FlowSource(settings).fetch, source, sink)


def _limits(settings: Settings) -> Limits:
    """The bounds on requests that are set."""
    from roadworthy.serving.options import Limits

    given = settings.gateway
    return Limits(
        connections=given.connections,
        body_bytes=given.body_bytes,
        rows=given.rows,
        deadline_seconds=given.deadline_seconds,
        queue_requests=given.queue_requests,
        keep_alive_seconds=given.keep_alive_seconds,
        drain_seconds=given.drain_seconds,
    )


def _log_options(settings: Settings) -> LogOptions:
    """The prediction log as it is set; the key of its pseudonyms is made when first needed."""
    from roadworthy.serving.options import LogOptions

    given = settings.log
    key = _secret(settings.pseudonym_key) if given.pseudonymise else ""
    return LogOptions(
        directory=str(settings.predictions),
        flush_seconds=given.flush_seconds,
        sample=given.sample,
        samples=given.samples,
        redact=given.redact,
        pseudonymise=given.pseudonymise,
        pseudonym_key=key,
        retention_days=given.retention_days,
        retention_bytes=given.retention_bytes,
    )


def _secret(path: Path) -> str:
    """The secret in a file, which is made whole or not at all when it is first asked for."""
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32), "ascii")
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    return path.read_text("ascii")


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


# Running a release on this machine


def make_runnable(
    settings: Settings, control: ControlPlane, name: str, told: Callable[[str], None]
) -> tuple[Release, Runnable]:
    """A release by name with what its workers need here: files, environment, golden request.

    The files come from the control plane, which may be elsewhere. Raises NotFound,
    EnvironmentFailed, Damaged, StorageError, Unavailable.
    """
    from roadworthy.pipelines.workers import Runnable
    from roadworthy.registry.materialise import materialise
    from roadworthy.runtime.bundle import put_runtime
    from roadworthy.serving.agent_workers import prepare_golden

    release = msgspec.convert(control.get(f"/releases/{name}")["release"], Release)
    flow = settings.releases / release.digest
    if not flow.is_dir():
        told(f"fetching {release.name}")
    materialise(control, release.files, flow)
    environments = _Environments(settings, control)
    python = environments.realised(release.lock)
    status = control.get("/agent/status") or {"workers": []}
    known = [each["python"] for each in status["workers"] if each["release"] == release.name]
    for each in dict.fromkeys([*known, sys.executable]):
        if python is None and each and Path(each).exists():
            python = None if environments.misfit(Path(each), release.lock) else Path(each)
    if python is None:
        told(f"making the environment of {release.name}")
        python = environments.realise(release)
    golden = prepare_golden(flow, release.digest, settings.agent)
    return release, Runnable(
        release=release.name,
        python=str(python),
        flow=str(flow),
        runtime=str(put_runtime(settings.home)),
        golden=str(golden) if golden else "",
        threads=settings.workers.threads,
    )


# Supervisor


def child_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which a part reads the same settings as were given here."""
    told = {
        "ROADWORTHY_HOME": str(settings.home),
        "ROADWORTHY_METADATA": settings.metadata,
        "ROADWORTHY_BLOBS": settings.blobs,
        "ROADWORTHY_TOKEN": settings.token,
    }
    if settings.blob_options:
        told["ROADWORTHY_BLOB_OPTIONS"] = msgspec.json.encode(settings.blob_options).decode()
    for section in ("control", "gateway", "log", "workers"):
        for name, value in msgspec.structs.asdict(getattr(settings, section)).items():
            written = msgspec.json.encode(value).decode() if value else ""
            text = written if isinstance(value, (dict, list)) else str(value)
            told[f"ROADWORTHY_{section}_{name}".upper()] = text
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
