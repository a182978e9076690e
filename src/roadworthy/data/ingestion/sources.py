"""Sources: adding and changing them, polling them, and what they have delivered."""

from __future__ import annotations

import contextlib
import logging
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

from roadworthy.core.dataset import MAIN
from roadworthy.core.dataset_names import parse_commit
from roadworthy.core.names import nearest
from roadworthy.core.source import Delivery, Poll, Source, SourceState, Status, check_source
from roadworthy.core.values import Document
from roadworthy.data.datasets import Datasets
from roadworthy.data.ingestion.arriving import Reader, Visit, open_reader, with_secrets
from roadworthy.data.ingestion.canonical import Canonical
from roadworthy.data.ingestion.cleansing import Cleansing, Opening, nothing_runs_here
from roadworthy.data.ingestion.placing import ROWS, set_aside
from roadworthy.data.ingestion.polling import Polling
from roadworthy.data.ingestion.records import Bad
from roadworthy.data.ingestion.releasing import release
from roadworthy.errors import (
    Conflict,
    NotFound,
    RoadworthyError,
    SchemaBroken,
    SettingsError,
    UsageError,
)
from roadworthy.storage.locks import FileLock
from roadworthy.storage.queries import sources as asked

log = logging.getLogger(__name__)
_ATTEMPTS = 8


class Overview(Document, frozen=True):
    """A source, where it has come to, and its last poll."""

    source: Source
    state: SourceState
    last: Poll | None
    quarantined: int


