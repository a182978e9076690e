"""A flow: takes rows in the input's own kind, runs the author's steps, answers every row."""

from __future__ import annotations

import importlib
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from .answers import Output
from .basis import (
    Answers,
    FlowError,
    MissingColumn,
    Rejected,
    UnknownLevel,
    Warned,
    numpy,
    pandas,
    read_bytes,
    take,
    without_gradients,
)
from .columns import InputColumn
from .rows import NothingLeft, Rows
from .tables import Tables
from .unseen import Unseen, listening

Steps = Callable[[Any, Rows], Any]


class _Outcome(NamedTuple):
    """What the steps gave: per output its value and the rows it is for (None: all)."""

    values: dict[str, tuple[Any, Optional[list[int]]]]
    rejected: list[Rejected]
    warnings: list[Warned]


class Flow:
    """The author's steps with their signature.

    ``steps(input, rows)`` returns the output, or a dictionary of outputs by name; ``file`` is the
    flow's own, beside which ``flow.toml`` stands.
    """

    takes_codes = True
    """Whether columns may be texts by their ``levels`` and the ``codes`` of these."""

    def __init__(self, file: Union[str, Path], steps: Steps, state: Any = None) -> None:
        self.directory = Path(file).resolve().parent
        document = _read_toml(self.directory / "flow.toml")
        if document["format"] != 1:
            raise FlowError(f"flow.toml has format {document['format']}, 1 is known here")
        self.name: str = document.get("flow", "flow")
        self.signature: dict[str, Any] = document["signature"]
        self.state = state
        self.kind: str = self.signature["kind"]
        self.columns = [InputColumn(c, self.kind) for c in self.signature["columns"]]
        self.outputs = [Output(o) for o in self.signature["outputs"]]
        self._tables = Tables([column.label for column in self.columns])
        self._steps = steps
        self._rejects_unknown = self.signature.get("unknown", "pass") == "reject"

    def predict(self, rows: Any) -> Any:
        """The answers to ``rows``, one per row, null where rejected; several outputs: a dict.

        ``rows`` is what the program had: a table, a series, an array, or a list of records or
        texts. Raises FlowError for rows that can't be read as the signature says.
        """
        return self.answer(rows)[0]

    def answer(self, rows: Any) -> tuple[Any, list[Rejected]]:
        """The answers as ``predict`` gives them, and the rejected rows with reason and line."""
        columns, n = self._columns_of(rows)
        outcome = self._run(columns, n)
        for column, count in Counter(warned.column for warned in outcome.warnings).items():
            first = next(w for w in outcome.warnings if w.column == column)
            text = f"{column}: {first.message}" + (f" ({count} rows)" if count > 1 else "")
            warnings.warn(text, UnknownLevel, stacklevel=3)
        index = getattr(rows, "index", None) if hasattr(rows, "iloc") else None
        found = {
            output.name: output.whole(*outcome.values[output.name], n, index)
            for output in self.outputs
        }
        values = next(iter(found.values())) if len(found) == 1 else found
        return values, outcome.rejected

    def answer_columns(self, columns: Mapping[str, Any], n: int) -> Answers:
        """The answers to ``n`` rows given by column, each a list or an array; null is None or NaN.

        Raises MissingColumn, or FlowError for a value that does not fit its column.
        """
        outcome = self._run(columns, n)
        values = {
            output.name: output.by_column(*outcome.values[output.name], n)
            for output in self.outputs
        }
        return Answers(values, outcome.rejected, outcome.warnings)

    def main(self, arguments: Optional[Sequence[str]] = None) -> int:
        """Answer a file from the command line; see ``python flow.py --help``."""
        from .command import main

        return main(self, arguments)

    # -- from what came in to what the steps are given -----------------------------------------

    def _columns_of(self, rows: Any) -> tuple[Mapping[str, Any], int]:
        """Any kind of rows, by column."""
        names = [column.name for column in self.columns]
        if hasattr(rows, "iloc") and hasattr(rows, "columns"):
            labels = set(rows.columns)
            read = {c.name: c.label if c.label in labels else c.name for c in self.columns}
            found = {name: _values(rows[own]) for name, own in read.items() if own in labels}
            return found, len(rows)
        if isinstance(rows, Mapping):
            lengths = {len(rows[name]) for name in names if name in rows}
            if len(lengths) > 1:
                raise FlowError(f"the columns differ in length: {sorted(lengths)}")
            return rows, lengths.pop() if lengths else 0
        if hasattr(rows, "iloc"):
            return {names[0]: _values(rows)}, len(rows)
        if hasattr(rows, "shape"):
            if rows.ndim == 1 and len(names) == 1:
                return {names[0]: rows}, len(rows)
            if rows.ndim != 2 or rows.shape[1] != len(names):
                raise FlowError(f"an array of {len(names)} columns is wanted, not {rows.shape}")
            return {name: rows[:, i] for i, name in enumerate(names)}, len(rows)
        rows = list(rows)
        if rows and isinstance(rows[0], Mapping):
            self._check_records(rows)
            return {name: [row.get(name) for row in rows] for name in names}, len(rows)
        if len(names) != 1:
            raise FlowError(f"rows with the columns {', '.join(names)} are wanted")
        return {names[0]: rows}, len(rows)

    def _check_records(self, records: Sequence[Mapping[str, Any]]) -> None:
        for i, record in enumerate(records):
            for column in self.columns:
                if column.name not in record and not column.nullable:
                    raise MissingColumn(f"row {i} has no {column.name!r}, which the flow needs")

    def _run(self, columns: Mapping[str, Any], n: int) -> _Outcome:
        missing = [c.name for c in self.columns if c.name not in columns]
        if missing:
            needed = ", ".join(c.name for c in self.columns)
            plural = "s" if len(missing) > 1 else ""
            raise MissingColumn(
                f"column{plural} {', '.join(missing)} missing; the flow needs {needed}"
            )
        refused: dict[int, Rejected] = {}
        warned: list[Warned] = []
        arrays: list[Any] = []
        holes: list[list[int]] = []
        for column in self.columns:
            values = columns[column.name]
            nulls = column.nulls(values)
            if nulls and not column.nullable:
                for row in nulls:
                    reason = f"{column.name} is null, which creation never saw"
                    refused.setdefault(row, Rejected(row, reason, None))
            for row, value in column.unknown(values).items():
                message = f"{value!r} was not seen in creation"
                if self._rejects_unknown:
                    refused.setdefault(row, Rejected(row, f"{column.name}: {message}", None))
                else:
                    warned.append(Warned(row, column.name, message))
            arrays.append(column.convert(values, nulls))
            holes.append(nulls)
        while True:
            rows = Rows(n)
            try:
                return self._answered(lambda: self._input(arrays, holes, n), rows, refused, warned)
            except Unseen as unseen:
                lost = _rows_of(unseen, rows)
                if refused.keys() >= lost.keys():
                    raise
                refused.update(lost)

    def _answered(
        self, make: Callable[[], Any], rows: Rows, refused: dict[int, Rejected], told: list[Warned]
    ) -> _Outcome:
        """The steps' answers to the rows that are not refused. Raises Unseen."""
        n, warned = rows.n, list(told)
        try:
            if n == 0:
                raise NothingLeft
            whole = make()
            if refused:
                whole = take(whole, rows.reject(refused))
                if hasattr(whole, "index") and hasattr(whole, "iloc"):
                    whole.index = range(len(whole))
            with listening(_Listener(rows, warned).hear), without_gradients():
                results = self._named(self._steps(whole, rows))
            values_of = {o.name: self._placed(o, results[o.name], rows) for o in self.outputs}
        except NothingLeft:
            values_of = {o.name: (o.empty(), [] if n else None) for o in self.outputs}
        unanswered = _unanswered([positions for _, positions in values_of.values()], n)
        rejected = [r for r in rows.rejected if r.row in unanswered]
        return _Outcome(values_of, rejected, warned)

    def _placed(self, output: Output, value: Any, rows: Rows) -> tuple[Any, Optional[list[int]]]:
        positions = rows.carried(value)
        output.check(value, len(positions))
        return value, None if len(positions) == rows.n else positions

    def _named(self, result: Any) -> Mapping[str, Any]:
        names = [output.name for output in self.outputs]
        if isinstance(result, dict) and set(result) == set(names):
            return result
        if len(names) == 1:
            return {names[0]: result}
        raise FlowError(f"the steps did not return the outputs {', '.join(names)}")

    def _input(self, arrays: list[Any], holes: list[list[int]], n: int) -> Any:
        """The input's own kind of object, holding copies of what came in."""
        if self.kind == "dataframe":
            return self._tables.make(arrays, n)
        if self.kind == "series":
            column = self.columns[0]
            name = column.label if self.signature.get("named", True) else None
            return pandas.Series(arrays[0], name=name, dtype=arrays[0].dtype, copy=True)
        if self.kind == "array":
            if self.signature.get("ndim", 1 if len(arrays) == 1 else 2) == 1:
                return numpy.array(arrays[0])
            return numpy.column_stack(arrays)
        if self.kind == "texts":
            return _items(arrays[0])
        lists = [_items(array) for array in arrays]
        records = [dict(zip((c.label for c in self.columns), row)) for row in zip(*lists)]
        for column, nulls in zip(self.columns, holes):
            for row in nulls:
                if column.null == "missing":
                    del records[row][column.label]
                else:
                    records[row][column.label] = None if column.null == "none" else float("nan")
        return records


