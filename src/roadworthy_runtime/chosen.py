"""Answers frames by the form that was chosen: the fast one where it was certified, else the flow.

Rows that the fast form leaves are asked of the flow itself, so that every answer is the flow's own.
Now and then some rows are asked of both; a difference turns the fast form off for good.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from roadworthy_runtime import frames
from roadworthy_runtime.answering import (
    answer_rows,
    column_names,
    encode_answers,
    numpy_if_here,
    to_sequence,
)
from roadworthy_runtime.answering import to_wire as answers_to_wire

FOLDER = "flow_fast"
CHOICE = "fast.json"
SHADOW_SECONDS = 2.0
"""How often rows are asked of both forms, at most."""
SHADOW_ROWS = 16
BY_ROW = 64
"""Up to so many rows are answered one by one where it wasn't measured."""

NOTES = ("rejected", "warnings", "failed")
"""What a frame's meta says of rows."""
FLOOR = 1e-12
"""Relative to a column's greatest answer, what counts as zero."""

Columns = Mapping[str, frames.Column]


class Encoded(NamedTuple):
    """The answers to a batch as a frame holds them."""

    outputs: dict[str, tuple[str, Any]]
    meta: dict[str, Any]


class Flow:
    """A loaded flow as it is: the reference."""

    def __init__(self, flow: Any, directory: Path) -> None:
        self.flow = flow
        self.directory = directory
        self.types = output_types(flow.signature)

    def answer(self, columns: Columns, n: int) -> Encoded:
        """The flow's own answers."""
        sequences = _sequences(columns, getattr(self.flow, "takes_codes", False))
        parts = answer_rows(self.flow, sequences, n, self.directory)
        return Encoded(*encode_answers(parts, self.types, n))

    def some(self, columns: Columns, rows: Sequence[int]) -> Encoded:
        """The flow's own answers to some of the rows."""
        return self.answer(take_rows(columns, rows), len(rows))


class Coded:
    """A column of texts by its levels and their codes, for who needs to see levels only."""

    def __init__(self, levels: Sequence[Any], codes: Any) -> None:
        self.levels = levels
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[Any]:
        return map(self.levels.__getitem__, self.codes.tolist())

    def __getitem__(self, rows: slice) -> Coded:
        return Coded(self.levels, self.codes[rows])


class Fast:
    """A fast form with its flow behind it. ``by_row``: how many rows are taken one by one."""

    def __init__(self, form: Any, reference: Flow, by_row: int = BY_ROW) -> None:
        self.form = form
        self.reference = reference
        self.by_row = by_row
        names = column_names(reference.types)
        self._outputs = [(names[output], reference.types[output]) for output in form.outputs]

    def answer(self, columns: Columns, n: int) -> Encoded:
        """Answers equal to the flow's own; the flow is asked for rows that the form leaves."""
        if n > self.by_row:
            try:
                return self.by_columns(columns, n)
            except Exception:  # the form can't say which rows these columns are about
                pass
        return self.by_rows(columns, n)

    def by_rows(self, columns: Columns, n: int) -> Encoded:
        """Each row on its own."""
        found = self.form.by_row({name: column.values() for name, column in columns.items()}, n)
        if None not in found:
            values: Sequence[Any] = list(zip(*found)) if found else [()] * len(self._outputs)
            return self._complete(values, columns, [], n)
        left = [row for row, answers in enumerate(found) if answers is None]
        nothing = (None,) * len(self._outputs)
        whole = list(zip(*(nothing if answers is None else answers for answers in found)))
        return self._complete(whole, columns, left, n)

    def by_columns(self, columns: Columns, n: int) -> Encoded:
        """All rows together."""
        sequences = _sequences(columns, getattr(self.form, "takes_codes", False))
        values, left = self.form.by_column(sequences, n)
        return self._complete(values, columns, left, n)

    def _complete(self, values: Any, columns: Columns, left: list[int], n: int) -> Encoded:
        if len(left) == n:
            return self.reference.answer(columns, n)
        if not left:
            outputs = {
                name: answers_to_wire(found, type_)
                for (name, type_), found in zip(self._outputs, values)
            }
            return Encoded(outputs, {key: [] for key in NOTES})
        others = self.reference.some(columns, left)
        return Encoded(
            {
                name: _merged(
                    answers_to_wire(_without(found, left), type_), others.outputs[name], left
                )
                for (name, type_), found in zip(self._outputs, values)
            },
            {key: _placed(others.meta[key], left) for key in NOTES},
        )

    def measure(self, columns: Columns, n: int, clock: Callable[[], float]) -> None:
        """Find out up to how many rows taking them one by one is quicker."""
        few, many = 24, 256
        small = take_rows(columns, [row % n for row in range(few)])
        large = take_rows(columns, [row % n for row in range(many)])
        try:
            self.by_columns(small, few)
            each = _fastest(lambda: self.by_rows(small, few), clock) / few
            together = _fastest(lambda: self.by_columns(small, few), clock)
            more = _fastest(lambda: self.by_columns(large, many), clock)
        except Exception:
            self.by_row = frames.MAX_ROWS
            return
        slope = max(0.0, (more - together) / (many - few))
        fixed = max(0.0, together - slope * few)
        self.by_row = frames.MAX_ROWS if each <= slope else int(fixed / (each - slope))


