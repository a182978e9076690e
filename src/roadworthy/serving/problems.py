"""What a caller is told when a request can't be answered, in each protocol's own form."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from roadworthy.core.values import Value

Protocol = Literal["plain", "oip", "mlflow"]

TITLES = {
    "bad-json": "The body is not JSON",
    "bad-text": "The body is not UTF-8",
    "bad-arrow": "The body is not an Arrow stream",
    "bad-request": "The request does not have the protocol's form",
    "content-type": "The content type is not supported",
    "content-encoding": "The content encoding is not supported",
    "bad-http": "The request is not HTTP",
    "head-too-large": "The head of the request is too large",
    "body-too-large": "The body is too large",
    "too-many-rows": "The request has too many rows",
    "too-slow": "The body took too long to arrive",
    "invalid-rows": "The rows do not fit the signature",
    "not-found": "There is no such thing here",
    "method": "The method is not supported here",
    "not-allowed": "A valid token is needed",
    "overloaded": "Too many requests are waiting",
    "unavailable": "No worker of the release answers now",
    "deadline": "The answer did not come in time",
    "worker-failed": "The worker died while answering",
    "flow-failed": "The flow could not answer",
    "internal": "The gateway failed",
}
STATUSES = {
    "bad-json": 400,
    "bad-text": 400,
    "bad-arrow": 400,
    "bad-request": 400,
    "content-type": 415,
    "content-encoding": 415,
    "bad-http": 400,
    "head-too-large": 431,
    "body-too-large": 413,
    "too-many-rows": 413,
    "too-slow": 408,
    "invalid-rows": 422,
    "not-found": 404,
    "method": 405,
    "not-allowed": 401,
    "overloaded": 429,
    "unavailable": 503,
    "deadline": 504,
    "worker-failed": 500,
    "flow-failed": 500,
    "internal": 500,
}


class Finding(Value):
    """One thing that is wrong with the rows: where, what was expected, what came (abbreviated)."""

    row: int | None
    field: str
    expected: str
    got: str
    cure: str = ""


class Refused(Exception):
    """A request that gets no answer: a code of this module, the reason, the cure."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        cure: str = "",
        findings: list[Finding] | None = None,
        found: int = 0,
        retry_after: int | None = None,
        allow: str = "",
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.cure = cure
        self.findings = findings or []
        self.found = found or len(self.findings)
        self.retry_after = retry_after
        self.allow = allow

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return STATUSES[self.code]


def render(refused: Refused, protocol: Protocol, request_id: str) -> tuple[int, str, bytes]:
    """Status, content type and body in the protocol's form.

    Plain is RFC 9457; the Open Inference Protocol has ``error``; MLflow ``error_code``.
    """
    if protocol == "plain":
        body: dict[str, Any] = {
            "type": f"urn:roadworthy:problem:{refused.code}",
            "title": TITLES[refused.code],
            "status": refused.status,
            "detail": refused.detail,
            "code": refused.code,
            "request_id": request_id,
        }
        if refused.cure:
            body["cure"] = refused.cure
        if refused.findings:
            body["findings"] = refused.findings
            body["found"] = refused.found
        return refused.status, "application/problem+json", msgspec.json.encode(body)
    status = 400 if refused.status == 422 else refused.status
    text = _as_text(refused)
    if protocol == "oip":
        return status, "application/json", msgspec.json.encode({"error": text})
    code = {400: "BAD_REQUEST", 404: "RESOURCE_DOES_NOT_EXIST", 429: "REQUEST_LIMIT_EXCEEDED"}
    name = code.get(status, "INTERNAL_ERROR" if status >= 500 else "INVALID_PARAMETER_VALUE")
    return status, "application/json", msgspec.json.encode({"error_code": name, "message": text})


def _as_text(refused: Refused) -> str:
    lines = [refused.detail]
    for finding in refused.findings:
        where = finding.field if finding.row is None else f"row {finding.row}, {finding.field}"
        cure = f" ({finding.cure})" if finding.cure else ""
        lines.append(f"{where}: expected {finding.expected}, got {finding.got}{cure}")
    if refused.found > len(refused.findings):
        lines.append(f"and {refused.found - len(refused.findings)} more")
    if refused.cure:
        lines.append(refused.cure)
    return "\n".join(lines)
