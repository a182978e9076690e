"""A unified diff as two columns: equal lines, pairs of changed ones with what changed in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from roadworthy.ui.formats import plural
from roadworthy.ui.views.parts import View

MOST_LINES = 400
LONGEST = 500
"""Within longer lines no part is marked, and what is beyond four times as much is cut."""
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def side_by_side(diff: str) -> tuple[list[View], int]:
    """Rows of the two sides, and how many more lines there are beyond what is shown.

    A row is ``{gap}`` (words on lines left out) or ``{old, new}``: each side ``{number, sign,
    parts}``, None where it has no line.
    """
    rows: list[View] = []
    old_at = new_at = 1
    removed: list[tuple[int, str]] = []
    added: list[tuple[int, str]] = []
    begun = False
    lines = diff.split("\n")
    for place, line in enumerate(lines):
        if len(rows) + max(len(removed), len(added)) >= MOST_LINES:
            rows += _pairs(removed, added)
            return rows[:MOST_LINES], len(lines) - place
        hunk = _HUNK.match(line)
        if hunk:
            rows += _pairs(removed, added)
            start = int(hunk[1]) if hunk[2] != "0" else int(hunk[1]) + 1
            if start > old_at:
                rows.append({"gap": plural(start - old_at, "equal line")})
            old_at, new_at = start, int(hunk[3]) if hunk[4] != "0" else int(hunk[3]) + 1
            begun = True
        elif not begun:  # the two lines that name the files
            continue
        elif line.startswith("-"):
            removed.append((old_at, line[1:]))
            old_at += 1
        elif line.startswith("+"):
            added.append((new_at, line[1:]))
            new_at += 1
        elif line.startswith(" "):
            rows += _pairs(removed, added)
            parts = [{"text": _cut(line[1:]), "changed": False}]
            rows.append(
                {
                    "old": {"number": old_at, "sign": "", "parts": parts},
                    "new": {"number": new_at, "sign": "", "parts": parts},
                }
            )
            old_at += 1
            new_at += 1
    rows += _pairs(removed, added)
    return rows, 0


def _pairs(removed: list[tuple[int, str]], added: list[tuple[int, str]]) -> Iterator[View]:
    """The lines that went beside those that came; the lists are emptied."""
    both = min(len(removed), len(added))
    for (old, before), (new, after) in zip(removed[:both], added[:both], strict=True):
        left, right = _marked(before, after)
        yield {
            "old": {"number": old, "sign": "−", "parts": left},
            "new": {"number": new, "sign": "+", "parts": right},
        }
    for old, before in removed[both:]:
        parts = [{"text": _cut(before), "changed": False}]
        yield {"old": {"number": old, "sign": "−", "parts": parts}, "new": None}
    for new, after in added[both:]:
        parts = [{"text": _cut(after), "changed": False}]
        yield {"old": None, "new": {"number": new, "sign": "+", "parts": parts}}
    removed.clear()
    added.clear()


def _marked(before: str, after: str) -> tuple[list[View], list[View]]:
    """Both lines cut into parts, those that differ marked."""
    if max(len(before), len(after)) > LONGEST:
        return [{"text": _cut(before), "changed": False}], [{"text": _cut(after), "changed": False}]
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < 0.4:  # hardly the same line: marks would be noise
        return [{"text": before, "changed": False}], [{"text": after, "changed": False}]
    left: list[View] = []
    right: list[View] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if b > a:
            left.append({"text": before[a:b], "changed": kind != "equal"})
        if d > c:
            right.append({"text": after[c:d], "changed": kind != "equal"})
    return left, right


def _cut(text: str) -> str:
    return text if len(text) <= 4 * LONGEST else text[: 4 * LONGEST] + "…"
