"""One recorded execution of a creation program."""

from __future__ import annotations

from typing import Any, Literal

from roadworthy.core.values import Document


class ProgramFile(Document):
    """A file of the program, by content. ``path`` is relative to the program's folder."""

    path: str
    digest: str
    bytes: int


class Package(Document):
    """A distribution that was loaded while the program ran."""

    name: str
    version: str


class DatasetRead(Document):
    """A commit that a program read: its name with the whole digest, and how it was asked for.

    ``live``: a new commit on the branch is to make a new release by itself.
    """

    name: str
    asked: str
    live: bool = False

    @property
    def commit(self) -> str:
        """The commit's digest."""
        return self.name.partition("@")[2]


class Run(Document):
    """What was run, with what, when, and how it ended. Times are UTC, ISO 8601."""

    id: str
    program: str
    files: list[ProgramFile]
    arguments: list[str]
    parameters: dict[str, Any]
    metrics: dict[str, float]
    python: str
    packages: list[Package]
    started: str
    seconds: float
    status: Literal["captured", "failed"]
    problem: dict[str, Any] | None = None
    caller: str = ""
    datasets: list[DatasetRead] = []
