"""Tables that people upload and download: rows of CSV text to the signature's values, and back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roadworthy.core.signature import Signature
from roadworthy.ui.forms import WrongValue, example_values, parse_value

MOST_BYTES = 10 * 1024 * 1024
MOST_ROWS = 10_000
MOST_PROBLEMS = 20
NO_ANSWER = "no answer"
_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class CellProblem:
    """What is wrong in a table: the line of the file (the header is 1), the column, the reason."""

    line: int
    column: str
    message: str


@dataclass(frozen=True)
class UploadedTable:
    """A table as it came and as rows; ``problems`` (at most ``MOST_PROBLEMS``) and how many."""

    header: Sequence[str]
    cells: Sequence[Sequence[str]]
    lines: Sequence[int]
    rows: Sequence[Mapping[str, Any]]
    problems: Sequence[CellProblem]
    wrong: int


class UnreadableTable(ValueError):
    """The file is no table of this signature; the text says what to do."""


def read_table(content: bytes, signature: Signature) -> UploadedTable:
    """The rows of a CSV file whose header names the signature's columns, in any order.

    Columns beyond those are kept for the answer. The separator is a comma, semicolon or tab.
    Raises UnreadableTable.
    """
    header, cells, lines = _cells(content)
    missing = [each.name for each in signature.columns if each.name not in header]
    if missing:
        shown = ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" * (len(missing) > 10))
        raise UnreadableTable(
            f"The first line must name the columns, and lacks {shown}. "
            "Start from the table with example rows."
        )
    places = {each.name: header.index(each.name) for each in signature.columns}
    rows: list[dict[str, Any]] = []
    problems: list[CellProblem] = []
    wrong = 0
    for line, values in zip(lines, cells, strict=True):
        row: dict[str, Any] = {}
        for column in signature.columns:
            try:
                row[column.name] = parse_value(column, values[places[column.name]])
            except WrongValue as error:
                wrong += 1
                if len(problems) < MOST_PROBLEMS:
                    problems.append(CellProblem(line, column.name, str(error)))
        rows.append(row)
    return UploadedTable(header, cells, lines, rows, problems, wrong)


def _cells(content: bytes) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, cells and the line each row ends on. Raises UnreadableTable."""
    if not content.strip():
        raise UnreadableTable("The file is empty, or none was chosen.")
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise UnreadableTable("This is a spreadsheet's own file. Save it as CSV, then send that.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableTable("The file is not text in UTF-8. Save it as CSV in UTF-8.") from None
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    cells: list[list[str]] = []
    lines: list[int] = []
    try:
        header = [name.strip() for name in next(reader)]
        for values in reader:
            if not any(values):
                continue
            if len(values) != len(header):
                raise UnreadableTable(
                    f"Line {reader.line_num} has {len(values)} values, the first line names "
                    f"{len(header)} columns."
                )
            cells.append(values)
            lines.append(reader.line_num)
            if len(cells) > MOST_ROWS:
                raise UnreadableTable(
                    f"The table has more than {MOST_ROWS:,} rows. Larger ones: roadworthy batch."
                )
    except csv.Error as error:
        raise UnreadableTable(f"Line {reader.line_num} is not CSV: {error}.") from None
    if not cells:
        raise UnreadableTable("The table has no row below its first line.")
    return header, cells, lines


def write_answers(table: UploadedTable, answers: Iterable[Mapping[str, Any] | str]) -> bytes:
    """The table with its answers in further columns; a text is the reason for none."""
    answers = list(answers)
    names = list(
        dict.fromkeys(name for each in answers if not isinstance(each, str) for name in each)
    )
    columns = [name if name not in table.header else f"{name} (answer)" for name in names]
    reasons = any(isinstance(each, str) for each in answers)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([*table.header, *columns, *([NO_ANSWER] if reasons else [])])
    for cells, answer in zip(table.cells, answers, strict=True):
        values = [""] * len(names) if isinstance(answer, str) else [_cell(answer[n]) for n in names]
        reason = answer if isinstance(answer, str) else ""
        writer.writerow([*cells, *values, *([reason] if reasons else [])])
    return out.getvalue().encode("utf-8")


def example_table(signature: Signature, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A table to start from: the header, and rows of creation or the signature's example."""
    names = [column.name for column in signature.columns]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(names)
    example = example_values(signature)
    for row in rows or [example]:
        writer.writerow([_cell(row.get(name)) for name in names])
    return out.getvalue().encode("utf-8")


def _cell(value: Any) -> str:
    """A value as ``parse_value`` reads it back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
