"""What a worker answered for one request, and how it is laid out by output and row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from roadworthy.core.signature import Column, Output, Signature
from roadworthy_runtime import frames


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers for ``n`` rows: values by frame column, and the rows that have none.

    ``rejected`` maps rows to (reason, line), ``failed`` rows to the flow's error; ``times``
    are microseconds by stage; ``batch`` is the number of rows that were answered together. The
    answers to a columnar job stay in the worker's ``frame``, and ``columns`` is empty.
    """

    n: int
    columns: dict[str, list[Any]]
    rejected: dict[int, tuple[str, int | None]]
    failed: dict[int, str]
    warnings: list[tuple[int | None, str, str]]
    times: dict[str, int | None]
    batch: int
    frame: frames.Frame | None = None


def wire_names(output: Output) -> list[tuple[str, str]]:
    """(column, name in a frame) of an output: its own name where it has one column."""
    if len(output.columns) == 1:
        return [(output.columns[0].name, output.name)]
    return [(column.name, f"{output.name}:{column.name}") for column in output.columns]


def row_values(signature: Signature, answered: Answered) -> list[dict[str, Any]]:
    """One object per row: each output's value, or an object of its columns' values."""
    rows: list[dict[str, Any]] = [{} for _ in range(answered.n)]
    for output in signature.outputs:
        names = wire_names(output)
        lists = [
            _parsed(column, answered.columns[wire])
            for column, (_, wire) in zip(output.columns, names, strict=True)
        ]
        if len(names) == 1:
            for row, value in zip(rows, lists[0], strict=True):
                row[output.name] = value
            continue
        keys = [column for column, _ in names]
        for row, values in zip(rows, zip(*lists, strict=True), strict=True):
            row[output.name] = dict(zip(keys, values, strict=True))
    return rows


def _parsed(column: Column, values: list[Any]) -> list[Any]:
    """The values; those of an object column, which travel as JSON text, read (NaN as null)."""
    if column.type != "object":
        return values
    return [
        value if value is None else json.loads(value, parse_constant=lambda _: None)
        for value in values
    ]


def restore_rows(answered: Answered, n: int, rejected: dict[int, str]) -> Answered:
    """The answers with the rows put back that were rejected before the worker saw them."""
    kept = [row for row in range(n) if row not in rejected]
    columns: dict[str, list[Any]] = {}
    for name, values in answered.columns.items():
        full: list[Any] = [None] * n
        for row, value in zip(kept, values, strict=True):
            full[row] = value
        columns[name] = full
    reasons: dict[int, tuple[str, int | None]] = {
        row: (reason, None) for row, reason in rejected.items()
    }
    reasons.update({kept[row]: why for row, why in answered.rejected.items()})
    return Answered(
        n=n,
        columns=columns,
        rejected=reasons,
        failed={kept[row]: message for row, message in answered.failed.items()},
        warnings=[
            (None if row is None else kept[row], column, message)
            for row, column, message in answered.warnings
        ],
        times=answered.times,
        batch=answered.batch,
    )


def no_rows(signature: Signature) -> Answered:
    """The answer to a request without rows."""
    columns: dict[str, list[Any]] = {
        wire: [] for output in signature.outputs for _, wire in wire_names(output)
    }
    return Answered(n=0, columns=columns, rejected={}, failed={}, warnings=[], times={}, batch=0)
