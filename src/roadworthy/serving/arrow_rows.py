"""Arrow batches checked against the signature, as the columns of a frame; and frames as Arrow.

What fits is passed on in the buffers in which it came. Only columns in which something does not
fit are looked at value by value, to say which row and why.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roadworthy.core.names import nearest
from roadworthy.core.signature import Column, Signature
from roadworthy.errors import InvalidRows
from roadworthy.serving.answers import wire_names
from roadworthy.serving.validation import NULL_TEXTS, abbreviate, expected, is_aware, misfits_of
from roadworthy_runtime import frames
from roadworthy_runtime.frames import Packed

OUTPUT_TYPES = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}
_NULL_TEXTS = pa.array(sorted(NULL_TEXTS), pa.string())
_MOST_REASON = 300


class Fitted(NamedTuple):
    """The rows of a batch that fit: how many, their columns, their numbers in the batch.

    ``kept`` is None where all fit; ``misfits`` maps the others' numbers to the reason.
    """

    n: int
    columns: dict[str, tuple[str, Packed]]
    kept: Any
    misfits: dict[int, str]


def check_columns(signature: Signature, names: list[str]) -> None:
    """Raises InvalidRows that names each required column which is not there."""
    missing = [
        column.name
        for column in signature.columns
        if column.name not in names and not (column.nullable and signature.kind == "records")
    ]
    if not missing:
        return
    meant = [
        f"{found[0]!r} for {name!r}" for name in missing if (found := nearest(name, names, most=1))
    ]
    raise InvalidRows(
        f"the rows have no column {', '.join(map(repr, missing))}",
        cure=f"is {' and '.join(meant)} meant?" if meant else "give all columns of the signature",
        findings=[{"row": None, "field": name, "got": "nothing"} for name in missing],
    )


def fit_batch(signature: Signature, batch: pa.RecordBatch, as_text: bool = False) -> Fitted:
    """The rows of a batch that fit the signature, and why the others don't.

    ``as_text``: every column is text because the format (CSV) knows nothing else. A NaN is a
    null where creation had nulls; infinities are no numbers. Raises InvalidRows where a whole
    column is missing.
    """
    check_columns(signature, batch.schema.names)
    arrays = {}
    misfits: dict[int, str] = {}
    for column in signature.columns:
        array = _column(batch, column.name)
        packable = _convert(column, array, as_text)
        if packable is None:
            packable = _convert_each(column, array, as_text, misfits)
        arrays[column.name] = packable
        if signature.unknown == "reject" and column.levels is not None:
            _reject_unknown(column, packable, misfits)
    kept = None
    if misfits:
        good = np.ones(batch.num_rows, dtype=bool)
        good[list(misfits)] = False
        kept = np.flatnonzero(good)
        arrays = {name: array.filter(pa.array(good)) for name, array in arrays.items()}
    columns = {
        column.name: (_wire(column), pack(arrays[column.name])) for column in signature.columns
    }
    return Fitted(batch.num_rows - len(misfits), columns, kept, dict(sorted(misfits.items())))


def pack(array: pa.Array) -> Packed:
    """An array's values in the layout of a frame's column.

    >>> pack(pa.array([1.0, None])).validity
    b'\\x01'
    """
    n = len(array)
    validity = None
    if array.null_count:
        valid = pc.is_valid(array).to_numpy(zero_copy_only=False)
        validity = np.packbits(valid, bitorder="little").tobytes()
    if pa.types.is_boolean(array.type):
        filled = array.fill_null(False).to_numpy(zero_copy_only=False)
        return Packed(n, validity, [np.packbits(filled, bitorder="little").tobytes()])
    if pa.types.is_string(array.type):
        return Packed(n, validity, _text_buffers(array))
    values = memoryview(array.buffers()[1]) if n else memoryview(b"")
    return Packed(n, validity, [values.cast("B")[8 * array.offset : 8 * (array.offset + n)]])


def output_schema(signature: Signature) -> list[pa.Field]:
    """The fields of the answers, each named as in frames: ``output`` or ``output:column``."""
    return [
        pa.field(wire, OUTPUT_TYPES.get(column.type, pa.string()))
        for output in signature.outputs
        for column, (_, wire) in zip(output.columns, wire_names(output), strict=True)
    ]


def unpack(column: frames.Column, without: Any) -> pa.Array:
    """A frame's column as an Arrow array; null at the row numbers in ``without``."""
    types = {"text": pa.string(), "json": pa.string(), **OUTPUT_TYPES}
    validity = None if column.validity is None else pa.py_buffer(column.validity)
    parts = [validity, *(pa.py_buffer(buffer) for buffer in column.buffers)]
    array = pa.Array.from_buffers(types[column.type], column.n, parts)
    if not len(without):
        return array
    mask = np.zeros(column.n, dtype=bool)
    mask[without] = True
    return pc.if_else(pa.array(mask), pa.scalar(None, array.type), array)


def spread(array: pa.Array, kept: Any, n: int) -> pa.Array:
    """The values at the places ``kept`` of ``n``, null elsewhere; the array itself for None."""
    if kept is None:
        return array
    places = np.full(n, -1, dtype=np.int64)
    places[kept] = np.arange(len(kept))
    return array.take(pa.array(places, mask=places < 0))


