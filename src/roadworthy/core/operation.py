"""Operations: what was asked of the control plane and takes steps, resumable at each of them."""

from __future__ import annotations

from typing import Any, Literal

from roadworthy.core.certificate import Check
from roadworthy.core.names import Stage
from roadworthy.core.release import FlowFile, Lock
from roadworthy.core.signature import Signature
from roadworthy.core.values import Document

OperationKind = Literal["deploy", "promote", "verify"]
OperationState = Literal["running", "done", "failed"]
OperationStep = Literal["record", "start", "certify", "switch", "route", "ended"]


class Progress(Document):
    """One line of what an operation did: when (UTC, ISO 8601), at which step, what."""

    at: str
    step: OperationStep
    message: str


class DeployRequest(Document):
    """A captured flow that is to become a release and run; its blobs are uploaded already.

    ``checks`` are those that capture made itself (replay, law, effects); ``interpreter`` is
    the Python that the program ran in, where that is on the control plane's machine;
    ``workers`` how many are to run, 0: as many as before.
    """

    model: str
    stage: Stage
    run: str
    files: list[FlowFile]
    signature: Signature
    lock: Lock
    checks: list[Check] = []
    interpreter: str = ""
    notes: str = ""
    allow_breaking: bool = False
    workers: int = 0


class Operation(Document):
    """One operation. ``generation`` is the deployment's when it was asked for: if somebody
    changes the deployment meanwhile, the operation ends and says who did. ``wanted`` is the
    generation that the operation's own change of the deployment made.

    ``since`` is when the present step began (seconds since the epoch); ``release`` the
    release's name once it has one.
    """

    id: str
    kind: OperationKind
    model: str
    stage: Stage
    generation: int
    caller: str
    started: str
    since: float
    wanted: int = 0
    state: OperationState = "running"
    step: OperationStep = "record"
    release: str = ""
    request: DeployRequest | None = None
    reason: str = ""
    progress: list[Progress] = []
    problem: dict[str, Any] | None = None
    seconds: float = 0.0
    format: int = 1
