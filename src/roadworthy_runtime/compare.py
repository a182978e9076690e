"""Says whether two values are the same, strictly, and if not where they first differ.

Strict means: the same types and dtypes, NaN equal to NaN, ``"0.3"`` never equal to ``0.3``. A
tolerance is relative and holds only between two floats.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

_LONGEST = 120
_DEEPEST = 60
ADDRESSES = frozenset(("_stop_words_id",))
"""Attributes that hold an address in memory: scikit-learn's note of what it has checked."""
_BY_REPR = frozenset(("datetime", "decimal", "fractions", "uuid", "zoneinfo"))
_ATOMS = frozenset((str, int, bool, float, type(None)))


@dataclass(frozen=True)
class Difference:
    """The first place where two values differ.

    ``where`` is the way to it inside nested values (``['mean'].tree_``), ``row`` counts from 0,
    ``left`` and ``right`` are the two values as text, ``greatest`` is the greatest relative
    difference between floats (None where something other than floats differs), ``count`` the
    number of rows or cells that differ.
    """

    what: str
    left: str
    right: str
    where: str = ""
    row: Optional[int] = None
    column: Optional[str] = None
    greatest: Optional[float] = None
    count: int = 1

    def __str__(self) -> str:
        place = [f"at {self.where}"] if self.where else []
        place += [f"row {self.row}"] if self.row is not None else []
        place += [f"column {self.column}"] if self.column is not None else []
        text = f"{self.what}: {self.left} and {self.right}"
        if place:
            text = f"{', '.join(place)}: {text}"
        if self.greatest is not None:
            text += f" (greatest relative difference {self.greatest:.3g})"
        return text


def difference(a: Any, b: Any, tolerance: float = 0.0) -> Optional[Difference]:
    """Where ``a`` and ``b`` first differ, or None if they are the same.

    ``tolerance`` is relative: floats x and y are the same if |x - y| <= tolerance * max(|x|, |y|).
    Dictionaries and sets are compared without regard to order. Objects of other classes are
    compared by what pickle would write of them.

    >>> difference([1, 2.0], [1, 2.0]) is None
    True
    >>> print(difference({"a": 0.3}, {"a": "0.3"}))
    at ['a']: type differs: float 0.3 and str '0.3'
    """
    return _Comparison(tolerance).compare(a, b, "")


def greatest_difference(a: Any, b: Any) -> float:
    """The greatest relative difference between floats in two values; inf if anything else differs.

    >>> greatest_difference([1.0, 2.0], [1.0, 2.5])
    0.2
    """
    found = difference(a, b)
    if found is None:
        return 0.0
    if found.greatest is None:
        return float("inf")
    # The first difference was between floats; a later one need not be.
    rest = difference(a, b, tolerance=found.greatest)
    return found.greatest if rest is None else _greatest_beyond(a, b, found.greatest)


def _greatest_beyond(a: Any, b: Any, tolerance: float) -> float:
    while True:
        found = difference(a, b, tolerance=tolerance)
        if found is None:
            return tolerance
        if found.greatest is None or found.greatest <= tolerance:
            return float("inf")
        tolerance = found.greatest


def n_rows(value: Any) -> int:
    """How many rows a row value has. Raises TypeError for values without a row axis."""
    if isinstance(value, (str, bytes, bytearray, dict, set, frozenset)):
        raise TypeError(f"{type(value).__name__} has no rows")
    shape = getattr(value, "shape", None)
    if shape is not None:
        if len(shape) == 0:
            raise TypeError(f"{type(value).__name__} without an axis has no rows")
        return int(shape[0])
    if isinstance(value, Sequence) or hasattr(value, "take"):
        return len(value)
    raise TypeError(f"{type(value).__name__} has no rows")


def take(value: Any, positions: Any) -> Any:
    """The rows of a row value at these positions (from 0), in this order, of the same kind.

    Raises TypeError for values without a row axis, IndexError for positions outside.

    >>> take(["a", "b", "c"], [2, 0, 2])
    ['c', 'a', 'c']
    """
    n_rows(value)
    if hasattr(value, "iloc"):
        return value.iloc[_positions(positions)]
    if isinstance(value, (list, tuple)):
        chosen = [value[int(i)] for i in positions]
        return chosen if isinstance(value, list) else tuple(chosen)
    if hasattr(value, "tocsr"):
        return type(value)(value.tocsr()[_positions(positions)])
    if _is_pandas(value):
        return value.take(_positions(positions))
    return value[_positions(positions)]


