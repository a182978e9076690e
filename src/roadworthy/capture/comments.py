"""The author's comments, by the line of the statement that they belong to."""

from __future__ import annotations

import io
import tokenize
from typing import NamedTuple

_OF_CELLS = ("# %", "#%%", "# !", "# ?")
"""Comments that mark a cell, or stand where a notebook had a magic or shell line."""


class Comments(NamedTuple):
    """``above``: line of a statement -> the comments right above it; ``beside``: -> its own."""

    above: dict[int, list[str]]
    beside: dict[int, str]
    paragraph: dict[int, int]
    """Line -> the first line of code of its paragraph: lines without an empty one between them."""


def comments_of(source: str) -> Comments:
    """All comments of a module.

    >>> comments_of("# Fill.\\nx = 1  # one\\n").above
    {2: ['# Fill.']}
    """
    lines = source.split("\n")
    own: dict[int, str] = {}
    passed: set[int] = set()
    beside: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        if token.string.startswith(_OF_CELLS):
            passed.add(line)
        elif lines[line - 1].strip().startswith("#"):
            own[line] = token.string
        else:
            beside[line] = token.string
    above: dict[int, list[str]] = {}
    paragraph: dict[int, int] = {}
    begun = 0
    for number in range(1, len(lines) + 1):
        if not lines[number - 1].strip():
            begun = 0
        if number in own or number in passed or not lines[number - 1].strip():
            continue
        begun = begun or number
        paragraph[number] = begun
        first = number
        while first - 1 in own:
            first -= 1
        if first < number:
            above[number] = [own[line] for line in range(first, number)]
    return Comments(above, beside, paragraph)
