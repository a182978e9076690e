"""A certificate of a release that really runs: gateway, worker, sockets, another environment."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import convert
from msgspec.structs import replace

from roadworthy.certification.certify import CAPTURE_CHECKS, Subject, certify
from roadworthy.certification.declared import Loaded
from roadworthy.certification.documents import decode_certificate, encode_certificate
from roadworthy.certification.http_service import HttpService
from roadworthy.certification.sample import read_sample
from roadworthy.certification.usage import process_usage
from roadworthy.core.certificate import Certificate, Check
from roadworthy.core.names import parse_release
from roadworthy.core.signature import Signature
from roadworthy.runtime.environments import describe
from roadworthy.runtime.locks import lock_from_installed
from roadworthy.testing.flows import SIGNATURE
from roadworthy.testing.hosts import Host

SIGNATURES = convert(SIGNATURE, Signature)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Host() as running:
        yield running


def certified(host: Host, number: int, python: Path, flow: str) -> Certificate:
    release = f"tiny@{number}"
    found = describe(python)
    subject = Subject(
        release=release,
        signature=SIGNATURES,
        sample=read_sample(host.directory / "flows" / flow, SIGNATURES),
        checks=[
            Check(id=id_, group="capture", title=t, outcome="passed", required="", measured="")
            for id_, t in CAPTURE_CHECKS.items()
        ],
        lock=lock_from_installed(["pandas"], python),
        loaded=Loaded(
            python=found.python,
            packages={name: one.version for name, one in found.distributions.items()},
        ),
        state=[],
        start_seconds=0.1,
    )
    service = HttpService(host.status().gateway_address, parse_release(release))
    return certify(subject, service, lambda: process_usage(host.workers(release)))


def test_a_release_in_another_environment_is_certified(host: Host, other_environment: Path) -> None:
    spec = replace(host.add_flow(1), python=str(other_environment))
    host.follow(None, spec)
    host.applied()
    started = time.perf_counter()
    found = certified(host, 1, other_environment, spec.flow)
    took = time.perf_counter() - started
    assert [(c.id, c.measured, c.evidence) for c in found.checks if c.outcome == "failed"] == []
    assert found.profile is not None
    assert found.profile.requests_per_second > 50
    assert found.profile.rows_per_second["1000"] > found.profile.rows_per_second["1"]
    assert 1024**2 < found.profile.idle_bytes <= found.profile.load_bytes
    assert found.profile.cpu_ms_per_request > 0
    assert took < 10
    assert decode_certificate(encode_certificate(found)) == found


def test_a_release_that_answers_otherwise_than_creation_did_is_found(host: Host) -> None:
    spec = host.add_flow(2, factor=3.0)
    host.follow(None, spec)
    host.applied()
    host.add_flow(3, factor=2.0)
    found = certified(host, 2, Path(sys.executable), f"{3:064x}")
    golden = next(check for check in found.checks if check.id == "golden")
    assert golden.outcome == "failed"
    assert not found.passed


def test_a_release_that_does_not_run_fails_and_says_so(host: Host) -> None:
    host.add_flow(4)
    found = certified(host, 4, Path(sys.executable), f"{4:064x}")
    assert not found.passed
    golden = next(check for check in found.checks if check.id == "golden")
    assert golden.measured == "status 404"
