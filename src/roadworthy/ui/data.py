"""What the pages ask of the rest of Roadworthy: one value full of functions, given by wiring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from roadworthy.core.capture import CaptureReport
from roadworthy.core.certificate import Certificate
from roadworthy.core.deployment import AgentStatus, Deployment, StageChange
from roadworthy.core.names import Stage
from roadworthy.core.operation import Operation
from roadworthy.core.release import Release
from roadworthy.core.run import Run


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A finding about a row that was sent: its column (empty where it has none), the reason."""

    field: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What the gateway said to one row.

    ``values`` holds, per output, the value or the columns' values; ``problems`` are set when the
    row was refused, ``rejected`` when the flow itself turned it away, ``failure`` when there was
    no answer at all (with ``cure``). ``seconds`` is the whole way to the gateway and back.
    """

    release: str
    seconds: float
    values: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[Problem] = ()
    problems: Sequence[Problem] = ()
    rejected: str = ""
    failure: str = ""
    cure: str = ""
    request: str = ""


def utc_now() -> datetime:
    """The instant now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class PageData:
    """The functions that the pages call. Each returns core values or raises RoadworthyError.

    ``models()`` names in order; ``releases(model)`` newest first, NotFound where the model does
    not exist; ``release(model, number)``; ``certificate`` and ``report`` of a release, None where
    there is none; ``runs(most)`` newest first; ``run(id)``; ``made_from(run)`` the releases of a
    run; ``deployments()`` of all models; ``history(model)`` newest first; ``operations(most)``
    newest first; ``status()`` what the agent last reported, None before its first report;
    ``blob(digest)`` a stored file's bytes; ``metrics()`` the gateway's ``/metrics`` text, None
    where it does not answer; ``roll_back(model, stage, generation, caller)`` sends the deployment
    to its previous release, Conflict where the generation has moved on; ``predict(release, row)``
    asks the gateway for this release's answer to one row.

    ``junit(certificate)`` is the certificate as JUnit XML. ``statuses`` maps error codes to HTTP
    statuses. ``token``: where set, pages ask for it once and remember it in a signed cookie.
    ``hosts`` are the names under which the pages may be asked for while no token is set.
    """

    models: Callable[[], Sequence[str]]
    releases: Callable[[str], Sequence[Release]]
    release: Callable[[str, int], Release]
    certificate: Callable[[Release], Certificate | None]
    report: Callable[[Release], CaptureReport | None]
    runs: Callable[[int], Sequence[Run]]
    run: Callable[[str], Run]
    made_from: Callable[[str], Sequence[Release]]
    deployments: Callable[[], Sequence[Deployment]]
    history: Callable[[str], Sequence[StageChange]]
    operations: Callable[[int], Sequence[Operation]]
    status: Callable[[], AgentStatus | None]
    blob: Callable[[str], bytes]
    metrics: Callable[[], str | None]
    roll_back: Callable[[str, Stage, int, str], Deployment]
    predict: Callable[[str, Mapping[str, Any]], Prediction]
    junit: Callable[[Certificate], bytes]
    statuses: Mapping[str, int] = field(default_factory=dict)
    token: str | None = None
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    gateway: str = "http://127.0.0.1:8401"
    now: Callable[[], datetime] = utc_now
