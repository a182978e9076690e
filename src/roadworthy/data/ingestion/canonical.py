"""From a delivery's rows to the dataset's: mapped, cleansed, checked; the bad ones told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roadworthy.core.names import nearest
from roadworthy.core.source import Column, Source, misconfigured
from roadworthy.data.ingestion.cleansing import Cleansing
from roadworthy.data.ingestion.converting import arrow_type, constant, convert, is_text
from roadworthy.data.ingestion.records import Bad, Must, Raw, as_json
from roadworthy.errors import SchemaBroken, UsageError

_GUESSES = ("int64", "float64", "date", "timestamp", "bool")
_MOST_SHOWN = 60


@dataclass(frozen=True)
class Constants:
    """What is configured of a column in its own type; None where it is not."""

    default: pa.Scalar | None
    minimum: pa.Scalar | None
    maximum: pa.Scalar | None
    one_of: pa.Array | None


@dataclass
class Canonical:
    """Makes the rows of one source's table.

    ``columns`` are the configured ones, or those learned from the first delivery; ``cleansing``
    is what rows run through before. Raises UsageError where a value that is configured is none of
    its column's type, or a pattern is not of RE2.
    """

    source: Source
    columns: Mapping[str, Column]
    cleansing: Cleansing | None = None
    schema: pa.Schema = field(init=False)
    _constants: dict[str, Constants] = field(init=False)

    def __post_init__(self) -> None:
        self.schema = pa.schema(
            [pa.field(name, arrow_type(each.type)) for name, each in self.columns.items()]
        )
        self._constants = {
            name: self._constants_of(name, each) for name, each in self.columns.items()
        }

    def check_names(self, names: list[str], must: Must = "all") -> None:
        """Raises SchemaBroken where a column is missing, double, or not wanted."""
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SchemaBroken(f"two columns are called {twice[0]!r}", cure=self._cure())
        wanted = {self._from(name) for name in self.columns} - {""}
        needed = [name for name in self.columns if must == "all" or self._needs(name)]
        missing = sorted({self._from(name) for name in needed} - {"", *names})
        if missing and must != "none":
            close = nearest(missing[0], names, most=1)
            raise SchemaBroken(
                f"the column {missing[0]!r} is missing"
                + (f"; there is {close[0]!r}" if close else ""),
                cure=self._cure(),
                missing=missing,
            )
        used = set(self.cleansing.through.inputs) if self.cleansing else set()
        surplus = sorted(set(names) - wanted - used)
        strict = self.source.surplus == "stop" or not self.source.columns
        if surplus and strict:
            raise SchemaBroken(f"the column {surplus[0]!r} is new", cure=self._cure())

    def rows(self, raw: Raw) -> tuple[pa.RecordBatch, list[Bad]]:
        """The dataset's rows, and those that broke a check. Raises SchemaBroken, WorkerFailed."""
        turned_away: list[Bad] = []
        if self.cleansing is not None:
            raw, turned_away = self.cleansing(raw)
        batch = raw.batch
        self.check_names(batch.schema.names, raw.must)
        why: dict[int, list[str]] = {}
        made = []
        for name, column in self.columns.items():
            values = self._values(batch, name, column)
            found, bad = convert(values, column, self.source.nulls)
            for row in np.flatnonzero(bad):
                text = f"{name}: {_shown(values[int(row)])} is no {column.type}"
                why.setdefault(int(row), []).append(text)
            default = self._constants[name].default
            if default is not None:
                found = pc.fill_null(found, default)
            self._check(name, column, found, bad, why)
            made.append(found)
        whole = pa.RecordBatch.from_arrays(made, schema=self.schema)
        if not why:
            return whole, turned_away
        good = np.ones(batch.num_rows, bool)
        good[list(why)] = False
        return whole.filter(pa.array(good)), turned_away + self._bad(raw, why)

    def _values(self, batch: pa.RecordBatch, name: str, column: Column) -> pa.Array:
        if column.value is not None:
            constant = pa.scalar(column.value)
            return pa.repeat(constant, batch.num_rows)
        where = batch.schema.get_field_index(self._from(name))
        return pa.nulls(batch.num_rows, pa.string()) if where < 0 else batch.column(where)

    def _from(self, name: str) -> str:
        column = self.columns[name]
        return "" if column.value is not None else column.source or name

    def _needs(self, name: str) -> bool:
        return self.columns[name].required or name in self.source.key

    def _check(
        self, name: str, column: Column, values: pa.Array, bad: Any, why: dict[int, list[str]]
    ) -> None:
        """Notes the rows that break one of the column's checks."""

        def note(broken: Any, reason: Callable[[pa.Scalar], str]) -> None:
            mask = np.asarray(pc.fill_null(broken, False).to_numpy(zero_copy_only=False), bool)
            for row in np.flatnonzero(mask & ~bad):
                why.setdefault(int(row), []).append(f"{name}: {reason(values[int(row)])}")

        own = self._constants[name]
        if self._needs(name):
            note(values.is_null(), lambda _: "it is missing")
        if own.minimum is not None:
            below = pc.less(values, own.minimum)
            note(below, lambda v: f"{_shown(v)} is below {column.minimum}")
        if own.maximum is not None:
            above = pc.greater(values, own.maximum)
            note(above, lambda v: f"{_shown(v)} is above {column.maximum}")
        if own.one_of is not None:
            strange = pc.and_(pc.invert(pc.is_in(values, own.one_of)), values.is_valid())
            note(strange, lambda v: f"{_shown(v)} is none of {column.one_of}")
        if column.matches:
            texts = values if is_text(values.type) else values.cast(pa.string())
            fits = pc.match_substring_regex(texts, _whole(column.matches))
            note(pc.invert(fits), lambda v: f"{_shown(v)} does not match {column.matches}")

    def _constants_of(self, name: str, column: Column) -> Constants:
        def one(key: str, value: Any) -> pa.Scalar | None:
            try:
                return None if value is None else constant(value, column)
            except ValueError as error:
                raise self._misconfigured(f"{name}.{key}", str(error)) from None

        try:
            pc.match_substring_regex(pa.array([""]), _whole(column.matches))
        except pa.ArrowInvalid as error:
            raise self._misconfigured(f"{name}.matches", str(error)) from None
        known = [one("one_of", value) for value in column.one_of]
        return Constants(
            default=one("default", column.default),
            minimum=one("minimum", column.minimum),
            maximum=one("maximum", column.maximum),
            one_of=pa.array(known, arrow_type(column.type)) if known else None,
        )

    def _misconfigured(self, key: str, reason: str) -> UsageError:
        cure = "correct it, and add the source again"
        return misconfigured(self.source, f"columns.{key}", reason, cure)

    def _bad(self, raw: Raw, why: dict[int, list[str]]) -> list[Bad]:
        return [
            Bad(*raw.origin(row), reason="; ".join(why[row]), raw=as_json(raw.delivered(row)))
            for row in sorted(why)
        ]

    def _cure(self) -> str:
        return (
            f"correct `columns` and run roadworthy data source add again, or have "
            f"{self.source.name} deliver as before; then roadworthy data source resume "
            f"{self.source.name}"
        )


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


def learned(batch: pa.RecordBatch) -> dict[str, Column]:
    """The columns that a first delivery seems to have; texts may be numbers, dates, bools."""
    return {
        name: Column(type=_guess(batch.column(number)))
        for number, name in enumerate(batch.schema.names)
    }


def _guess(values: pa.Array) -> str:
    kind = values.type
    if not is_text(kind):
        known = (
            (pa.types.is_boolean, "bool"),
            (pa.types.is_integer, "int64"),
            (pa.types.is_floating, "float64"),
            (pa.types.is_date, "date"),
            (pa.types.is_timestamp, "timestamp"),
        )
        return next((name for fits, name in known if fits(kind)), "string")
    texts = pc.if_else(pc.equal(values, ""), None, values)
    if texts.null_count == len(texts):
        return "string"
    if pc.any(pc.match_substring_regex(texts, r"^[+-]?0\d")).as_py():
        return "string"  # a leading zero is part of a code
    for name in _GUESSES:
        _, bad = convert(texts, Column(type=name, yes=("true",), no=("false",)), [])
        if not bad.any():
            return name
    return "string"


def _shown(value: pa.Scalar) -> str:
    text = repr(value.as_py())
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
