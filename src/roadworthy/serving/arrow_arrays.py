"""Values and buffers of frames as pyarrow arrays, without what would load pandas."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any

from roadworthy_runtime.frames import Packed, encode_column


def arrow_array(wire: str, values: Any) -> Any:
    """A pyarrow array over the buffers of a frame's column.

    ``pa.array`` and ``pa.scalar`` would load pandas.
    """
    import pyarrow as pa

    if wire == "texts":
        offsets = [0, *itertools.accumulate(len(value or ()) for value in values)]
        inner = arrow_array("text", [text for value in values for text in value or ()])
        return pa.ListArray.from_arrays(arrow_array("int", offsets).cast(pa.int32()), inner)
    types = {
        "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string(),
        "json": pa.string(), "datetime": pa.timestamp("us"), "timedelta": pa.duration("us"),
    }  # fmt: skip
    if isinstance(values, Packed) and values.levels:
        if None in values.levels:
            return arrow_array(wire, values.values(wire))
        codes = pa.Array.from_buffers(pa.uint8(), values.n, [None, pa.py_buffer(values.buffers[0])])
        return pa.DictionaryArray.from_arrays(codes, _levels(values.levels))
    validity, buffers = encode_column(wire, values)
    parts = [None if validity is None else pa.py_buffer(validity)]
    parts += [pa.py_buffer(buffer) for buffer in buffers]
    return pa.Array.from_buffers(types[wire], len(values), parts)


@lru_cache(maxsize=256)
def _levels(levels: tuple[str, ...]) -> Any:
    return arrow_array("text", levels)
