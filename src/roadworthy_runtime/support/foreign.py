"""Reads models of other libraries from the libraries' own formats."""

from __future__ import annotations

import base64
import importlib
import io
import json
import pickle
import struct
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TENSORS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
    "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
"""The words of the safetensors format for PyTorch's types."""


def read_safetensors(data: bytes, entry: Mapping[str, Any], find: Callable[[str, str], Any]) -> Any:
    """A tensor, or a module whose structure stands in the file's metadata.

    ``find(module, name)`` gives a class of the program's own. The format:
    length of the header in 8 bytes, header as JSON, the tensors' bytes.
    """
    torch: Any = importlib.import_module("torch")
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    structure = header.pop("__metadata__", {}).get("structure")
    tensors: dict[str, Any] = {}
    for name, spec in header.items():
        start, end = (8 + length + offset for offset in spec["data_offsets"])
        kind = getattr(torch, TENSORS[spec["dtype"]])
        if start == end:
            tensors[name] = torch.empty(spec["shape"], dtype=kind)
        else:
            buffer = bytearray(data[start:end])
            tensors[name] = torch.frombuffer(buffer, dtype=kind).reshape(spec["shape"])
    if structure is None:
        return tensors["value"]

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, pid: Any) -> Any:
            name, parameter, gradient = pid
            tensor = tensors[name]
            return torch.nn.Parameter(tensor, requires_grad=gradient) if parameter else tensor

        def find_class(self, module: str, name: str) -> Any:
            own = find(module, name)
            return super().find_class(module, name) if own is None else own

    return Unpickler(io.BytesIO(base64.b64decode(structure))).load()


def read_xgboost(data: bytes, entry: Mapping[str, Any], find: Any) -> Any:
    """A booster, or an estimator with its parameters, from XGBoost's UBJSON."""
    xgboost: Any = importlib.import_module("xgboost")
    made = getattr(xgboost, entry["class"])(**entry.get("parameters", {}))
    made.load_model(bytearray(data))
    return made


def read_lightgbm(data: bytes, entry: Mapping[str, Any], find: Any) -> Any:
    """A booster from LightGBM's text format."""
    lightgbm: Any = importlib.import_module("lightgbm")
    return lightgbm.Booster(model_str=data.decode("utf-8"))


def read_keras(data: bytes, entry: Mapping[str, Any], find: Any) -> Any:
    """A model from Keras' archive, without what only training needs."""
    saving: Any = importlib.import_module("keras").saving
    own = {name: find("__main__", name) for name in entry.get("own", ())}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(data)
        return saving.load_model(path, compile=False, custom_objects=own)


READERS = {
    "safetensors": read_safetensors,
    "safetensors+pickle": read_safetensors,
    "xgboost": read_xgboost,
    "lightgbm": read_lightgbm,
    "keras": read_keras,
}
