"""Rows on their way in: as they were delivered, and those that are set aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import pyarrow as pa

Must = Literal["all", "required", "none"]
"""Which columns a delivery must have: all; of objects those that are required; of a message none,
for it is a row of its own, and becomes a bad one."""


@dataclass(frozen=True)
class Raw:
    """Rows as they were delivered, and where each comes from: delivery and number, from 1.

    ``before`` gives a row as it was before a release cleansed it.
    """

    batch: pa.RecordBatch
    origin: Callable[[int], tuple[str, int]]
    must: Must = "all"
    before: Callable[[int], Mapping[str, Any]] | None = None

    def delivered(self, row: int) -> Mapping[str, Any]:
        """A row as it was delivered."""
        if self.before is not None:
            return self.before(row)
        found: dict[str, Any] = self.batch.slice(row, 1).to_pylist()[0]
        return found


@dataclass(frozen=True)
class Bad:
    """A row that broke a check, as it was delivered (JSON), and why."""

    delivery: str
    row: int
    reason: str
    raw: str


def as_json(row: Mapping[str, Any]) -> str:
    """A row as it was delivered, to be kept and to be read again."""
    return msgspec.json.encode(row, enc_hook=str).decode()
