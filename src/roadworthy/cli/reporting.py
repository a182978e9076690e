"""The capture report for people: on the terminal, and as a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from roadworthy.cli.output import plain, say
from roadworthy.core.capture import CaptureReport, SourceLine
from roadworthy.errors import UsageError

DECISIONS_SHOWN = 6
_ROLES = {
    "input": "the input",
    "row value": "a row value",
    "state": "state",
    "constant": "a constant",
    "not needed": "not needed",
    "undecided": "undecided",
}
_SIGNS = {"kept": "●", "frozen": "❄", "dropped": "○", "blank": " "}


def write_report(to: Path | None, title: str, report: CaptureReport) -> None:
    """Write the capture report as a page of its own, where one was asked for."""
    if to is None:
        return
    from roadworthy.ui.report import report_page

    try:
        to.write_text(report_page(title, report), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{to} can't be written: {error.strerror}", cure="name another file with --report"
        ) from error


def print_counts(report: CaptureReport) -> None:
    """How many statements production needs."""
    say()
    say(
        f"captured {report.kept + report.frozen} of {report.statements} statements: "
        f"{report.kept} kept, {report.frozen} frozen, {report.dropped} dropped"
    )


def print_report(report: CaptureReport) -> None:
    """The capture report, short: counts, what was learned, decisions."""
    print_counts(report)
    cells = report.details.get("cells") or ()
    learned = [entry for entry in report.state if entry.learned]
    if learned:
        names = ", ".join(entry.name for entry in learned[:DECISIONS_SHOWN])
        more = f" and {len(learned) - DECISIONS_SHOWN} more" if len(learned) > 6 else ""
        say(f"learned values frozen: {plain(names)}{more}")
    for decision in report.decisions[:DECISIONS_SHOWN]:
        where = f"{decision.file}, " if decision.file in cells else ""
        told = f"{plain(decision.decision)} — {plain(decision.because)}"
        say(f"  {where}line {decision.line}: {told}")
        if decision.override:
            say(f"      otherwise: {plain(decision.override)}")
    if len(report.decisions) > DECISIONS_SHOWN:
        say(f"  and {len(report.decisions) - DECISIONS_SHOWN} more decisions, on the page")
    for warning in report.warnings:
        say(f"  ! {plain(warning)}")


def print_source(report: CaptureReport) -> None:
    """The program line by line: kept and frozen lines with their signs, dropped ones folded."""
    width = shutil.get_terminal_size((100, 20)).columns
    for file in report.files:
        say()
        say(f"{plain(file.path)}   ● kept   ❄ frozen   ○ dropped")
        for line in marked_lines(file.lines):
            say(line if len(line) <= width else line[: width - 1] + "…")


def marked_lines(lines: Sequence[SourceLine]) -> Iterator[str]:
    """Source with a sign before each line, and under it what was frozen there."""
    for dropped, group in groupby(lines, key=_folds):
        run = list(group)
        if dropped and any(line.role == "dropped" for line in run):
            yield _folded([line for line in run if line.role == "dropped"])
            continue
        for line in run:
            yield f"{line.number:>5} {_SIGNS[line.role]} {plain(line.text)}".rstrip()
            if line.why:
                yield f"        ↳ {plain(line.why)}"


def _folds(line: SourceLine) -> bool:
    return line.role in ("dropped", "blank") and not line.why.startswith("the input")


def _folded(lines: Sequence[SourceLine]) -> str:
    whys = ", ".join(dict.fromkeys(line.why for line in lines if line.why))
    numbers = f"{lines[0].number:>5}"
    if len(lines) > 1:
        numbers += f"–{lines[-1].number}"
    return f"{numbers} ○ {plain(whys)}".rstrip()


def print_explained(entries: Sequence[dict[str, Any]]) -> None:
    """Why a variable is what it is, where it is made and wherever it is changed."""
    for entry in entries:
        say()
        named = f"{entry['name']}[{entry['column']!r}]" if entry["column"] else entry["name"]
        say(f"line {entry['line']}: {plain(entry['source'])}")
        say(f"  {plain(named)} is {_ROLES[entry['role']]}: {plain(entry['because'])}")
        for evidence in entry["evidence"]:
            say(f"    · {plain(evidence)}")
        for held in entry["frozen"]:
            where = f", learned at line {held['line']}" if held["line"] else ""
            say(f"    ❄ frozen: {plain(held['name'])}, {plain(held['summary'])}{where}")
    used = entries[-1]["used"] if entries else []
    if used:
        say(f"\nread by the flow at line{'s' if len(used) > 1 else ''} {', '.join(map(str, used))}")
