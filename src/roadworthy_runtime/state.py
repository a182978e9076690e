"""Saves what a flow learned, each value in the safest format that brings it back equal."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import math
import pickle
import shutil
import sys
import types
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Optional

from roadworthy_runtime import combining, foreign, support
from roadworthy_runtime.compare import ADDRESSES, difference, short
from roadworthy_runtime.plain import NotPlain, encode, in_order
from roadworthy_runtime.snapshot import OWN
from roadworthy_runtime.support.segment import Segment
from roadworthy_runtime.support.state import foreign_types, read_value, skops_io

_READABLE = 1_000
"""A column of up to so many values is written as JSON, which people can read."""
_NEVER = (types.GeneratorType, types.CoroutineType, types.FrameType, types.ModuleType, io.IOBase)


class CannotSave(Exception):
    """A value can't be part of a flow: ``name``, the name of its ``type``, and the ``reason``."""

    def __init__(self, name: str, type: str, reason: str) -> None:
        super().__init__(f"{name} ({type}) can't be saved: {reason}")
        self.name = name
        self.type = type
        self.reason = reason


class _Unsuited(Exception):
    """A format can't hold the value; the next one is tried."""


_Written = tuple[bytes, dict[str, Any]]


def save(
    directory: Path, name: str, value: Any, names: Optional[Mapping[str, Any]] = None
) -> dict[str, Any]:
    """Write one value into the ``state`` directory; its entry for the index.

    The entry has name, file, format (json, npy, parquet, skops, pickle or a library's own:
    safetensors, xgboost, lightgbm, keras), digest (SHA-256), bytes,
    ``summary`` for people, ``requires`` (distributions that reading it needs besides those that
    the value is of) and, for pickles, ``globals`` (``module:name`` of what it refers to) and
    ``local`` (those of its modules that lie beside the program).
    ``names`` are the program's globals, in which classes of ``__main__`` are found. Each format is
    read back and compared; equal values give equal bytes, whatever the process.

    Raises CannotSave where no format brings the value back.
    """
    kind = type(value).__name__
    if isinstance(value, _NEVER):
        raise CannotSave(name, kind, "it belongs to the running process")
    if names is None:
        names = vars(sys.modules["__main__"])
    reason = ""
    for form in _formats(value):
        try:
            data, details = _written(form, value, names)
        except _Unsuited as problem:
            reason = str(problem)
            continue
        file = f"{name}.{_SUFFIXES.get(form) or foreign.SUFFIXES[form]}"
        entry: dict[str, Any] = {
            "name": name,
            "file": file,
            "format": form,
            "digest": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "summary": summary(value),
            **details,
        }
        local = _local(details.get("globals", ()))
        if local:
            entry["local"] = local
        reason = _comes_back(data, entry, value, names)
        if not reason:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / file).write_bytes(data)
            return entry
    raise CannotSave(name, kind, reason)


