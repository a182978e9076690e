"""One poll: what is new is fetched, mapped, checked and committed, all of it or nothing.

The commit, the rows set aside, what was taken and how far the source has come are one transaction
of the metadata. A poll that is killed before has changed nothing, and the next one does it all; one
killed after is known by what it took. So nothing is lost or doubled, whenever it is killed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

from roadworthy.core.dataset import Committed, Provenance
from roadworthy.core.dataset_names import parse_commit
from roadworthy.core.source import Delivery, Poll, Source, SourceState
from roadworthy.core.words import counted
from roadworthy.data.datasets import Datasets
from roadworthy.data.ingestion.arriving import Arrived, Found, Reader, Visit, open_reader
from roadworthy.data.ingestion.canonical import Canonical, learned
from roadworthy.data.ingestion.cleansing import Cleansing
from roadworthy.data.ingestion.formats import rows_of_file, rows_of_messages
from roadworthy.data.ingestion.placing import changes_of, quarantine_changes
from roadworthy.data.ingestion.records import Bad, Raw
from roadworthy.data.ingestion.spooling import Spooled, spool
from roadworthy.errors import Conflict, SchemaBroken
from roadworthy.storage.queries import sources as asked

_MOST_NAMED = 20
_TRIES = 10


@dataclass
class Taken:
    """What one poll takes: deliveries with their rows in files, and those that came twice."""

    lots: list[tuple[list[Arrived], Spooled]] = field(default_factory=list)
    twice: list[Arrived] = field(default_factory=list)
    stopped: str = ""
    left: bool = False

    @property
    def arrived(self) -> list[Arrived]:
        """The deliveries that are taken."""
        return [each for some, _ in self.lots for each in some]

    @property
    def spooled(self) -> list[Spooled]:
        """Their rows."""
        return [spooled for _, spooled in self.lots]


class Polling:
    """One poll of a source, ``resolved`` being the source with its secrets looked up."""

    def __init__(
        self,
        datasets: Datasets,
        kept: asked.Kept,
        resolved: Source,
        scratch: Path,
        id: str,
        open: Callable[[Visit], Reader] = open_reader,
        cleansing: Cleansing | None = None,
    ) -> None:
        self._open = open
        self._cleansing = cleansing
        self._datasets = datasets
        self._kept = kept
        self._source = resolved
        self._scratch = scratch
        self._id = id
        self._began = time.monotonic()
        self._at = datasets.now()
        self._columns = dict(kept.source.columns or kept.state.columns)

    def run(self, dry_run: bool = False) -> tuple[Poll, list[Bad]]:
        """What came of it; with ``dry_run`` nothing is committed, and bad rows are shown.

        Raises Unavailable, UsageError, Conflict, StorageError.
        """
        visit = Visit(self._source, self._kept.state, self._known, self._scratch, self._at)
        with contextlib.closing(self._open(visit)) as reader:
            found = reader.look()
            taken = self._take(reader, found)
            if dry_run:
                return self._poll(taken, found, "nothing", ""), _first_bad(taken)
            if not taken.lots and not taken.twice:
                return self._nothing(taken, found), []
            done = self._commit(taken, found)
            if not taken.stopped:
                reader.done()
        return done, []

    # Taking

    def _take(self, reader: Reader, found: Found) -> Taken:
        """Fetches and maps, in order, up to the first delivery that breaks the schema."""
        taken = Taken(left=found.left)
        fresh = self._told_apart(found, taken, reader)
        messages: list[Arrived] = []
        try:
            for number, one in enumerate(fresh):
                if one.body is not None:
                    messages.append(one)
                    continue
                rows = rows_of_file(self._source, one.identity, _file(one), one.kind)
                try:
                    lot = self._spooled(rows, f"lot-{number}")
                except SchemaBroken as error:
                    name = one.identity
                    raise SchemaBroken(f"{name}: {error.message}", cure=error.cure) from error
                finally:
                    _file(one).unlink(missing_ok=True)
                taken.lots.append(([one], lot))
            if messages:
                bodies = ((each.identity, each.body or b"") for each in messages)
                rows = rows_of_messages(self._source, bodies)
                taken.lots.append((messages, self._spooled(rows, "messages")))
        except SchemaBroken as error:
            taken.stopped = str(error)
        return taken

    def _told_apart(self, found: Found, taken: Taken, reader: Reader) -> Iterator[Arrived]:
        """The deliveries to take, fetched; those that came before are noted."""
        names = self._identities([one.identity for one in found.arrived])
        exact = self._known([one.identity for one in found.arrived])
        seen: set[str] = set()
        for one in found.arrived:
            here = reader.fetch(one)
            if here is None:
                taken.left = True
                continue
            key = (here.identity, here.version)
            if key in exact or self._came_before(here, here.identity in names, seen):
                taken.twice.append(here)
                _file(here).unlink(missing_ok=True) if here.file else None
                continue
            exact.add(key)
            seen.add(here.content)
            yield here

    def _came_before(self, one: Arrived, changed: bool, seen: set[str]) -> bool:
        """Whether its rows were taken, under this name or another. Raises SchemaBroken."""
        source = self._source
        if one.body is not None:
            return one.again and self._content_known(one)
        if source.manner in ("replace", "files") or source.kind == "sql":
            return False
        same = one.content in seen or self._content_known(one)
        if source.manner == "upsert":
            return same and not changed and source.twice == "skip"
        if same and (changed or source.twice == "skip"):
            return True
        if changed:
            raise SchemaBroken(
                f"{one.identity} was taken before, and now has other content, so its rows would "
                "be there twice",
                cure='name a `key` of the rows, or set mode = "files"; then roadworthy data '
                "source add again",
            )
        return False

    def _spooled(self, rows: Iterator[Raw | Bad], name: str) -> Spooled:
        """Rows in files; the columns are learned from the first, where none are configured."""
        if not self._columns:
            rows = self._learning(rows)
            first = next(rows, None)
            if first is None or isinstance(first, Bad):
                raise SchemaBroken("there is no row to learn columns from", cure="set `columns`")
            self._columns = learned(first.batch)
            rows = _with_first(first, rows)
        canonical = Canonical(self._source, self._columns, self._cleansing)
        return spool(canonical, rows, self._scratch / name, self._at)

    def _learning(self, rows: Iterator[Raw | Bad]) -> Iterator[Raw | Bad]:
        """Rows that may be learned from before those that may not."""
        aside: list[Bad] = []
        for each in rows:
            if isinstance(each, Raw):
                yield each
                break
            aside.append(each)
        yield from aside
        yield from rows

    # Knowing

    def _known(self, identities: Sequence[str]) -> set[tuple[str, str]]:
        with self._datasets.database.reading() as connection:
            return asked.known_versions(connection, self._source.name, identities)

    def _identities(self, identities: Sequence[str]) -> set[str]:
        return {identity for identity, _ in self._known(identities)}

    def _content_known(self, one: Arrived) -> bool:
        with self._datasets.database.reading() as connection:
            return bool(asked.known_contents(connection, self._source.name, [one.content]))

    # Committing

    def _commit(self, taken: Taken, found: Found) -> Poll:
        """Commits; where rows of a key met another's commit, they are matched with that anew."""
        for left in reversed(range(_TRIES)):
            try:
                return self._commit_once(taken, found)
            except Conflict as error:
                if not left or self._source.manner != "upsert" or "theirs" not in error.details:
                    raise
        raise AssertionError("unreachable")

    def _commit_once(self, taken: Taken, found: Found) -> Poll:
        source = self._source
        head = self._datasets.log(source.dataset, limit=1)
        there = self._datasets.snapshot(head[0]) if head else None
        schema = Canonical(source, self._columns).schema
        anew = self._kept.state.anew
        placed = changes_of(source, schema, taken.lots, None if anew else there)
        result: list[Poll] = []
        with contextlib.ExitStack() as stack:
            beside = self._quarantined(taken, stack, anew)

            def also(connection: Connection, made: Committed) -> None:
                same = head and made.digest == head[0].digest and not beside
                outcome = "stopped" if taken.stopped else "nothing" if same else "committed"
                done = self._poll(taken, found, outcome, made.digest, placed.replaced)
                if asked.poll(connection, self._id) is None:
                    for make in beside:
                        make(connection)
                    self._keep(connection, taken, found, done)
                result[:] = [done]

            self._datasets.commit(
                source.dataset,
                placed.changes,
                message=self._message(taken),
                author=f"source {source.name}",
                provenance=[self._provenance(taken, found), *provenance_of(source)],
                # Appended rows may have a key that another's commit has brought meanwhile.
                expected=(head[0].digest if head else "") if source.manner == "upsert" else None,
                write=self._id,
                also=also,
            )
        return result[0] if result else self._done_before()

    def _quarantined(self, taken: Taken, stack: contextlib.ExitStack, anew: bool) -> list[Any]:
        """What sets bad rows aside on their branch, in the transaction of the commit."""
        source = self._source
        name = f"{parse_commit(source.dataset).dataset}@{source.quarantine}"
        changes = quarantine_changes(self._datasets, source, taken.lots, anew)
        if not changes:
            return []
        message = f"{source.name}: rows that broke a check"
        author = f"source {source.name}"
        made = self._datasets.committing_beside(name, changes, message=message, author=author)
        return [stack.enter_context(made)]

    def _keep(self, connection: Connection, taken: Taken, found: Found, done: Poll) -> None:
        deliveries = [
            self._delivery(each, "taken", lot if len(some) == 1 else None)
            for some, lot in taken.lots
            for each in some
        ]
        known = {_state(each) for each in deliveries}
        for one in taken.twice:
            if (one.identity, one.version) not in known:
                known.add((one.identity, one.version))
                deliveries.append(self._delivery(one, "twice", None))
        names = [each.identity for each in deliveries]
        there = asked.known_versions(connection, self._source.name, names)
        fresh = [each for each in deliveries if _state(each) not in there]
        if any(each.outcome == "taken" and _state(each) in there for each in deliveries):
            raise self._overtaken()
        asked.insert_deliveries(connection, fresh)
        state = self._state_after(taken, found)
        if not asked.change_source(
            connection, self._kept, self._kept.source, state, self._datasets.now()
        ):
            raise self._overtaken()
        asked.put_poll(connection, done)

    def _state_after(self, taken: Taken, found: Found) -> SourceState:
        """How far the source has come; a source that stopped has not come past what broke it."""
        state = self._kept.state
        arrived = len(taken.lots) > 0
        return msgspec.structs.replace(
            state,
            status="stopped" if taken.stopped else state.status,
            said=taken.stopped,
            watermark=state.watermark if taken.stopped else found.watermark,
            columns={} if self._kept.source.columns else self._columns,
            anew=state.anew and not arrived,
        )

    def _nothing(self, taken: Taken, found: Found) -> Poll:
        """A look that found nothing to take, and perhaps why the source stops."""
        outcome = "stopped" if taken.stopped else "nothing"
        done = self._poll(taken, found, outcome, "")
        state = self._state_after(taken, found)
        same = state == self._kept.state

        def work(connection: Connection) -> None:
            if asked.poll(connection, self._id) is not None:
                return
            source, at = self._kept.source, self._datasets.now()
            if not same and not asked.change_source(connection, self._kept, source, state, at):
                raise self._overtaken()
            asked.put_poll(connection, done)

        self._datasets.database.write(work)
        return done

    def _overtaken(self) -> Conflict:
        return Conflict(
            f"source {self._source.name} was polled or changed by somebody else meanwhile",
            cure=f"roadworthy data source show {self._source.name}",
        )

    def _done_before(self) -> Poll:
        with self._datasets.database.reading() as connection:
            known = asked.poll(connection, self._id)
        if known is None:
            raise self._overtaken()
        return known

    def _delivery(self, one: Arrived, outcome: Any, lot: Spooled | None) -> Delivery:
        return Delivery(
            source=self._source.name,
            identity=one.identity,
            version=one.version,
            content=one.content,
            at=self._at,
            poll=self._id,
            outcome=outcome,
            rows=lot.rows if lot else 0,
            bad=lot.bad if lot else 0,
        )

    def _poll(
        self, taken: Taken, found: Found, outcome: Any, commit: str, replaced: int = 0
    ) -> Poll:
        return Poll(
            id=self._id,
            source=self._source.name,
            at=self._at,
            outcome=outcome,
            commit=commit,
            deliveries=len(taken.arrived),
            rows=sum(lot.rows for lot in taken.spooled),
            bad=sum(lot.bad for lot in taken.spooled),
            replaced=replaced,
            twice=len(taken.twice),
            left=taken.left and not taken.stopped,
            said=taken.stopped or found.said,
            seconds=round(time.monotonic() - self._began, 3),
        )

    def _message(self, taken: Taken) -> str:
        rows = sum(lot.rows for lot in taken.spooled)
        bad = sum(lot.bad for lot in taken.spooled)
        aside = f", {bad} in quarantine" if bad else ""
        deliveries = counted(len(taken.arrived), "delivery", "deliveries")
        return f"{self._source.name}: {deliveries}, {counted(rows, 'row')}{aside}"

    def _provenance(self, taken: Taken, found: Found) -> Provenance:
        names = [f"{one.identity} b3:{one.content[:12]}" for one in taken.arrived[:_MOST_NAMED]]
        more = len(taken.arrived) - len(names)
        detail = ", ".join(names) + (f" and {more} more" if more else "")
        return Provenance(kind="source", name=self._source.name, detail=detail)


def provenance_of(source: Source) -> list[Provenance]:
    """The release that cleansed a source's rows, where one did."""
    if not source.through:
        return []
    return [Provenance(kind="release", name=source.through, detail="cleansing")]


def _state(one: Delivery) -> tuple[str, str]:
    return one.identity, one.version


def _file(one: Arrived) -> Path:
    assert one.file is not None
    return one.file


def _with_first(first: Raw, rest: Iterator[Raw | Bad]) -> Iterator[Raw | Bad]:
    yield first
    yield from rest


def _first_bad(taken: Taken) -> list[Bad]:
    found: list[Bad] = []
    for lot in taken.spooled:
        for batch in lot.set_aside():
            for row in batch.slice(0, 10).to_pylist():
                found.append(Bad(row["delivery"], row["row"], row["reason"], row["raw"]))
    return found[:10]
