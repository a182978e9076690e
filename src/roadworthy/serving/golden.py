"""The golden request of a flow: rows of its sample, with creation's answers, as frames."""

from __future__ import annotations

import datetime
import math
import os
from pathlib import Path
from typing import Any

from roadworthy.core.signature import Column, Signature
from roadworthy.serving.answers import wire_names
from roadworthy.serving.validation import (
    AWARE_EPOCH,
    EPOCH,
    MICROSECOND,
    is_aware,
)
from roadworthy_runtime import frames

ROWS = 8
WIRE = {"object": "json", "date": "text"}


def write_golden(flow: Path, signature: Signature, tolerance: float, out: Path) -> bool:
    """Write the golden frames of a flow directory to ``out``; False where it has no sample.

    Raises ValueError or frames.FrameError where the sample does not fit the signature.
    """
    sample = flow / "sample.parquet"
    if not sample.exists():
        return False
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(sample) as file:
        table = next(file.iter_batches(batch_size=ROWS), None)
    if table is None or table.num_rows == 0:
        return False
    n = table.num_rows
    found = {name: table.column(at).to_pylist() for at, name in enumerate(table.schema.names)}
    inputs = {}
    for column in signature.columns:
        if column.name not in found:
            raise ValueError(f"the sample has no column {column.name!r}")
        wire = WIRE.get(column.type, column.type)
        inputs[column.name] = (wire, [to_wire(column, value) for value in found[column.name]])
    request = frames.encode("predict", 1, n, inputs, {"tolerance": tolerance})
    rejected = [row for row, gone in enumerate(found.get("rejected", [False] * n)) if gone]
    answers = frames.encode("answers", 1, n, _answers(signature, found), {"rejected": rejected})
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_name(f"{out.name}.{os.getpid()}.new")
    fresh.write_bytes(request + answers)
    fresh.replace(out)
    return True


def _answers(signature: Signature, found: dict[str, list[Any]]) -> dict[str, tuple[str, Any]]:
    answers: dict[str, tuple[str, Any]] = {}
    for output in signature.outputs:
        for column, (name, wire) in zip(output.columns, wire_names(output), strict=True):
            kept = found.get(f"answer:{output.name}:{name}", found.get(f"answer:{output.name}"))
            if kept is None:
                raise ValueError(f"the sample has no answers for {wire!r}")
            if column.type in ("bool", "int", "float", "text"):
                plain = Column(name=name, type=column.type, dtype=column.dtype)
                answers[wire] = (column.type, [to_wire(plain, value) for value in kept])
    return answers


def to_wire(column: Column, value: Any) -> Any:
    """One value as it was read from Parquet, as the column's frame type holds it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if column.type == "float":
        return float(value)
    if column.type == "int":
        return int(value)
    if column.type == "bool":
        return bool(value)
    if column.type == "datetime":
        return _micros(column, value)
    if column.type == "timedelta":
        return value // MICROSECOND
    if column.type == "object":
        import json

        return json.dumps(value, default=str)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _micros(column: Column, value: Any) -> int:
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value)
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime(warn=False)
    if value.tzinfo is not None and is_aware(column):
        return int((value - AWARE_EPOCH) // MICROSECOND)
    return int((value.replace(tzinfo=None) - EPOCH) // MICROSECOND)
