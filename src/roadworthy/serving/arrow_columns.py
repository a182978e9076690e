"""Arrow's record batches as the columns of a frame and back, checked, without a copy where it goes.

Columns of the wrong type refuse the stream; values that do not fit reject their row, so that
one bad row of a million costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from roadworthy.core.signature import Column, Signature
from roadworthy.serving.answers import Answered, wire_names
from roadworthy.serving.arrow_arrays import arrow_array
from roadworthy.serving.problems import Finding, Refused
from roadworthy.serving.validation import (
    MOST_WARNINGS,
    abbreviate,
    expected,
    is_aware,
    meant,
    wire_of,
)
from roadworthy_runtime import frames

REASON, ERROR, WARNINGS = "_rejected", "_error", "_warnings"


class Chunk(NamedTuple):
    """Some rows of a stream: ``kept`` are those that the worker is asked, None for all ``n``.

    ``columns`` hold only the rows that are kept, ``arrays`` all of them; ``rejected`` maps the
    rows that are not kept to the reason.
    """

    n: int
    kept: list[int] | None
    columns: dict[str, tuple[str, frames.Packed]]
    arrays: dict[str, Any]
    rejected: dict[int, str]
    warnings: list[tuple[int | None, str, str]]

    @property
    def bytes(self) -> int:
        """What its columns hold."""
        packed = (values for _, values in self.columns.values())
        return sum(len(part) for each in packed for part in each.buffers)


def check_schema(signature: Signature, schema: Any) -> None:
    """Raise Refused where a column is missing, there twice, or of a type that it can't take."""
    findings = []
    names = list(schema.names)
    known = {column.name for column in signature.columns}
    surplus = tuple(name for name in names if name not in known)
    for column in signature.columns:
        count = names.count(column.name)
        if count > 1:
            raise Refused("bad-request", f"the column {column.name!r} is there twice")
        if not count:
            if column.nullable and signature.kind == "records":
                continue
            cure = meant(column.name, surplus)
            findings.append(_finding(column, "nothing in any row", cure))
            continue
        found = schema.field(column.name).type
        if not _takes(column, found):
            findings.append(_finding(column, f"a column of type {found}", ""))
    if findings:
        raise Refused(
            "invalid-rows",
            f"{len(findings)} column{'s' if len(findings) > 1 else ''} of the Arrow stream "
            "do not fit the signature",
            findings=findings,
        )


def _finding(column: Column, got: str, cure: str) -> Finding:
    return Finding(row=None, field=column.name, expected=expected(column), got=got, cure=cure)


def _takes(column: Column, found: Any) -> bool:
    import pyarrow as pa

    is_ = pa.types
    if is_.is_dictionary(found):
        found = found.value_type
    if is_.is_null(found):
        return True  # each of its rows is checked for null
    number = is_.is_integer(found) or is_.is_floating(found)
    takes: dict[str, Callable[[], bool]] = {
        "bool": lambda: is_.is_boolean(found),
        "int": lambda: is_.is_integer(found),
        "float": lambda: number,
        "text": lambda: is_.is_string(found) or is_.is_large_string(found),
        "datetime": lambda: is_.is_timestamp(found) and (found.tz is not None) == is_aware(column),
        "date": lambda: is_.is_date(found),
        "timedelta": lambda: is_.is_duration(found) or number,
        "object": lambda: True,
    }
    return takes[column.type]()


def read_chunk(signature: Signature, batch: Any) -> Chunk:
    """The columns of a frame for the rows of a record batch that passed `check_schema`.

    Raises Refused where a value is beyond what 64 bits hold.
    """
    import pyarrow as pa

    n = batch.num_rows
    arrays: dict[str, Any] = {}
    rejected: dict[int, str] = {}
    warnings: list[tuple[int | None, str, str]] = []
    for column in signature.columns:
        if column.name in batch.schema.names:
            try:
                arrays[column.name] = _converted(column, batch.column(column.name))
            except pa.ArrowException as error:
                raise Refused("bad-request", f"{column.name!r}: {error}") from None
        else:
            arrays[column.name] = pa.nulls(n, _arrow_type(column))
        _check(signature, column, arrays[column.name], rejected, warnings)
    kept = None
    if rejected:
        kept = [row for row in range(n) if row not in rejected]
        places = arrow_array("int", kept)
        sent = {name: array.take(places) for name, array in arrays.items()}
    else:
        sent = arrays
    columns = {
        column.name: (wire_of(column), packed(sent[column.name])) for column in signature.columns
    }
    return Chunk(n, kept, columns, arrays, rejected, warnings)


