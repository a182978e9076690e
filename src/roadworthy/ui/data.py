"""What the pages ask of the rest of Roadworthy: one value full of functions, given by wiring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from roadworthy.core.deployment import AgentStatus, Deployment, StageChange
from roadworthy.core.names import Stage
from roadworthy.core.operation import Operation
from roadworthy.core.release import Release
from roadworthy.operations.comparing import Comparison
from roadworthy.operations.doctor import Finding
from roadworthy.operations.sampling import AnswerChanges
from roadworthy.registry import Registry
from roadworthy.serving.log_query import Asked, Found
from roadworthy.storage.tracks import Tracks
from roadworthy.ui.views.system import Control, SettingLine

if TYPE_CHECKING:
    from roadworthy.data.browser import Browser


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


@dataclass(frozen=True, kw_only=True)
class RowProblem:
    """A finding about one of several rows that were sent: its place, from 0."""

    row: int
    said: Problem


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the gateway said to several rows.

    ``rows`` has an answer a row, in order; where it is empty, ``problems`` say what is wrong with
    the rows, or ``failure`` why there was no answer.
    """

    release: str
    rows: Sequence[Prediction] = ()
    problems: Sequence[RowProblem] = ()
    failure: str = ""
    cure: str = ""
    request: str = ""


def utc_now() -> datetime:
    """The instant now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class PageData:
    """What the pages call. Functions return core values or raise RoadworthyError.

    ``registry`` finds runs, models, releases and certificates; ``browser()`` datasets, commits
    and sources. ``deployments()`` are those of
    all models; ``history(model)`` and ``operations(most)`` newest first; ``status()`` what the
    agent last reported, None before its first report; ``roll_back(model, stage, generation,
    caller)`` sends a deployment back, Conflict where the generation has moved on;
    ``promote(release, stage, generation, caller, reason)`` begins to move a release there.

    ``compare(before, after)`` tells how two releases differ, ``answer_changes`` which recorded
    answers do (None where one of them has none); ``sample_rows`` are a release's recorded rows.

    ``search_log(asked, go_on)`` finds rows of the prediction log while ``go_on()`` holds; None
    where it has nothing of the model.

    ``log_names()`` are the logs of processes that are here, ``read_log(name, lines)`` the end of
    one (NotFound); ``examine(thorough)`` what the doctor finds; ``settings`` and ``control`` say
    how this control plane is set and which process it is.

    ``predict(release, row)`` asks the gateway for this release's (or model's) answer to one row,
    ``predict_rows`` to several; ``metrics()`` is the text of its ``/metrics``, None where it does
    not answer; ``gateway`` the address that callers use (``GatewayClient`` has the four);
    ``tracks`` keep what passed over time.

    ``statuses`` maps error codes to HTTP statuses. ``token``: where set, the pages ask for it
    once and remember it in a signed cookie. ``hosts`` are the names under which the pages may be
    asked for while no token is set.
    """

    registry: Registry
    browser: Callable[[], Browser]
    deployments: Callable[[], Sequence[Deployment]]
    history: Callable[[str], Sequence[StageChange]]
    operations: Callable[[int], Sequence[Operation]]
    status: Callable[[], AgentStatus | None]
    roll_back: Callable[[str, Stage, int, str], Deployment]
    promote: Callable[[str, Stage, int, str, str], Operation]
    compare: Callable[[Release, Release], Comparison]
    answer_changes: Callable[[Release, Release], AnswerChanges | None]
    sample_rows: Callable[[Release], Sequence[Mapping[str, Any]]]
    search_log: Callable[[Asked, Callable[[], bool]], Found | None]
    log_names: Callable[[], Sequence[str]]
    read_log: Callable[[str, int], Sequence[str]]
    examine: Callable[[bool], Sequence[Finding]]
    settings: Sequence[SettingLine]
    control: Control
    predict: Callable[[str, Mapping[str, Any]], Prediction]
    predict_rows: Callable[[str, Sequence[Mapping[str, Any]]], Answers]
    metrics: Callable[[], str | None]
    tracks: Tracks
    gateway: str
    statuses: Mapping[str, int] = field(default_factory=dict)
    token: str | None = None
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    now: Callable[[], datetime] = utc_now
