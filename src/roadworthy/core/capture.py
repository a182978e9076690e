"""What capture found in a creation program: the report that people read."""

from __future__ import annotations

from typing import Any, Literal

from roadworthy.core.values import Document

LineRole = Literal["kept", "frozen", "dropped", "blank"]


class Mark(Document):
    """A part of a line (columns, from 0, end excluded) of which only the value is kept."""

    start: int
    end: int
    note: str = ""


class SourceLine(Document):
    """One line of a program: its text, its role in production, and why."""

    number: int
    text: str
    role: LineRole
    why: str = ""
    marks: list[Mark] = []


class SourceFile(Document):
    """One file of a program, marked line by line. ``path`` is relative to the program's folder."""

    path: str
    lines: list[SourceLine]


class Decision(Document):
    """Something that capture decided for the author, and how to decide otherwise."""

    line: int
    decision: str
    because: str
    override: str = ""
    file: str = ""


class StateEntry(Document):
    """One frozen value: where it was learned, how it is stored."""

    name: str
    summary: str
    file: str
    format: str
    digest: str
    bytes: int
    line: int | None = None
    learned: bool = True
    origin: str = ""
    """The program's file, or the notebook's cell, that ``line`` is in."""


class GraphNode(Document):
    """One node of the flow's graph: a step, a state value, the input or an output."""

    id: str
    kind: Literal["input", "step", "state", "output"]
    label: str
    line: int | None = None
    file: str = ""
    """The program's file, or the notebook's cell, that ``line`` is in."""
    reads: list[str] = []
    """Columns that a step names and reads."""
    makes: list[str] = []
    """Columns that a step sets; of the input, those that a request has to have."""


class CaptureReport(Document):
    """The whole finding. Statements are counted as executed at the program's own level."""

    files: list[SourceFile]
    decisions: list[Decision]
    state: list[StateEntry]
    nodes: list[GraphNode] = []
    edges: list[tuple[str, str]] = []
    statements: int = 0
    kept: int = 0
    frozen: int = 0
    dropped: int = 0
    warnings: list[str] = []
    details: dict[str, Any] = {}