class _Listener:
    """Hears what the steps tell of rows, such as values that creation did not know; each once."""

    def __init__(self, rows: Rows, warned: list[Warned]) -> None:
        self._rows = rows
        self._warned = warned
        self._known = {(each.row, each.message) for each in warned}

    def hear(self, count: int, messages: Mapping[int, str], column: Any) -> None:
        """See ``unseen.say``."""
        carried = self._rows.of_length(count)
        for place, message in messages.items():
            row = carried[place] if carried is not None else None
            if (row, message) not in self._known:
                self._known.add((row, message))
                self._warned.append(Warned(row, str(column or "rows"), message))


def _rows_of(unseen: Unseen, rows: Rows) -> dict[int, Rejected]:
    """The input rows with a word that an encoder does not know; empty where it is not sure."""
    carried = rows.certain(unseen.count)
    places = {carried[place]: reason for place, reason in unseen.reasons.items() if carried}
    return {row: Rejected(row, reason, unseen.line) for row, reason in places.items()}


def _unanswered(answered: Sequence[Optional[list[int]]], n: int) -> set[int]:
    """The rows that some output leaves out; a filter beside the way to the answers rejects none."""
    left_out: set[int] = set()
    for positions in answered:
        if positions is not None:
            left_out.update(set(range(n)).difference(positions))
    return left_out


def _values(series: Any) -> Any:
    """What a column holds, as NumPy's array where it is one."""
    plain = isinstance(series.dtype, numpy.dtype)
    return series.to_numpy() if plain else series.array


def _items(array: Any) -> list[Any]:
    items: list[Any] = array.tolist() if hasattr(array, "tolist") else list(array)
    return items


def _read_toml(path: Path) -> dict[str, Any]:
    for name in ("tomllib", "tomli", "pip._vendor.tomli"):
        try:
            toml: Any = importlib.import_module(name)
        except ImportError:
            continue
        document: dict[str, Any] = toml.loads(read_bytes(path).decode("utf-8"))
        return document
    raise FlowError("flow.toml can't be read: Python before 3.11 needs the package tomli")