class Sources:
    """What people and schedules do with sources of data.

    ``scratch`` is a folder for what is being fetched; it may be emptied at any time when no
    poll runs. ``through`` makes a release ready that rows are to run through. Safe to be used by
    several processes: a source is polled by one at a time.
    """

    def __init__(
        self,
        datasets: Datasets,
        scratch: Path,
        open: Callable[[Visit], Reader] = open_reader,
        through: Opening = nothing_runs_here,
    ) -> None:
        self.datasets = datasets
        self._through = through
        self._open = open
        self._scratch = scratch

    # Configuration

    def add(self, source: Source, *, anew: bool = False, author: str = "") -> Source:
        """Keeps a source, or changes the one of its name; makes its dataset and branch if need be.

        A changed source goes on where it was, also one that had stopped itself; with ``anew`` it
        takes everything again, in place of what is there. Raises UsageError, Conflict.
        """
        Canonical(check_source(source), source.columns)  # raises where the columns can't be so
        self._make_branches(source, author)

        def work(connection: Connection) -> Source:
            at = self.datasets.now()
            before = asked.source(connection, source.name)
            if before is None:
                asked.insert_source(connection, source, SourceState(), at)
                return source
            state = self._state_for(before, source, anew)
            if anew:
                asked.forget_deliveries(connection, source.name)
            if (before.source, before.state) != (source, state):
                if not asked.change_source(connection, before, source, state, at):
                    raise self._changed(source.name)
            return source

        return self.datasets.database.write(work)

    def _state_for(self, before: asked.Kept, source: Source, anew: bool) -> SourceState:
        if anew:
            return SourceState(anew=True)
        if before.source.dataset != source.dataset or before.source.path != source.path:
            raise UsageError(
                f"source {source.name} delivers to {before.source.dataset}, {before.source.path}",
                cure="give the source another name, or add it with --anew",
            )
        state = before.state
        if state.status == "stopped":
            state = msgspec.structs.replace(state, status="active", said="")
        if source.manner == "replace" and before.source != source:
            state = msgspec.structs.replace(state, watermark={})
        return state

    def _make_branches(self, source: Source, author: str) -> None:
        wanted = parse_commit(source.dataset)
        if wanted.back or wanted.moment is not None:
            raise UsageError(
                f"{source.dataset} does not name a branch", cure=f"{wanted.dataset}@{MAIN}"
            )
        try:
            self.datasets.dataset(wanted.dataset)
        except NotFound:
            self.datasets.create(wanted.dataset, key=source.key, author=author)
        known = {each.name for each in self.datasets.branches(wanted.dataset)}
        for name in {wanted.ref, source.quarantine} - known:
            self.datasets.create_branch(wanted.dataset, name, author=author)

    def remove(self, name: str) -> Source:
        """Forgets a source and what it delivered; commits and quarantine stay. Raises NotFound."""
        kept = self._get(name)
        self.datasets.database.write(lambda connection: asked.delete_source(connection, name))
        return kept.source

    def pause(self, name: str) -> None:
        """Has a source no longer polled. Raises NotFound, Conflict."""
        self._set(name, "paused", "")

    def resume(self, name: str) -> None:
        """Has a paused or stopped source polled again. Raises NotFound, Conflict."""
        self._set(name, "active", "")

    def _set(self, name: str, status: Status, said: str) -> None:
        kept = self._get(name)
        state = msgspec.structs.replace(kept.state, status=status, said=said)
        self._change_state(kept, state)

    def _change_state(self, kept: asked.Kept, state: SourceState) -> None:
        def work(connection: Connection) -> None:
            at = self.datasets.now()
            if not asked.change_source(connection, kept, kept.source, state, at):
                now = asked.source(connection, kept.source.name)
                if now is None or now.state != state:
                    raise self._changed(kept.source.name)

        self.datasets.database.write(work)

    # Reading

    def all(self) -> list[Overview]:
        """All sources, by name, with their last polls."""
        return [self._overview(*each) for each in self.states()]

    def show(self, name: str) -> Overview:
        """A source by name. Raises NotFound with the nearest names."""
        kept = self._get(name)
        with self.datasets.database.reading() as connection:
            last = asked.polls_of(connection, name, 1)
        return self._overview(kept.source, kept.state, last[0] if last else None)

    def polls(self, name: str, limit: int = 20, skip: int = 0) -> list[Poll]:
        """A source's last polls, newest first. Raises NotFound."""
        self._get(name)
        with self.datasets.database.reading() as connection:
            return asked.polls_of(connection, name, limit, skip)

    def deliveries(self, name: str, limit: int = 50, skip: int = 0) -> list[Delivery]:
        """What was taken last from a source, newest first. Raises NotFound."""
        self._get(name)
        with self.datasets.database.reading() as connection:
            return asked.deliveries_of(connection, name, limit, skip)

    def quarantine(self, name: str, limit: int = 100, skip: int = 0) -> list[dict[str, Any]]:
        """Rows of a source that are set aside: delivery, row, reason, raw (JSON), at."""
        there = set_aside(self.datasets, self._get(name).source)
        return [] if there is None else there.table(ROWS).read(skip, skip + limit).to_pylist()

    def states(self) -> list[tuple[Source, SourceState, Poll | None]]:
        """All sources, by name, with their last polls; what is set aside is not looked at."""
        with self.datasets.database.reading() as connection:
            last = asked.last_polls(connection)
            return [
                (each.source, each.state, last.get(each.source.name))
                for each in asked.all_sources(connection)
            ]

    def quarantined(self, source: Source) -> int:
        """How many rows of a source are set aside."""
        there = set_aside(self.datasets, source)
        tables = [] if there is None else there.committed.commit.tables
        return tables[0].rows if tables else 0

    def _overview(self, source: Source, state: SourceState, last: Poll | None) -> Overview:
        return Overview(source=source, state=state, last=last, quarantined=self.quarantined(source))

    # Polling

    def poll(self, name: str, *, id: str = "") -> Poll:
        """Looks for what is new and commits it; what came of it.

        ``id`` identifies the poll: done again, it gives what came of it the first time. What
        does not answer makes a failed poll, a delivery that breaks the schema a stopped source;
        neither raises. Raises NotFound, Conflict where it is paused or being polled.
        """
        id = id or self.datasets.new_id()
        for attempt in range(1, _ATTEMPTS + 1):
            with self.datasets.database.reading() as connection:
                known = asked.poll(connection, id)
            if known is not None:
                return known
            try:
                with self._visiting(name) as folder:
                    return self._once(name, folder, id)
            except Conflict as error:
                if attempt == _ATTEMPTS or error.details.get("refused"):
                    raise
                time.sleep(random.uniform(0.02, 0.1) * 2 ** min(attempt, 5))
        raise AssertionError("the loop returns or raises")

    def try_out(self, name: str) -> tuple[Poll, list[Bad]]:
        """What a poll would do, and the first bad rows; nothing is committed. Raises all."""
        kept = self._get(name)
        with self._visiting(name) as folder:
            resolved = with_secrets(kept.source)
            with self._cleansing(kept.source) as cleansing:
                polling = Polling(self.datasets, kept, resolved, folder, "", self._open, cleansing)
                return polling.run(dry_run=True)

    def release(self, name: str) -> Poll:
        """Maps the rows set aside again, with the mapping as it is now; commits those that pass.

        Raises NotFound, SchemaBroken, Conflict.
        """
        with self._visiting(name):
            kept = self._get(name)
            with self._cleansing(kept.source) as cleansing:
                return release(self.datasets, kept, self.datasets.new_id(), cleansing)

    @contextlib.contextmanager
    def _cleansing(self, source: Source) -> Iterator[Cleansing | None]:
        if not source.through:
            yield None
            return
        with self._through(source.through) as through:
            yield Cleansing(through)

    def _once(self, name: str, folder: Path, id: str) -> Poll:
        kept = self._get(name)
        if kept.state.status != "active":
            raise Conflict(
                f"source {name} is {kept.state.status}"
                + (f": {kept.state.said.splitlines()[0]}" if kept.state.said else ""),
                cure=f"roadworthy data source resume {name}",
                refused=True,
            )
        at = self.datasets.now()
        began = time.monotonic()

        def ended(outcome: Any, error: RoadworthyError) -> Poll:
            seconds = round(time.monotonic() - began, 3)
            said = str(error)
            done = Poll(id=id, source=name, at=at, outcome=outcome, said=said, seconds=seconds)
            return self._keep_failed(kept, done)

        try:
            resolved = with_secrets(kept.source)
            with self._cleansing(kept.source) as cleansing:
                polling = Polling(self.datasets, kept, resolved, folder, id, self._open, cleansing)
                return polling.run()[0]
        except Conflict:
            raise
        except SettingsError as error:
            return ended("failed", error)
        except (UsageError, SchemaBroken) as error:
            return ended("stopped", error)
        except RoadworthyError as error:
            return ended("failed", error)
        except Exception as error:
            log.exception("polling %s failed", name)
            said = f"{type(error).__name__}: {error}"
            cure = "this is a fault of Roadworthy's: report it, with what run/sources.log says"
            return ended("failed", RoadworthyError(said, cure=cure))

    def _keep_failed(self, kept: asked.Kept, done: Poll) -> Poll:
        def work(connection: Connection) -> None:
            if asked.poll(connection, done.id) is not None:
                return
            if done.outcome == "stopped":
                state = msgspec.structs.replace(kept.state, status="stopped", said=done.said)
                if not asked.change_source(connection, kept, kept.source, state, done.at):
                    raise self._changed(kept.source.name)
            asked.put_poll(connection, done)

        self.datasets.database.write(work)
        return done

    @contextlib.contextmanager
    def _visiting(self, name: str) -> Iterator[Path]:
        """An empty folder, held by one process at a time; a dead one's is emptied."""
        self._get(name)
        self._scratch.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._scratch / f"{name}.lock", f"a poll of {name}")
        try:
            lock.acquire()
        except Conflict as error:
            error.details["refused"] = True
            raise
        try:
            folder = self._scratch / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield folder
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            lock.release()

    def _get(self, name: str) -> asked.Kept:
        with self.datasets.database.reading() as connection:
            found = asked.source(connection, name)
            names = [] if found else [each.source.name for each in asked.all_sources(connection)]
        if found is None:
            close = nearest(name, names)
            raise NotFound(
                f"there is no source {name}",
                cure=f"did you mean {', '.join(close)}?"
                if close
                else "roadworthy data source list",
            )
        return found

    def _changed(self, name: str) -> Conflict:
        return Conflict(f"source {name} was changed by somebody else meanwhile", cure="do it again")