def write_index(directory: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """Write ``index.json``, which ``load_state`` reads; entries as ``save`` gave them."""
    directory.mkdir(parents=True, exist_ok=True)
    document = {"format": 1, "values": sorted(entries, key=lambda entry: str(entry["name"]))}
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (directory / "index.json").write_text(text + "\n", "utf-8")


def copy_support(directory: Path) -> list[Path]:
    """Put ``flow_support`` beside the flow: the package ``support`` as it stands; its files."""
    target = directory / "flow_support"
    target.mkdir(parents=True, exist_ok=True)
    copied = []
    for source in sorted(Path(str(support.__file__)).parent.glob("*.py")):
        copied.append(Path(shutil.copyfile(source, target / source.name)))
    return copied


def summary(value: Any) -> str:
    """What a value is, for people: ``table of 3,322 rows x 9 columns``.

    >>> summary({"a": 1, "b": 2})
    'mapping of 2 keys'
    """
    kind = type(value).__name__
    if isinstance(value, Segment):
        return combining.summary(value)
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and len(shape) == 2 and hasattr(value, "columns"):
        return f"table of {shape[0]:,} rows x {shape[1]:,} columns"
    if hasattr(value, "fit") and hasattr(value, "get_params"):
        return f"fitted {kind}"
    if isinstance(shape, tuple) and shape:
        size = " x ".join(f"{length:,}" for length in shape)
        what = "column" if hasattr(value, "iloc") else "labels" if "Index" in kind else "array"
        return f"{what} of {size} {value.dtype if hasattr(value, 'dtype') else 'values'}"
    if isinstance(value, Mapping):
        return f"mapping of {len(value):,} keys"
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"{kind} of {len(value):,}"
    if isinstance(value, float) and math.isfinite(value):
        return f"{float(value):.6g}"
    if value is None or isinstance(value, (bool, int, str, float, bytes, complex)):
        return short(value)
    if isinstance(value, type):
        return f"class {kind if kind != 'type' else value.__name__}"
    if callable(value) and hasattr(value, "__name__"):
        return f"function {value.__name__}"
    return kind


def _comes_back(data: bytes, entry: Mapping[str, Any], value: Any, names: Mapping[str, Any]) -> str:
    """Why the value as read differs from the one written; empty if it does not."""
    try:
        again = read_value(data, entry, names)
        if entry["format"] in foreign.SUFFIXES:
            return foreign.same_again(entry["format"], value, again, names)
        if entry["format"] == "flow":
            return "" if again.data == value.data else "its files differ"
        found = difference(value, again)
    except Exception as problem:
        return f"{entry['format']} does not bring it back: {type(problem).__name__}: {problem}"
    return "" if found is None else f"it does not come back equal: {found}"


# -- formats ------------------------------------------------------------------------------------


def _formats(value: Any) -> Iterator[str]:
    """The formats worth trying, the safest and most readable first."""
    if isinstance(value, Segment):
        yield "flow"
        return
    own = foreign.format_of(value)
    if own is not None:
        yield own
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series)):
        small = isinstance(value, pandas.Series) and len(value) <= _READABLE
        yield from ("json", "parquet") if small else ("parquet",)
        if not small and value.size <= _READABLE:
            yield "json"
    elif numpy is not None and type(value) is numpy.ndarray and not value.dtype.hasobject:
        yield "npy"
    elif hasattr(value, "get_params") and "sklearn.base" in sys.modules:
        yield "skops"
    else:
        yield "json"
    yield "pickle"


def _written(form: str, value: Any, names: Mapping[str, Any]) -> _Written:
    if form in _FORMATS:
        return _FORMATS[form](value, names)
    try:
        return foreign.write(form, value, names)
    except Exception as problem:  # whatever a library says of what it can't write
        raise _Unsuited(f"{type(problem).__name__}: {problem}") from problem


def _json(value: Any, names: Mapping[str, Any]) -> _Written:
    try:
        plain = encode(value)
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
    except (NotPlain, RecursionError, ValueError) as problem:
        raise _Unsuited(str(problem)) from problem
    if len(text) > 80:
        text = json.dumps(plain, ensure_ascii=False, indent=1)
    try:
        return (text + "\n").encode("utf-8"), {"requires": []}
    except UnicodeEncodeError:
        return (json.dumps(plain, indent=1) + "\n").encode("ascii"), {"requires": []}


def _flow(value: Any, names: Mapping[str, Any]) -> _Written:
    return value.data, {"requires": combining.entry_of("", value)["requires"]}


def _npy(value: Any, names: Mapping[str, Any]) -> _Written:
    numpy: Any = sys.modules["numpy"]
    buffer = io.BytesIO()
    numpy.save(buffer, value, allow_pickle=False)
    return buffer.getvalue(), {"requires": []}


def _parquet(value: Any, names: Mapping[str, Any]) -> _Written:
    details: dict[str, Any] = {"requires": ["pyarrow"]}
    numpy: Any = sys.modules["numpy"]
    frame = value
    if not hasattr(value, "columns"):
        try:
            details["series"] = encode(value.name)
        except NotPlain as problem:
            raise _Unsuited(str(problem)) from problem
        frame = value.to_frame("value")
    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
        buffer = io.BytesIO()
        parquet.write_table(arrow.Table.from_pandas(frame), buffer)
    except Exception as problem:  # Arrow's own errors, before or after it is imported
        raise _Unsuited(str(problem)) from problem
    holes = []
    for position in range(frame.shape[1]):
        column = frame.iloc[:, position]
        if isinstance(column.dtype, numpy.dtype) and column.dtype.kind == "O":
            if any(isinstance(item, float) for item in column[column.isna()]):
                holes.append(position)
    if holes:
        details["nan"] = holes
    return buffer.getvalue(), details