def _arrow_type(column: Column) -> Any:
    import pyarrow as pa

    types = {
        "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(),
        "datetime": pa.timestamp("us"), "timedelta": pa.duration("us"),
    }  # fmt: skip
    return types.get(column.type, pa.string())


def _converted(column: Column, array: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    wanted = _arrow_type(column)
    if column.type == "object":
        return arrow_array("json", [_as_json(value) for value in array.to_pylist()])
    if column.type == "datetime" and pa.types.is_timestamp(array.type) and array.type.tz:
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False).view(pa.int64())
        return array.view(pa.timestamp("us"))
    if column.type in ("datetime", "timedelta") and not pa.types.is_null(array.type):
        if not (pa.types.is_timestamp(array.type) or pa.types.is_duration(array.type)):
            seconds = array.cast(pa.float64())
            array = (
                pc.round(pc.multiply(seconds, arrow_array("float", [1e6])[0]))
                .cast(pa.int64())
                .view(wanted)
            )
        return array.cast(wanted, safe=False)
    if column.type == "date" and not pa.types.is_null(array.type):
        array = array.cast(pa.date32())
    return array if array.type == wanted else array.cast(wanted, safe=column.type != "float")


def _as_json(value: Any) -> str | None:
    import msgspec

    return None if value is None else msgspec.json.encode(value, enc_hook=str).decode()


def _check(
    signature: Signature,
    column: Column,
    array: Any,
    rejected: dict[int, str],
    warnings: list[tuple[int | None, str, str]],
) -> None:
    import pyarrow.compute as pc

    if array.null_count and not column.nullable:
        _reject(column, array.is_null(), array, rejected, "")
    if column.type == "float":
        strange = pc.invert(pc.is_finite(array))
        cure = "; send null for a missing number" if column.nullable else ""
        _reject(column, strange, array, rejected, cure)
    if column.levels is None or column.type != "text":
        return
    known = arrow_array("text", [level for level in column.levels if isinstance(level, str)])
    unknown = pc.and_(pc.invert(pc.is_in(array, value_set=known)), array.is_valid())
    for row in _places(unknown):
        said = f"{column.name}: {abbreviate(array[row].as_py())} was never seen at creation"
        if signature.unknown == "reject":
            rejected.setdefault(row, said)
        elif len(warnings) < MOST_WARNINGS:
            warnings.append((row, column.name, said))


def _reject(column: Column, mask: Any, array: Any, rejected: dict[int, str], cure: str) -> None:
    for row in _places(mask):
        got = abbreviate(array[row].as_py())
        rejected.setdefault(row, f"{column.name}: expected {expected(column)}, got {got}{cure}")


def _places(mask: Any) -> list[int]:
    import pyarrow.compute as pc

    found: list[int] = pc.indices_nonzero(mask).to_pylist()
    return found


