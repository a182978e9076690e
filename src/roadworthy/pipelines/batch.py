"""A release's answers to all rows of a file: in chunks, bounded in memory, each row once.

What a row needs is in `answer_chunk`; the order of effects is in `run_batch`: a chunk counts as
done once its file is durable, and the output takes its place when all are.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

import numpy as np
import pyarrow as pa

from roadworthy.core.signature import Signature
from roadworthy.core.values import Document
from roadworthy.errors import UsageError
from roadworthy.pipelines.files import locate
from roadworthy.pipelines.journal import Job, Journal
from roadworthy.pipelines.reading import Table, read_table
from roadworthy.pipelines.workers import Asked, Columns, Runnable, Workers
from roadworthy.serving.arrow_rows import (
    check_columns,
    fit_batch,
    output_schema,
    spread,
    texts,
    unpack,
)

REJECTED, ERROR = "rejected", "error"


class Batch(Document):
    """What is to be done: rows of ``input`` answered by a release, into ``output``.

    ``keep`` are the input's columns that go into the output (None: all); ``options`` are
    obstore's settings where a URL names an object store; ``chunk_rows`` 0: chosen by size.
    """

    runnable: Runnable
    digest: str
    signature: Signature
    input: str
    output: str
    keep: list[str] | None = None
    overwrite: bool = False
    chunk_rows: int = 0
    options: dict[str, str] = {}


class Counts(Document):
    """What became of rows: all, those turned away, those on which the flow failed; restarts."""

    rows: int = 0
    rejected: int = 0
    failed: int = 0
    deaths: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            rows=self.rows + other.rows,
            rejected=self.rejected + other.rejected,
            failed=self.failed + other.failed,
            deaths=self.deaths + other.deaths,
        )


class Progress(Document):
    """How far a batch is. ``total`` is None where the input does not say how many rows it has;
    ``before`` are the rows that an earlier attempt had finished.
    """

    counts: Counts
    total: int | None
    before: int
    seconds: float


class Plan:
    """A batch that has begun: its input, its journal, and the chunks that are to be done."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        files, path = locate(batch.input, batch.options)
        fingerprint = files.fingerprint(path)
        self.table = read_table(path, lambda: files.open(path), batch.chunk_rows)
        check_columns(batch.signature, self.table.schema.names)
        self.keep = _kept(batch, self.table)
        self.schema = _schema(batch, self.table, self.keep)
        self.columns = [
            name
            for name in self.table.schema.names
            if name in self.keep or name in {each.name for each in batch.signature.columns}
        ]
        self.journal = Journal(*locate(batch.output, batch.options))
        _check_form(self.journal.form, self.schema)
        self._job = Job(
            release=batch.runnable.release,
            digest=batch.digest,
            input=batch.input,
            fingerprint=fingerprint,
            columns=self.keep,
            chunk_rows=self.table.chunk_rows,
        )

    def begin(self) -> set[int]:
        """Begin, or go on with, this batch; the chunks that are done. Raises Conflict."""
        rows = self.journal.begin(self._job, self.batch.overwrite).chunk_rows
        self.table = Table(
            self.table.form, self.table.schema, self.table.rows, rows, self.table.batches
        )
        return self.journal.done()

    def chunks(self, start: int = 0) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The numbered chunks of the input, from ``start`` on."""
        return zip(itertools.count(start), self.table.chunks(start, self.columns), strict=False)

    def first(self, done: set[int]) -> int:
        """The chunk to begin at: the last one before which all are done, to see its rows."""
        return max(0, next(n for n in itertools.count() if n not in done) - 1)

    def do(self, workers: Workers, number: int, rows: pa.RecordBatch) -> Counts:
        """Answer a chunk and keep its answers; a worker is taken for the asking alone."""
        deaths = 0

        def ask(columns: Columns, n: int) -> Asked:
            nonlocal deaths
            with workers.one() as worker:
                before = worker.deaths
                asked = worker.ask(columns, n)
                deaths = worker.deaths - before
            return asked

        answered, counts = answer_chunk(
            self.batch.signature, rows, self.schema, self.table.form == "csv", ask
        )
        self.journal.keep(number, answered)
        return counts + Counts(deaths=deaths)


class Engine(Protocol):
    """Has the chunks of a plan done that are not ``done``, telling of each; how many there are."""

    def __call__(self, plan: Plan, done: set[int], told: Callable[[Counts, int], None]) -> int: ...


def run_batch(batch: Batch, engine: Engine, told: Callable[[Progress], None]) -> Progress:
    """Do a batch, or go on with one that was interrupted, to its end.

    Raises NotFound, InvalidRows (a column is missing), Conflict (the output is there, or another
    batch's), UsageError, WorkerFailed, StorageError, Unavailable. What is done by then is kept.
    """
    began = time.monotonic()
    plan = Plan(batch)
    done = plan.begin()
    total, state = plan.table.rows, Progress(counts=Counts(), total=None, before=0, seconds=0.0)
    lock = threading.Lock()

    def count(counts: Counts, before: int) -> None:
        nonlocal state
        with lock:
            state = Progress(
                counts=state.counts + counts,
                total=total,
                before=state.before + before,
                seconds=time.monotonic() - began,
            )
            told(state)

    chunks = engine(plan, done, count)
    plan.journal.finish(chunks, plan.schema)
    return Progress(
        counts=state.counts,
        total=state.counts.rows + state.before,
        before=state.before,
        seconds=time.monotonic() - began,
    )


class LocalEngine:
    """Does chunks on this machine, with one thread more than there are workers.

    While the workers answer, that one checks the next chunk or keeps the answers of the last. At
    most two chunks more than there are workers are held in memory.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def __call__(self, plan: Plan, done: set[int], told: Callable[[Counts, int], None]) -> int:
        """Do what is not done; how many chunks there are."""
        pending: set[Future[Counts]] = set()
        chunks = start = plan.first(done)
        if start:
            told(Counts(), start * plan.table.chunk_rows)

        def take(finished: set[Future[Counts]]) -> None:
            for future in finished:
                told(future.result(), 0)

        threads = self._workers + 1
        with (
            Workers(plan.batch.runnable, self._workers) as workers,
            ThreadPoolExecutor(threads, "batch") as pool,
        ):
            try:
                for number, rows in plan.chunks(start):
                    chunks = number + 1
                    if number in done:
                        told(Counts(), rows.num_rows)
                        continue
                    pending.add(pool.submit(plan.do, workers, number, rows))
                    while len(pending) > self._workers:
                        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                        take(finished)
                take(wait(pending).done)
            finally:
                pool.shutdown(cancel_futures=True)
        return chunks


def answer_chunk(
    signature: Signature,
    rows: pa.RecordBatch,
    schema: pa.Schema,
    as_text: bool,
    ask: Callable[[Columns, int], Asked],
) -> tuple[pa.RecordBatch, Counts]:
    """The output's rows for a chunk: what is kept of the input, the answers, and why there is none.

    A row that does not fit the signature, or that the flow turns away, has its reason in
    ``rejected``; one on which the flow failed, or its worker died, has it in ``error``.
    """
    fitted = fit_batch(signature, rows, as_text)
    asked = ask(fitted.columns, fitted.n)
    place = np.arange(rows.num_rows) if fitted.kept is None else fitted.kept
    rejected, failed = dict(fitted.misfits), {}
    for start, frame in asked.frames:
        for row, reason, line in frame.meta.get("rejected", ()):
            where = f" (line {line})" if line else ""
            rejected[int(place[start + row])] = f"{reason}{where}"
        for row, reason in frame.meta.get("failed", ()):
            failed[int(place[start + row])] = reason
    failed |= {int(place[row]): reason for row, reason in asked.lost.items()}
    arrays = []
    for field in schema:
        if field.name == REJECTED:
            arrays.append(texts(rejected, rows.num_rows))
        elif field.name == ERROR:
            arrays.append(texts(failed, rows.num_rows))
        elif field.metadata == _ANSWER:
            arrays.append(spread(_joined(field, asked, fitted.n), fitted.kept, rows.num_rows))
        else:
            arrays.append(rows.column(field.name).cast(field.type))
    counts = Counts(rows=rows.num_rows, rejected=len(rejected), failed=len(failed))
    return pa.RecordBatch.from_arrays(arrays, schema=schema), counts


_ANSWER = {b"roadworthy": b"answer"}


def _joined(field: pa.Field, asked: Asked, n: int) -> pa.Array:
    """One column of answers for the ``n`` rows that were asked, in their order."""
    parts = dict[int, pa.Array]()
    for start, frame in asked.frames:
        without = [row for row, *_ in frame.meta.get("rejected", ())]
        without += [row for row, _ in frame.meta.get("failed", ())]
        parts[start] = unpack(frame.columns[field.name], without)
    for row in asked.lost:
        parts[row] = pa.nulls(1, field.type)
    if len(parts) == 1:
        return next(iter(parts.values()))
    return pa.concat_arrays([parts[start] for start in sorted(parts)] or [pa.nulls(n, field.type)])


def _kept(batch: Batch, table: Table) -> list[str]:
    names = table.schema.names
    if batch.keep is None:
        return list(names)
    unknown = [name for name in batch.keep if name not in names]
    if unknown:
        raise UsageError(
            f"the input has no column {unknown[0]!r}", cure=f"it has: {', '.join(names[:20])}"
        )
    return [name for name in names if name in batch.keep]


def answer_schema(signature: Signature) -> pa.Schema:
    """The columns of the answers, and those that say why there is none."""
    answers = [each.with_metadata(_ANSWER) for each in output_schema(signature)]
    return pa.schema([*answers, pa.field(REJECTED, pa.string()), pa.field(ERROR, pa.string())])


def _schema(batch: Batch, table: Table, keep: list[str]) -> pa.Schema:
    answers = answer_schema(batch.signature)
    added = set(answers.names)
    twice = [name for name in keep if name in added]
    if twice:
        raise UsageError(
            f"the output would have two columns {twice[0]!r}: the input's and the answer's",
            cure="say which of the input's columns to keep: --keep a,b or --keep none",
        )
    kept = [pa.field(name, _plain_type(table.schema.field(name).type)) for name in keep]
    return pa.schema([*kept, *answers])


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _check_form(form: str, schema: pa.Schema) -> None:
    nested = [field.name for field in schema if pa.types.is_nested(field.type)]
    if form == "csv" and nested:
        raise UsageError(
            f"column {nested[0]!r} holds lists or records, which CSV can't",
            cure="write .parquet, or leave the column out with --keep",
        )
