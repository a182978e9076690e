"""Durable workflows: what has steps that must each happen once, resumed after a kill.

A thin interface before DBOS, which keeps workflows and the results of their steps in a database.
Only the process that runs them loads it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.engine import make_url

NAME = "roadworthy"
_SOME = 1000
_FORM = "1"
"""Grows when workflows that an older version began can't be gone on with."""


class Steps(Protocol):
    """How a workflow has its steps done."""

    @property
    def workflow(self) -> str:
        """The workflow's id, which names the effects of its steps."""

    def step(self, name: str, work: Callable[[], str]) -> str:
        """What the work gives, done once: after a kill its kept result, or the work again.

        The work may have had its effect when it is killed: it must find that and give it.
        """


Body = Callable[[Steps, str], None]
"""A workflow: how its steps are done, and its argument."""


class Workflows:
    """Workflows of this process, one process at a time on a database: whoever calls ``launch``
    holds the lease, and goes on with what a dead one left.

    ``url`` is that of the metadata; on SQLite the workflows have a file of their own beside it.
    """

    def __init__(self, url: str) -> None:
        from dbos import DBOS
        from dbos._serialization import DBOSPortableJSON

        self._dbos: Any = DBOS
        self._bodies: dict[str, Any] = {}
        self._running: set[str] = set()
        self._lock = threading.Lock()
        DBOS(
            config={
                "name": NAME,
                "system_database_url": workflow_url(url),
                "executor_id": NAME,
                "application_version": _FORM,
                "serializer": DBOSPortableJSON,
                "log_level": "WARNING",
            }
        )

    def register(self, name: str, body: Body) -> None:
        """Makes a kind of workflow known; all are, before ``launch``."""

        @self._dbos.workflow(name=name)  # type: ignore[untyped-decorator]
        def run(argument: str) -> None:
            id = str(self._dbos.workflow_id)
            with self._lock:
                self._running.add(id)
            try:
                body(_DurableSteps(self._dbos, id), argument)
            finally:
                with self._lock:
                    self._running.discard(id)

        self._bodies[name] = run

    def launch(self) -> None:
        """Begins, with what was left unfinished."""
        self._dbos.launch()

    def start(self, name: str, id: str, argument: str) -> None:
        """Starts a workflow unless one of this id was started before, whenever that was."""
        from dbos import SetWorkflowID

        with self._lock:
            self._running.add(id)
        with SetWorkflowID(id):
            handle = self._dbos.start_workflow(self._bodies[name], argument)
        if handle.get_status().status in ("SUCCESS", "ERROR", "CANCELLED"):
            with self._lock:
                self._running.discard(id)

    def running(self) -> set[str]:
        """The ids of the workflows that run here."""
        with self._lock:
            return set(self._running)

    def forget(self, before: datetime) -> int:
        """Removes what is kept of workflows that ended before a moment; how many, some at a time.

        A workflow of the same id could be started again then.
        """
        ended = self._dbos.list_workflows(
            status=["SUCCESS", "ERROR"],
            completed_before=before.isoformat(),
            limit=_SOME,
            load_input=False,
            load_output=False,
        )
        if ended:
            self._dbos.delete_workflows([each.workflow_id for each in ended])
        return len(ended)

    def close(self) -> None:
        """Ends; what runs is gone on with by the next launch."""
        self._dbos.destroy()


class _DurableSteps:
    def __init__(self, dbos: Any, workflow: str) -> None:
        self._dbos = dbos
        self.workflow = workflow

    def step(self, name: str, work: Callable[[], str]) -> str:
        return str(self._dbos.run_step({"name": name}, work))


def workflow_url(url: str) -> str:
    """Where workflows are kept, for metadata at a URL.

    >>> workflow_url("sqlite:////home/roadworthy.db")
    'sqlite:////home/workflows.db'
    """
    parsed = make_url(url)
    if parsed.drivername == "sqlite":
        folder = (parsed.database or "").rpartition("/")[0]
        parsed = parsed.set(database=f"{folder}/workflows.db")
    else:
        parsed = parsed.set(drivername="postgresql")
    return parsed.render_as_string(hide_password=False)
