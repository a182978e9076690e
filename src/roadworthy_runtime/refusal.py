"""Why a program's production part can't be computed: the thing, the reason, the cure, the line."""

from __future__ import annotations

from typing import Any, Dict, Tuple


class Line(int):
    """A line's number that knows the file (or the notebook's cell) that has it."""

    file: str

    def __new__(cls, number: int, file: str) -> "Line":
        made = super().__new__(cls, number)
        made.file = file
        return made

    def __eq__(self, other: Any) -> bool:
        """Lines of two files are two lines; a plain number says nothing of the file."""
        return int(self) == other and getattr(other, "file", self.file) == self.file

    def __ne__(self, other: Any) -> bool:
        return not self == other

    __hash__ = int.__hash__

    def __reduce__(self) -> Tuple[Any, ...]:
        return Line, (int(self), self.file)


class Refusal(Exception):
    """Capture stops here. ``code`` is one of roadworthy.errors' codes."""

    def __init__(
        self, message: str, cure: str = "", line: int = 0, code: str = "capture", **details: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure
        self.line = line
        self.code = code
        self.details = details
        if isinstance(line, Line):
            self.details.setdefault("file", line.file)

    def as_dict(self) -> Dict[str, Any]:
        """Plain data, in the shape of RoadworthyError.problem()."""
        return {
            "code": self.code, "message": self.message, "cure": self.cure,
            "line": int(self.line) or None, "details": self.details,
        }  # fmt: skip
