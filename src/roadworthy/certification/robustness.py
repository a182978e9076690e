"""Bad and rare input, made from the signature, must get an answer or a declared error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from roadworthy.certification.service import Reply, Service
from roadworthy.core.certificate import Check
from roadworthy.core.signature import Column, Signature
from roadworthy.core.values import Value
from roadworthy.errors import Unavailable
from roadworthy.serving.validation import is_aware

Expectation = Literal["taken", "refused", "declared"]

UNKNOWN = "\u22a5 never seen at creation"
MOST_COLUMNS = 25
_TITLES = {
    "robust-nulls": "Takes nulls where the signature says so, refuses them elsewhere",
    "robust-categories": "Treats unknown categories as declared",
    "robust-extremes": "Survives extreme values",
    "robust-empty": "Survives an empty batch",
    "robust-columns": "Refuses rows without a required column",
    "robust-types": "Refuses text where numbers belong",
}
_REQUIRED = {
    "taken": "an answer, or a reason for each row",
    "refused": "an error that says why",
    "declared": "an answer, or an error that says why",
}


class Probe(Value, frozen=True):
    """Rows that a release must cope with, under the check they belong to.

    *taken*: answered, or rejected row by row; *refused*: a 4xx, or each row rejected;
    *declared*: either. A 5xx is never right. What may be taken is sent beside a good row, so
    that it must be answered for itself even where the flow breaks off at it.
    """

    check: str
    what: str
    rows: list[dict[str, Any]]
    expected: Expectation


def probes(signature: Signature, row: dict[str, Any]) -> list[Probe]:
    """The probes for a signature, each made from a good row.

    At most 25 columns of each kind are tried one by one.
    """
    return [
        *_nulls(signature, row),
        *_categories(signature, row),
        *_extremes(signature, row),
        Probe(check="robust-empty", what="no rows", rows=[], expected="declared"),
        *_missing(signature, row),
        *_types(signature, row),
    ]


def robustness_checks(service: Service, signature: Signature, row: dict[str, Any]) -> list[Check]:
    """Send all probes; one check for each kind. Raises Unavailable if nothing answers."""
    groups: dict[str, list[Probe]] = {check: [] for check in _TITLES}
    for probe in probes(signature, row):
        groups[probe.check].append(probe)
    return [_check(service, check, group) for check, group in groups.items()]


def judge(service: Service, probe: Probe, reply: Reply) -> str | None:
    """What is wrong with this reply to the probe, or None."""
    said = reply.body[:200].decode("utf-8", "replace")
    if reply.status >= 500:
        return f"status {reply.status}: {said}"
    if reply.status >= 400:
        if probe.expected == "taken":
            return f"refused, though the signature allows it (status {reply.status}: {said})"
        return None if reply.document() is not None else f"an error that is not JSON: {said}"
    if reply.status != 200:
        return f"status {reply.status}"
    try:
        answers = service.answers(reply)
    except ValueError as error:
        return str(error)
    if len(answers) != len(probe.rows):
        return f"{len(answers)} answers to {len(probe.rows)} rows"
    if probe.expected == "refused" and any(answer.values for answer in answers):
        return "answered, though it should have been refused"
    return None


def _check(service: Service, check: str, group: Sequence[Probe]) -> Check:
    findings: list[str] = []
    broken: list[str] = []
    statuses: list[int] = []
    for probe in group:
        reply = _send(service, probe)
        if isinstance(reply, str):
            findings.append(f"{probe.what}: {reply}")
            continue
        statuses.append(reply.status)
        finding = judge(service, probe, reply)
        if finding is not None:
            findings.append(f"{probe.what}: {finding}")
        elif reply.status == 200:
            failed = (answer.failed for answer in service.answers(reply) if answer.failed)
            broken += [f"{probe.what}: {reason}" for reason in failed]
    measured = f"{len(group) - len(findings)} of {len(group)} as declared"
    if broken:
        measured += f"; the flow itself breaks off at {len(broken)} rows, each with its reason"
    required = dict.fromkeys(_REQUIRED[probe.expected] for probe in group)
    return Check(
        id=check,
        group="robustness",
        title=_TITLES[check],
        outcome="not applicable" if not group else "failed" if findings else "passed",
        required="; ".join(required) or "nothing",
        measured=measured if group else "no such column",
        evidence={
            "requests": len(group),
            "answered": statuses.count(200),
            "refused": sum(400 <= status < 500 for status in statuses),
            "findings": findings[:MOST_COLUMNS],
            "broken_off": broken[:MOST_COLUMNS],
        },
    )


def _send(service: Service, probe: Probe) -> Reply | str:
    """The reply, or why there was none; on a connection of its own, so that none harms another."""
    connection = service.connect()
    try:
        return connection.send(msgspec.json.encode(probe.rows))
    except Unavailable as error:
        return error.message
    finally:
        connection.close()


def _nulls(signature: Signature, row: dict[str, Any]) -> Iterator[Probe]:
    taken = [column for column in signature.columns if column.nullable]
    if taken:
        rows = [row, *({**row, column.name: None} for column in taken)]
        rows.append({**row, **{column.name: None for column in taken}})
        yield Probe(
            check="robust-nulls", what="null in each nullable column", rows=rows, expected="taken"
        )
    for column in _first(column for column in signature.columns if not column.nullable):
        yield Probe(
            check="robust-nulls",
            what=f"null in {column.name}",
            rows=[{**row, column.name: None}],
            expected="refused",
        )


def _categories(signature: Signature, row: dict[str, Any]) -> Iterator[Probe]:
    passes = signature.unknown == "pass"
    for column in _first(c for c in signature.columns if c.type == "text" and c.levels):
        bad = {**row, column.name: UNKNOWN}
        yield Probe(
            check="robust-categories",
            what=f"an unknown category in {column.name}",
            rows=[row, bad] if passes else [bad],
            expected="taken" if passes else "refused",
        )


def _extremes(signature: Signature, row: dict[str, Any]) -> Iterator[Probe]:
    for column in _first(column for column in signature.columns if extremes(column)):
        yield Probe(
            check="robust-extremes",
            what=f"extremes in {column.name}",
            rows=[row, *({**row, column.name: value} for value in extremes(column))],
            expected="declared",
        )


def extremes(column: Column) -> list[Any]:
    """Values at the far ends of a column's type.

    For whole numbers those that every JSON reader keeps exactly (RFC 8259, section 6), for
    times the ends of 64-bit nanoseconds, for text nothing and much.
    """
    offset = "+00:00" if is_aware(column) else ""
    ends: dict[str, list[Any]] = {
        "float": [-1.7e308, 1.7e308, 5e-324, 0.0],
        "int": [-(2**53) + 1, 2**53 - 1, 0],
        "datetime": [f"1677-09-22T00:00:00{offset}", f"2262-04-11T00:00:00{offset}"],
        "timedelta": [-1e9, 1e9, 0],
        "date": ["1677-09-22", "2262-04-11"],
        "text": ["", "x" * 10_000, "\U0001f6eb\u202e\u0000"],
    }
    return ends.get(column.type, [])


def _missing(signature: Signature, row: dict[str, Any]) -> Iterator[Probe]:
    for column in _first(column for column in signature.columns if not column.nullable):
        yield Probe(
            check="robust-columns",
            what=f"no {column.name}",
            rows=[{name: value for name, value in row.items() if name != column.name}],
            expected="refused",
        )
    yield Probe(
        check="robust-columns",
        what="a column that nobody asked for",
        rows=[{**row, "roadworthy surplus": 1}],
        expected="declared",
    )


def _types(signature: Signature, row: dict[str, Any]) -> Iterator[Probe]:
    for column in _first(c for c in signature.columns if c.type in ("int", "float", "bool")):
        yield Probe(
            check="robust-types",
            what=f"text in {column.name}",
            rows=[{**row, column.name: "not a number"}],
            expected="refused",
        )


def _first(columns: Iterator[Column]) -> list[Column]:
    return [column for _, column in zip(range(MOST_COLUMNS), columns, strict=False)]
