"""What people and programs get to read: tables and lines, or one JSON document."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from roadworthy.errors import ProgramFailed, RoadworthyError


def emit_json(value: Any) -> None:
    """A value as indented JSON on standard output."""
    print(msgspec.json.format(msgspec.json.encode(value, enc_hook=str)).decode())


def print_error(error: RoadworthyError, as_json: bool) -> None:
    """An error: for programs on standard output, for people on standard error."""
    if as_json:
        emit_json({"error": error.problem()})
        return
    told = isinstance(error, ProgramFailed)  # by the program itself, when it ended
    traceback = None if told else error.details.get("traceback")
    print(str(error), file=sys.stderr)
    if traceback:
        print(f"\n{traceback}".rstrip(), file=sys.stderr)


def say(line: str = "") -> None:
    """A line for people."""
    print(line)


def say_page(address: str, path: str) -> None:
    """Where a page shows the same, and more: after what a person reads, never in JSON."""
    say(f"\npage: {address}{path}")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns as wide as they need to be; the last one may run on."""
    texts = [[_plain(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(head, *texts, strict=True)]
    for row in (list(head), *texts):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())


def _plain(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return "".join(each if each.isprintable() else " " for each in text)


def plain(text: str) -> str:
    """A text of somebody else without what could drive a terminal; line feeds stay."""
    return "".join(each if each.isprintable() or each in "\n\t" else " " for each in text)


def ago(moment: str, now: datetime | None = None) -> str:
    """How long ago a moment was, as people say it.

    >>> ago("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 14, 30, tzinfo=UTC))
    '2 h ago'
    """
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    seconds = ((now or datetime.now(UTC)) - then).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{max(0, int(seconds))} s ago"


def size(count: float) -> str:
    """Bytes as people say them.

    >>> size(148_000_000)
    '148 MB'
    """
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}"
    return f"{count:.0f} B"


class Steps:
    """Progress on a terminal: what is being done, ticked off when the next begins."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._live: Any = None
        self._text = ""

    def begin(self, text: str) -> None:
        """A new step; the one before is done."""
        if self.quiet or text == self._text:
            return
        self._finish("✓")
        self._text = text
        if sys.stderr.isatty():
            from rich.console import Console

            self._live = Console(stderr=True).status(plain(text))
            self._live.start()

    def done(self) -> None:
        """The last step is done."""
        self._finish("✓")

    def failed(self) -> None:
        """The last step failed."""
        self._finish("✗")

    def _finish(self, sign: str) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._text and not self.quiet:
            print(f"{sign} {plain(self._text)}", file=sys.stderr, flush=True)
        self._text = ""


@contextmanager
def steps(quiet: bool = False) -> Iterator[Steps]:
    """Progress whose last step is marked by how the block ends."""
    shown = Steps(quiet)
    try:
        yield shown
    except BaseException:
        shown.failed()
        raise
    shown.done()
