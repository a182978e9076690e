"""What should run, what does run, and the next step between the two: pure decisions."""

from __future__ import annotations

from typing import Literal

from roadworthy.core.names import Stage
from roadworthy.core.values import Document

WorkerState = Literal["starting", "ready", "failed", "stopping", "stopped"]


class Deployment(Document):
    """A model at a stage. ``generation`` grows with each change: compare-and-set on it.

    ``release`` is the number that should answer, ``live`` the one that is routed to now, and
    ``previous`` the way back, kept warm. ``asked`` is the generation of the last change that
    somebody asked for; the controller's own changes come after it.
    """

    model: str
    stage: Stage
    generation: int
    release: int | None
    live: int | None = None
    previous: int | None = None
    workers: int = 1
    changed: str = ""
    caller: str = ""
    reason: str = ""
    asked: int = 0


class StageChange(Document):
    """One line of a deployment's history."""

    model: str
    stage: Stage
    generation: int
    release: int | None
    replaced: int | None
    action: Literal["deploy", "promote", "rollback", "retire"]
    at: str
    caller: str
    reason: str


class WorkerSpec(Document):
    """What the agent needs to run workers of a release.

    ``flow`` is the digest of the release: the agent finds its files by it; ``python`` is the
    interpreter to start.
    """

    release: str
    flow: str
    python: str
    replicas: int = 1
    memory_bytes: int | None = None
    batch_seconds: float = 30.0


class Route(Document):
    """Where requests for a model go."""

    model: str
    release: str
    stage: Stage


class RoutingTable(Document):
    """The one document that the agent follows: which workers run and which release answers.

    ``version`` grows with each change. Workers that no route names are kept warm all the same.
    """

    version: int
    workers: list[WorkerSpec]
    routes: list[Route]
    format: int = 1


class WorkerStatus(Document):
    """One worker process as the agent sees it.

    ``rss_bytes`` is the resident memory, ``cpu_seconds`` user and system time since it
    started, ``restarts`` how often this place was filled anew, ``error`` why it failed last,
    ``python`` the interpreter that it runs in. ``form`` is the form of the flow that answers
    (``fast`` or ``as written``), ``form_off`` why the fast one was turned off.
    """

    id: str
    release: str
    flow: str
    state: WorkerState
    pid: int | None = None
    rss_bytes: int = 0
    cpu_seconds: float = 0.0
    restarts: int = 0
    error: str = ""
    start_seconds: float | None = None
    python: str = ""
    form: str = ""
    form_off: str = ""


class WorkerEvent(Document):
    """Something that happened to a worker, kept by its agent: ``at`` is UTC, ISO 8601.

    ``kind``: *ready*; *died* or *killed* while serving; *not started*; *unfit* (it said itself
    that it can't serve here); *tired* (it works, and is replaced: see the reason).
    """

    at: str
    release: str
    worker: str
    kind: Literal["ready", "died", "killed", "not started", "unfit", "tired"]
    reason: str = ""


class AgentStatus(Document):
    """What runs on a host. ``applied`` is the version of the table that the gateway follows.

    ``gateway_pid`` is None while no gateway answers; ``at`` is UTC, ISO 8601; ``events`` are the
    last ones of workers, oldest first.
    """

    agent: str
    pid: int
    at: str
    applied: int
    workers: list[WorkerStatus]
    gateway_pid: int | None = None
    gateway_address: str = ""
    gateway_restarts: int = 0
    problems: list[str] = []
    events: list[WorkerEvent] = []
    format: int = 1