def _skops(value: Any, names: Mapping[str, Any]) -> _Written:
    try:
        skops = skops_io()
        data = _settled(skops.dumps(value))
        types = skops.get_untrusted_types(data=data)
    except Exception as problem:  # whatever it says of a type that it does not know
        raise _Unsuited(str(problem)) from problem
    foreign = foreign_types(types)
    if foreign:
        raise _Unsuited(f"skops does not trust {', '.join(foreign)}")
    return data, {"requires": ["skops"]}


def _settled(data: bytes) -> bytes:
    """A skops archive without what differs from process to process: addresses, times, order."""
    source = zipfile.ZipFile(io.BytesIO(data))
    numbers: dict[int, int] = {}
    files: dict[str, str] = {}

    def settle(node: Any) -> Any:
        if isinstance(node, list):
            return [settle(item) for item in node]
        if not isinstance(node, dict):
            return node
        settled = {key: settle(item) for key, item in node.items()}
        if isinstance(node.get("file"), str) and "__loader__" in node:
            suffix = Path(node["file"]).suffix
            settled["file"] = files.setdefault(node["file"], f"{len(files)}{suffix}")
        if isinstance(node.get("__id__"), int):
            settled["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
        for name in ADDRESSES.intersection(settled):
            settled[name]["content"] = "0"
        if node.get("__loader__") == "SetNode" and isinstance(settled["content"], list):
            settled["content"].sort(key=lambda item: json.dumps(item.get("content")))
        return settled

    schema = settle(json.loads(source.read("schema.json")))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for old, new in files.items():
            archive.writestr(zipfile.ZipInfo(new), source.read(old))
        archive.writestr(zipfile.ZipInfo("schema.json"), json.dumps(schema))
    return target.getvalue()


_PythonPickler: Any = getattr(pickle, "_Pickler")  # noqa: B009 - the type stubs leave it out


class _OrderedPickler(_PythonPickler):  # type: ignore[misc]
    """Pickles sets in an order that does not depend on the process."""

    dispatch: ClassVar[dict[type, Any]] = dict(_PythonPickler.dispatch)

    def _ordered(self, value: Any) -> None:
        self.save_reduce(type(value), (in_order(value),), obj=value)

    dispatch[set] = _ordered
    dispatch[frozenset] = _ordered


def _pickle(value: Any, names: Mapping[str, Any]) -> _Written:
    try:
        data = pickle.dumps(value, protocol=4)
        if b"\x8f" in data or b"\x91" in data:  # the codes of set and frozenset
            buffer = io.BytesIO()
            _OrderedPickler(buffer, protocol=4).dump(value)
            data = buffer.getvalue()
    except Exception as problem:
        raise _Unsuited(f"{type(problem).__name__}: {problem}") from problem
    return data, {"requires": [], "globals": _globals(data, names)}


def _globals(data: bytes, names: Mapping[str, Any]) -> list[str]:
    found: set[str] = set()

    class Finder(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            found.add(f"{module}:{name}")
            first, *others = name.split(".")
            if module == "__main__" and first in names:
                target = names[first]
                for part in others:
                    target = getattr(target, part)
                return target
            return super().find_class(module, name)

    try:
        Finder(io.BytesIO(data)).load()
    except Exception as problem:
        raise _Unsuited(f"pickle does not bring it back: {problem}") from problem
    return sorted(found)


def _local(found: Sequence[str]) -> list[str]:
    modules = {each.partition(":")[0] for each in found} - {"__main__"}
    return sorted(m for m in modules if id(getattr(sys.modules.get(m), "__dict__", None)) in OWN)


_FORMATS: dict[str, Callable[[Any, Mapping[str, Any]], _Written]] = {
    "json": _json,
    "npy": _npy,
    "parquet": _parquet,
    "skops": _skops,
    "pickle": _pickle,
    "flow": _flow,
}
_SUFFIXES = {
    "json": "json", "npy": "npy", "parquet": "parquet", "skops": "skops", "pickle": "pkl",
    "flow": "zip",
}  # fmt: skip
