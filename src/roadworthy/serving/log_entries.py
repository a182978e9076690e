"""What the prediction log keeps of a request: which ones, and which of their columns."""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any, NamedTuple

from roadworthy.core.signature import Signature
from roadworthy.serving.answers import Answered
from roadworthy.serving.dispatch import Pool
from roadworthy.serving.inference import Exchange
from roadworthy.serving.options import LogOptions
from roadworthy_runtime.frames import Packed

Columns = dict[str, tuple[str, Any]]
"""Frame type and values by name: a list, or `Packed`."""

CHECK = "check"
"""The role of what certification asked; what callers ask is *primary*."""


class ChunkRows(NamedTuple):
    """Rows ``first`` and on of an Arrow stream: their inputs by column, and the answers' batch."""

    first: int
    inputs: dict[str, Any]
    answers: Any


class Entry(NamedTuple):
    """One request and its answer. ``at`` is nanoseconds since 1970, ``seconds`` the whole time.

    ``weight`` is how many requests like it this one stands for, where only a sample is kept.
    """

    at: int
    seconds: float
    request_id: str
    trace: str
    caller: str
    key: str
    protocol: str
    release: str
    stage: str
    status: int
    refused: str
    times: dict[str, int]
    signature: Signature
    n: int
    bytes: int
    columns: Columns | None
    answered: Answered | None
    role: str = "primary"
    weight: float = 1.0
    chunk: ChunkRows | None = None

    @property
    def large(self) -> bool:
        """Whether its columns are laid out already, and so it is a table of its own."""
        columns = self.columns or {}
        return self.chunk is not None or any(isinstance(v, Packed) for _, v in columns.values())

    @classmethod
    def of(cls, exchange: Exchange, pool: Pool, status: int, caller: str) -> Entry:
        """The entry of an exchange that reached a release."""
        checked = exchange.checked
        headers = exchange.headers
        return cls(
            at=exchange.at,
            seconds=exchange.seconds,
            request_id=exchange.request_id,
            trace=headers.trace,
            caller=caller,
            key=headers.key,
            protocol=exchange.target.protocol,
            release=pool.release,
            stage=exchange.stage,
            status=status,
            refused=exchange.refused,
            times=exchange.times,
            signature=pool.signature,
            n=checked.n if checked is not None else 0,
            bytes=exchange.bytes,
            columns=checked.columns if checked is not None else None,
            answered=exchange.answered,
            role=CHECK if headers.checking else "primary",
        )


def sampled(entry: Entry, rate: float) -> Entry | None:
    """The entry with its weight, None where it is not in the sample.

    Chosen by the request's id, so that all its rows are kept or none. What was refused,
    rejected or failed is always kept.
    """
    answered = entry.answered
    plain = answered is not None and not (answered.rejected or answered.failed)
    if rate >= 1 or not plain or entry.status != 200:
        return entry
    if zlib.crc32(entry.request_id.encode()) >= rate * (1 << 32):
        return None
    return entry._replace(weight=1 / rate)


class Redaction:
    """Which columns of a model are left out, and which are replaced by pseudonyms.

    Columns are named alone or as ``model:column``, inputs and outputs alike. A pseudonym is a
    keyed digest: equal values have equal ones, and without the key nobody can guess them.
    """

    def __init__(self, options: LogOptions) -> None:
        self._left_out = options.redact
        self._replaced = options.pseudonymise
        self._key = bytes.fromhex(options.pseudonym_key)

    def concerns(self, model: str, column: str) -> bool:
        """Whether anything happens to a column."""
        names = {column, f"{model}:{column}"}
        return not names.isdisjoint(self._left_out) or not names.isdisjoint(self._replaced)

    def apply(self, model: str, column: str, wire: str, values: list[Any]) -> tuple[str, list[Any]]:
        """The type and values that may be kept."""
        names = (column, f"{model}:{column}")
        if any(name in self._left_out for name in names):
            return wire, [None] * len(values)
        if any(name in self._replaced for name in names):
            return "text", [None if value is None else self._pseudonym(value) for value in values]
        return wire, values

    def _pseudonym(self, value: Any) -> str:
        text = json.dumps(value, sort_keys=True, default=str).encode()
        return hashlib.blake2b(text, key=self._key, digest_size=16).hexdigest()