def _positions(positions: Any) -> Any:
    numpy = sys.modules["numpy"]
    return numpy.asarray(positions, dtype=numpy.intp)


def _is_pandas(value: Any) -> bool:
    return type(value).__module__.split(".", 1)[0] == "pandas"


def short(value: Any) -> str:
    """A value as text on one line, shortened for people."""
    try:
        text = " ".join(repr(value).split())
    except Exception as problem:
        text = f"<{type(value).__name__} whose repr raises {type(problem).__name__}>"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


class _Comparison:
    """One comparison of two values: the tolerance, and the pairs already under comparison."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance
        self.seen: set[tuple[int, int]] = set()
        self.alive: list[Any] = []
        self.depth = 0

    def compare(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        if a is b:
            return None
        if not _same_type(type(a), type(b)):
            return Difference(
                "type differs",
                f"{type(a).__name__} {short(a)}",
                f"{type(b).__name__} {short(b)}",
                where,
            )
        plain = self._plain(a, b, where)
        if plain is not NotImplemented:
            found: Optional[Difference] = plain
            return found
        if (id(a), id(b)) in self.seen:
            return None
        self.seen.add((id(a), id(b)))
        self.alive += [a, b]
        if self.depth >= _DEEPEST:
            return Difference("nested too deeply to compare", short(a), short(b), where)
        self.depth += 1
        try:
            return self._structured(a, b, where)
        finally:
            self.depth -= 1

    def _plain(self, a: Any, b: Any, where: str) -> Any:
        if isinstance(a, (float, complex)) or _is_numpy_float(a):
            return self._floats(a, b, where)
        if a is None or isinstance(a, (bool, int, str, bytes, bytearray, range, slice)):
            return None if a == b else Difference("value differs", short(a), short(b), where)
        if isinstance(a, type):
            same = _same_type(a, b)
            return None if same else Difference("class differs", short(a), short(b), where)
        if isinstance(a, types.ModuleType) or type(a).__module__ in _BY_REPR:
            same = repr(a) == repr(b)
            return None if same else Difference("value differs", short(a), short(b), where)
        return NotImplemented

    def _floats(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        if a == b or (a != a and b != b):
            return None
        larger = max(abs(a), abs(b))
        relative = float(abs(a - b) / larger) if larger < float("inf") else float("inf")
        if a != a or b != b:
            relative = float("inf")
        if relative <= self.tolerance:
            return None
        return Difference("value differs", short(a), short(b), where, greatest=relative)

    def _structured(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        found = self._tabular(a, b, where)
        if found is not NotImplemented:
            result: Optional[Difference] = found
            return result
        if isinstance(a, dict):
            return self._dicts(a, b, where) or self._attributes(a, b, where)
        if isinstance(a, (list, tuple)):
            return self._sequences(a, b, where) or self._attributes(a, b, where)
        if isinstance(a, (set, frozenset)):
            return self._sets(a, b, where)
        if isinstance(a, types.FunctionType):
            return self._functions(a, b, where)
        return self._objects(a, b, where)

    def _tabular(self, a: Any, b: Any, where: str) -> Any:
        """Arrays, tables and their parts; NotImplemented for anything else."""
        numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
        if numpy is not None and isinstance(a, numpy.ndarray):
            return self._arrays(a, b, where)
        if numpy is not None and isinstance(a, numpy.generic):
            return self._arrays(numpy.asarray(a), numpy.asarray(b), where)
        if pandas is not None and _is_pandas(a):
            return self._pandas(pandas, a, b, where)
        if hasattr(a, "tocoo") and hasattr(a, "nnz"):
            return self._sparse(a, b, where)
        if type(a).__module__.split(".", 1)[0] == "torch" and hasattr(a, "detach"):
            return self._arrays(a.detach().cpu().numpy(), b.detach().cpu().numpy(), where)
        return NotImplemented

    # -- containers ---------------------------------------------------------------------------

    def _sequences(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        if len(a) != len(b):
            return Difference("length differs", str(len(a)), str(len(b)), where)
        for i, (x, y) in enumerate(zip(a, b)):
            found = self.compare(x, y, f"{where}[{i}]")
            if found is not None:
                return replace(found, row=i) if not where and found.row is None else found
        return None

    def _dicts(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        if len(a) != len(b):
            return Difference("number of keys differs", str(len(a)), str(len(b)), where)
        counterparts = {_key(k): k for k in b}
        for k, value in a.items():
            if type(k) is str and k in ADDRESSES and k in b:
                continue
            if _key(k) not in counterparts:
                return Difference("key is missing on the right", short(k), "nothing", where)
            found = self.compare(value, b[counterparts[_key(k)]], f"{where}[{short(k)}]")
            if found is not None:
                return found
        return None

    def _sets(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        left, right = {_key(x): x for x in a}, {_key(x): x for x in b}
        for x in left.keys() - right.keys():
            return Difference("element is missing on the right", short(left[x]), "nothing", where)
        for x in right.keys() - left.keys():
            return Difference("element is missing on the left", "nothing", short(right[x]), where)
        return None

    # -- arrays and tables --------------------------------------------------------------------

    def _arrays(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        if a.dtype != b.dtype:
            return Difference("dtype differs", str(a.dtype), str(b.dtype), where)
        if a.shape != b.shape:
            return Difference("shape differs", str(a.shape), str(b.shape), where)
        if a.dtype.names is not None:
            for name in a.dtype.names:
                found = self._arrays(a[name], b[name], f"{where}[{name!r}]")
                if found is not None:
                    return found
            return None
        wrong, relative = self._wrong_cells(a, b, where)
        return _first_wrong(a, b, wrong, relative, where)

    def _wrong_cells(self, a: Any, b: Any, where: str) -> tuple[Any, Optional[Any]]:
        """Which cells differ, and by how much where they are floats (inf for NaN and number)."""
        numpy = sys.modules["numpy"]
        if a.dtype.kind in "fc":
            with numpy.errstate(all="ignore"):
                wrong = ~((a == b) | ((a != a) & (b != b)))
                if not wrong.any():
                    return wrong, None
                larger = numpy.maximum(numpy.abs(a), numpy.abs(b))
                relative = numpy.abs(a - b) / larger
                relative = numpy.where(numpy.isnan(relative), numpy.inf, relative)
                relative = numpy.where(wrong, relative, 0.0)
                return relative > self.tolerance, relative
        if a.dtype.kind in "mM":
            return ~((a == b) | (numpy.isnat(a) & numpy.isnat(b))), None
        if a.dtype == object:
            wrong = numpy.zeros(a.shape, dtype=bool)
            relative = numpy.zeros(a.shape)
            for at in numpy.ndindex(a.shape):
                x, y = a[at], b[at]
                if type(x) is type(y) and type(x) in _ATOMS and x == y:
                    continue
                found = self.compare(x, y, f"{where}{list(at)}")
                if found is not None:
                    wrong[at] = True
                    relative[at] = -1.0 if found.greatest is None else found.greatest
            only_floats = wrong.any() and bool((relative[wrong] >= 0).all())
            return wrong, relative if only_floats else None
        return numpy.asarray(a != b), None

    def _pandas(self, pandas: Any, a: Any, b: Any, where: str) -> Any:
        if isinstance(a, pandas.DataFrame):
            return self._frames(a, b, where)
        if isinstance(a, pandas.Series):
            return (
                self.compare(a.name, b.name, f"{where}.name")
                or self.compare(a.index, b.index, f"{where}.index")
                or self._values(a.array, b.array, where)
            )
        if isinstance(a, pandas.Index):
            return self._indexes(pandas, a, b, where)
        if isinstance(a, pandas.api.extensions.ExtensionArray):
            return self._values(a, b, where)
        if isinstance(a, pandas.CategoricalDtype):
            return self._category_types(a, b, where)
        atoms = (pandas.Timestamp, pandas.Timedelta, pandas.Period, pandas.Interval)
        if isinstance(a, (*atoms, pandas.api.extensions.ExtensionDtype)):
            same = a == b and str(getattr(a, "tz", "")) == str(getattr(b, "tz", ""))
            return None if same else Difference("value differs", short(a), short(b), where)
        return NotImplemented

    def _indexes(self, pandas: Any, a: Any, b: Any, where: str) -> Optional[Difference]:
        found = self.compare(list(a.names), list(b.names), f"{where}.names")
        if found is not None:
            return found
        if isinstance(a, pandas.MultiIndex):
            return self.compare(a.to_frame(index=False), b.to_frame(index=False), where)
        return self._values(a.array, b.array, where)

    def _frames(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        found = self.compare(a.columns, b.columns, f"{where}.columns")
        if found is not None:
            return replace(found, row=None, what=f"columns: {found.what}")
        found = self.compare(a.index, b.index, f"{where}.index")
        if found is not None:
            return replace(found, what=f"index: {found.what}")
        firsts: list[Difference] = []
        for i, name in enumerate(a.columns):
            one = self._values(a.iloc[:, i].array, b.iloc[:, i].array, where)
            if one is not None:
                if one.row is None:
                    return replace(one, column=str(name))
                firsts.append(replace(one, column=str(name)))
        if not firsts:
            return None
        greatest = [d.greatest for d in firsts]
        return replace(
            min(firsts, key=lambda d: d.row if d.row is not None else 0),
            greatest=None if None in greatest else max(g for g in greatest if g is not None),
            count=sum(d.count for d in firsts),
        )

    def _values(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        """Compare the arrays behind two columns: NumPy's, masked, categorical, text or others."""
        if not _same_dtype(a.dtype, b.dtype):
            return Difference("dtype differs", str(a.dtype), str(b.dtype), where)
        if len(a) != len(b):
            return Difference("length differs", str(len(a)), str(len(b)), where)
        if hasattr(a, "categories") and hasattr(a, "codes"):
            found = self._category_types(a.dtype, b.dtype, where)
            return found or self._as_objects(a, b, where)
        if type(a.dtype).__module__ == "numpy" or type(a.dtype).__module__.startswith("numpy."):
            return self._arrays(a.to_numpy(), b.to_numpy(), where)
        if hasattr(a, "_mask") and hasattr(a, "_data"):
            numpy = sys.modules["numpy"]
            mask = numpy.asarray(a.isna())
            found = self._arrays(mask, numpy.asarray(b.isna()), where)
            if found is not None:
                return self._as_objects(a, b, where)
            kind = a._data.dtype
            zero = numpy.zeros(1, kind)[0]
            return self._arrays(
                a.to_numpy(dtype=kind, na_value=zero), b.to_numpy(dtype=kind, na_value=zero), where
            )
        return self._as_objects(a, b, where)

    def _as_objects(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        numpy = sys.modules["numpy"]
        left, right = numpy.asarray(a, dtype=object), numpy.asarray(b, dtype=object)
        return self._arrays(left, right, where)

    def _category_types(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        if a.ordered != b.ordered:
            return Difference("order of categories differs", str(a.ordered), str(b.ordered), where)
        found = self.compare(a.categories, b.categories, f"{where}.categories")
        return None if found is None else replace(found, what=f"categories: {found.what}", row=None)

    def _sparse(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        if a.shape != b.shape:
            return Difference("shape differs", str(a.shape), str(b.shape), where)
        if a.dtype != b.dtype:
            return Difference("dtype differs", str(a.dtype), str(b.dtype), where)
        left, right = a.tocsr().copy(), b.tocsr().copy()
        for matrix in (left, right):
            matrix.sum_duplicates()
            matrix.eliminate_zeros()
        numpy = sys.modules["numpy"]
        same = numpy.array_equal(left.indptr, right.indptr)
        if same and numpy.array_equal(left.indices, right.indices):
            cells = self._arrays(left.data, right.data, where)
            if cells is None or cells.row is None:
                return cells
            row = int(numpy.searchsorted(left.indptr, cells.row, side="right")) - 1
            return replace(cells, row=row, column=str(int(left.indices[cells.row])))
        for row in range(left.shape[0]):
            one, other = left[[row]].toarray(), right[[row]].toarray()
            found = self._arrays(one, other, where)
            if found is not None:
                return replace(found, row=row)
        return None

    # -- everything else ----------------------------------------------------------------------

    def _functions(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        if a.__qualname__ != b.__qualname__:
            return Difference("function differs", a.__qualname__, b.__qualname__, where)
        if _code(a.__code__) != _code(b.__code__):
            return Difference("body of function differs", short(a), short(b), where)
        left = (a.__defaults__, a.__kwdefaults__, _cells(a))
        return self.compare(left, (b.__defaults__, b.__kwdefaults__, _cells(b)), f"{where}()")

    def _attributes(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        """Attributes of an instance of a subclass of a container."""
        left, right = getattr(a, "__dict__", None), getattr(b, "__dict__", None)
        if not left and not right:
            return None
        return self.compare(left, right, f"{where}.__dict__")

    def _objects(self, a: Any, b: Any, where: str) -> Optional[Difference]:
        try:
            left, right = a.__reduce_ex__(4), b.__reduce_ex__(4)
        except Exception:
            try:
                same = bool(a == b)
            except Exception:
                same = False
            return None if same else Difference("value differs", short(a), short(b), where)
        if isinstance(left, str) or isinstance(right, str):
            return None if left == right else Difference("value differs", left, right, where)
        parts = [list(_reduced(side)) for side in (left, right)]
        # Kept alive: parts are new objects, and ids of dead ones would be used again.
        self.alive += parts
        for name, x, y in zip(("class", "arguments", "", "items", "pairs"), *parts):
            found = self.compare(x, y, f"{where}.{name}" if name else where)
            if found is not None:
                return _named_attribute(found, where)
        return None


def _named_attribute(found: Difference, where: str) -> Difference:
    """Turn ``['tree_']`` directly below an object into ``.tree_``."""
    tail = found.where[len(where) :]
    if tail.startswith("['") and "']" in tail:
        name, _, rest = tail[2:].partition("']")
        if name.isidentifier():
            return replace(found, where=f"{where}.{name}{rest}")
    return found


def _reduced(parts: Any) -> Iterator[Any]:
    """Class, arguments, state, items and pairs of what ``__reduce_ex__`` gave."""
    state: tuple[Any, ...] = tuple(parts) + (None,) * (5 - len(parts))
    yield state[0]
    yield state[1]
    yield state[2]
    yield None if state[3] is None else list(state[3])
    yield None if state[4] is None else list(state[4])


def _is_numpy_float(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.floating, numpy.complexfloating))


def _same_type(a: type, b: type) -> bool:
    """The same class, or the same definition loaded twice."""
    if a is b:
        return True
    names = {a.__qualname__, b.__qualname__}
    if a.__module__.split(".", 1)[0] == "pandas" and names <= {"RangeIndex", "Index", "Int64Index"}:
        return True  # how labels 0, 1, 2 … are kept makes no difference
    return len(names) == 1 and a.__module__ == b.__module__ != "builtins"


def _same_dtype(a: Any, b: Any) -> bool:
    """Equal dtypes; categories are compared apart, and where text is stored makes no difference."""
    if type(a) is not type(b):
        return False
    if hasattr(a, "categories"):
        return True
    if hasattr(a, "na_value") and hasattr(a, "storage"):
        return (a.na_value is b.na_value) or (a.na_value != a.na_value and b.na_value != b.na_value)
    return bool(a == b)


def _key(value: Any) -> Any:
    """What a dictionary key or set element is recognised by: its type and value, NaN by name."""
    if isinstance(value, tuple):
        return (tuple, *map(_key, value))
    if isinstance(value, (float, complex)) and value != value:
        return (type(value).__name__, "nan")
    if type(value).__name__ == "NaTType":
        return "NaT"
    return (type(value).__qualname__, value)


def _code(code: Any) -> Any:
    constants = tuple(_code(c) if isinstance(c, types.CodeType) else c for c in code.co_consts)
    return code.co_code, code.co_names, code.co_varnames, repr(constants)


def _cells(function: Any) -> list[Any]:
    return [cell.cell_contents for cell in function.__closure__ or ()]


def _first_wrong(
    a: Any, b: Any, wrong: Any, relative: Optional[Any], where: str
) -> Optional[Difference]:
    numpy = sys.modules["numpy"]
    if not wrong.any():
        return None
    at = tuple(int(i) for i in numpy.argwhere(wrong)[0])
    if not at:
        row, column, left, right = None, None, a.item(), b.item()
    else:
        row, column = at[0], ",".join(str(i) for i in at[1:]) or None
        left, right = a[at], b[at]
    greatest = None if relative is None else float(relative.max())
    count = int(wrong.reshape(len(wrong), -1).any(axis=1).sum()) if at else 1
    return Difference(
        "value differs", short(left), short(right), where, row, column, greatest, count
    )
