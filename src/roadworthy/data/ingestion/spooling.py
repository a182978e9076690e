"""A delivery's rows, mapped and checked, on this disk: whole before anything is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from roadworthy.data.ingestion.canonical import Canonical
from roadworthy.data.ingestion.records import Bad, Raw
from roadworthy.errors import SchemaBroken

QUARANTINE = pa.schema(
    [
        ("delivery", pa.string()),
        ("row", pa.int64()),
        ("reason", pa.string()),
        ("raw", pa.string()),
        ("at", pa.string()),
    ]
)
_FEW = 10
_SOME = 20_000


@dataclass
class Spooled:
    """Rows to commit and rows set aside, in files; gone with their folder."""

    schema: pa.Schema
    good: Path
    aside: Path
    rows: int = 0
    bad: int = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows to commit."""
        return _batches(self.good)

    def set_aside(self) -> Iterator[pa.RecordBatch]:
        """The rows set aside."""
        return _batches(self.aside)


def spool(canonical: Canonical, found: Iterable[Raw | Bad], into: Path, at: str) -> Spooled:
    """Maps and checks rows into files named after ``into``.

    Raises SchemaBroken, also where more rows are bad than the source allows.
    """
    told = Spooled(canonical.schema, into.with_suffix(".good"), into.with_suffix(".bad"))
    pending: list[Bad] = []
    with (
        pa.OSFile(str(told.good), "wb") as good_file,
        pa.ipc.new_stream(good_file, canonical.schema) as good,
        pa.OSFile(str(told.aside), "wb") as aside_file,
        pa.ipc.new_stream(aside_file, QUARANTINE) as aside,
    ):
        for each in found:
            if isinstance(each, Raw):
                batch, bad = canonical.rows(each)
                good.write_batch(batch)
                told.rows += batch.num_rows
            else:
                bad = [each]
            told.bad += len(bad)
            pending += bad
            if len(pending) >= _SOME:
                aside.write_batch(as_batch(pending, at))
                pending = []
        if pending:
            aside.write_batch(as_batch(pending, at))
    _check_share(canonical, told, pending)
    return told


def _check_share(canonical: Canonical, told: Spooled, last: Sequence[Bad]) -> None:
    share = canonical.source.most_bad
    if told.bad > _FEW and told.bad > share * (told.rows + told.bad):
        example = f", for example row {last[-1].row}: {last[-1].reason}" if last else ""
        raise SchemaBroken(
            f"{told.bad} of {told.rows + told.bad} rows break a check{example}",
            cure=f"correct the mapping and add the source again, or raise most_bad; then "
            f"roadworthy data source resume {canonical.source.name}",
        )


def as_batch(bad: Sequence[Bad], at: str) -> pa.RecordBatch:
    """Rows for the quarantine."""
    return pa.RecordBatch.from_pylist(
        [
            {"delivery": b.delivery, "row": b.row, "reason": b.reason, "raw": b.raw, "at": at}
            for b in bad
        ],
        schema=QUARANTINE,
    )


def reader_of(
    schema: pa.Schema, spooled: Sequence[Spooled], which: Callable[[Spooled], Any]
) -> pa.RecordBatchReader:
    """The rows of several, one after the other."""
    return pa.RecordBatchReader.from_batches(
        schema, (batch for each in spooled for batch in which(each))
    )


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        yield from stream
