"""Frames: what gateway and worker say to each other over a Unix socket.

A frame is a prefix of 16 bytes (length of the rest, magic, lengths of the two parts of the
header), the header as JSON, its columns as JSON, and their buffers in Arrow's memory layout,
each part padded to 8 bytes. The standard library writes it; NumPy and pyarrow wrap it without
a copy. The columns stand apart because they are the same from frame to frame, and so need not
be read each time.

Types and their buffers, after an optional validity bitmap (bit set: not null):
``bool`` bitmap · ``int`` int64 · ``float`` float64 · ``datetime`` and ``timedelta`` int64
microseconds · ``text`` and ``json`` int32 offsets, UTF-8 data · ``text`` whose description has
levels: for each row the place of its level, a byte.

A frame of a few rows may be *listed* instead: without buffers, its values column by column as JSON
in the header, which takes less time. Who reads such frames says so in its hello.
"""

from __future__ import annotations

import json
import struct
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import le
from typing import Any, Optional, Union

VERSION = 1
MAGIC = b"RWF1"
PREFIX = struct.Struct("<I4sII")
MAX_FRAME = 256 * 1024 * 1024
MAX_ROWS = 10_000_000
FIXED = {"int": "q", "float": "d", "datetime": "q", "timedelta": "q"}
TEXTS = ("text", "json")
MOST_LEVELS = 256

_to_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode

_LISTS = (list, tuple)
_ZEROS = b"\0" * 8
_CODES = bytes(range(256))

Buffer = Union[bytes, bytearray, memoryview]
Codes = Mapping[Optional[str], int]
"""The texts that a column may have, null among them or not, numbered from 0 in their order."""
Levels = tuple[Optional[str], ...]
Spec = tuple[str, str, bool, Levels]
"""A column's name, its type, whether there are nulls, and the levels that it is coded by."""


class FrameError(Exception):
    """What was read is not a frame, or what should be written does not fit into one."""


class Column:
    """One column of a frame: a type, a number of rows and views of its buffers.

    Where there are ``levels``, its only buffer has their codes.
    """

    __slots__ = ("buffers", "levels", "n", "type", "validity")

    def __init__(
        self,
        type: str,
        n: int,
        validity: Optional[memoryview],
        buffers: list[memoryview],
        levels: Levels = (),
    ) -> None:
        self.type = type
        self.n = n
        self.validity = validity
        self.buffers = buffers
        self.levels = levels

    def values(self) -> list[Any]:
        """The values as Python objects, None where null. Times stay microseconds.

        Raises FrameError where text is not UTF-8.
        """
        if self.levels:
            return list(map(self.levels.__getitem__, self.buffers[0]))
        if self.type == "bool":
            found: list[Any] = _unpack(self.buffers[0], self.n)
        elif self.type in FIXED:
            view: memoryview[Any] = self.buffers[0]
            view = view.cast("d") if self.type == "float" else view.cast("q")
            found = view.tolist()
        else:
            found = self._texts()
        if self.validity is not None:
            valid = _unpack(self.validity, self.n)
            found = [value if ok else None for value, ok in zip(found, valid)]
        return found

    def _texts(self) -> list[Any]:
        offsets = self.buffers[0].cast("i").tolist()
        data = bytes(self.buffers[1])
        try:
            if data.isascii():
                whole = data.decode("ascii")
                return [whole[a:b] for a, b in zip(offsets, offsets[1:])]
            return [data[a:b].decode("utf-8") for a, b in zip(offsets, offsets[1:])]
        except UnicodeDecodeError as error:
            raise FrameError("a text is not UTF-8: " + str(error)) from None


class Listed(Column):
    """A column of a listed frame: laid out in buffers only where these are asked for.

    Raises FrameError where a value is not of the type.
    """

    __slots__ = ("_laid_out", "_listed")

    def __init__(self, type: str, values: list[Any]) -> None:
        self.type = type
        self.n = len(values)
        self.levels = ()
        self._listed = _typed(type, values)
        self._laid_out: Optional[tuple[Optional[Buffer], list[Buffer]]] = None

    @property
    def validity(self) -> Any:  # type: ignore[override]
        """Where values are not null, as in any column."""
        return self._buffers()[0]

    @property
    def buffers(self) -> Any:  # type: ignore[override]
        """The values as in any column."""
        return self._buffers()[1]

    def values(self) -> list[Any]:
        """The values as they came."""
        return self._listed

    def _buffers(self) -> tuple[Optional[Buffer], list[Buffer]]:
        if self._laid_out is None:
            self._laid_out = encode_column(self.type, self._listed)
        return self._laid_out


