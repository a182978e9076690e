"""Why a program's production part can't be computed: the thing, the reason, the cure, the line."""

from __future__ import annotations

from typing import Any, Dict


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

    def as_dict(self) -> Dict[str, Any]:
        """Plain data, in the shape of RoadworthyError.problem()."""
        return {
            "code": self.code, "message": self.message, "cure": self.cure,
            "line": self.line or None, "details": self.details,
        }  # fmt: skip
