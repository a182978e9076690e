"""Cleansing by a release: delivered rows run through its flow before they are mapped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from roadworthy.data.ingestion.records import Bad, Raw, as_json
from roadworthy.errors import SchemaBroken, SettingsError


class Through(Protocol):
    """A release that is ready to be asked."""

    @property
    def name(self) -> str:
        """The release, with its number."""

    @property
    def inputs(self) -> Sequence[str]:
        """The columns that it needs."""

    @property
    def outputs(self) -> Sequence[str]:
        """The columns that it answers with."""

    def __call__(self, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, Mapping[int, str]]:
        """The answers, a row each, and why some rows have none. Raises WorkerFailed."""


Opening = Callable[[str], AbstractContextManager[Through]]
"""Makes a release of this name ready, for as long as the block lasts."""


def nothing_runs_here(name: str) -> AbstractContextManager[Through]:
    """The opening where no release can be run. Raises SettingsError."""
    raise SettingsError(
        f"{name} can't be run here, which is to cleanse the rows",
        cure="poll the source by roadworthy data source poll",
    )


@dataclass(frozen=True)
class Cleansing:
    """Has a source's rows run through a release."""

    through: Through

    def __call__(self, raw: Raw) -> tuple[Raw, list[Bad]]:
        """The rows with the answers as columns, and those that the flow rejects.

        An answer takes the place of a delivered column of its name. Raises SchemaBroken where a
        column is missing that the flow needs, WorkerFailed.
        """
        told = self.through
        batch = self._whole(raw)
        answers, why = told(batch)
        bad = [self._bad(raw, row, why[row]) for row in sorted(why)]
        kept = [name for name in batch.schema.names if name not in told.outputs]
        columns = [batch.column(name) for name in kept] + [*answers.columns]
        cleansed = pa.RecordBatch.from_arrays(columns, names=[*kept, *answers.schema.names])
        good = np.ones(batch.num_rows, bool)
        good[list(why)] = False
        places = np.flatnonzero(good)
        origin = raw.origin
        return (
            Raw(
                cleansed.filter(pa.array(good)),
                lambda row: origin(int(places[row])),
                raw.must,
                # A row that is set aside later is kept as it was delivered, to run through again.
                lambda row: raw.delivered(int(places[row])),
            ),
            bad,
        )

    def _whole(self, raw: Raw) -> pa.RecordBatch:
        batch = raw.batch
        missing = [name for name in self.through.inputs if name not in batch.schema.names]
        if missing and raw.must == "all":
            raise SchemaBroken(
                f"the column {missing[0]!r} is missing, which {self.through.name} needs",
                cure="have it delivered, or name another release in `through`",
            )
        for name in missing:
            batch = batch.append_column(name, pa.nulls(batch.num_rows, pa.string()))
        return batch

    def _bad(self, raw: Raw, row: int, reason: str) -> Bad:
        said = f"{self.through.name}: {reason}"
        return Bad(*raw.origin(row), reason=said, raw=as_json(raw.delivered(row)))
