"""One batch through a flow: columns in, answers out; rows that fail don't take others along."""

from __future__ import annotations

import datetime
import json
import math
import traceback
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Optional

from roadworthy_runtime import frames

EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)


class Part(NamedTuple):
    """Rows ``start`` to ``stop`` of a batch: what the flow answered, or why it could not."""

    start: int
    stop: int
    answers: Any
    failure: Optional[str]


def to_sequence(column: frames.Column) -> Any:
    """The column as a flow takes it: an array where NumPy is here and has its type, else a list.

    Nulls are NaN in float columns, NaT in time columns and None elsewhere; integers and bools
    with nulls are a list. Times are naive, or UTC where creation's were aware.
    """
    numpy = numpy_if_here()
    if column.type == "json":
        return [None if text is None else json.loads(text) for text in column.values()]
    if numpy is None or column.type not in ("float", "int", "bool", "datetime", "timedelta"):
        return _as_objects(column)
    if column.type == "float":
        values = numpy.frombuffer(column.buffers[0], dtype="<f8")
        if column.validity is not None:
            values = numpy.where(_nulls(numpy, column), numpy.nan, values)
        return values
    if column.type in ("datetime", "timedelta"):
        kind = "<M8[us]" if column.type == "datetime" else "<m8[us]"
        values = numpy.frombuffer(column.buffers[0], dtype=kind)
        if column.validity is not None:
            values = values.copy()
            values[_nulls(numpy, column)] = numpy.array("NaT", dtype=kind)
        return values
    if column.validity is not None:
        return column.values()
    if column.type == "int":
        return numpy.frombuffer(column.buffers[0], dtype="<i8")
    return numpy.array(column.values(), dtype=bool)


def answer_rows(
    flow: Any, columns: dict[str, Any], n: int, directory: Path, start: int = 0
) -> list[Part]:
    """The flow's answers for all rows: as one part, or split until what fails stands alone."""
    try:
        answers = flow.answer_columns(columns, n)
        _check_lengths(answers, n)
        return [Part(start, start + n, answers, None)]
    except (Exception, SystemExit) as error:
        if n <= 1:
            return [Part(start, start + n, None, describe(error, directory))]
    middle = n // 2
    before = {name: values[:middle] for name, values in columns.items()}
    after = {name: values[middle:] for name, values in columns.items()}
    return answer_rows(flow, before, middle, directory, start) + answer_rows(
        flow, after, n - middle, directory, start + middle
    )


def describe(error: BaseException, directory: Path) -> str:
    """What went wrong in one line, with the place in the flow's own files."""
    text = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.parent == directory and path.name != "flow_support.py":
            return f"{text} (at {path.name} line {frame.lineno})"
    return text


def encode_answers(
    parts: list[Part], types: dict[tuple[str, str], str], n: int
) -> tuple[dict[str, tuple[str, Any]], dict[str, Any]]:
    """The columns and the meta of the frame that answers a batch.

    A column is named ``output`` or, where an output has several, ``output:column``.
    """
    names = column_names(types)
    rejected: list[list[Any]] = []
    warnings: list[list[Any]] = []
    failed: list[list[Any]] = []
    found: dict[str, list[Any]] = {name: [] for name in names.values()}
    whole: dict[str, tuple[str, Any]] = {}
    for part in parts:
        if part.failure is not None:
            failed.append([part.start, part.failure])
            for values in found.values():
                values.append(None)
            continue
        for (output, column), name in names.items():
            wire, values = to_wire(part.answers.values[output][column], types[output, column])
            if len(parts) == 1:
                whole[name] = (wire, values)
            else:
                found[name].extend(values)
        for row, reason, line in part.answers.rejected:
            rejected.append([int(row) + part.start, str(reason), line])
        for row, column, message in part.answers.warnings:
            shifted = None if row is None else int(row) + part.start
            warnings.append([shifted, str(column), str(message)])
    if len(whole) != len(names):
        whole = {name: (wire_type(types[key]), found[name]) for key, name in names.items()}
    return whole, {"rejected": rejected, "warnings": warnings, "failed": failed}


def column_names(types: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """How each output's columns are called in a frame.

    >>> column_names({("scores", "scores"): "float"})
    {('scores', 'scores'): 'scores'}
    """
    outputs = [output for output, _ in types]
    return {
        (output, column): output if outputs.count(output) == 1 else f"{output}:{column}"
        for output, column in types
    }


def wire_type(type_: str) -> str:
    """The frame's type for a signature's type: times travel as ISO 8601 text in answers."""
    if type_ in ("bool", "int", "float", "text"):
        return type_
    return "json" if type_ == "object" else "text"


def to_wire(values: Any, type_: str) -> tuple[str, Any]:
    """The values as the frame's type holds them; NaN stays in floats and is null elsewhere."""
    wire = wire_type(type_)
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if wire == "float":
        if kind == "f" and values.dtype.itemsize == 8 and values.flags.c_contiguous:
            return wire, values
        return wire, [math.nan if value is None else float(value) for value in _plain(values)]
    plain = [None if _is_missing(value) else value for value in _plain(values)]
    if wire == "int":
        return wire, [None if value is None else int(value) for value in plain]
    if wire == "bool":
        return wire, [None if value is None else bool(value) for value in plain]
    if wire == "json":
        return wire, [None if v is None else json.dumps(v, default=str) for v in plain]
    return wire, [None if value is None else _text(value) for value in plain]


def _plain(values: Any) -> list[Any]:
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if kind in ("M", "m"):
        return list(values)
    found = values.tolist() if hasattr(values, "tolist") else list(values)
    return found if isinstance(found, list) else [found]


def _is_missing(value: Any) -> bool:
    if value is None or isinstance(value, (str, bool, int)):
        return value is None
    if type(value).__name__ in ("NaTType", "NAType"):
        return True
    return type(value).__name__ in ("float", "float64", "datetime64", "timedelta64") and bool(
        value != value
    )


def _text(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value)


def _check_lengths(answers: Any, n: int) -> None:
    for output, columns in answers.values.items():
        for column, values in columns.items():
            if len(values) != n:
                raise ValueError(f"{output}:{column} has {len(values)} answers for {n} rows")


def _nulls(numpy: Any, column: frames.Column) -> Any:
    bits = numpy.frombuffer(column.validity, dtype=numpy.uint8)
    return numpy.unpackbits(bits, count=column.n, bitorder="little") == 0


def _as_objects(column: frames.Column) -> Sequence[Any]:
    values = column.values()
    if column.type == "datetime":
        return [None if v is None else EPOCH + v * MICROSECOND for v in values]
    if column.type == "timedelta":
        return [None if v is None else v * MICROSECOND for v in values]
    if column.type == "float":
        return [math.nan if v is None else v for v in values]
    return values


@lru_cache(maxsize=1)
def numpy_if_here() -> Any:
    """NumPy; None where a flow runs without it."""
    try:
        import numpy
    except ImportError:
        return None
    return numpy
