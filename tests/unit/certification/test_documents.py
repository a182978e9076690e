"""The certificate as JSON and as JUnit XML, and the advice made from its profile."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from roadworthy.certification.capacity import advise, advise_all, memory_limit
from roadworthy.certification.documents import decode_certificate, encode_certificate
from roadworthy.certification.junit import to_junit
from roadworthy.core.certificate import Certificate, Check, ResourceProfile
from roadworthy.errors import Damaged, NewerFormat

PROFILE = ResourceProfile(
    start_seconds=0.8,
    idle_bytes=100 * 1024**2,
    load_bytes=120 * 1024**2,
    cpu_ms_per_request=2.0,
    cpu_ms_per_row=0.01,
    rows_per_second={"1": 400.0, "32": 9000.0, "1000": 90_000.0},
    p50_ms=2.0,
    p95_ms=3.0,
    p99_ms=4.0,
    requests_per_second=500.0,
)


def check(name: str, outcome: str, measured: str = "m") -> Check:
    return Check(
        id=name,
        group="service",
        title="Title of " + name,
        outcome=outcome,  # type: ignore[arg-type]
        required="r",
        measured=measured,
        evidence={"b": 1, "a": [1.5, None]},
    )


CERTIFICATE = Certificate(
    release="flight-delay@3",
    depth="quick",
    made="2026-01-02T03:04:05+00:00",
    seconds=2.5,
    checks=[
        check("a", "passed"),
        check("b", "failed", "<bad> \x00 & worse"),
        check("c", "not applicable"),
    ],
    profile=PROFILE,
)


def test_json_comes_back_as_it_was() -> None:
    content = encode_certificate(CERTIFICATE)
    assert decode_certificate(content) == CERTIFICATE
    assert encode_certificate(decode_certificate(content)) == content
    assert content.endswith(b"}\n")


def test_json_of_a_newer_format_is_refused() -> None:
    with pytest.raises(NewerFormat, match="format 9"):
        decode_certificate(b'{"format": 9}')


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": 1}', b"\xff"])
def test_json_that_is_no_certificate_is_damaged(content: bytes) -> None:
    with pytest.raises(Damaged):
        decode_certificate(content)


def test_junit_has_a_case_for_each_check() -> None:
    root = ET.fromstring(to_junit(CERTIFICATE))
    assert root.attrib["tests"] == "3"
    assert root.attrib["failures"] == "1"
    cases = {case.attrib["name"]: case for case in root.iter("testcase")}
    failure = cases["b: Title of b"].find("failure")
    assert failure is not None
    assert failure.text == "required: r\nmeasured: <bad> \N{REPLACEMENT CHARACTER} & worse"
    assert cases["c: Title of c"].find("skipped") is not None
    assert cases["a: Title of a"].find("failure") is None


def test_few_users_need_one_worker() -> None:
    found = advise(PROFILE, 10)
    assert (found.workers, found.requests_per_second) == (1, 3.0)
    assert found.memory_bytes == memory_limit(PROFILE)


def test_many_users_need_what_the_formula_says() -> None:
    found = advise(PROFILE, 100_000)
    assert found.requests_per_second == 30_000
    assert found.workers == 100 + 1
    assert found.cores == 100.0
    assert "500 measured x 0.6" in found.formula
    assert [advice.users for advice in advise_all(PROFILE)] == [10, 1_000, 100_000]


def test_the_memory_limit_leaves_room() -> None:
    assert memory_limit(PROFILE) == 256 * 1024**2
