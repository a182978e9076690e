"""``python flow.py rows.csv -o answers.csv``: answers for files."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, TextIO

from .basis import Answers, FlowError, is_null, pandas

if TYPE_CHECKING:
    from .flow import Flow


def main(flow: Flow, arguments: Optional[Sequence[str]] = None) -> int:
    """Answer the rows of a file. Exit code 0, or 2 with the reason on standard error."""
    parser = argparse.ArgumentParser(description=f"Answers rows with the flow {flow.name}.")
    parser.add_argument("rows", help="a file of rows: .csv, .jsonl or .parquet")
    parser.add_argument("-o", "--output", help="where to write: .csv, .jsonl or .parquet")
    options = parser.parse_args(arguments)
    try:
        columns, n = _read(flow, Path(options.rows))
        answers = flow.answer_columns(columns, n)
        _write(answers, n, options.output)
    except (FlowError, OSError) as problem:
        print(f"{parser.prog}: {problem}", file=sys.stderr)
        return 2
    for row, reason, line in answers.rejected:
        where = f" (line {line} of the program)" if line else ""
        print(f"row {row} is rejected: {reason}{where}", file=sys.stderr)
    for warned in answers.warnings:
        print(f"row {warned.row}, column {warned.column}: {warned.message}", file=sys.stderr)
    return 0


def _read(flow: Flow, path: Path) -> tuple[dict[str, Any], int]:
    names = [column.name for column in flow.columns]
    if path.suffix == ".parquet":
        frame = pandas.read_parquet(path)
        return {name: frame[name].array for name in names if name in frame}, len(frame)
    types = {}
    if path.suffix in (".jsonl", ".ndjson", ".json"):
        records = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
        known = {name for record in records for name in record} if records else set(names)
    else:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            records, known = list(reader), set(reader.fieldnames or ())
        types = _types(flow)
    columns = {
        name: [
            _value(record.get(name), types.get(name), name, i) for i, record in enumerate(records)
        ]
        for name in names
        if name in known
    }
    return columns, len(records)


def _types(flow: Flow) -> dict[str, str]:
    return {column.name: column.type for column in flow.columns}


_NULLS = frozenset(("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>", "n/a"))


def _value(text: Any, type_: Optional[str], name: str, row: int) -> Any:
    """A field of a CSV file as the signature's type; the usual words for null are null."""
    if type_ is None or not isinstance(text, str):
        return text
    if text in _NULLS:
        return None
    try:
        if type_ == "int":
            return int(float(text)) if float(text).is_integer() and "." in text else int(text)
        if type_ == "float":
            return float(text)
        if type_ == "bool":
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
    except (ValueError, KeyError):
        raise FlowError(f"column {name}, row {row}: {text!r} is no {type_}") from None
    return text


def _write(answers: Answers, n: int, to: Optional[str]) -> None:
    several = {output: len(columns) > 1 for output, columns in answers.values.items()}
    columns = {
        f"{output}:{column}" if several[output] else output: values
        for output, found in answers.values.items()
        for column, values in found.items()
    }
    if to is not None and Path(to).suffix == ".parquet":
        pandas.DataFrame(columns).to_parquet(to, index=False)
        return
    if to is None:
        _write_text(columns, n, sys.stdout, "")
        return
    with Path(to).open("w", newline="", encoding="utf-8") as file:
        _write_text(columns, n, file, Path(to).suffix)


def _write_text(columns: dict[str, Any], n: int, file: TextIO, suffix: str) -> None:
    plain = [v.tolist() if hasattr(v, "tolist") else list(v) for v in columns.values()]
    table = [[None if is_null(v) else v for v in row] for row in zip(*plain)] if n else []
    if suffix in (".jsonl", ".ndjson", ".json"):
        for row in table:
            file.write(json.dumps(dict(zip(columns, row)), default=str) + "\n")
        return
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(table)
