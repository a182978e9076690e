"""The certificate as JUnit XML, for systems that show test results."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from roadworthy.core.certificate import Certificate, Check

# What XML 1.0 can't hold, section 2.2.
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(certificate: Certificate) -> bytes:
    """One suite for each group of checks, one case for each check, as UTF-8.

    A check that is not applicable is skipped; a failed one says what was required and measured.
    """
    checks = certificate.checks
    root = ET.Element("testsuites", {**_counts(checks), "name": _clean(certificate.release)})
    root.set("time", f"{certificate.seconds:.3f}")
    for group in dict.fromkeys(check.group for check in checks):
        members = [check for check in checks if check.group == group]
        suite = ET.SubElement(root, "testsuite", {**_counts(members), "name": group})
        suite.set("timestamp", certificate.made)
        properties = ET.SubElement(suite, "properties")
        for name, value in (("release", certificate.release), ("depth", certificate.depth)):
            ET.SubElement(properties, "property", {"name": name, "value": _clean(value)})
        for check in members:
            _add_case(suite, certificate, check)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _add_case(suite: ET.Element, certificate: Certificate, check: Check) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "classname": _clean(f"{certificate.release}.{check.group}"),
            "name": _clean(f"{check.id}: {check.title}"),
        },
    )
    if check.outcome == "failed":
        text = f"required: {check.required}\nmeasured: {check.measured}"
        failure = ET.SubElement(case, "failure", {"message": _clean(check.measured)})
        failure.set("type", check.id)
        failure.text = _clean(text)
    elif check.outcome == "not applicable":
        ET.SubElement(case, "skipped", {"message": _clean(check.measured)})
    else:
        output = ET.SubElement(case, "system-out")
        output.text = _clean(f"required: {check.required}\nmeasured: {check.measured}")


def _counts(checks: list[Check]) -> dict[str, str]:
    return {
        "tests": str(len(checks)),
        "failures": str(sum(check.outcome == "failed" for check in checks)),
        "skipped": str(sum(check.outcome == "not applicable" for check in checks)),
        "errors": "0",
    }


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
