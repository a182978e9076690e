"""Asking the gateway as any caller does: one row's answer, and its metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from roadworthy.core.names import parse_release
from roadworthy.ui.data import Answers, Prediction, Problem, RowProblem

_SECONDS = 30.0


class GatewayClient:
    """A connection to one gateway. ``token`` is sent where one is set."""

    def __init__(self, address: str, token: str | None = None) -> None:
        self.address = address
        self._client = httpx.Client(
            base_url=address,
            timeout=_SECONDS,
            trust_env=False,
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def metrics(self) -> str | None:
        """The text of ``/metrics``; None where the gateway does not answer."""
        try:
            answer = self._client.get("/metrics", timeout=2.0)
        except httpx.HTTPError:
            return None
        return answer.text if answer.status_code == 200 else None

    def predict(self, release: str, row: Mapping[str, Any]) -> Prediction:
        """This release's answer to one row. Never raises: a failure is part of the answer.

        ``release`` may be a model's name: then whatever is live answers.
        """
        status, body, seconds = self._ask(release, dict(row))
        if isinstance(body, Prediction):
            return body
        return read_answer(release, status, body, seconds)

    def predict_rows(self, release: str, rows: Sequence[Mapping[str, Any]]) -> Answers:
        """A release's, or a model's, answers to rows, in their order. Never raises."""
        status, body, seconds = self._ask(release, [dict(row) for row in rows])
        if isinstance(body, Prediction):
            return Answers(release=release, failure=body.failure, cure=body.cure)
        return read_answers(release, status, body, seconds, len(rows))

    def _ask(self, release: str, body: Any) -> tuple[int, Any, float]:
        """Status, document (or a Prediction that says why there is none) and seconds."""
        name = parse_release(release)
        version = f"/versions/{name.number}" if name.number is not None else ""
        began = time.perf_counter()
        failure, cure = "", "roadworthy status"
        try:
            answer = self._client.post(f"/models/{name.model}{version}/predict", json=body)
        except httpx.TimeoutException:
            failure = f"{release} did not answer within {_SECONDS:.0f} s."
            cure = f"roadworthy logs --release {release}"
        except httpx.HTTPError as error:
            failure = f"The gateway does not answer: {str(error) or type(error).__name__}."
        seconds = time.perf_counter() - began
        if failure:
            return 0, Prediction(release=release, seconds=seconds, failure=failure, cure=cure), 0.0
        try:
            return answer.status_code, answer.json(), seconds
        except ValueError:
            return answer.status_code, None, seconds


def read_answers(release: str, status: int, body: Any, seconds: float, rows: int) -> Answers:
    """What the gateway's answer to a list of records says.

    >>> found = read_answers("m", 200, {"release": "m@1", "answers": [{"p": 0.3}]}, 0.002, 1)
    >>> found.release, found.rows[0].values
    ('m@1', {'p': 0.3})
    """
    one = read_answer(release, status, body, seconds)
    listed = body.get("answers") if isinstance(body, dict) else None
    if listed is None:
        return Answers(
            release=one.release,
            problems=[
                RowProblem(row=each.get("row") or 0, said=_finding(each))
                for each in (body.get("findings") or [] if isinstance(body, dict) else [])
            ],
            failure=one.failure,
            cure=one.cure,
            request=one.request,
        )
    if len(listed) != rows:
        failure = f"The gateway sent {len(listed)} answers to {rows} rows."
        return Answers(release=one.release, failure=failure, cure="roadworthy logs gateway")
    shared = {key: body[key] for key in ("release", "request_id") if key in body}
    found = [read_answer(release, 200, {**shared, "answer": each}, seconds) for each in listed]
    return Answers(release=one.release, rows=found, request=one.request)


def read_answer(release: str, status: int, body: Any, seconds: float) -> Prediction:
    """What the gateway's answer to one record says.

    >>> read_answer("m@1", 200, {"release": "m@1", "answer": {"scores": 0.3}}, 0.002).values
    {'scores': 0.3}
    """
    if not isinstance(body, dict):
        return Prediction(
            release=release,
            seconds=seconds,
            failure=f"The gateway answered {status} with something that is not JSON.",
            cure="roadworthy logs gateway",
        )
    request = str(body.get("request_id", ""))
    if status >= 400 and "answer" not in body:
        return Prediction(
            release=release,
            seconds=seconds,
            request=request,
            problems=[_finding(each) for each in body.get("findings") or []],
            failure="" if body.get("findings") else str(body.get("detail") or f"Status {status}."),
            cure=str(body.get("cure", "")),
        )
    answer = body.get("answer") or {}
    rejected, error = _reason(answer.get("rejected")), _reason(answer.get("error"))
    return Prediction(
        release=str(body.get("release") or release),
        seconds=seconds,
        request=request,
        values={} if rejected or error else answer,
        rejected=rejected,
        failure=f"The flow failed: {error}" if error else "",
        warnings=[
            Problem(field=str(each.get("column") or ""), message=str(each.get("message", "")))
            for each in body.get("warnings") or []
        ],
    )


def _reason(value: Any) -> str:
    """The reason in a row that has no answer; empty where the value is none."""
    if not isinstance(value, dict) or "reason" not in value:
        return ""
    line = value.get("line")
    return str(value["reason"]) + (f" (line {line} of the program)" if line else "")


def _finding(finding: Mapping[str, Any]) -> Problem:
    text = f"Expected {finding.get('expected')}, got {finding.get('got')}."
    cure = finding.get("cure")
    return Problem(
        field=str(finding.get("field", "")),
        message=text + (f" {str(cure)[0].upper()}{str(cure)[1:]}." if cure else ""),
    )
