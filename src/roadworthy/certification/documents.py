"""The certificate as a file: JSON that a third party can read, the same bytes every time."""

from __future__ import annotations

import msgspec

from roadworthy.core.certificate import Certificate
from roadworthy.errors import Damaged, NewerFormat

FORMAT = 1


def encode_certificate(certificate: Certificate) -> bytes:
    """``certificate.json``: indented, keys sorted within evidence, ending with a line feed."""
    return msgspec.json.format(msgspec.json.encode(certificate, order="sorted"), indent=2) + b"\n"


def decode_certificate(content: bytes) -> Certificate:
    """The certificate in a file. Raises Damaged, or NewerFormat for one of a newer Roadworthy."""
    try:
        found = msgspec.json.decode(content, type=_Format)
        if found.format > FORMAT:
            raise NewerFormat(
                f"this certificate has format {found.format}, and {FORMAT} is the newest known",
                cure="read it with a newer Roadworthy",
            )
        return msgspec.json.decode(content, type=Certificate)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(
            f"this certificate can't be read: {error}", cure="certify the release again"
        ) from error


class _Format(msgspec.Struct):
    format: int
