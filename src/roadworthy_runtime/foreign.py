"""Writes models of other libraries in the libraries' own formats."""

from __future__ import annotations

import base64
import io
import json
import pickle
import struct
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from .compare import difference
from .support.foreign import TENSORS

SUFFIXES = {
    "safetensors": "safetensors",
    "safetensors+pickle": "safetensors",
    "xgboost": "ubj",
    "lightgbm": "txt",
    "keras": "keras",
}
_WORDS = {name: word for word, name in TENSORS.items()}


def format_of(value: Any) -> Optional[str]:
    """The format that a library has for such a value; None: there is none."""
    root = (type(value).__module__ or "").partition(".")[0]
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if torch is not None and isinstance(value, torch.Tensor):
        return "safetensors"
    if torch is not None and isinstance(value, torch.nn.Module):
        return "safetensors+pickle"
    if root == "xgboost" and hasattr(value, "load_model"):
        return "xgboost"
    if root == "lightgbm" and type(value).__name__ == "Booster":
        return "lightgbm"
    if keras is not None and hasattr(keras, "Model") and isinstance(value, keras.Model):
        return "keras"
    return None


def same_again(form: str, value: Any, again: Any, names: Mapping[str, Any]) -> str:
    """Why the model as read differs from the one written; empty if it does not.

    Where a library's objects also hold what only training needs, what is written is compared.
    """
    if type(value) is not type(again):
        return f"it comes back as {type(again).__name__}"
    if form == "keras":
        left, right = value.get_weights(), again.get_weights()
        found = difference(left, right) or difference(
            json.dumps(value.get_config(), default=str, sort_keys=True),
            json.dumps(again.get_config(), default=str, sort_keys=True),
        )
    else:
        data, details = write(form, value, names)
        given = details.get("parameters", {})
        held = again.get_params() if given else {}
        kept = {key: held.get(key) for key in given}
        found = difference((data, given), (write(form, again, names)[0], kept))
    return "" if found is None else f"it does not come back equal: {found}"


def write(form: str, value: Any, names: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The bytes and what its entry says besides. Raises what the library raises."""
    return _WRITERS[form](value, names)


def _tensor(value: Any, names: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    return _packed({"value": value}, {}), {"requires": []}


def _module(value: Any, names: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """All tensors in the open format; the structure, which only pickle has, in its metadata."""
    torch: Any = sys.modules["torch"]
    tensors: dict[str, Any] = {}
    known = {id(item): name for name, item in value.state_dict(keep_vars=True).items()}
    known_globals: set[str] = set()

    class Pickler(pickle.Pickler):
        def persistent_id(self, item: Any) -> Any:
            if not isinstance(item, torch.Tensor):
                if isinstance(item, type) and item.__module__ == "__main__":
                    known_globals.add(f"__main__:{item.__qualname__}")
                return None
            name = known.get(id(item), f"_{len(tensors)}")
            tensors[name] = item
            return name, isinstance(item, torch.nn.Parameter), bool(item.requires_grad)

    buffer = io.BytesIO()
    Pickler(buffer, protocol=4).dump(value)
    structure = base64.b64encode(buffer.getvalue()).decode("ascii")
    details = {"requires": [], "globals": sorted(known_globals)}
    return _packed(tensors, {"structure": structure}), details


def _packed(tensors: Mapping[str, Any], metadata: Mapping[str, str]) -> bytes:
    torch: Any = sys.modules["torch"]
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    parts: list[bytes] = []
    start = 0
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        kind = str(tensor.dtype).rpartition(".")[2]
        plain = tensor.view(torch.int16) if kind == "bfloat16" else tensor
        data = plain.numpy().tobytes()
        header[name] = {
            "dtype": _WORDS[kind],
            "shape": list(tensor.shape),
            "data_offsets": [start, start + len(data)],
        }
        parts.append(data)
        start += len(data)
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def _xgboost(value: Any, names: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    booster = value.get_booster() if hasattr(value, "get_booster") else value
    details: dict[str, Any] = {"requires": [], "class": type(value).__name__}
    if booster is not value:
        given = {key: item for key, item in value.get_params().items() if _set(item)}
        json.dumps(given)  # what is no plain value can't be a part of the entry
        details["parameters"] = given
    return bytes(booster.save_raw("ubj")), details


def _set(item: Any) -> bool:
    return item is not None and not (isinstance(item, float) and item != item)


def _lightgbm(value: Any, names: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    return value.model_to_string().encode("utf-8"), {"requires": []}


def _keras(value: Any, names: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    keras: Any = sys.modules["keras"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        keras.saving.save_model(value, path)
        data = _settled(path.read_bytes())
    own = sorted(
        name for name, item in names.items()
        if isinstance(item, type) and issubclass(item, keras.layers.Layer)
        and item.__module__ == "__main__"
    )  # fmt: skip
    return data, {"requires": ["keras"], "own": own, "globals": [f"__main__:{n}" for n in own]}


def _settled(data: bytes) -> bytes:
    """An archive without the time at which it was written."""
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "metadata.json":
                found = json.loads(content)
                found.pop("date_saved", None)
                content = json.dumps(found).encode("utf-8")
            archive.writestr(zipfile.ZipInfo(name), content)
    return target.getvalue()


_WRITERS = {
    "safetensors": _tensor,
    "safetensors+pickle": _module,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "keras": _keras,
}
