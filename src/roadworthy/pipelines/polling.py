"""When sources are polled: by schedule, after another branch's commit; each time once.

What is due is decided from the clock, the source's last poll and what runs, without I/O; a poll
is a durable workflow whose id names what it is for, so that no time and no commit counts twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from roadworthy.core.dataset_names import parse_commit
from roadworthy.core.schedule import Schedule
from roadworthy.core.values import Value
from roadworthy.data.ingestion import Sources
from roadworthy.data.ingestion.sources import Overview
from roadworthy.errors import Conflict, NotFound, RoadworthyError
from roadworthy.runtime.workflows import Steps, Workflows

log = logging.getLogger(__name__)
KIND = "poll a source"
MOST_AT_ONCE = 4
KEPT = timedelta(days=7)


class Begun(Value):
    """When a source was last polled: by the clock on the wall, and by one that never jumps."""

    wall: datetime
    monotonic: float


def due(schedule: Schedule, last: Begun | None, now: datetime, monotonic: float) -> datetime | None:
    """The time for which a source is to be polled now; None where it is not time yet.

    Intervals are measured by the clock that never jumps; a source that was never polled is due
    at once. Of several times that were missed the last counts. A wall clock that was put back
    makes no time come twice.
    """
    if last is None:
        return now
    if schedule.seconds:
        return now if monotonic - last.monotonic >= schedule.seconds else None
    return schedule.newest(last.wall, now)


class Poller:
    """Looks what is due and starts it; one of a home, or of a database, at a time."""

    def __init__(
        self,
        sources: Sources,
        workflows: Workflows,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._sources = sources
        self._workflows = workflows
        self._clock = clock
        self._monotonic = monotonic
        self._begun: dict[str, Begun] = {}
        self._triggered: dict[str, str] = {}
        workflows.register(KIND, self._poll)

    def turn(self) -> list[str]:
        """Starts what is due; the names of the sources that are polled."""
        busy = {name_of(id) for id in self._workflows.running()}
        started: list[str] = []
        for each in self._sources.all():
            name = each.source.name
            if each.state.status != "active" or name in busy:
                continue
            if len(busy) + len(started) >= MOST_AT_ONCE:
                break
            for_what = self._due(each)
            if for_what:
                self._workflows.start(KIND, f"{name} {for_what}", name)
                started.append(name)
        return started

    def forget(self) -> None:
        """Removes what is kept of polls as workflows after a week; their outcomes stay."""
        while self._workflows.forget(self._clock() - KEPT):
            pass

    def _due(self, each: Overview) -> str:
        """What a source is to be polled for now; an empty text for nothing."""
        name = each.source.name
        if each.source.trigger:
            return self._trigger(each)
        schedule = each.source.when()
        if schedule is None:
            return ""
        now, monotonic = self._clock(), self._monotonic()
        last = self._begun.get(name) or before_start(each, now, monotonic)
        found = due(schedule, last, now, monotonic)
        if found is None:
            return ""
        self._begun[name] = Begun(wall=max(found, now), monotonic=monotonic)
        return found.isoformat(timespec="microseconds")

    def _trigger(self, each: Overview) -> str:
        wanted = parse_commit(each.source.trigger)
        try:
            commit = self._sources.datasets.branch(wanted.dataset, wanted.ref).commit
        except NotFound:
            return ""
        if not commit or self._triggered.get(each.source.name) == commit:
            return ""
        self._triggered[each.source.name] = commit
        return commit

    def _poll(self, steps: Steps, name: str) -> None:
        """The workflow: polls until nothing is left; each poll happens once."""
        for number in range(10_000):
            id = f"{steps.workflow} {number}"
            if steps.step(f"poll {number}", lambda: self._once(name, id)) != "left":  # noqa: B023
                return

    def _once(self, name: str, id: str) -> str:
        try:
            done = self._sources.poll(name, id=id)
        except (Conflict, NotFound) as error:
            log.info("%s is not polled: %s", name, error.message)
            return "ended"
        except RoadworthyError as error:
            log.warning("polling %s failed: %s", name, error)
            return "ended"
        if done.outcome != "nothing":
            log.info(
                "%s: %s, %d rows, %d bad %s", name, done.outcome, done.rows, done.bad, done.said
            )
        return "left" if done.left and done.deliveries else "ended"


def before_start(each: Overview, now: datetime, monotonic: float) -> Begun | None:
    """When a source was last polled, known from its last poll.

    A poll that lies in the future, for the clock was put back, counts as one of just now.
    """
    if each.last is None:
        return None
    at = datetime.fromisoformat(each.last.at)
    ago = max(0.0, (now - at).total_seconds())
    return Begun(wall=at, monotonic=monotonic - ago)


def name_of(id: str) -> str:
    """The source that a workflow polls."""
    return id.partition(" ")[0]
