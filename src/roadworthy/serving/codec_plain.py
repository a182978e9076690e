"""``/models/{model}/predict``: one record, or a list of records, as people write them.

A list is answered by ``answers`` in the same order; one record by ``answer``. Flows on
series and texts also take bare values, flows on arrays also lists of values.
"""

from __future__ import annotations

from typing import Any

import msgspec

from roadworthy.core.signature import Signature
from roadworthy.serving.answers import Answered, row_values
from roadworthy.serving.payload import too_many_rows
from roadworthy.serving.problems import Refused
from roadworthy.serving.validation import ABSENT, Sent

NUMBERS = ("bool", "int", "float")


def read_plain(signature: Signature, body: Any, most_rows: int) -> Sent:
    """The rows of a decoded body. Raises Refused where it has neither form."""
    if isinstance(body, dict):
        return records(signature, [body], single=True)
    if isinstance(body, list):
        if len(body) > most_rows:
            raise too_many_rows(most_rows)
        return records(signature, body)
    if len(signature.columns) == 1:
        return Sent(1, {signature.columns[0].name: [body]}, single=True)
    raise _not_records()


def records(signature: Signature, rows: list[Any], single: bool = False) -> Sent:
    """The rows of a list of records (or bare values, or lists in the signature's order)."""
    names = [column.name for column in signature.columns]
    kinds = set(map(type, rows))
    if kinds <= {dict}:
        return _from_records(names, rows, single)
    if kinds == {list}:
        for row, values in enumerate(rows):
            if len(values) != len(names):
                raise Refused(
                    "bad-request",
                    f"row {row} has {len(values)} values, the signature {len(names)} columns",
                    cure="send records: objects with the columns' names",
                )
        return Sent(
            len(rows), dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), single
        )
    if len(names) == 1 and dict not in kinds and list not in kinds:
        return Sent(len(rows), {names[0]: rows}, single)
    raise _not_records()


def _from_records(names: list[str], rows: list[dict[str, Any]], single: bool) -> Sent:
    try:
        found = {name: [row[name] for row in rows] for name in names}
    except KeyError:
        found = {}
        for name in names:
            values = [row.get(name, ABSENT) for row in rows]
            if any(value is not ABSENT for value in values):
                found[name] = values
        known = set(names)
        surplus = {name: None for row in rows[:100] for name in row if name not in known}
        return Sent(len(rows), found, single, surplus=tuple(surplus)[:200])
    return Sent(len(rows), found, single)


def _not_records() -> Refused:
    return Refused(
        "bad-request",
        "the body is neither a record nor a list of records",
        cure='send {"column": value, …} or a list of such objects',
    )


def write_plain(
    signature: Signature, sent: Sent, answered: Answered, release: str, request_id: str
) -> tuple[int, bytes]:
    """Status and body. A row that failed has ``error``; all failed rows together are a 500."""
    body: dict[str, Any] = {"release": release, "request_id": request_id}
    if sent.single:
        body["answer"] = _answers(signature, answered)[0]
    else:
        body["answers"] = _numbers(signature, answered) or _answers(signature, answered)
    body["warnings"] = [
        {"row": row, "column": column, "message": message}
        for row, column, message in answered.warnings
    ]
    failed = bool(answered.failed) and len(answered.failed) == answered.n
    return (500 if failed else 200), msgspec.json.encode(body)


def _answers(signature: Signature, answered: Answered) -> list[dict[str, Any]]:
    answers = row_values(signature, answered)
    for row, (reason, line) in answered.rejected.items():
        answers[row] = {"rejected": {"reason": reason, "line": line}}
    for row, message in answered.failed.items():
        answers[row] = {"error": {"code": "flow-failed", "reason": message}}
    return answers


def _numbers(signature: Signature, answered: Answered) -> msgspec.Raw | None:
    """The answers in JSON where all are the numbers of one column, which have no commas in them."""
    (output, *others) = signature.outputs
    plain = not others and len(output.columns) == 1 and output.columns[0].type in NUMBERS
    if not plain or not answered.n or answered.rejected or answered.failed:
        return None
    (values,) = answered.columns.values()
    start = b'{"%s":' % msgspec.json.encode(output.name)[1:-1]
    listed = msgspec.json.encode(values)[1:-1].replace(b",", b"}," + start)
    return msgspec.Raw(b"[" + start + listed + b"}]")
