"""MLflow's ``/invocations``: its JSON forms and CSV, answered by ``predictions``.

A rejected row is null in ``predictions``; where there are any, ``rejected`` and
``warnings`` stand beside it. ``params`` may be there, as for MLflow's models that take none.
"""

from __future__ import annotations

from typing import Any

import msgspec

from roadworthy.core.signature import Signature
from roadworthy.serving.answers import Answered, row_values
from roadworthy.serving.codec_plain import records
from roadworthy.serving.payload import (
    CSV_TYPES,
    check_json_type,
    decode_csv,
    decode_json,
    media_type,
    too_many_rows,
)
from roadworthy.serving.problems import Refused
from roadworthy.serving.validation import Sent

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def read_mlflow(signature: Signature, content_type: str, body: bytes, most_rows: int) -> Sent:
    """The rows of an invocation. Raises Refused."""
    name, charset = media_type(content_type)
    if name in CSV_TYPES:
        header, rows = decode_csv(body, charset, most_rows)
        return _from_table(signature, header, rows, as_text=True)
    check_json_type(content_type)
    request = decode_json(body)
    given = [form for form in FORMS if isinstance(request, dict) and form in request]
    if len(given) != 1:
        raise Refused(
            "bad-request",
            f"the body should have exactly one of {', '.join(FORMS)}",
            cure='send {"dataframe_records": [{"column": value, …}, …]}',
        )
    if not isinstance(request.get("params", {}), dict | None):
        raise Refused("bad-request", "'params' should be an object")
    value = request[given[0]]
    if given[0] == "dataframe_split":
        return _from_split(signature, value, most_rows)
    if given[0] in ("inputs", "instances") and isinstance(value, dict):
        return _from_columns(signature, value, most_rows)
    if not isinstance(value, list):
        raise Refused("bad-request", f"{given[0]!r} should be a list")
    if len(value) > most_rows:
        raise too_many_rows(most_rows)
    return records(signature, value)


def _from_split(signature: Signature, value: Any, most_rows: int) -> Sent:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise Refused("bad-request", "'dataframe_split' should have 'columns' and 'data'")
    rows = value["data"]
    names = value.get("columns", [column.name for column in signature.columns])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused("bad-request", "the columns of 'dataframe_split' should be texts")
    if len(rows) > most_rows:
        raise too_many_rows(most_rows)
    for row, values in enumerate(rows):
        if not isinstance(values, list) or len(values) != len(names):
            raise Refused("bad-request", f"row {row} of 'data' should have {len(names)} values")
    return _from_table(signature, names, rows)


def _from_table(
    signature: Signature, names: list[str], rows: list[list[Any]], as_text: bool = False
) -> Sent:
    if len(set(names)) != len(names):
        raise Refused("bad-request", "a column is there twice")
    known = {column.name for column in signature.columns}
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names) if name in known}
    surplus = tuple(name for name in names if name not in known)
    return Sent(len(rows), columns, as_text=as_text, surplus=surplus[:200])


def _from_columns(signature: Signature, value: dict[str, Any], most_rows: int) -> Sent:
    known = {column.name for column in signature.columns}
    columns = {}
    for name, values in value.items():
        if name in known:
            columns[name] = values if isinstance(values, list) else [values]
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise Refused("bad-request", "the columns have different numbers of rows")
    n = lengths.pop() if lengths else 0
    if n > most_rows:
        raise too_many_rows(most_rows)
    surplus = tuple(name for name in value if name not in known)
    if not columns and surplus:
        return Sent(1, {}, surplus=surplus[:200])
    return Sent(n, columns, surplus=surplus[:200])


def write_mlflow(signature: Signature, answered: Answered) -> bytes:
    """The body of the answer. Raises Refused where a row failed.

    A flow with one output is answered by its values, one with several by objects.
    """
    if answered.failed:
        row, message = next(iter(answered.failed.items()))
        raise Refused("flow-failed", f"row {row}: {message}")
    values: list[Any] = list(row_values(signature, answered))
    if len(signature.outputs) == 1:
        name = signature.outputs[0].name
        values = [row[name] for row in values]
    for row in answered.rejected:
        values[row] = None
    body: dict[str, Any] = {"predictions": values}
    if answered.rejected:
        body["rejected"] = [
            {"row": row, "reason": reason, "line": line}
            for row, (reason, line) in sorted(answered.rejected.items())
        ]
    if answered.warnings:
        body["warnings"] = [message for _, _, message in answered.warnings]
    return msgspec.json.encode(body)
