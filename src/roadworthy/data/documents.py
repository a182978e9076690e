"""Commits and changes of names as blobs: a line that says what it is, then JSON."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from roadworthy.core.dataset import Commit, RefChange
from roadworthy.errors import Damaged, NewerFormat
from roadworthy.storage.blobs import Blobs

T = TypeVar("T", Commit, RefChange)

LINES: dict[type, bytes] = {
    Commit: b"roadworthy commit 1\n",
    RefChange: b"roadworthy ref 1\n",
}
LONGEST = max(map(len, LINES.values()))


def put_document(blobs: Blobs, value: Commit | RefChange) -> str:
    """Keeps a commit or a change of names; its digest. Raises StorageError, Unavailable."""
    return blobs.put(LINES[type(value)] + msgspec.json.encode(value))


def get_document(blobs: Blobs, digest: str, kind: type[T]) -> T:
    """The commit or change of a digest. Raises Damaged, NewerFormat, StorageError."""
    return load_document(blobs.get(digest), digest, kind)


def load_document(data: bytes, digest: str, kind: type[T]) -> T:
    """The value that a blob holds. Raises Damaged, NewerFormat."""
    line, _, text = data.partition(b"\n")
    if line + b"\n" != LINES[kind]:
        if line.startswith(b"roadworthy "):
            raise NewerFormat(f"b3:{digest[:7]} says {line.decode()!r}: a newer form")
        raise Damaged(f"b3:{digest[:7]} is not what it should be", cure="roadworthy data fsck")
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise Damaged(f"b3:{digest[:7]} can't be read: {error}") from error
