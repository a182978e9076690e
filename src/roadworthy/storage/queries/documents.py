"""Core values as JSON text: how the column ``document`` is written and read."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

import roadworthy.core.prepared  # noqa: F401 - connections are used in threads
from roadworthy.errors import Damaged

T = TypeVar("T")


def encode(value: Any) -> str:
    """A value as JSON text."""
    return msgspec.json.encode(value).decode()


def decode(text: str, kind: type[T], what: str) -> T:
    """The value that a JSON text holds. Raises Damaged, naming what it should be."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise Damaged(
            f"the record of {what} can't be read: {error}",
            cure="restore the metadata from a backup: the newest is in backups/",
        ) from error
