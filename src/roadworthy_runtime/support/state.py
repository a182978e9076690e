"""Loads a flow's frozen values from the files in ``state/``."""

from __future__ import annotations

import builtins
import datetime
import hashlib
import importlib
import io
import json
import math
import pickle
import re
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Union

from .basis import FlowError, numpy, pandas, read_bytes
from .foreign import READERS as FOREIGN


class State:
    """Frozen values as attributes."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the flow has no frozen value {name!r}")


def load_state(file: Union[str, Path]) -> State:
    """All values of ``state/index.json`` beside this file, each file's digest checked first.

    Raises FlowError for a file that is missing or not what was written.
    """
    folder = Path(file).resolve().parent / "state"
    caller = sys._getframe(1).f_globals
    index = json.loads(read_bytes(folder / "index.json").decode("utf-8"))
    if index["format"] != 1:
        raise FlowError(f"{folder.name}/index.json has format {index['format']}, 1 is known here")
    return State({e["name"]: load_value(folder, e, caller) for e in index["values"]})


def load_value(folder: Path, entry: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    """One value. ``names`` are the globals in which classes of the program are found."""
    path = folder / entry["file"]
    try:
        data = read_bytes(path)
    except OSError as problem:
        raise FlowError(f"state {entry['name']} can't be read: {problem}") from problem
    if hashlib.sha256(data).hexdigest() != entry["digest"]:
        raise FlowError(
            f"state {entry['name']} is damaged: {entry['file']} is not what was written; "
            "take the flow's directory from its release again"
        )
    return read_value(data, entry, names)


def read_value(data: bytes, entry: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    """The value that these bytes hold, in the format that its entry says."""
    form = entry["format"]
    if form in FOREIGN:
        return FOREIGN[form](data, entry, lambda module, name: _own(module, name, names, entry))
    return _READERS[form](data, entry, names)


def _read_json(data: bytes, entry: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    return decode(json.loads(data.decode("utf-8")))


def _read_npy(data: bytes, entry: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    return numpy.load(io.BytesIO(data), allow_pickle=False)


def _read_parquet(data: bytes, entry: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    parquet: Any = importlib.import_module("pyarrow.parquet")
    frame = parquet.read_table(io.BytesIO(data)).to_pandas()
    for position in entry.get("nan", ()):  # Parquet has one null, object columns have two
        column = frame.iloc[:, position]
        values = column.to_numpy(dtype=object, copy=True)
        values[column.isna().to_numpy()] = math.nan
        frame.isetitem(position, pandas.Series(values, index=frame.index, dtype=object))
    if "series" in entry:
        return frame.iloc[:, 0].rename(decode(entry["series"]))
    return frame


def _read_skops(data: bytes, entry: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    skops = skops_io()
    types = skops.get_untrusted_types(data=data)
    foreign = foreign_types(types)
    if foreign:
        raise FlowError(f"state {entry['name']} holds foreign types: {', '.join(foreign)}")
    return skops.loads(data, trusted=types)


_TRUSTED = ("sklearn", "numpy", "scipy", "lightgbm", "xgboost", "collections")


def foreign_types(types: Iterable[str]) -> list[str]:
    """Those that are of none of the libraries whose types a skops file may hold."""
    return [name for name in types if name.split(".")[0] not in _TRUSTED]


def skops_io() -> Any:
    """The module ``skops.io``. Raises ImportError where it isn't installed.

    For its list of trusted types skops imports all of scikit-learn, which takes most of a flow's
    start. That list is not used here (``foreign_types`` goes by names), so it is left empty.
    """
    if "skops.io" in sys.modules:
        return sys.modules["skops.io"]
    utilities: Any = importlib.import_module("sklearn.utils")
    every = utilities.all_estimators
    utilities.all_estimators = list
    try:
        return importlib.import_module("skops.io")
    finally:
        utilities.all_estimators = every


def _read_pickle(data: bytes, entry: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            own = _own(module, name, names, entry)
            return super().find_class(module, name) if own is None else own

    return Unpickler(io.BytesIO(data)).load()


def _own(module: str, name: str, names: Mapping[str, Any], entry: Mapping[str, Any]) -> Any:
    """A class of the creation program, which is one of the flow now; None for any other.

    The entry's ``local`` are the modules that lay beside the program.
    """
    first, *others = name.split(".")
    if module != "__main__" and not (module in entry.get("local", ()) and first in names):
        return None
    found: Any = names[first]
    for part in others:
        found = getattr(found, part)
    return found


def _read_flow(data: bytes, entry: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    module: Any = importlib.import_module(".segment", __package__)
    return module.Segment(data)


_READERS: dict[str, Callable[[bytes, Mapping[str, Any], Mapping[str, Any]], Any]] = {
    "json": _read_json,
    "npy": _read_npy,
    "parquet": _read_parquet,
    "skops": _read_skops,
    "pickle": _read_pickle,
    "flow": _read_flow,
}


def decode(value: Any) -> Any:
    """A value from JSON, where ``{"$": "tuple", "of": […]}`` stands for what JSON lacks."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$" not in value:
        return {key: decode(item) for key, item in value.items()}
    return _TAGS[value["$"]](value)