class Chosen:
    """The form that answers now."""

    def __init__(
        self,
        reference: Flow,
        fast: Optional[Fast] = None,
        tolerance: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reference = reference
        self.fast = fast
        self.tolerance = tolerance
        self.off = ""
        """Why the fast form was turned off."""
        self._clock = clock
        self._next = clock() + SHADOW_SECONDS
        self._kept: Optional[tuple[Columns, Encoded]] = None

    @property
    def name(self) -> str:
        """``fast``, or ``as written``."""
        return "fast" if self.fast is not None else "as written"

    def answer(self, columns: Columns, n: int) -> Encoded:
        """The answers; some of them are kept for a look at both forms."""
        if self.fast is None:
            return self.reference.answer(columns, n)
        found = self.fast.answer(columns, n)
        if n and self._kept is None and self._clock() >= self._next:
            few = range(min(n, SHADOW_ROWS))
            outputs = {
                name: (type_, _plain(values[: len(few)]))
                for name, (type_, values) in found.outputs.items()
            }
            meta = {key: [entry for entry in found.meta[key] if entry[0] in few] for key in NOTES}
            self._kept = (take_rows(columns, few), Encoded(outputs, meta))
        return found

    @property
    def due(self) -> bool:
        """Whether rows wait to be asked of both forms."""
        return self._kept is not None

    def look(self) -> str:
        """Ask the flow itself for rows that the fast form answered. What differs, or nothing."""
        if self._kept is None:
            return ""
        columns, found = self._kept
        self._kept = None
        self._next = self._clock() + SHADOW_SECONDS
        n = len(next(iter(found.outputs.values()))[1])
        difference = different(self.reference.answer(columns, n), found, self.tolerance)
        if difference:
            self.turn_off(f"its answers differ from the flow's own: {difference}")
        return difference

    def turn_off(self, reason: str) -> None:
        """Have the flow itself answer from now on."""
        self.fast = None
        self.off = reason


def choose(flow: Any, directory: Path) -> Chosen:
    """The form that was chosen for a flow when it was certified; the flow itself where none was.

    A fast form that can't be loaded any more is none: ``off`` says why.
    """
    reference = Flow(flow, directory)
    path = directory / FOLDER / CHOICE
    if not path.exists():
        return Chosen(reference)
    try:
        choice = json.loads(path.read_text("utf-8"))
        form = importlib.import_module(FOLDER).load(flow)
        return Chosen(reference, Fast(form, reference), float(choice["tolerance"]))
    except Exception as error:
        chosen = Chosen(reference)
        chosen.turn_off(f"it can't be loaded: {error!r}")
        return chosen


def output_types(signature: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """The type of each output's columns, by output and column."""
    return {
        (output["name"], column["name"]): column["type"]
        for output in signature["outputs"]
        for column in output["columns"]
    }


def _sequences(columns: Columns, coded: bool) -> dict[str, Any]:
    """The columns as a flow takes them; texts by their codes where it takes these too."""
    numpy = numpy_if_here() if coded else None
    return {
        name: Coded(column.levels, numpy.frombuffer(column.buffers[0], dtype=numpy.uint8))
        if numpy is not None and column.levels
        else to_sequence(column)
        for name, column in columns.items()
    }


def take_rows(columns: Columns, rows: Sequence[int]) -> dict[str, frames.Column]:
    """Some rows of a frame's columns."""
    taken = {}
    for name, column in columns.items():
        values = column.values()
        taken[name] = (column.type, [values[row] for row in rows])
    return read_columns(taken, len(rows))


def read_columns(columns: Mapping[str, tuple[str, Any]], n: int) -> dict[str, frames.Column]:
    """Values by column as a frame brings them."""
    frame = next(iter(frames.Assembler().feed(frames.encode("predict", 0, n, columns))))
    return frame.columns


def different(expected: Encoded, found: Encoded, tolerance: float) -> str:
    """The first difference between two forms' answers in words, or nothing.

    Floats may differ by the relative tolerance, everything else not at all.
    """
    for key in NOTES:
        mine, theirs = (sorted(map(repr, each.meta[key])) for each in (expected, found))
        if mine != theirs:
            return f"{key}: {mine[:2]} and {theirs[:2]}"
    for name, (type_, values) in expected.outputs.items():
        other, second = found.outputs[name]
        if other != type_:
            return f"{name}: {type_} and {other}"
        first = _plain(values)
        floor = FLOOR * max((abs(v) for v in first if _is_finite(v)), default=0.0)
        for row, (one, two) in enumerate(zip(first, _plain(second))):
            if not _alike(one, two, tolerance, floor if tolerance else 0.0):
                return f"row {row}, {name}: {one!r} and {two!r}"
    return ""


def _alike(one: Any, two: Any, tolerance: float, floor: float) -> bool:
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        if one == two or (one != one and two != two):
            return True
        near: bool = abs(one - two) <= max(tolerance * max(abs(one), abs(two)), floor)
        return near
    return bool(one == two)


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and abs(value) < float("inf")


def _plain(values: Any) -> list[Any]:
    if hasattr(values, "tolist"):
        return list(values.tolist())
    return [value.item() if hasattr(value, "dtype") else value for value in values]


def _without(values: Any, rows: list[int]) -> list[Any]:
    """The values without those at some places, which are void."""
    gone = set(rows)
    return [value for place, value in enumerate(_plain(values)) if place not in gone]


def _merged(some: tuple[str, Any], others: tuple[str, Any], rows: list[int]) -> tuple[str, Any]:
    """Two halves of a column together; ``others`` stand at ``rows``."""
    there = dict(zip(rows, _plain(others[1])))
    rest = iter(_plain(some[1]))
    n = len(there) + len(some[1])
    return others[0], [there[row] if row in there else next(rest) for row in range(n)]


def _placed(entries: list[list[Any]], rows: list[int]) -> list[list[Any]]:
    """Entries of a frame's meta, which begin with a row, at their places."""
    return [[None if row is None else rows[row], *rest] for row, *rest in entries]


def _fastest(work: Callable[[], Any], clock: Callable[[], float], times: int = 3) -> float:
    best = float("inf")
    for _ in range(times):
        began = clock()
        work()
        best = min(best, clock() - began)
    return best
