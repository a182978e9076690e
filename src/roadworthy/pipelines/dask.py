"""Batches on a Dask cluster: each task does some chunks with a worker process of the release's.

Tasks may be repeated or run twice by the cluster: a chunk's file is the same each time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from roadworthy.errors import Unavailable, UsageError
from roadworthy.pipelines.batch import Batch, Counts, Plan
from roadworthy.pipelines.workers import Runnable, Workers

_PLUGIN = "roadworthy-workers"
_SPANS_A_WORKER = 4
_CONNECT_SECONDS = 20


class DaskEngine:
    """Does chunks on a cluster: the one at ``scheduler``, else one of ``workers`` started here.

    The machines of another cluster must see input, output and Roadworthy's home under the same
    paths, and have Roadworthy installed.
    """

    def __init__(self, workers: int, scheduler: str = "") -> None:
        self._workers = workers
        self._scheduler = scheduler

    def __call__(self, plan: Plan, done: set[int], told: Callable[[Counts, int], None]) -> int:
        """Do what is not done; how many chunks there are. Raises Unavailable, UsageError."""
        size = plan.table.chunk_rows
        rows = plan.table.rows
        if rows is None:
            rows = sum(batch.num_rows for batch in plan.table.batches(0, plan.columns[:1]))
        chunks = -(-rows // size)
        left = [number for number in range(chunks) if number not in done]
        told(Counts(), sum(min(size, rows - n * size) for n in range(chunks) if n in done))
        with self._client() as client:
            if not left:
                return chunks
            from distributed import as_completed

            batch = msgspec.structs.replace(plan.batch, chunk_rows=size, overwrite=False)
            client.register_plugin(_own_workers(batch.runnable), name=_PLUGIN)
            tasks = client.map(
                _do_span, spans_of(left, _SPANS_A_WORKER * self._workers), batch=batch, pure=False
            )
            try:
                for _, counts in as_completed(tasks, loop=client.loop, with_results=True):
                    told(counts, 0)
            finally:
                client.cancel(tasks)
                with contextlib.suppress(OSError):
                    client.unregister_worker_plugin(_PLUGIN)
        return chunks

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise UsageError(
                "--engine dask needs Dask", cure="pip install 'roadworthy[dask]'"
            ) from None
        if self._scheduler:
            try:
                client = Client(self._scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
            except (OSError, ValueError) as error:
                raise Unavailable(
                    f"no Dask scheduler answers at {self._scheduler}: {error}",
                    cure="check the address: tcp://host:8786",
                ) from error
            with client:
                yield client
            return
        with (
            LocalCluster(
                n_workers=self._workers,
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=50,
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client


def spans_of(numbers: list[int], most: int) -> list[tuple[int, int]]:
    """Consecutive numbers as ranges (start, stop), none longer than makes ``most`` of them.

    >>> spans_of([0, 1, 2, 5, 6], 2)
    [(0, 3), (5, 7)]
    """
    longest = -(-len(numbers) // most)
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number and number - spans[-1][0] < longest:
            spans[-1] = (spans[-1][0], number + 1)
        else:
            spans.append((number, number + 1))
    return spans


def _do_span(span: tuple[int, int], batch: Batch) -> Counts:
    """In a process of the cluster: some chunks, one after the other."""
    from distributed import get_worker

    plan = Plan(batch)
    workers = get_worker().plugins[_PLUGIN].workers
    counts = Counts()
    for number, rows in plan.chunks(span[0]):
        if number >= span[1]:
            break
        counts += plan.do(workers, number, rows)
    return counts


def _own_workers(runnable: Runnable) -> Any:
    from distributed import WorkerPlugin

    class OwnWorkers(WorkerPlugin):  # type: ignore[misc]
        """Keeps a worker process for each thread of a process of the cluster."""

        def setup(self, worker: Any) -> None:
            self.workers = Workers(runnable, worker.state.nthreads)

        def teardown(self, worker: Any) -> None:
            self.workers.close()

    return OwnWorkers()
