"""Every error that Roadworthy raises: a small tree, each class with a stable code.

An error says the thing, the reason and the cure, in that order. ``str(error)`` is what a
person reads in a terminal; ``error.problem()`` is what a program reads.
"""

from __future__ import annotations

from typing import Any, ClassVar


class RoadworthyError(Exception):
    """The base of all: what went wrong, with what, why, and what to do about it.

    >>> print(NotFound("model flight-dela does not exist", cure="did you mean flight-delay?"))
    model flight-dela does not exist
      → did you mean flight-delay?
    """

    code: ClassVar[str] = "error"

    def __init__(
        self, message: str, *, cure: str = "", line: int | None = None, **details: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure
        self.line = line
        self.details = details

    def __str__(self) -> str:
        where = self.place
        return (
            (f"{where}: " if where else "")
            + f"{self.message}"
            + (f"\n  → {self.cure}" if self.cure else "")
        )

    @property
    def place(self) -> str:
        """Where in the program, in words: its line, with the cell or module that has it."""
        named = self.details.get("place")
        return str(named) if named else f"line {self.line}" if self.line else ""

    def problem(self) -> dict[str, Any]:
        """The error as plain data: code, message, cure, line, details."""
        return {
            "code": self.code,
            "message": self.message,
            "cure": self.cure,
            "line": self.line,
            "details": self.details,
        }


class UsageError(RoadworthyError):
    """The call itself can't be carried out as it was put."""

    code = "usage"


class SettingsError(UsageError):
    """A setting is unknown, or its value can't be used."""

    code = "settings"


class InvalidName(UsageError):
    """A name of a model, release or dataset has a form that can't be used."""

    code = "invalid-name"


class NotFound(RoadworthyError):
    """The thing that was named does not exist."""

    code = "not-found"


class Conflict(RoadworthyError):
    """Somebody or something else got there first, or the state has moved on."""

    code = "conflict"


class SignatureConflict(Conflict):
    """A release would break callers of the model's current release."""

    code = "signature-conflict"


class PolicyViolation(RoadworthyError):
    """A stage's policy does not let this release in."""

    code = "policy"


class ProgramFailed(RoadworthyError):
    """The creation program itself ended with an error; its own traceback is in the details."""

    code = "program-failed"


class CaptureError(RoadworthyError):
    """The production part of a program can't be computed; ``line`` is the program's."""

    code = "capture"


class LawBroken(CaptureError):
    """A step answers one row differently from the same row among others."""

    code = "law-broken"


class VerificationFailed(CaptureError):
    """The captured flow does not answer as the program did."""

    code = "verification"


class EnvironmentFailed(RoadworthyError):
    """An environment can't be made as its lock says."""

    code = "environment"


class InvalidRows(RoadworthyError):
    """Rows that were sent do not fit the signature; the details list every finding."""

    code = "invalid-rows"


class SchemaBroken(RoadworthyError):
    """A source delivered what has not the columns or the form that it is configured for."""

    code = "schema-broken"


class WorkerFailed(RoadworthyError):
    """A release's worker did not start, died, or did not answer in time."""

    code = "worker-failed"


class Unavailable(RoadworthyError):
    """A part that is needed does not answer now; trying again later can help."""

    code = "unavailable"


class StorageError(RoadworthyError):
    """Something stored is missing, damaged, or can't be written."""

    code = "storage"


class Damaged(StorageError):
    """What was read is not what was written: its digest differs."""

    code = "damaged"


class Erased(StorageError):
    """A content was removed from all history on purpose; its digest and the reason are kept."""

    code = "erased"


class NewerFormat(StorageError):
    """The data was written by a newer Roadworthy."""

    code = "newer-format"


class NotAllowed(RoadworthyError):
    """The caller has no right to do this."""

    code = "not-allowed"
