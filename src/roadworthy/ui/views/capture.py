"""The capture report: the program line by line, the decisions, the state, the flow as a graph."""

from __future__ import annotations

from collections.abc import Sequence

from roadworthy.core.capture import CaptureReport, SourceLine
from roadworthy.ui.formats import count, memory
from roadworthy.ui.views.flow import flow_view, line_anchor
from roadworthy.ui.views.parts import View

UNSAFE_FORMATS = ("pickle", "cloudpickle", "joblib")
_MARKED = "the marked part is frozen"


def capture_view(report: CaptureReport | None) -> View | None:
    """The program line by line, the decisions, the state that goes along."""
    if report is None:
        return None
    lines = [line for file in report.files for line in file.lines]
    learned: dict[int, list[str]] = {}
    if len(report.files) == 1:  # a state entry names its line, and not its file
        for entry in report.state:
            if entry.learned and entry.line is not None:
                learned.setdefault(entry.line, []).append(entry.summary)
    roles = {
        role: sum(line.role == role for line in lines) for role in ("kept", "frozen", "dropped")
    }
    return {
        "statements": report.statements,
        "kept": count(report.kept) if report.statements else count(roles["kept"]),
        "frozen": count(report.frozen) if report.statements else count(roles["frozen"]),
        "dropped": count(report.dropped) if report.statements else count(roles["dropped"]),
        "files": [
            {
                "path": file.path,
                "anchor": line_anchor(place),
                "lines": [source_line(line, learned.get(line.number, ())) for line in file.lines],
            }
            for place, file in enumerate(report.files)
        ],
        "several": len(report.files) > 1,
        "decisions": [
            {
                "line": each.line,
                "file": each.file if len(report.files) > 1 else "",
                "decision": each.decision,
                "because": each.because,
                "override": each.override,
            }
            for each in sorted(report.decisions, key=lambda each: (each.file, each.line))
        ],
        "state": [
            {
                "name": each.name,
                "summary": each.summary,
                "line": each.line,
                "learned": each.learned,
                "format": each.format,
                "unsafe": each.format.lower() in UNSAFE_FORMATS,
                "size": memory(each.bytes),
                "digest": each.digest[:7],
            }
            for each in report.state
        ],
        "warnings": list(report.warnings),
        "flow": flow_view(report),
    }


def source_line(line: SourceLine, learned: Sequence[str] = ()) -> View:
    """A line of source cut into marked and unmarked parts; marks that overlap are joined.

    ``learned`` says what was frozen in this line, for marks that have no note of their own.
    """
    parts: list[View] = []
    at = 0
    for mark in sorted(line.marks, key=lambda mark: (mark.start, mark.end)):
        start, end = max(at, mark.start), min(len(line.text), mark.end)
        if end <= start:
            continue
        if start > at:
            parts.append({"text": line.text[at:start], "marked": False})
        parts.append({"text": line.text[start:end], "marked": True})
        at = end
    if line.text[at:].strip():
        parts.append({"text": line.text[at:], "marked": False})
    notes = list(dict.fromkeys(mark.note for mark in line.marks if mark.note))
    if line.marks and not notes:
        notes = list(learned)
    why = line.why
    if line.role == "frozen" and not notes and why:
        notes, why = [why], ""
    elif notes and why.startswith(_MARKED):
        why = ""
    return {
        "number": line.number,
        "role": line.role,
        "word": "" if line.role == "blank" else line.role,
        "parts": parts,
        "why": why,
        "note": ", ".join(notes),
        "note_word": f"{_MARKED}: " if line.role == "kept" else "",
    }