class Packed:
    """``n`` values in Arrow's layout already: a validity bitmap, or None, and the buffers.

    Or texts by their ``levels``: then the only buffer has a byte for each value.
    """

    __slots__ = ("buffers", "levels", "n", "validity")

    def __init__(
        self, n: int, validity: Optional[Buffer], buffers: list[Buffer], levels: Levels = ()
    ) -> None:
        self.n = n
        self.validity = validity
        self.buffers = buffers
        self.levels = levels

    def __len__(self) -> int:
        return self.n

    def values(self, type: str) -> list[Any]:
        """The values as Python objects, as `Column.values` gives them."""
        validity = None if self.validity is None else memoryview(self.validity)
        buffers = [memoryview(part) for part in self.buffers]
        return Column(type, self.n, validity, buffers, self.levels).values()


class Frame:
    """A message: its kind, the id that an answer repeats, columns of ``n`` rows, and more."""

    __slots__ = ("columns", "id", "kind", "listed", "meta", "n")

    def __init__(
        self,
        kind: str,
        id: int,
        n: int,
        columns: dict[str, Column],
        meta: dict[str, Any],
        listed: bool = False,
    ) -> None:
        self.listed = listed
        self.kind = kind
        self.id = id
        self.n = n
        self.columns = columns
        self.meta = meta


def encode(
    kind: str,
    id: int = 0,
    n: int = 0,
    columns: Optional[Mapping[str, tuple[str, Any]]] = None,
    meta: Optional[Mapping[str, Any]] = None,
    limit: int = MAX_FRAME,
    listed: bool = False,
) -> bytes:
    """The bytes of a frame. ``columns`` maps names to (type, ``n`` values).

    Values are a sequence with None for null, a contiguous buffer of the type's own width, or
    `Packed`. A frame is ``listed`` where that is asked for and all values are lists or tuples.
    Raises FrameError where a value does not fit its type, or the whole exceeds ``limit``.
    """
    if listed and columns:
        written = _encode_listed(kind, id, n, columns, meta)
        if written is not None:
            return written
    specs: list[Spec] = []
    parts: list[Buffer] = []
    for name, (type_, values) in (columns or {}).items():
        if len(values) != n:
            raise FrameError(f"column {name!r} has {len(values)} values, not {n}")
        try:
            validity, buffers = encode_column(type_, values)
        except (TypeError, ValueError, OverflowError, struct.error) as error:
            raise FrameError(f"column {name!r} does not hold {type_}: {error}") from None
        levels = values.levels if isinstance(values, Packed) else ()
        specs.append((name, type_, validity is not None, levels))
        if validity is not None:
            buffers.insert(0, validity)
        for part in buffers:
            parts.append(part)
            spare = -_size(part) % 8
            if spare:
                parts.append(_ZEROS[:spare])
    described = _describe(tuple(specs))
    header = _padded(_to_json({"v": VERSION, "kind": kind, "id": id, "n": n, "meta": meta or {}}))
    length = len(header) + len(described) + sum(map(_size, parts))
    if length > limit:
        raise FrameError(f"a frame of {length} bytes exceeds the limit of {limit}")
    prefix = PREFIX.pack(length, MAGIC, len(header), len(described))
    return b"".join([prefix, header, described, *parts])


def _encode_listed(
    kind: str,
    id: int,
    n: int,
    columns: Mapping[str, tuple[str, Any]],
    meta: Optional[Mapping[str, Any]],
) -> Optional[bytes]:
    """A listed frame; None where not all values are listed, or a text may be no characters."""
    found = []
    for _, values in columns.values():
        if type(values) not in _LISTS:
            return None
        if len(values) != n:
            raise FrameError(f"a column has not {n} values")
        found.append(values)
    header = {"v": VERSION, "kind": kind, "id": id, "n": n, "meta": meta or {}, "values": found}
    try:
        text = _to_json(header)
    except (TypeError, ValueError) as error:
        raise FrameError(f"the values are none of JSON: {error}") from None
    if "\\ud" in text:  # a surrogate, alone or one of a pair
        return None
    written = _padded(text)
    described = _describe(tuple([(name, type_, False, ()) for name, (type_, _) in columns.items()]))
    length = len(written) + len(described)
    return PREFIX.pack(length, MAGIC, len(written), len(described)) + written + described


