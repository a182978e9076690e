"""Arrow's IPC stream taken apart as its bytes arrive: one message at a time, each within bounds.

A stream is a sequence of messages, each a marker of four bytes, the length of its metadata, the
metadata as a flatbuffer, and a body whose length the metadata tells (Arrow's columnar format,
"Encapsulated message format"). Only as much is read here as is needed to cut the stream; pyarrow
reads the messages themselves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from roadworthy.serving.problems import Refused

MARKER = b"\xff\xff\xff\xff"
MOST_METADATA = 1 << 20
MOST_DICTIONARIES = 1000
SCHEMA, DICTIONARY, BATCH = 1, 2, 3
VERSION_SLOT, TYPE_SLOT, HEADER_SLOT, BODY_SLOT = range(4)
COMPRESSION_SLOT = 3


class Messages:
    """Cuts a stream into record batches. Raises Refused where it is none, or too large.

    Holds one unfinished message, the schema, and dictionaries of at most ``most_bytes``.
    """

    def __init__(self, most_bytes: int) -> None:
        self.schema: Any = None
        self.ended = False
        self._most = most_bytes
        self._pending = bytearray()
        self._need = 8
        self._metadata = 0
        self._measured = False
        self._first: list[bytes] = []
        self._first_bytes = 0

    def feed(self, data: bytes) -> Iterator[Any]:
        """The record batches that ``data`` completes, as pyarrow has them, and validated."""
        self._pending += data
        while not self.ended and len(self._pending) >= self._need:
            if not self._metadata:
                self._begin()
            elif not self._measured:
                self._measure()
            else:
                message = self._cut()
                kind = _kind(bytes(message[8 : 8 + self._metadata]))
                self._need, self._metadata, self._measured = 8, 0, False
                batch = self._take(kind, message)
                if batch is not None:
                    yield batch

    def _cut(self) -> bytearray:
        """The message that is complete; what is large is not copied if nothing follows it."""
        if len(self._pending) == self._need:
            message, self._pending = self._pending, bytearray()
        else:
            message = self._pending[: self._need]
            del self._pending[: self._need]
        return message

    def end(self) -> None:
        """The stream is over. Raises Refused where it ends within a message or before a schema."""
        if self.schema is None or (self._pending and not self.ended):
            raise _bad("it ends early")

    def _begin(self) -> None:
        marker, size = struct.unpack_from("<4si", self._pending)
        if marker != MARKER:
            raise _bad("a message does not begin with its marker")
        if size == 0:
            self.ended = True
            self._pending.clear()
            return
        if not 0 < size <= MOST_METADATA:
            raise _bad(f"a message's metadata has {size} bytes")
        self._metadata = size
        self._need = 8 + size

    def _measure(self) -> None:
        metadata = bytes(self._pending[8 : self._need])
        size = _body_length(metadata)
        if not 0 <= size <= self._most:
            raise Refused(
                "body-too-large",
                f"a message of the Arrow stream has {size} bytes, more than {self._most}",
                cure="write the table in smaller record batches",
            )
        self._need += size
        self._measured = True

    def _take(self, kind: int, message: bytearray) -> Any:
        import pyarrow as pa

        if kind == SCHEMA:
            if self.schema is not None:
                raise _bad("it has two schemas")
            try:
                schema = pa.ipc.read_schema(pa.py_buffer(bytes(message)))
                schema.names, schema.types  # noqa: B018 - names that are not UTF-8 show here
            except (pa.ArrowException, OSError, ValueError) as error:
                raise _bad(str(error)) from None
            self.schema = schema
            self._keep(message)
            return None
        if self.schema is None:
            raise _bad("it does not begin with a schema")
        if _is_compressed(message):
            raise Refused(
                "content-encoding",
                "the record batches of the Arrow stream are compressed",
                cure="write them without compression, or compress the body as a whole",
            )
        if kind == DICTIONARY:
            self._keep(message)
            return None
        if kind != BATCH:
            raise _bad(f"a message has the type {kind}, which does not belong there")
        try:
            if len(self._first) == 1:
                whole = pa.ipc.read_message(pa.py_buffer(message))
                batch = pa.ipc.read_record_batch(whole, self.schema)
            else:
                stream = pa.py_buffer(b"".join([*self._first, message]))
                with pa.ipc.open_stream(stream) as reader:
                    batch = reader.read_next_batch()
            batch.validate(full=True)
        except (pa.ArrowException, OSError, ValueError, StopIteration) as error:
            raise _bad(str(error)) from None
        return batch

    def _keep(self, message: bytearray) -> None:
        """What every later batch is read with: the schema and the dictionaries so far."""
        self._first.append(bytes(message))
        self._first_bytes += len(message)
        if self._first_bytes > self._most or len(self._first) > MOST_DICTIONARIES:
            raise _bad("its dictionaries are too large", "send texts instead of dictionaries")


def _body_length(metadata: bytes) -> int:
    at = _slot(metadata, _root(metadata), BODY_SLOT)
    return int(_unpack("<q", metadata, at)) if at else 0


def _kind(metadata: bytes) -> int:
    at = _slot(metadata, _root(metadata), TYPE_SLOT)
    return int(_unpack("<B", metadata, at)) if at else 0


def _is_compressed(message: bytearray) -> bool:
    """Whether the header of a record batch (or of a dictionary's one) names a compression."""
    (size,) = struct.unpack_from("<i", message, 4)
    metadata = bytes(message[8 : 8 + size])
    at = _slot(metadata, _root(metadata), HEADER_SLOT)
    table = at + _unpack("<I", metadata, at) if at else 0
    if _kind(metadata) == DICTIONARY and table:
        at = _slot(metadata, table, 1)
        table = at + _unpack("<I", metadata, at) if at else 0
    return bool(table and _slot(metadata, table, COMPRESSION_SLOT))


def _root(metadata: bytes) -> int:
    return int(_unpack("<I", metadata, 0))


def _slot(metadata: bytes, table: int, number: int) -> int:
    """Where a flatbuffer's table has the field of that number; 0 if it has none."""
    vtable = table - _unpack("<i", metadata, table)
    if 4 + 2 * number >= _unpack("<H", metadata, vtable):
        return 0
    offset = _unpack("<H", metadata, vtable + 4 + 2 * number)
    return table + int(offset) if offset else 0


def _unpack(form: str, metadata: bytes, at: int) -> int:
    try:
        if at < 0:
            raise struct.error
        (found,) = struct.unpack_from(form, metadata, at)
    except struct.error:
        raise _bad("a message's metadata can't be read") from None
    return int(found)


def _bad(what: str, cure: str = "") -> Refused:
    return Refused("bad-arrow", f"the body is no Arrow stream that can be read: {what}", cure=cure)
