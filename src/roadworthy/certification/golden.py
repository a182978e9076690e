"""The golden request: creation's rows, sent to the running release, must get creation's answers."""

from __future__ import annotations

from typing import Any

import msgspec

from roadworthy.certification.sample import Sample
from roadworthy.certification.service import Answer, Service
from roadworthy.core.certificate import Check
from roadworthy_runtime.golden import RELATIVE, same

MOST_DIFFERENCES = 10


def golden_check(service: Service, sample: Sample, tolerance: float, most: int = 50) -> Check:
    """Send the sample's first rows in one request and compare each answer.

    ``tolerance`` is the flow's, relative; the last digits of a float may always differ with the
    size of a batch. Raises Unavailable if nothing answers.
    """
    rows, wanted = sample.rows[:most], sample.answers[:most]
    tolerance = max(tolerance, RELATIVE)
    connection = service.connect()
    try:
        reply = connection.send(msgspec.json.encode(rows))
    finally:
        connection.close()
    found = service.answers(reply) if reply.status == 200 else None
    if not rows:
        measured, differences = "the sample has no rows", ["there is nothing to compare"]
    elif found is None:
        measured = f"status {reply.status}"
        differences = [reply.body[:500].decode("utf-8", "replace")]
    elif len(found) != len(rows):
        measured = f"{len(found)} answers to {len(rows)} rows"
        differences = [measured]
    else:
        differences = [
            text
            for row, (before, now) in enumerate(zip(wanted, found, strict=True))
            for text in _differences(row, before, now, tolerance)
        ]
        wrong = len({text.split(",")[0] for text in differences})
        measured = f"{len(rows) - wrong} of {len(rows)} answers equal"
    return Check(
        id="golden",
        group="service",
        title="Answers the sample as creation did",
        outcome="failed" if differences else "passed",
        required=f"every answer equal within {tolerance:g}, relative",
        measured=measured,
        evidence={
            "rows": len(rows),
            "tolerance": tolerance,
            "differences": differences[:MOST_DIFFERENCES],
        },
    )


def _differences(row: int, before: Answer, now: Answer, tolerance: float) -> list[str]:
    if now.failed:
        return [f"row {row}, failed in the flow: {now.failed}"]
    if bool(before.rejected) != bool(now.rejected):
        was = "was rejected at creation" if before.rejected else "was answered at creation"
        return [f"row {row}, {was}, now is {now.rejected or 'answered'}"]
    return [
        f"row {row}, {name}: was {value!r}, is {now.values.get(name)!r}"
        for name, value in before.values.items()
        if not _same(value, now.values.get(name), tolerance)
    ]


def _same(before: Any, now: Any, tolerance: float) -> bool:
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(
            _same(one, other, tolerance) for one, other in zip(before, now, strict=True)
        )
    return bool(same(before, now, tolerance))
