"""Gives the columns of a request the very types that they had when the program was created."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from .basis import FlowError, is_null, label_of, numpy, pandas

Convert = Callable[[Any, Sequence[int]], Any]
_NEVER_NULL = {str, int, bool, bytes}
_TEXT_OR_NONE = {str, type(None)}


def _where(mask: Any) -> list[int]:
    found: list[int] = numpy.flatnonzero(mask).tolist()
    return found


class InputColumn:
    """One column of the signature.

    Besides what the signature says of every column, ``label`` is the column's own label where it
    is not text, ``null`` is how creation wrote null in an object column (``nan``, ``none``, ``NA``
    or ``missing``: a record without the key), ``categories`` and ``ordered`` are a category's.
    """

    def __init__(self, spec: Mapping[str, Any], kind: str) -> None:
        self.name: str = spec["name"]
        self.label: Any = label_of(spec)
        self.type: str = spec["type"]
        self.dtype: str = spec["dtype"]
        self.nullable: bool = spec.get("nullable", False)
        self.null: str = spec.get("null") or ("none" if kind in ("records", "texts") else "nan")
        self.levels: Optional[frozenset[Any]] = None
        if self.type == "text" and spec.get("levels"):
            self.levels = frozenset(spec["levels"])
        self._wanted: Any = self.dtype
        self._codes: dict[Any, int] = {}
        self._coded: tuple[Any, Any] = ((), None)
        own = kind in ("records", "texts")  # Python's own values, without NumPy
        self._convert = self._own_values if own else self._converter(spec)

    def convert(self, values: Any, nulls: Sequence[int]) -> Any:
        """The values in creation's type. At ``nulls`` stands null, or anything if there is none.

        Raises FlowError naming the column and the first value that does not fit.
        """
        try:
            return self._convert(values, nulls)
        except FlowError:
            raise
        except (ValueError, TypeError, OverflowError) as problem:
            raise FlowError(
                f"column {self.name} can't be read as {self.dtype}: {problem}"
            ) from None

    def nulls(self, values: Any) -> list[int]:
        """The positions of nulls."""
        levels = getattr(values, "levels", None)
        if levels and None not in levels:
            return []
        kind = getattr(getattr(values, "dtype", None), "kind", "")
        if isinstance(kind, str) and kind and isinstance(values, numpy.ndarray):
            if kind in "iubUS":
                return []
            if kind in "fc":
                return _where(numpy.isnan(values))
            if kind in "mM":
                return _where(numpy.isnat(values))
        elif hasattr(values, "isna"):
            return _where(numpy.asarray(values.isna()))
        if set(map(type, values)) <= _NEVER_NULL:
            return []
        return [i for i, value in enumerate(values) if is_null(value)]

    def unknown(self, values: Any) -> dict[int, Any]:
        """The rows whose text creation never saw, where creation's texts are all known."""
        if self.levels is None:
            return {}
        few = values.unique() if hasattr(values, "unique") else getattr(values, "levels", values)
        try:
            if self.levels.issuperset(few.tolist() if hasattr(few, "tolist") else few):
                return {}
        except TypeError:
            return {}
        items = values.tolist() if hasattr(values, "tolist") else values
        return {i: v for i, v in enumerate(items) if v not in self.levels and not is_null(v)}

    def _converter(self, spec: Mapping[str, Any]) -> Convert:
        """The way from what comes in to creation's dtype, chosen once."""
        if self.dtype == "category":
            levels = spec.get("categories", spec.get("levels"))
            if levels is None:
                raise FlowError(f"the signature lacks the categories of column {self.name}")
            # As an index first: its type (text, numbers) has to be creation's.
            self._wanted = pandas.CategoricalDtype(levels, ordered=spec.get("ordered", False))
            self._codes = {level: code for code, level in enumerate(levels)}
            return self._category
        if self.dtype == "object":
            return {"text": self._text, "date": self._dates}.get(self.type, self._objects)
        if self.dtype.startswith(("datetime64", "timedelta64")):
            self._wanted = pandas.api.types.pandas_dtype(self.dtype)
            return self._times if self.dtype.startswith("d") else self._timedeltas
        try:
            if self.dtype == "str":  # pandas' text; NumPy would take the word for its own
                raise TypeError
            self._wanted = numpy.dtype(self.dtype)
        except TypeError:
            self._wanted = pandas.api.types.pandas_dtype(self.dtype)
            return self._extension
        if self._wanted.kind in "US":
            return lambda values, nulls: numpy.asarray(self._text(values, nulls), self._wanted)
        return self._numbers

    def _own_values(self, values: Any, nulls: Sequence[int]) -> Any:
        items = self._plain(values.tolist() if hasattr(values, "tolist") else values, nulls, None)
        types: dict[str, Any] = {"text": str, "int": int, "float": (int, float), "bool": bool}
        wanted = types.get(self.type)
        for i, item in enumerate(items):
            if item is None or wanted is None:
                continue
            if not isinstance(item, wanted) or (isinstance(item, bool) and wanted is not bool):
                raise FlowError(f"column {self.name}, row {i}: {item!r} is no {self.type}")
            if self.dtype == "float64":
                items[i] = float(item)
        return items

    def _numbers(self, values: Any, nulls: Sequence[int]) -> Any:
        wanted = self._wanted
        if isinstance(values, numpy.ndarray) and values.dtype == wanted:
            return values
        if not isinstance(values, numpy.ndarray) or values.dtype == object:
            values = list(values)
            filler = numpy.nan if wanted.kind in "fc" else wanted.type(0).item()
            for i in nulls:
                values[i] = filler
            for i, value in enumerate(values):
                if isinstance(value, (str, bytes)) or not numpy.isscalar(value):
                    raise FlowError(
                        f"column {self.name}, row {i}: {value!r} is not a number of type {wanted}"
                    )
            values = numpy.array(values, dtype=None if values else wanted)
        elif wanted.kind in "iub" and len(nulls):
            values = values.copy()
            values[list(nulls)] = 0
        if wanted.kind in "iub" and values.dtype != bool:
            cast = values.astype(wanted)
            wrong = numpy.flatnonzero(cast != values)
            if len(wrong):
                raise FlowError(
                    f"column {self.name}, row {wrong[0]}: {values[wrong[0]]} does not fit {wanted}"
                )
            return cast
        return values.astype(wanted)

    def _plain(self, values: Any, nulls: Sequence[int], null: Any) -> list[Any]:
        items = list(values)
        for i in nulls:
            items[i] = null
        return items

    def _null(self) -> Any:
        if self.null == "nan":
            return float("nan")
        return pandas.NA if self.null == "NA" else None

    def _checked_text(self, values: Any, nulls: Sequence[int], null: Any) -> list[Any]:
        items = self._plain(values, nulls, None)
        for i, item in enumerate(items) if set(map(type, items)) - _TEXT_OR_NONE else ():
            if item is not None and not isinstance(item, str):
                raise FlowError(f"column {self.name}, row {i}: {item!r} is not text")
        for i in nulls:
            items[i] = null
        return items

    def _by_levels(self, values: Any, make: Callable[[Any], Any]) -> Any:
        """Texts that come by levels; of the levels an array is made once."""
        if self._coded[0] != values.levels:
            self._coded = (values.levels, make(values.levels))
        return self._coded[1].take(values.codes)

    def _text(self, values: Any, nulls: Sequence[int]) -> Any:
        if getattr(values, "levels", None) and not nulls:
            return self._by_levels(values, lambda levels: numpy.array(levels, dtype=object))
        array = numpy.empty(len(values), dtype=object)
        array[:] = self._checked_text(values, nulls, self._null())
        return array

    def _objects(self, values: Any, nulls: Sequence[int]) -> Any:
        array = numpy.empty(len(values), dtype=object)
        for i, value in enumerate(self._plain(values, nulls, self._null())):
            array[i] = value
        return array

    def _dates(self, values: Any, nulls: Sequence[int]) -> Any:
        def date(value: Any) -> Any:
            if isinstance(value, str):
                return datetime.date.fromisoformat(value)
            return value.date() if isinstance(value, datetime.datetime) else value

        array = numpy.empty(len(values), dtype=object)
        array[:] = [date(v) for v in self._plain(values, (), None)]
        for i in nulls:
            array[i] = self._null()
        return array

    def _category(self, values: Any, nulls: Sequence[int]) -> Any:
        if getattr(values, "dtype", None) == self._wanted:
            return values
        codes = [self._codes.get(v, -1) for v in self._plain(values, nulls, None)]
        return pandas.Categorical.from_codes(codes, dtype=self._wanted)

    def _extension(self, values: Any, nulls: Sequence[int]) -> Any:
        if getattr(values, "dtype", None) == self._wanted:
            return values
        if self.type == "text":
            if getattr(values, "levels", None) and not nulls:
                return self._by_levels(values, self._text_array)
            return self._text_array(self._checked_text(values, nulls, None))
        items = self._plain(values, nulls, None)
        for i, item in enumerate(items):
            if isinstance(item, str) and self.type in ("int", "float", "bool"):
                raise FlowError(f"column {self.name}, row {i}: {item!r} is not a number")
        return pandas.array(items, dtype=self._wanted)

    def _text_array(self, texts: Sequence[Any]) -> Any:
        return pandas.array(texts, dtype=self._wanted)

    def _times(self, values: Any, nulls: Sequence[int]) -> Any:
        wanted = self._wanted
        if getattr(values, "dtype", None) == wanted:
            return values
        if getattr(getattr(values, "dtype", None), "kind", "") not in ("M",):
            items = self._plain(values, nulls, None)
            if any(isinstance(item, (int, float)) and item is not None for item in items):
                raise FlowError(f"column {self.name}: a time is text such as 2013-01-31T05:00:00")
            values = [pandas.NaT if item is None else self._moment(item) for item in items]
        times = pandas.DatetimeIndex(values)
        zone = getattr(wanted, "tz", None)
        if zone is None and times.tz is not None:
            raise FlowError(f"column {self.name}: times without a zone are wanted")
        if zone is not None:
            # NumPy's times have no zone: those that come from a request are UTC.
            aware = times if times.tz is not None else times.tz_localize("UTC")
            times = aware.tz_convert(zone)
        return times.astype(wanted).array

    def _moment(self, item: Any) -> Any:
        moment = pandas.Timestamp(item)
        aware = getattr(self._wanted, "tz", None) is not None and moment.tz is not None
        return moment.tz_convert("UTC") if aware else moment

    def _timedeltas(self, values: Any, nulls: Sequence[int]) -> Any:
        if getattr(values, "dtype", None) == self._wanted:
            return values
        return pandas.to_timedelta(values).astype(self._wanted).array
