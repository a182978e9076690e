"""BLAKE3 digests: the names of contents."""

from __future__ import annotations

import re
from pathlib import Path

from blake3 import blake3

from roadworthy.errors import UsageError

_DIGEST = re.compile(r"[0-9a-f]{64}")
CHUNK = 1 << 20


def digest_of(data: bytes | bytearray) -> str:
    """The digest of some bytes, 64 hexadecimal digits.

    >>> digest_of(b"")[:16]
    'af1349b9f5f9a1a6'
    """
    return blake3(data).hexdigest()


def digest_of_file(path: Path) -> str:
    """The digest of a file's bytes. Raises OSError."""
    hasher = blake3()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def check_digest(digest: str) -> str:
    """The digest itself, if it has the form of one. Raises UsageError."""
    if not _DIGEST.fullmatch(digest):
        raise UsageError(f"{digest!r} is not a digest: 64 lower-case hexadecimal digits are")
    return digest


def short(digest: str) -> str:
    """How a digest is written for people.

    >>> short("af1349b9f5f9a1a6")
    'b3:af1349b'
    """
    return f"b3:{digest[:7]}"