def pack(type_: str, values: Any, codes: Optional[Codes] = None) -> Packed:
    """A column's values in the layout of a frame: by ``codes`` where all values have one.

    Raises what `encode_column` raises.
    """
    coded = by_codes(values, codes) if codes is not None else None
    return Packed(len(values), *encode_column(type_, values)) if coded is None else coded


def by_codes(values: Any, codes: Codes) -> Optional[Packed]:
    """Texts by their codes; None where one of them has none."""
    try:
        return Packed(len(values), None, [bytes(map(codes.__getitem__, values))], tuple(codes))
    except KeyError:
        return None


def joined(type_: str, parts: Sequence[Packed]) -> Packed:
    """Columns of one type and the same levels, one after the other.

    Raises OverflowError where texts have more than 2 GiB together.
    """
    n = sum(part.n for part in parts)
    validity: Optional[Buffer] = None
    if any(part.validity is not None for part in parts):
        validity = _joined_bits([(part.n, part.validity) for part in parts])
    levels = parts[0].levels
    firsts = [part.buffers[0] for part in parts]
    if type_ == "bool":
        return Packed(n, validity, [_joined_bits([(part.n, part.buffers[0]) for part in parts])])
    if type_ in FIXED or levels:
        return Packed(n, validity, [b"".join(firsts)], levels)
    offsets = array("i", [0])
    for first in firsts:
        offsets.extend(map(offsets[-1].__add__, memoryview(first).cast("B").cast("i")[1:]))
    return Packed(n, validity, [offsets.tobytes(), b"".join([p.buffers[1] for p in parts])])


def plain(type_: str, values: Any) -> Any:
    """The same values where they are by levels written out, else as they are."""
    return values.values(type_) if isinstance(values, Packed) and values.levels else values


def decode(body: Buffer, header_length: int, described_length: int) -> Frame:
    """The frame whose bytes after the prefix are ``body``. Raises FrameError."""
    view = memoryview(body)
    at = header_length + described_length
    try:
        header = json.loads(str(view[:header_length], "utf-8"))
    except (ValueError, RecursionError) as error:
        raise FrameError(f"the header is not JSON: {error}") from None
    if not isinstance(header, dict) or not isinstance(header.get("v"), int):
        raise FrameError("the header names no version")
    if header["v"] > VERSION:
        raise FrameError(f"version {header['v']} is newer than {VERSION}, the newest known here")
    kind, id_, n, meta = header.get("kind"), header.get("id"), header.get("n"), header.get("meta")
    if not (isinstance(kind, str) and isinstance(id_, int) and isinstance(n, int)):
        raise FrameError("the header has no kind, id or number of rows")
    if not (isinstance(meta, dict) and 0 <= n <= MAX_ROWS):
        raise FrameError("the header's meta or number of rows can't be read")
    specs = _specs(bytes(view[header_length:at]))
    columns: dict[str, Column] = {}
    listed = header.get("values")
    if listed is not None:
        columns.update(_listed_columns(specs, n, listed))
    else:
        for spec in specs:
            columns[spec[0]], at = _decode_column(spec, n, view, at)
    if at != len(view):
        raise FrameError(f"{len(view) - at} bytes follow the last column")
    return Frame(kind, id_, n, columns, meta, listed is not None)


def _listed_columns(specs: list[Spec], n: int, listed: Any) -> dict[str, Column]:
    if not isinstance(listed, list) or len(listed) != len(specs):
        raise FrameError("the values are not those of the columns that are described")
    columns: dict[str, Column] = {}
    for (name, type_, _, _), values in zip(specs, listed):
        if not isinstance(values, list) or len(values) != n:
            raise FrameError(f"column {name!r} has not {n} values")
        try:
            columns[name] = Listed(type_, values)
        except (TypeError, ValueError, OverflowError) as error:
            raise FrameError(f"column {name!r} does not hold {type_}: {error}") from None
    return columns


