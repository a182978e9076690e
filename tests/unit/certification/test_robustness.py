"""Bad and rare input: what is sent, and which replies are right."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from roadworthy.certification.robustness import Probe, judge, probes, robustness_checks
from roadworthy.certification.sample import Sample
from roadworthy.certification.service import Reply
from roadworthy.core.certificate import Check
from roadworthy.core.signature import Signature
from roadworthy.testing.fake_service import FakeService


def by_id(service: FakeService, signature: Signature, sample: Sample) -> dict[str, Check]:
    return {check.id: check for check in robustness_checks(service, signature, sample.rows[0])}


def test_every_kind_is_tried(signature: Signature, sample: Sample) -> None:
    tried = {(probe.check, probe.what) for probe in probes(signature, sample.rows[0])}
    assert ("robust-nulls", "null in each nullable column") in tried
    assert ("robust-nulls", "null in distance") in tried
    assert ("robust-categories", "an unknown category in origin") in tried
    assert ("robust-extremes", "extremes in hour") in tried
    assert ("robust-empty", "no rows") in tried
    assert ("robust-columns", "no distance") in tried
    assert ("robust-types", "text in distance") in tried


def test_rows_on_which_the_flow_breaks_off_are_told_and_harm_no_other(
    service: FakeService, signature: Signature, sample: Sample
) -> None:
    found = by_id(service, signature, sample)["robust-extremes"]
    assert found.outcome == "passed"
    assert "breaks off at 1 rows, each with its reason" in found.measured
    assert found.evidence["broken_off"] == ["extremes in distance: too far"]


@pytest.mark.parametrize("unknown", ["pass", "reject"])
def test_unknown_categories_are_as_the_signature_says(
    service: FakeService, signature: Signature, sample: Sample, unknown: Any
) -> None:
    declared = replace(signature, unknown=unknown)
    as_declared = FakeService(declared, service._answer)
    assert by_id(as_declared, declared, sample)["robust-categories"].outcome == "passed"


def test_passing_what_should_be_rejected_fails(
    service: FakeService, signature: Signature, sample: Sample
) -> None:
    declared = replace(signature, unknown="reject")
    found = by_id(service, declared, sample)["robust-categories"]
    assert found.outcome == "failed"
    assert found.evidence["findings"] == [
        "an unknown category in origin: answered, though it should have been refused"
    ]


def test_a_server_error_fails(signature: Signature, sample: Sample, service: FakeService) -> None:
    broken = FakeService(signature, service._answer, disturb=lambda rows: None if rows else 500)
    found = by_id(broken, signature, sample)
    assert found["robust-empty"].outcome == "failed"
    assert "status 500" in found["robust-empty"].evidence["findings"][0]
    assert found["robust-types"].outcome == "passed"


def test_kinds_without_a_column_are_not_applicable(service: FakeService, sample: Sample) -> None:
    signature = Signature(input="texts", kind="texts", columns=[], outputs=[])
    found = {
        c.id: c for c in robustness_checks(FakeService(signature, lambda row: {}), signature, {})
    }
    assert found["robust-types"].outcome == "not applicable"


@pytest.mark.parametrize(
    ("status", "body", "expected", "finding"),
    [
        (200, {"answers": [{"scores": 1.0}]}, "taken", None),
        (200, {"answers": [{"rejected": {"reason": "no"}}]}, "taken", None),
        (200, {"answers": [{"rejected": {"reason": "no"}}]}, "refused", None),
        (200, {"answers": []}, "taken", "0 answers to 1 rows"),
        (200, {"error": "?"}, "taken", "the reply has no list of answers"),
        (422, {"code": "invalid-rows"}, "refused", None),
        (422, {"code": "invalid-rows"}, "declared", None),
        (
            422,
            {"code": "x"},
            "taken",
            'refused, though the signature allows it (status 422: {"code":"x"})',
        ),
        (302, {}, "declared", "status 302"),
        (503, {}, "declared", "status 503: {}"),
    ],
)
def test_replies_are_judged_by_what_was_expected(
    service: FakeService, status: int, body: Any, expected: Any, finding: str | None
) -> None:
    probe = Probe(check="robust-nulls", what="w", rows=[{}], expected=expected)
    reply = Reply(status=status, seconds=0.1, body=msgspec.json.encode(body))
    assert judge(service, probe, reply) == finding


def test_an_error_that_is_no_json_is_not_declared(service: FakeService) -> None:
    probe = Probe(check="robust-types", what="w", rows=[{}], expected="refused")
    found = judge(service, probe, Reply(status=400, seconds=0.1, body=b"<html>"))
    assert found == "an error that is not JSON: <html>"
