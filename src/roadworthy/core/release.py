"""Releases: immutable, numbered under a model, identified by what determines their answers."""

from __future__ import annotations

from typing import Literal

from roadworthy.core.signature import Signature
from roadworthy.core.values import Document

WHEELS = "wheels/"
"""Where a release's files hold the wheels of packages that no index has."""


class FlowFile(Document):
    """A file of the emitted flow directory, by content."""

    path: str
    digest: str
    bytes: int


class Lock(Document):
    """An environment: Python's version and pinned requirements with hashes where known.

    ``text`` is in pip's requirements format and names no index.
    """

    python: str
    text: str
    digest: str


class Release(Document):
    """One release. ``digest`` is its identity; ``number`` is a name for it."""

    model: str
    number: int
    digest: str
    files: list[FlowFile]
    signature: Signature
    lock: Lock
    run: str
    made: str
    caller: str = ""
    notes: str = ""
    quarantined: str = ""
    format: int = 1

    @property
    def name(self) -> str:
        """``flight-delay@12``."""
        return f"{self.model}@{self.number}"


DeploymentKind = Literal["service", "app", "job", "stream"]