_NONE = type(None)
_LISTED: dict[str, set[type]] = {"float": {float, int, _NONE}, "bool": {bool, _NONE}}


def _typed(type_: str, values: list[Any]) -> list[Any]:
    """The values of a listed column. Raises TypeError, ValueError or OverflowError."""
    if type_ in FIXED and type_ != "float":
        array("q", [0 if value is None else value for value in values])
        return values
    kinds = set(map(type, values))
    if not kinds <= _LISTED.get(type_, {str, _NONE}):
        raise TypeError("a value has another type")
    if int in kinds:
        return [None if value is None else float(value) for value in values]
    return values


class Assembler:
    """Makes frames of the pieces in which bytes arrive; holds at most one unfinished frame."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._need = PREFIX.size

    def feed(self, data: Buffer) -> Iterator[Frame]:
        """The frames that ``data`` completes. Raises FrameError on the first wrong byte seen."""
        self._pending += data
        while len(self._pending) >= self._need:
            length, header_length, described_length = _check_prefix(self._pending, self._limit)
            self._need = PREFIX.size + length
            if len(self._pending) < self._need:
                return
            if len(self._pending) == self._need:
                whole, self._pending = self._pending, bytearray()
            else:
                whole = self._pending[: self._need]
                self._pending = self._pending[self._need :]
            self._need = PREFIX.size
            yield decode(memoryview(whole)[PREFIX.size :], header_length, described_length)


def _check_prefix(data: Buffer, limit: int) -> tuple[int, int, int]:
    length, magic, header_length, described_length = PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise FrameError(f"the bytes {bytes(data[:16])!r} do not start a frame")
    if length > limit:
        raise FrameError(f"a frame of {length} bytes exceeds the limit of {limit}")
    if header_length + described_length > length or (header_length | described_length) % 8:
        raise FrameError(f"a header of {header_length} bytes does not fit a frame of {length}")
    return length, header_length, described_length


@lru_cache(maxsize=256)
def _describe(specs: tuple[Spec, ...]) -> bytes:
    return _padded(_to_json([spec if spec[3] else spec[:3] for spec in specs])) if specs else b""


@lru_cache(maxsize=256)
def _specs(described: bytes) -> list[Spec]:
    """What is said of each column. Raises FrameError."""
    try:
        found = json.loads(described) if described else []
    except (ValueError, RecursionError) as error:
        raise FrameError(f"the description of the columns is not JSON: {error}") from None
    if not isinstance(found, list):
        raise FrameError("the description of the columns can't be read")
    specs = []
    for spec in found:
        if not (isinstance(spec, list) and len(spec) in (3, 4)):
            raise FrameError("the description of a column can't be read")
        name, type_, nulls = spec[:3]
        if not (isinstance(name, str) and isinstance(type_, str) and isinstance(nulls, bool)):
            raise FrameError("the description of a column can't be read")
        if type_ not in FIXED and type_ not in TEXTS and type_ != "bool":
            raise FrameError(f"column {name!r} has the type {type_!r}, which is not known")
        specs.append((name, type_, nulls, _levels(name, *spec[3:]) if type_ == "text" else ()))
    return specs


def _levels(name: str, levels: Any = ()) -> Levels:
    if not isinstance(levels, (list, tuple)) or len(levels) > MOST_LEVELS:
        raise FrameError(f"column {name!r} has levels that can't be read")
    if not all(level is None or isinstance(level, str) for level in levels):
        raise FrameError(f"column {name!r} has levels that are no texts")
    return tuple(levels)


def _padded(text: str) -> bytes:
    encoded = text.encode("ascii")
    return encoded + b" " * (-len(encoded) % 8)


def _size(part: Buffer) -> int:
    return part.nbytes if isinstance(part, memoryview) else len(part)


def encode_column(type_: str, values: Any) -> tuple[Optional[Buffer], list[Buffer]]:
    """Validity bitmap (None: no nulls) and buffers of a column, in Arrow's layout.

    Raises TypeError, ValueError, OverflowError or FrameError where a value does not fit.
    """
    if isinstance(values, Packed):
        return values.validity, list(values.buffers)
    if type_ in FIXED:
        code = FIXED[type_]
        if not isinstance(values, (list, tuple)):
            ready = _own_buffer(values, code)
            if ready is not None:
                return None, [ready]
            values = list(values)
        try:
            return None, [_little(array(code, values))]
        except TypeError:
            if None not in values:
                raise
        filled = array(code, [0 if value is None else value for value in values])
        return _validity(values), [_little(filled)]
    if type_ not in TEXTS and type_ != "bool":
        raise FrameError(f"type {type_!r} is not known")
    validity = _validity(values) if None in values else None
    if type_ == "bool":
        for value in values:
            if value is not None and not isinstance(value, bool):
                raise TypeError(f"{value!r} is not a bool")
        return validity, [_pack(values)]
    texts = values if validity is None else ["" if value is None else value for value in values]
    offsets = array("i", [0])
    whole = "".join(texts)
    if whole.isascii():  # each character is a byte: nothing has to be encoded apart
        offsets.extend(accumulate(map(len, texts)))
        return validity, [_little(offsets), whole.encode("ascii")]
    encoded = [text.encode("utf-8") for text in texts]
    offsets.extend(accumulate(map(len, encoded)))
    return validity, [_little(offsets), b"".join(encoded)]


def _own_buffer(values: Any, code: str) -> Optional[memoryview]:
    try:
        view = memoryview(values)
    except TypeError:
        return None
    same = view.format == code or (code == "q" and view.format == "l" and view.itemsize == 8)
    if same and view.ndim == 1 and view.c_contiguous and sys.byteorder == "little":
        return view.cast("B") if view.nbytes else memoryview(b"")
    return None


def _little(values: array[Any]) -> bytes:
    if sys.byteorder != "little":
        values.byteswap()
    return values.tobytes()


def _validity(values: Sequence[Any]) -> bytes:
    return _pack([value is not None for value in values])


def _pack(values: Sequence[Any]) -> bytes:
    size = (len(values) + 7) // 8
    if not values:
        return b""
    digits = "".join(["1" if value else "0" for value in reversed(values)])
    return int(digits, 2).to_bytes(size, "little")


def _joined_bits(parts: Sequence[tuple[int, Optional[Buffer]]]) -> bytes:
    """Bitmaps of so many bits one after the other; None stands for bits that are all set."""
    whole = at = 0
    for n, bits in parts:
        every = (1 << n) - 1
        whole |= (every if bits is None else int.from_bytes(bits, "little") & every) << at
        at += n
    return whole.to_bytes((at + 7) // 8, "little")


def _unpack(bitmap: Buffer, n: int) -> list[bool]:
    if not n:
        return []
    digits = bin(int.from_bytes(bitmap, "little") | 1 << (8 * len(bitmap)))[3:]
    return [digit == "1" for digit in digits[: -n - 1 : -1]]


def _decode_column(spec: Spec, n: int, view: memoryview, at: int) -> tuple[Column, int]:
    name, type_, nulls, levels = spec
    validity = None
    if nulls:
        validity, at = _take(name, view, at, (n + 7) // 8)
    if type_ in FIXED:
        values, at = _take(name, view, at, 8 * n)
        return Column(type_, n, validity, [values]), at
    if type_ == "bool":
        values, at = _take(name, view, at, (n + 7) // 8)
        return Column(type_, n, validity, [values]), at
    if levels:
        codes, at = _take(name, view, at, n)
        if bytes(codes).translate(None, _CODES[: len(levels)]):
            raise FrameError(f"column {name!r} has codes of no level")
        return Column(type_, n, None, [codes], levels), at
    offsets, at = _take(name, view, at, 4 * (n + 1))
    ends = offsets.cast("i").tolist()
    if ends[0] != 0 or ends[-1] < 0 or not all(map(le, ends, ends[1:])):
        raise FrameError(f"column {name!r} has offsets that do not ascend from zero")
    data, at = _take(name, view, at, ends[-1])
    return Column(type_, n, validity, [offsets, data]), at


def _take(name: str, view: memoryview, at: int, size: int) -> tuple[memoryview, int]:
    if at + size > len(view):
        raise FrameError(f"column {name!r} reaches beyond the end of its frame")
    return view[at : at + size], at + size + -size % 8
