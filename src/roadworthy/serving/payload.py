"""From the bytes of a body to JSON values or CSV rows, within bounds of size, depth and time."""

from __future__ import annotations

import codecs
import csv
import io
import json
import zlib
from typing import Any

import msgspec

from roadworthy.serving.problems import Refused

JSON_TYPES = ("application/json", "")
CSV_TYPES = ("text/csv", "application/csv")
MOST_CSV_COLUMNS = 10_000


def inflate(body: bytes, encoding: str, most: int) -> bytes:
    """The body as it was before ``Content-Encoding``. Raises Refused beyond ``most`` bytes."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise Refused(
            "content-encoding",
            f"the content encoding {encoding[:40]!r} is not supported",
            cure="send gzip, deflate or none",
        )
    machine = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        found = machine.decompress(body, most + 1)
    except zlib.error as error:
        raise Refused("bad-request", f"the body is not {encoding}: {error}") from None
    if len(found) > most:
        raise too_large(most)
    if not machine.eof:
        raise Refused("bad-request", f"the {encoding} body ends early")
    return found


def too_large(most: int) -> Refused:
    """The refusal of a body of more than ``most`` bytes."""
    return Refused(
        "body-too-large",
        f"the body exceeds {most} bytes after decompression",
        cure="send the rows in several requests",
    )


def media_type(content_type: str) -> tuple[str, str]:
    """The media type in lower case, and the charset in Python's name for it ('' if unknown).

    >>> media_type("Application/JSON; charset=UTF8")
    ('application/json', 'utf-8')
    """
    name, _, rest = content_type.partition(";")
    charset = "utf-8"
    for parameter in rest.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            try:
                charset = codecs.lookup(value.strip().strip("\"'")).name
            except LookupError:
                charset = ""
    return name.strip().lower(), charset


def check_json_type(content_type: str) -> None:
    """Raise Refused unless the type is JSON in UTF-8; a missing type counts as JSON."""
    if content_type in ("application/json", ""):
        return
    name, charset = media_type(content_type)
    if name not in JSON_TYPES and not name.endswith("+json"):
        raise Refused(
            "content-type",
            f"the content type {name[:80]!r} is not supported here",
            cure="send application/json",
        )
    _check_charset(charset)


def _check_charset(charset: str) -> None:
    if charset not in ("utf-8", "ascii"):
        raise Refused("content-type", "the charset of the body is not UTF-8", cure="send UTF-8")


def decode_json(body: bytes) -> Any:
    """The JSON value of a body.

    Where strict JSON fails, Python's wider reading is tried, so that NaN, Infinity and
    numbers beyond all bounds are found as values of a row and field. Raises Refused.
    """
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise Refused("bad-json", "the body is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = str(error)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(
            "bad-text", f"the body is not UTF-8 (byte {error.start})", cure="send UTF-8"
        ) from None
    try:
        return json.loads(text, parse_int=_whole)
    except RecursionError:
        raise Refused("bad-json", "the body is nested too deeply") from None
    except ValueError:
        raise Refused("bad-json", f"the body can't be read: {reason}") from None


def _whole(digits: str) -> int | float:
    """An integer, or infinity where it has more digits than anybody means."""
    return int(digits) if len(digits) <= 40 else float("inf")


def decode_csv(body: bytes, charset: str, most_rows: int) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV body, as text. Raises Refused."""
    _check_charset(charset)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(
            "bad-text", f"the body is not UTF-8 (byte {error.start})", cure="send UTF-8"
        ) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    try:
        header = next(reader, [])
        if not header or len(header) > MOST_CSV_COLUMNS:
            raise Refused("bad-request", "the CSV body has no header, or far too long a one")
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise Refused(
                    "bad-request",
                    f"line {reader.line_num} has {len(row)} fields, the header {len(header)}",
                )
            rows.append(row)
            if len(rows) > most_rows:
                raise too_many_rows(most_rows)
    except csv.Error as error:
        raise Refused("bad-request", f"line {reader.line_num} of the CSV: {error}") from None
    return header, rows


def too_many_rows(most: int) -> Refused:
    """The refusal of a request of more than ``most`` rows."""
    return Refused(
        "too-many-rows",
        f"a request may have {most} rows at most",
        cure="send the rows in several requests",
    )