def _pairs(value: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    return [(decode(key), decode(item)) for key, item in value["of"]]


def _time(value: Mapping[str, Any]) -> Any:
    moment = datetime.datetime.fromisoformat(value["of"])
    if "zone" in value:
        zone: Any = importlib.import_module("zoneinfo")
        return moment.replace(tzinfo=zone.ZoneInfo(value["zone"]), fold=value["fold"])
    return moment


def _timestamp(value: Mapping[str, Any]) -> Any:
    moment = pandas.Timestamp(value["of"])
    if hasattr(moment, "as_unit"):
        moment = moment.as_unit(value["unit"])
    return moment.tz_localize("UTC").tz_convert(value["zone"]) if value["zone"] else moment


def _array(value: Mapping[str, Any]) -> Any:
    dtype, items = numpy.dtype(value["dtype"]), value["of"]
    if dtype.kind == "O":
        array = numpy.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            array[i] = decode(item)
    elif dtype.kind == "f":
        array = numpy.array([math.nan if i is None else float(i) for i in items], dtype=dtype)
    elif dtype.kind in "mM":
        array = numpy.array(items, dtype="int64").view(dtype)
    else:
        array = numpy.array(items, dtype=dtype)
    return array.reshape(value["shape"])


def _type(value: Mapping[str, Any]) -> Any:
    found = getattr(builtins if value["module"] == "builtins" else numpy, value["of"])
    if not isinstance(found, type):
        raise FlowError(f"{value['of']} is no type")
    return found


def _categories(value: Mapping[str, Any]) -> Any:
    return pandas.CategoricalDtype(decode(value["categories"]), ordered=value["ordered"])


def _series(value: Mapping[str, Any]) -> Any:
    values = decode(value["of"])
    dtype = getattr(values, "dtype", None)  # said, so that object stays object
    return pandas.Series(
        values, index=decode(value["index"]), name=decode(value["name"]), dtype=dtype
    )


def _index(value: Mapping[str, Any]) -> Any:
    values, names = decode(value["of"]), decode(value["names"])
    if "levels" in value:
        return pandas.MultiIndex.from_arrays(values, names=names)
    return pandas.Index(values, name=names[0], dtype=getattr(values, "dtype", None))


def _frame(value: Mapping[str, Any]) -> Any:
    index, names = decode(value["index"]), decode(value["columns"])
    columns = [_series({**c, "index": value["index"]}) for c in value["of"]]
    frame = pandas.DataFrame(dict(enumerate(columns)), index=index)
    frame.columns = names
    return frame


_TAGS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "tuple": lambda v: tuple(decode(v["of"])),
    "set": lambda v: set(decode(v["of"])),
    "frozenset": lambda v: frozenset(decode(v["of"])),
    "dict": lambda v: dict(_pairs(v)),
    "OrderedDict": lambda v: OrderedDict(_pairs(v)),
    "Counter": lambda v: Counter(dict(_pairs(v))),
    "float": lambda v: float(v["of"]),
    "complex": lambda v: complex(float(v["of"][0]), float(v["of"][1])),
    "bytes": lambda v: bytes.fromhex(v["of"]),
    "Decimal": lambda v: Decimal(v["of"]),
    "range": lambda v: range(*v["of"]),
    "slice": lambda v: slice(*decode(v["of"])),
    "pattern": lambda v: re.compile(decode(v["of"]), v["flags"]),
    "datetime": _time,
    "date": lambda v: datetime.date.fromisoformat(v["of"]),
    "time": lambda v: datetime.time.fromisoformat(v["of"]),
    "timedelta": lambda v: datetime.timedelta(*v["of"]),
    "numpy": lambda v: _array({**v, "of": [v["of"]], "shape": []})[()],
    "array": _array,
    "type": _type,
    "dtype": lambda v: numpy.dtype(v["of"]),
    "NA": lambda v: pandas.NA,
    "NaT": lambda v: pandas.NaT,
    "Timestamp": _timestamp,
    "Timedelta": lambda v: pandas.Timedelta(v["of"], unit="ns"),
    "Interval": lambda v: pandas.Interval(*decode(v["of"]), closed=v["closed"]),
    "values": lambda v: pandas.array(decode(v["of"]), dtype=v["dtype"]),
    "str": lambda v: pandas.array(decode(v["of"]), dtype="str"),
    "categorical": lambda v: pandas.Categorical.from_codes(v["of"], dtype=_categories(v)),
    "CategoricalDtype": _categories,
    "Index": _index,
    "RangeIndex": lambda v: pandas.RangeIndex(*v["of"], name=decode(v["name"])),
    "Series": _series,
    "DataFrame": _frame,
}
