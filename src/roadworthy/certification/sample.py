"""The sample of a flow directory as requests and the answers that creation gave."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from roadworthy.certification.service import Answer
from roadworthy.core.signature import Signature
from roadworthy.core.values import Value
from roadworthy.errors import Damaged

MOST_ROWS = 1000


class Sample(Value, frozen=True):
    """Rows as they are sent (column → JSON value), and creation's answer to each."""

    rows: list[dict[str, Any]]
    answers: list[Answer]


def read_sample(directory: Path, signature: Signature, most: int = MOST_ROWS) -> Sample:
    """The first rows of ``sample.parquet`` with their answers.

    Raises Damaged if the file is missing, can't be read, or lacks a column of the signature.
    """
    path = directory / "sample.parquet"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Damaged(
            f"the sample of the flow in {directory.name} can't be read: {error}",
            cure="deploy the program again",
        ) from error
    return sample_in(content, signature, directory.name, most)


def sample_in(content: bytes, signature: Signature, flow: str, most: int = MOST_ROWS) -> Sample:
    """The first rows, with their answers, in the content of a ``sample.parquet``.

    ``flow`` is whose it is. Raises Damaged if it can't be read or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        rows = parquet.read_table(pa.BufferReader(content)).slice(0, most).to_pylist()
        return sample_of(rows, signature)
    except (OSError, pa.ArrowException) as error:
        raise Damaged(
            f"the sample of the flow in {flow} can't be read: {error}",
            cure="deploy the program again",
        ) from error
    except KeyError as error:
        raise Damaged(
            f"the sample of the flow in {flow} has no column {error}",
            cure="deploy the program again",
        ) from error


def sample_of(rows: Sequence[Mapping[str, Any]], signature: Signature) -> Sample:
    """The sample in rows that have the input's columns and ``answer:…`` ones.

    Raises KeyError that names a column that is missing.
    """
    names = [column.name for column in signature.columns]
    return Sample(
        rows=[{name: to_json(row[name]) for name in names} for row in rows],
        answers=[_answer(row, signature) for row in rows],
    )


def to_json(value: Any) -> Any:
    """The value as JSON carries it: times as ISO 8601, durations in seconds, NaN and ±Inf as null.

    >>> to_json(datetime.date(2013, 1, 5)), to_json(float("nan"))
    ('2013-01-05', None)
    """
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    return value


def _answer(row: Mapping[str, Any], signature: Signature) -> Answer:
    if row.get("rejected"):
        return Answer(rejected="rejected at creation")
    values: dict[str, Any] = {}
    for output in signature.outputs:
        if len(output.columns) == 1 and f"answer:{output.name}" in row:
            values[output.name] = to_json(row[f"answer:{output.name}"])
            continue
        for column in output.columns:
            values[f"{output.name}:{column.name}"] = to_json(
                row[f"answer:{output.name}:{column.name}"]
            )
    return Answer(values=values)
