"""Tensors of the Open Inference Protocol: ranges of its datatypes, and their binary form.

The binary tensor data extension puts tensors after the JSON part of a body, little-endian, row
by row; a ``BYTES`` element is preceded by its length in four bytes.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from typing import Any, Literal

from roadworthy.serving.problems import Refused

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
WHOLE: dict[str, tuple[int, int]] = {
    **{f"UINT{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (8, 16, 32, 64)},
}
LARGEST: dict[str, float] = {
    "FP16": 65504.0,
    "FP32": struct.unpack("<f", b"\xff\xff\x7f\x7f")[0],
    "FP64": sys.float_info.max,
}
WIDTHS = {
    "BOOL": ("?", 1), "UINT8": ("B", 1), "UINT16": ("H", 2), "UINT32": ("I", 4),
    "UINT64": ("Q", 8), "INT8": ("b", 1), "INT16": ("h", 2), "INT32": ("i", 4),
    "INT64": ("q", 8), "FP16": ("e", 2), "FP32": ("f", 4), "FP64": ("d", 8),
}  # fmt: skip


def misfit(datatype: str, values: list[Any]) -> int | None:
    """The place of the first number that its datatype can't hold; None if all fit.

    What is no number at all is left to the check against the signature.
    """
    if datatype not in WHOLE and datatype not in ("FP16", "FP32"):
        return None
    kinds = set(map(type, values))
    if datatype in WHOLE and float in kinds:
        for at, value in enumerate(values):
            if type(value) is float and not value.is_integer():
                return at
    low, high = WHOLE.get(datatype) or (-LARGEST[datatype], LARGEST[datatype])
    numbers = values if kinds <= {int, float} else [v for v in values if type(v) in (int, float)]
    if not numbers or (low <= min(numbers) and max(numbers) <= high):
        return None
    for at, value in enumerate(values):
        if type(value) in (int, float) and not low <= value <= high:
            return at if value - value == 0 else None
    return None


def unpack(name: str, datatype: str, content: bytes, count: int) -> list[Any]:
    """The ``count`` values in the binary form of a tensor. Raises Refused.

    Texts are decoded from UTF-8; NaN of a floating-point tensor becomes null, for there is no
    other way to say it.
    """
    if datatype == "BYTES":
        texts = list(_elements(name, content))
        if len(texts) != count:
            raise _wrong(name, f"{len(texts)} elements, its shape {count}")
        return texts
    code, width = WIDTHS[datatype]
    if len(content) != count * width:
        raise _wrong(name, f"{len(content)} bytes, its shape and datatype {count * width}")
    values = list(struct.unpack(f"<{count}{code}", content))
    if datatype in LARGEST:
        return [None if value != value else value for value in values]
    return values


def pack(datatype: str, values: list[Any]) -> bytes:
    """The binary form of an output's values; null is NaN, 0, false or an empty text in it."""
    if datatype == "BYTES":
        parts = []
        for value in values:
            encoded = (value or "").encode("utf-8")
            parts += [struct.pack("<I", len(encoded)), encoded]
        return b"".join(parts)
    code, _ = WIDTHS[datatype]
    if datatype == "BOOL":
        return bytes(bool(value) for value in values)
    missing = float("nan") if datatype in LARGEST else 0
    packed = array(code, [missing if value is None else value for value in values])
    if sys.byteorder != "little":
        packed.byteswap()
    return packed.tobytes()


def _elements(name: str, content: bytes) -> Iterator[str]:
    at = 0
    while at < len(content):
        if at + 4 > len(content):
            raise _wrong(name, "an element without its length")
        (size,) = struct.unpack_from("<I", content, at)
        at += 4
        if at + size > len(content):
            raise _wrong(name, "an element that reaches beyond its end")
        try:
            yield content[at : at + size].decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("bad-text", f"input {name[:80]!r} has bytes that are not UTF-8") from None
        at += size


def _wrong(name: str, what: str) -> Refused:
    return Refused("bad-request", f"the binary data of input {name[:80]!r} has {what}")
