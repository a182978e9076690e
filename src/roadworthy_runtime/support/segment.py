"""A captured flow as a value of another: called with rows, it answers as its program did."""

from __future__ import annotations

import builtins
import hashlib
import importlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .basis import PACKED, FlowError, Rejected, length, numpy, take
from .unseen import say

if TYPE_CHECKING:
    from .rows import Rows

Columns = Mapping[str, Any]


class Segment:
    """A flow whose files lie in one archive; nothing is read from disk to load or ask it.

    ``data`` is a zip archive of the flow's directory, as ``rw.flow`` packs it.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def files(self) -> dict[str, bytes]:
        """What lies in the flow's directory, by path."""
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    @cached_property
    def flow(self) -> Any:
        """The flow itself, loaded when it is first asked."""
        mark = hashlib.sha256(self.data).hexdigest()[:12]
        root = Path("/flow in state") / mark
        PACKED[str(root)] = self.files
        space: dict[str, Any] = {
            "__name__": f"flow_{mark}",
            "__file__": str(root / "flow.py"),
            "__builtins__": {**vars(builtins), "__import__": _import},
        }
        exec(compile(self.files["flow.py"], space["__file__"], "exec"), space)
        return space["flow"]

    @property
    def name(self) -> str:
        """What it was called when it was captured."""
        return str(self.flow.name)

    @property
    def signature(self) -> dict[str, Any]:
        """Its input's columns and its outputs."""
        found: dict[str, Any] = self.flow.signature
        return found

    @property
    def labels(self) -> set[Any]:
        """The columns that it reads of a table, as the table calls them."""
        return {column.label for column in self.flow.columns}

    def __call__(self, rows: Any) -> Any:
        """The answers, one per row, null where a row is rejected; several outputs: a dict.

        Asked by another flow, why a row is rejected is among that flow's warnings.
        """
        columns, n = self.flow._columns_of(rows)
        outcome = self.flow._run(columns, n)
        self._tell(outcome.warnings, n)
        reasons = {}
        for item in outcome.rejected:
            line = f" (line {item.line})" if item.line else ""
            reasons[item.row] = f"rejected by {self.name}: {item.reason}{line}"
        say(n, reasons, self.name)
        index = getattr(rows, "index", None) if hasattr(rows, "iloc") else None
        found = {
            output.name: output.whole(*outcome.values[output.name], n, index)
            for output in self.flow.outputs
        }
        return next(iter(found.values())) if len(found) == 1 else found

    predict = __call__

    def answered(self, given: Any, rows: Rows) -> tuple[Any, dict[str, Any]]:
        """The rows of a table that it answers, and its outputs for them by name.

        Those that it rejects are rejected in ``rows``, for its own reasons.
        """
        columns, n = self.flow._columns_of(given)
        outcome = self.flow._run(columns, n)
        self._tell(outcome.warnings, n)
        left_out = {item.row: item for item in outcome.rejected}
        if not left_out:
            return given, {name: value for name, (value, _) in outcome.values.items()}
        carried = rows.carried(given)
        reasons = {}
        for item in outcome.rejected:
            row = carried[item.row]
            reasons[row] = Rejected(row, f"{self.name}: {item.reason}", item.line)
        rows.reject(reasons)
        kept = [place for place in range(n) if place not in left_out]
        values = {}
        for name, (value, positions) in outcome.values.items():
            where = list(range(n)) if positions is None else positions
            values[name] = take(value, [where.index(place) for place in kept])
        return take(given, kept), values

    def _tell(self, warned: Sequence[Any], n: int) -> None:
        for item in warned:
            if item.row is not None:
                say(n, {item.row: item.message}, f"{self.name}: {item.column}")

    def __repr__(self) -> str:
        return f"<flow {self.name}: {len(self.signature['columns'])} columns in>"

    def __deepcopy__(self, memo: Any) -> Segment:
        return self

    def __reduce__(self) -> Any:
        return type(self), (self.data,)


def handed(segment: Segment, answers: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """What a flow is asked: answers of the flow before it, the rest from the rows themselves."""
    parts = by_name(answers)
    wanted = [column.name for column in segment.flow.columns]
    if not set(wanted) & set(parts) and len(wanted) == len(parts):
        return dict(zip(wanted, parts.values()))
    found = {}
    for column in segment.flow.columns:
        found[column.name] = parts[column.name] if column.name in parts else given[column.label]
    return {name: getattr(value, "array", value) for name, value in found.items()}


def by_name(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Answers by column: of a table by its own names, of a matrix as ``output_0``, ``output_1``."""
    parts: dict[str, Any] = {}
    for name, value in answers.items():
        if hasattr(value, "iloc") and hasattr(value, "columns"):
            parts.update({str(label): value[label] for label in value.columns})
        elif getattr(value, "ndim", 1) == 2:
            parts.update({f"{name}_{i}": value[:, i] for i in range(value.shape[1])})
        else:
            parts[name] = value
    return parts


def vote(answers: Sequence[Any]) -> Any:
    """What most say of each row; where as many say another thing, what the first of them says."""
    listed = [a.tolist() if hasattr(a, "tolist") else list(a) for a in answers]
    chosen = [max(said, key=said.count) for said in zip(*listed)]
    first = answers[0]
    return numpy.array(chosen, dtype=first.dtype) if hasattr(first, "dtype") else chosen


def asked(segments: Sequence[Segment], given: Any, rows: Any) -> list[Any]:
    """The answers of several flows to the rows that all of them answer."""
    before = -1
    answers: list[Any] = []
    while length(given) != before:  # one may reject rows that another answered
        before = length(given)
        answers = []
        for segment in segments:
            given, found = segment.answered(given, rows)
            if len(found) != 1:
                raise FlowError(f"{segment.name} has several outputs: {', '.join(found)}")
            answers.extend(found.values())
    return [getattr(value, "to_numpy", lambda value=value: value)() for value in answers]


def _import(name: str, *more: Any) -> Any:
    """What a flow in an archive imports: the support is the one that reads the archive."""
    if name == "flow_support" or name.startswith("flow_support."):
        return importlib.import_module(__package__ + name[len("flow_support") :])
    if name == "flow_frozen":
        inside = __package__ == "flow_support"
        return importlib.import_module(
            name if inside else f"{__package__.rpartition('.')[0]}.frozen"
        )
    return builtins.__import__(name, *more)
