"""``roadworthy predict``: rows from a file or standard input, answers to standard output."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from roadworthy.cli.options import Json
from roadworthy.cli.output import emit_json
from roadworthy.cli.session import connect, running, settings_of
from roadworthy.client.models import Answers, Client
from roadworthy.core.signature import Column, Signature
from roadworthy.errors import InvalidRows, NotFound, UsageError

FORMS = ("csv", "json", "jsonl", "parquet")


def predict(
    name: Annotated[str, typer.Argument(help="A model, or a release: flight-delay@12.")],
    rows: Annotated[
        str, typer.Argument(help="CSV, JSON, JSON lines or Parquet; - or nothing: from stdin.")
    ] = "-",
    form: Annotated[str, typer.Option(help="csv, json or jsonl, where no ending says.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the answers here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask a model, or one of its releases, for answers to rows."""
    settings = settings_of()
    with connect(settings) as control:
        record = running(settings)
        signature = _signature(control, name)
    records = read_rows(rows, form, signature)
    gateway = record.gateway if record else settings.gateway_address
    with Client(gateway, settings.token) as client:
        try:
            answers = client.model(name).predict(records)
        except InvalidRows as error:
            raise _readable(error) from None
    if as_json:
        emit_json(
            {
                "release": answers.release,
                "answers": answers.values,
                "rejected": [
                    {"row": each.row, "reason": each.reason, "line": each.line}
                    for each in answers.rejected
                ],
                "warnings": answers.warnings,
            }
        )
        return
    text = write_csv(answers)
    if output is not None:
        output.write_text(text, encoding="utf-8")
        print(f"{len(answers)} answers of {answers.release} in {output}", file=sys.stderr)
    else:
        sys.stdout.write(text)
    for each in answers.rejected:
        where = f" (line {each.line})" if each.line else ""
        print(f"row {each.row}: rejected: {each.reason}{where}", file=sys.stderr)
    for row, column, message in answers.warnings[:10]:
        print(f"row {row}: {column}: {message}", file=sys.stderr)


def _signature(control: Any, name: str) -> Signature:
    """The signature of what would answer: of the release named, or of what is live."""
    if "@" not in name:
        for each in control.get("/deployments"):
            if each["model"] == name and each["stage"] == "production" and each["live"]:
                name = f"{name}@{each['live']}"
    return msgspec.convert(control.get(f"/releases/{name}")["release"]["signature"], Signature)


def read_rows(source: str, form: str, signature: Signature) -> list[Any]:
    """The rows of a file, or of standard input for ``-``; texts of a CSV in the columns' types."""
    if source != "-" and not Path(source).is_file():
        raise NotFound(f"there is no file {source}", cure="name a file with rows, or - for stdin")
    form = form or (Path(source).suffix.lstrip(".").lower() if source != "-" else "")
    if form == "parquet":
        from pyarrow import parquet

        return list(parquet.read_table(source).to_pylist())
    content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{source} is not UTF-8: {error.reason}", cure="save it as UTF-8"
        ) from None
    if not form:
        form = "json" if text.lstrip()[:1] in ("{", "[") else "csv"
    if form not in FORMS:
        raise UsageError(f"{form!r} is no form of rows", cure=f"use {', '.join(FORMS)}")
    if form == "csv":
        return from_csv(text, signature)
    return _from_json(text, source, form)


def _from_json(text: str, source: str, form: str) -> list[Any]:
    try:
        if form == "jsonl":
            return list(msgspec.json.Decoder().decode_lines(text))
        found = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if form == "json" and text.lstrip()[:1] == "{":
            return _from_json(text, source, "jsonl")
        raise UsageError(f"{source} is not JSON: {error}", cure="correct it") from None
    return found if isinstance(found, list) else [found]


def from_csv(text: str, signature: Signature) -> list[dict[str, Any]]:
    """The records of a CSV; an empty field is null, columns nobody requires are left out.

    What can't be read as its column's type is sent as it is: the gateway then names the row,
    the field and what was expected.
    """
    columns = {column.name: column for column in signature.columns}
    found = []
    for record in csv.DictReader(io.StringIO(text)):
        found.append(
            {
                name: _typed(value, columns[name])
                for name, value in record.items()
                if name in columns
            }
        )
    return found


def _typed(text: str | None, column: Column) -> Any:
    if text is None or text == "" or (text in ("NA", "NaN", "nan") and column.type != "text"):
        return None
    try:
        if column.type == "int":
            return int(text) if text.lstrip("+-").isdigit() else _whole(float(text), text)
        if column.type in ("float", "timedelta"):
            return float(text)
    except ValueError:
        return text
    if column.type == "bool":
        return {"true": True, "false": False, "1": True, "0": False}.get(text.lower(), text)
    return text


def _whole(value: float, text: str) -> int | str:
    return int(value) if value.is_integer() else text


def write_csv(answers: Answers) -> str:
    """The answers as CSV, one line a row; outputs of several columns as ``output:column``."""
    flat = [_flat(value or {}) for value in answers.values]
    names = list(dict.fromkeys(name for value in flat for name in value))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names or ["answer"])
    writer.writerows([_cell(value.get(name)) for name in names] for value in flat)
    return out.getvalue()


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            flat.update({f"{name}:{column}": each for column, each in inner.items()})
        else:
            flat[name] = inner
    return flat


def _cell(value: Any) -> Any:
    return "" if value is None else value


def _readable(error: InvalidRows) -> InvalidRows:
    """The error with its first findings in its text."""
    findings: Sequence[Mapping[str, Any]] = error.details.get("findings", [])
    lines = [
        f"  row {each.get('row')}, {each.get('field')}: expected {each.get('expected')}, "
        f"got {each.get('got')}"
        for each in findings[:10]
    ]
    message = "\n".join([error.message, *lines])
    return InvalidRows(message, cure=error.cure, **error.details)
