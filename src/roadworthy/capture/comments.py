"""The author's comments, by the line of the statement that they belong to."""

from __future__ import annotations

import io
import tokenize
from typing import NamedTuple


class Comments(NamedTuple):
    """``above``: line of a statement -> the comments right above it; ``beside``: -> its own."""

    above: dict[int, list[str]]
    beside: dict[int, str]
    blank_before: set[int]
    """Statements (or their comments) that the author set apart by an empty line."""


def comments_of(source: str) -> Comments:
    """All comments of a module.

    >>> comments_of("# Fill.\\nx = 1  # one\\n").above
    {2: ['# Fill.']}
    """
    lines = source.split("\n")
    own: dict[int, str] = {}
    beside: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        if lines[line - 1].strip().startswith("#"):
            own[line] = token.string
        else:
            beside[line] = token.string
    above: dict[int, list[str]] = {}
    blank: set[int] = set()
    for number in range(1, len(lines) + 1):
        if number in own or not lines[number - 1].strip():
            continue
        first = number
        while first - 1 in own:
            first -= 1
        if first < number:
            above[number] = [own[line] for line in range(first, number)]
        if first > 1 and not lines[first - 2].strip():
            blank.add(number)
    return Comments(above, beside, blank)
