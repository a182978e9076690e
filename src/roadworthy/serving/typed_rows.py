"""Reading JSON records that fit a signature straight into columns of its types.

Nearly all requests fit, and a decoder that knows the types checks them while it reads, in half the
time. Of a body that does not fit, or has another form, it only says so: to find out what is wrong
in which row and field, the body is read again without types (codec_plain.py, validation.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from roadworthy.core.signature import Column, Signature
from roadworthy.serving.payload import too_many_rows
from roadworthy.serving.validation import INT64, PACKED_FROM, Checked, Sent, wire_of
from roadworthy_runtime import frames

_TYPES: dict[str, Any] = {
    "bool": bool,
    "int": Annotated[int, msgspec.Meta(ge=-INT64, le=INT64 - 1)],
    "float": float,
    "text": str,
}


class TypedRows:
    """The reader for one signature: ``read`` takes what was posted to a release.

    ``codes`` has the columns whose texts are to be found among few levels.
    """

    def __init__(self, signature: Signature, codes: Mapping[str, frames.Codes]) -> None:
        self._names = [column.name for column in signature.columns]
        self._typed = frozenset(c.name for c in signature.columns if _type(c) is not Any)
        self._columns = [
            (column.name, wire_of(column), _levels(column), codes.get(column.name))
            for column in signature.columns
        ]
        self._whole = len(self._typed) == len(self._names)
        fields = [
            (f"f{at}", _type(column), msgspec.field(**_default(signature, column)))
            for at, column in enumerate(signature.columns)
        ]
        record = msgspec.defstruct(
            "Record",
            fields,
            kw_only=True,
            gc=False,
            rename={f"f{at}": name for at, name in enumerate(self._names)},
        )
        self._decoder = msgspec.json.Decoder(record | list[record])  # type: ignore[valid-type]

    def read(self, body: bytes, most_rows: int) -> Sent | None:
        """The rows; None where the body is anything but records that fit.

        Raises Refused where there are too many.
        """
        try:
            rows = self._decoder.decode(body)
            if not body.isascii():
                body.decode("utf-8")  # fields that are skipped are not looked into
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if type(rows) is not list:
            values = [[value] for value in msgspec.structs.astuple(rows)]
            return Sent(
                1, dict(zip(self._names, values, strict=True)), single=True, typed=self._typed
            )
        if not rows:
            return None
        if len(rows) > most_rows:
            raise too_many_rows(most_rows)
        columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
        return Sent(len(rows), dict(zip(self._names, columns, strict=True)), typed=self._typed)

    def check(self, sent: Sent) -> Checked | None:
        """The columns of rows that were read here, where nothing is to be said of them; else None.

        What `check_rows` would find, in a part of the time: types were held while reading, and
        texts that have codes are among the levels.
        """
        if not (self._whole and sent.typed):
            return None
        found: dict[str, tuple[str, Any]] = {}
        many = sent.n >= PACKED_FROM
        for name, wire, levels, codes in self._columns:
            values: Any = sent.columns[name]
            if many and codes is not None:
                values = frames.by_codes(values, codes)
                if values is None:
                    return None
            elif levels is not None and not levels.issuperset(values):
                return None
            elif many:
                values = frames.pack(wire, values)
            found[name] = (wire, values)
        return Checked(sent.n, found, {}, [])


def _levels(column: Column) -> frozenset[Any] | None:
    """What texts of the column may be without a word, null among them; None where anything."""
    return None if column.levels is None else frozenset([*column.levels, None])


def _type(column: Column) -> Any:
    """What the decoder holds a field to; Any where it can't say all that is to be said."""
    found = _TYPES.get(column.type)
    if found is None or (column.levels is not None and column.type != "text"):
        return Any
    return found | None if column.nullable else found


def _default(signature: Signature, column: Column) -> dict[str, Any]:
    """Records may lack a key where creation's records did."""
    return {"default": None} if column.nullable and signature.kind == "records" else {}