def packed(array: Any) -> frames.Packed:
    """The buffers of an array as frames have them: from its first row, and no longer than it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    n, offset = len(array), array.offset
    if offset % 8:
        array = array.take(arrow_array("int", list(range(n))))
        offset = array.offset
    parts = array.buffers()
    bits = slice(offset // 8, offset // 8 + (n + 7) // 8)
    validity = memoryview(parts[0])[bits] if array.null_count and parts[0] is not None else None
    if pa.types.is_boolean(array.type):
        return frames.Packed(n, validity, [_view(parts[1])[bits]])
    if not pa.types.is_string(array.type):
        return frames.Packed(n, validity, [_view(parts[1])[8 * offset : 8 * (offset + n)]])
    if n == 0:
        return frames.Packed(0, None, [b"\0\0\0\0", b""])
    ends = pa.Array.from_buffers(pa.int32(), n + 1, [None, parts[1]], offset=offset)
    first, last = ends[0].as_py(), ends[n].as_py()
    if first or offset:
        ends = pc.subtract(ends, ends[0])
    offsets = _view(ends.buffers()[1])[4 * ends.offset : 4 * (ends.offset + n + 1)]
    return frames.Packed(n, validity, [offsets, _view(parts[2])[first:last]])


def _view(buffer: Any) -> memoryview:
    return memoryview(buffer) if buffer is not None else memoryview(b"")


def answer_schema(signature: Signature, release: str, request_id: str) -> Any:
    """The schema of the answers: the outputs, and per row why it has none, and warnings."""
    import pyarrow as pa

    fields = [
        pa.field(wire, _output_type(column))
        for output in signature.outputs
        for column, (_, wire) in zip(output.columns, wire_names(output), strict=True)
    ]
    fields += [pa.field(name, pa.string()) for name in (REASON, ERROR)]
    fields.append(pa.field(WARNINGS, pa.list_(pa.string())))
    return pa.schema(fields, {"release": release, "request_id": request_id})


def _output_type(column: Column) -> Any:
    import pyarrow as pa

    types = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}
    return types.get(column.type, pa.string())


def write_chunk(schema: Any, chunk: Chunk, answered: Answered | None, failure: str = "") -> Any:
    """The record batch that answers a chunk; without an answer, ``failure`` is each row's error."""
    import pyarrow as pa

    count = chunk.n if chunk.kept is None else len(chunk.kept)
    arrays = []
    for field in schema:
        if field.name in (REASON, ERROR, WARNINGS):
            continue
        if answered is None or answered.frame is None:
            arrays.append(pa.nulls(chunk.n, field.type))
            continue
        array = _without_nan(from_frame(answered.frame.columns[field.name], field.type))
        arrays.append(array if chunk.kept is None else array.take(_spread(chunk, count)))
    kept = chunk.kept if chunk.kept is not None else range(chunk.n)
    reasons = dict(chunk.rejected)
    errors: dict[int, str] = {}
    if answered is None:
        errors = dict.fromkeys(kept, failure)
    else:
        for row, (reason, _) in answered.rejected.items():
            reasons[kept[row]] = reason
        for row, message in answered.failed.items():
            errors[kept[row]] = f"flow-failed: {message}"
    arrays += [_sparse(chunk.n, "text", reasons), _sparse(chunk.n, "text", errors)]
    arrays.append(_sparse(chunk.n, "texts", _warnings(chunk, answered, kept)))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def from_frame(column: frames.Column, type_: Any) -> Any:
    """A column of a frame as an array over the same bytes."""
    import pyarrow as pa

    parts = [column.validity, *column.buffers]
    buffers = [None if part is None else pa.py_buffer(part) for part in parts]
    return pa.Array.from_buffers(type_, column.n, buffers)


def _without_nan(array: Any) -> Any:
    """Null for NaN, as in every other form of the answers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_floating(array.type):
        return array
    strange = pc.is_nan(array)
    if not pc.any(strange).as_py():
        return array
    return pc.if_else(strange, pa.nulls(len(array), array.type), array)


def _spread(chunk: Chunk, count: int) -> Any:
    """For each row of the chunk its place among the answers; null where it was not asked."""
    places: list[int | None] = [None] * chunk.n
    for at, row in enumerate(chunk.kept or ()):
        places[row] = at
    return arrow_array("int", places)


def _sparse(n: int, wire: str, values: Mapping[int, Any]) -> Any:
    """An array of ``n`` values, null but for these."""
    import pyarrow as pa

    if not values:
        return pa.nulls(n, pa.list_(pa.string()) if wire == "texts" else pa.string())
    return arrow_array(wire, [values.get(row) for row in range(n)])


def _warnings(chunk: Chunk, answered: Answered | None, kept: Any) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row, _, text in chunk.warnings:
        if row is not None:
            found.setdefault(row, []).append(text)
    for row, _, text in answered.warnings if answered is not None else ():
        for place in range(len(kept)) if row is None else (row,):
            found.setdefault(kept[place], []).append(text)
    return found
