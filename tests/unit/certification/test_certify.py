"""The certificate as a whole: what passes, what fails, and that nothing is passed over."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from roadworthy.certification.certify import Subject, certify
from roadworthy.certification.declared import Loaded, StateFile
from roadworthy.core.certificate import Certificate, Check
from roadworthy.core.policy import Limits
from roadworthy.core.signature import Signature
from roadworthy.errors import Unavailable
from roadworthy.testing.fake_service import FakeService

MADE = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def certified(
    subject: Subject, service: FakeService, limits: Limits | None = None, seconds: float = 0.3
) -> Certificate:
    return certify(
        subject,
        service,
        service.usage,
        limits=limits,
        load_seconds=seconds,
        now=lambda: MADE,
        clock=service.clock,
    )


def check(certificate: Certificate, name: str) -> Check:
    return next(check for check in certificate.checks if check.id == name)


def test_a_good_release_passes_every_check(subject: Subject, service: FakeService) -> None:
    found = certified(subject, service)
    assert [c for c in found.checks if c.outcome == "failed"] == []
    assert found.passed
    assert found.made == "2026-01-02T03:04:05+00:00"
    assert check(found, "golden").measured == "41 of 41 answers equal"
    assert check(found, "latency").required == "no limit set"


def test_the_profile_is_what_was_measured(subject: Subject, service: FakeService) -> None:
    profile = certified(subject, service).profile
    assert profile is not None
    assert profile.p50_ms == pytest.approx(2.01)
    assert profile.start_seconds == 0.8
    assert profile.cpu_ms_per_row == pytest.approx(0.012)
    assert profile.rows_per_second["1"] == pytest.approx(1000 / 2.01)
    assert profile.rows_per_second["1000"] == pytest.approx(1000 / 0.012)
    assert profile.idle_bytes < profile.load_bytes
    assert list(profile.rows_per_second) == ["1", "32", "1000"]


def test_the_load_takes_as_long_as_it_was_given(subject: Subject, service: FakeService) -> None:
    assert 1.7 < certified(subject, service, seconds=1.8).seconds < 2.5


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (Limits(p95_ms=1.0), "latency"),
        (Limits(p50_ms=1.0), "latency"),
        (Limits(p99_ms=1.0), "latency"),
        (Limits(requests_per_second=10_000), "throughput"),
        (Limits(rows_per_second=1e9), "throughput"),
        (Limits(memory_bytes=1024), "memory"),
        (Limits(cpu_ms_per_request=0.1), "cpu"),
        (Limits(start_seconds=0.1), "start"),
    ],
)
def test_a_limit_that_is_passed_fails_its_check(
    subject: Subject, service: FakeService, limits: Limits, name: str
) -> None:
    found = certified(subject, service, limits)
    assert [c.id for c in found.checks if c.outcome == "failed"] == [name]
    assert check(found, name).required != "no limit set"


def test_a_limit_that_is_kept_passes(subject: Subject, service: FakeService) -> None:
    limits = Limits(
        start_seconds=2, p95_ms=50, requests_per_second=100, memory_bytes=2**30, rows_per_second=1
    )
    assert certified(subject, service, limits).passed


def test_a_limit_on_a_start_that_nobody_measured_fails(
    subject: Subject, service: FakeService
) -> None:
    unknown = replace(subject, start_seconds=None)
    assert check(certified(unknown, service), "start").outcome == "not applicable"
    limited = certified(unknown, service, Limits(start_seconds=10))
    assert check(limited, "start").outcome == "failed"


def test_a_check_that_capture_did_not_make_fails(subject: Subject, service: FakeService) -> None:
    found = certified(replace(subject, checks=subject.checks[1:]), service)
    assert check(found, "replay").outcome == "failed"
    assert check(found, "replay").measured == "was not made"


def test_wrong_answers_are_shown(subject: Subject, signature: Signature) -> None:
    service = FakeService(signature, lambda row: {"scores": 1.0})
    golden = check(certified(subject, service), "golden")
    assert golden.outcome == "failed"
    assert golden.measured == "0 of 41 answers equal"
    assert golden.evidence["differences"][0] == "row 0, scores: was 0.0, is 1.0"


def test_a_service_that_does_not_answer_fails_what_needs_it(
    subject: Subject, signature: Signature
) -> None:
    def gone(rows: Sequence[Any]) -> int | None:
        raise Unavailable("the gateway does not answer")

    found = certified(subject, FakeService(signature, lambda row: {}, disturb=gone))
    assert not found.passed
    assert found.profile is None
    assert "the gateway does not answer" in check(found, "golden").measured
    assert check(found, "latency").outcome == "failed"
    assert check(found, "throughput").outcome == "failed"
    assert check(found, "environment").outcome == "passed"


def test_requests_that_fail_under_load_are_counted(
    subject: Subject, signature: Signature, service: FakeService
) -> None:
    large = FakeService(
        signature,
        service._answer,
        disturb=lambda rows: 503 if len(rows) == 1000 else None,
    )
    found = certified(subject, large)
    throughput = check(found, "throughput")
    assert throughput.outcome == "failed"
    assert "without an answer (status 503)" in throughput.measured
    assert found.profile is None


def test_a_sample_without_rows_can_not_be_certified(subject: Subject, service: FakeService) -> None:
    empty = replace(subject, sample=replace(subject.sample, rows=[], answers=[]))
    found = certified(empty, service)
    assert {c.id for c in found.checks if c.outcome == "failed"} == {"golden", "load", "robustness"}


def test_breaking_callers_fails_unless_it_is_allowed(
    subject: Subject, service: FakeService, signature: Signature
) -> None:
    older = replace(signature, columns=signature.columns[1:])
    breaking = replace(subject, newest=older, newest_name="flight-delay@2")
    found = check(certified(breaking, service), "compatibility")
    assert found.outcome == "failed"
    assert found.measured == ("breaks callers of flight-delay@2: distance is required, and was not")
    allowed = check(certified(breaking, service, Limits(breaking=True)), "compatibility")
    assert allowed.outcome == "passed"
    assert check(certified(subject, service), "compatibility").outcome == "not applicable"


@pytest.mark.parametrize(
    ("loaded", "measured"),
    [
        (None, "the worker did not say what it loaded"),
        (Loaded(python="3.11.7", packages={"Six": "1.15"}), "six is 1.15, locked is 1.16.0"),
        (Loaded(python="3.11.7", packages={}), "six is not there, locked is 1.16.0"),
        (
            Loaded(python="3.12.1", packages={"six": "1.16.0"}),
            "Python is 3.12.1, locked is 3.11.7",
        ),
    ],
)
def test_an_environment_unlike_its_lock_fails(
    subject: Subject, service: FakeService, loaded: Loaded | None, measured: str
) -> None:
    found = check(certified(replace(subject, loaded=loaded), service), "environment")
    assert (found.outcome, found.measured) == ("failed", measured)


def test_another_patch_of_python_is_noted_and_passes(
    subject: Subject, service: FakeService
) -> None:
    loaded = Loaded(python="3.11.9", packages={"six": "1.16.0"})
    found = check(certified(replace(subject, loaded=loaded), service), "environment")
    assert found.outcome == "passed"
    assert "3.11.9, a patch of the locked 3.11.7" in found.measured


def test_a_release_without_a_lock_fails(subject: Subject, service: FakeService) -> None:
    found = check(certified(replace(subject, lock=None), service), "environment")
    assert (found.outcome, found.measured) == ("failed", "the release has no lock")


def test_pickled_state_is_named_and_can_be_forbidden(
    subject: Subject, service: FakeService
) -> None:
    state = [*subject.state, StateFile(name="model", file="model.pkl", format="cloudpickle")]
    pickled = replace(subject, state=state)
    found = check(certified(pickled, service), "state-formats")
    assert found.outcome == "passed"
    assert found.measured == "1 in open formats (parquet); 1 in pickle: model (cloudpickle)"
    forbidden = check(certified(pickled, service, Limits(pickle=False)), "state-formats")
    assert forbidden.outcome == "failed"
