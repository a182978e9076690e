"""A release on this machine that cleanses rows: a worker asked batch by batch."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from roadworthy.core.signature import Signature
from roadworthy.pipelines.batch import ERROR, REJECTED, answer_chunk, answer_schema
from roadworthy.pipelines.workers import OwnWorker, Runnable

_ROWS = 10_000


class Cleanser:
    """Gives the answers of a release to batches of rows. Use as a context manager."""

    def __init__(self, runnable: Runnable, signature: Signature) -> None:
        self.name = runnable.release
        self._signature = signature
        self._schema = answer_schema(signature)
        self._worker = OwnWorker(runnable)
        told = {REJECTED, ERROR}
        self.inputs = [each.name for each in signature.columns]
        self._no_text = [each.name for each in signature.columns if each.type != "text"]
        self.outputs = [name for name in self._schema.names if name not in told]

    def __enter__(self) -> Cleanser:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.close()

    def __call__(self, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, Mapping[int, str]]:
        """The answers, a row each, and why some rows have none. Raises WorkerFailed."""
        parts = [self._some(rows.slice(at, _ROWS)) for at in range(0, rows.num_rows, _ROWS)]
        table = pa.Table.from_batches(parts, self._schema).combine_chunks()
        why: dict[int, str] = {}
        for name in (ERROR, REJECTED):
            texts = table[name].to_pylist() if table[name].null_count < table.num_rows else []
            why |= {row: text for row, text in enumerate(texts) if text is not None}
        arrays = [
            pa.concat_arrays(table[name].chunks or [pa.nulls(0, table.schema.field(name).type)])
            for name in self.outputs
        ]
        return pa.RecordBatch.from_arrays(arrays, names=self.outputs), why

    def _some(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        given = {name: rows.column(name) for name in self.inputs}
        as_text = any(pa.types.is_string(given[name].type) for name in self._no_text)
        if as_text:  # of CSV, and columns that are missing: read as what the flow takes
            given = {name: values.cast(pa.string()) for name, values in given.items()}
        batch = pa.RecordBatch.from_pydict(given)
        return answer_chunk(self._signature, batch, self._schema, as_text, self._worker.ask)[0]