def texts(found: Mapping[int, str], n: int) -> pa.Array:
    """A text column of ``n`` rows that has these, shortened, and null elsewhere."""
    values: list[str | None] = [None] * n
    for row, text in found.items():
        values[row] = text[:_MOST_REASON]
    return pa.array(values, pa.string())


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    place = batch.schema.get_field_index(name)
    if place < 0:
        if name in batch.schema.names:
            raise InvalidRows(f"the rows have two columns {name!r}", cure="leave one of them out")
        return pa.nulls(batch.num_rows)
    array = batch.column(place)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    return array


def _wire(column: Column) -> str:
    return {"object": "json", "date": "text"}.get(column.type, column.type)


def _convert(column: Column, array: pa.Array, as_text: bool) -> pa.Array | None:
    """The column in its frame's Arrow type, where every value fits; else None."""
    try:
        if as_text and column.type != "text":
            array = pc.if_else(pc.is_in(array, _NULL_TEXTS), pa.scalar(None, pa.string()), array)
        elif as_text and column.nullable:
            array = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
        converted = _FAST[column.type](column, array, as_text)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError):
        return None
    if converted is None or (converted.null_count and not column.nullable):
        return None
    return converted


def _fast_float(column: Column, array: pa.Array, as_text: bool) -> pa.Array | None:
    kind = array.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)
    if not (numeric or as_text):
        return None
    array = array.cast(pa.float64(), safe=False) if numeric else array.cast(pa.float64())
    finite = pc.is_finite(array)
    if pc.all(finite, min_count=0).as_py():
        return array
    missing = pc.is_nan(array)
    if not column.nullable or not pc.all(pc.or_(finite, missing), min_count=0).as_py():
        return None
    return pc.if_else(missing, pa.scalar(None, pa.float64()), array)


def _fast_int(column: Column, array: pa.Array, as_text: bool) -> pa.Array | None:
    kind = array.type
    if pa.types.is_floating(kind):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, kind), array)
    elif not (pa.types.is_integer(kind) or pa.types.is_null(kind) or as_text):
        return None
    return array.cast(pa.int64())


def _fast_bool(column: Column, array: pa.Array, as_text: bool) -> pa.Array | None:
    kind = array.type
    if as_text or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return array.cast(pa.bool_())
    return None


def _fast_text(column: Column, array: pa.Array, as_text: bool) -> pa.Array | None:
    if pa.types.is_null(array.type):
        return array.cast(pa.string())
    return array if pa.types.is_string(array.type) else None


def _fast_datetime(column: Column, array: pa.Array, as_text: bool) -> pa.Array | None:
    if pa.types.is_null(array.type):
        return array.cast(pa.int64())
    if not pa.types.is_timestamp(array.type) or is_aware(column) != (array.type.tz is not None):
        return None
    micros = pa.timestamp("us", array.type.tz)
    return array.cast(micros, safe=array.type.unit != "ns").view(pa.int64())


def _fast_date(column: Column, array: pa.Array, as_text: bool) -> pa.Array | None:
    if pa.types.is_date(array.type) or pa.types.is_null(array.type):
        return array.cast(pa.string())
    return None


def _fast_timedelta(column: Column, array: pa.Array, as_text: bool) -> pa.Array | None:
    if pa.types.is_null(array.type):
        return array.cast(pa.int64())
    if pa.types.is_duration(array.type):
        return array.cast(pa.duration("us"), safe=array.type.unit != "ns").view(pa.int64())
    return None


def _never(column: Column, array: pa.Array, as_text: bool) -> pa.Array | None:
    return None


_FAST = {
    "bool": _fast_bool,
    "int": _fast_int,
    "float": _fast_float,
    "text": _fast_text,
    "datetime": _fast_datetime,
    "date": _fast_date,
    "timedelta": _fast_timedelta,
    "object": _never,
}


def _convert_each(
    column: Column, array: pa.Array, as_text: bool, misfits: dict[int, str]
) -> pa.Array:
    """The column value by value; the rows whose value does not fit go to ``misfits``."""
    raw = [_plain(column, value) for value in array.to_pylist()]
    values, wrong = misfits_of(column, raw, as_text)
    for row, why in wrong.items():
        cure = f" ({why})" if why else ""
        reason = f"{column.name}: expected {expected(column)}, got {abbreviate(raw[row])}{cure}"
        misfits.setdefault(row, reason)
        values[row] = None
    kind = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}
    times = {"datetime": pa.int64(), "timedelta": pa.int64()}
    return pa.array(values, {**kind, **times}.get(column.type, pa.string()))


def _plain(column: Column, value: Any) -> Any:
    """A value as JSON would have brought it."""
    if isinstance(value, float) and math.isnan(value) and column.nullable:
        return None
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return value


def _reject_unknown(column: Column, array: pa.Array, misfits: dict[int, str]) -> None:
    known = pa.array([level for level in column.levels or () if level is not None], array.type)
    strange = pc.and_(pc.is_valid(array), pc.invert(pc.is_in(array, known)))
    for row in np.flatnonzero(strange.to_numpy(zero_copy_only=False)):
        shown = abbreviate(array[int(row)].as_py())
        misfits.setdefault(int(row), f"{column.name}: {shown} was never seen at creation")


def _text_buffers(array: pa.Array) -> list[Any]:
    n = len(array)
    _, offsets, data = array.buffers()
    if offsets is None or not n:
        return [np.zeros(n + 1, dtype="<i4").tobytes(), b""]
    ends = np.frombuffer(offsets, dtype="<i4")[array.offset : array.offset + n + 1]
    whole = memoryview(data).cast("B") if data is not None else memoryview(b"")
    text = whole[int(ends[0]) : int(ends[-1])]
    return [(ends - ends[0]).astype("<i4").tobytes(), text]
