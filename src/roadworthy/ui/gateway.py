"""Asking the gateway as any caller does: one row's answer, and its metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from roadworthy.core.names import parse_release
from roadworthy.ui.data import Prediction, Problem

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
        """This release's answer to one row. Never raises: a failure is part of the answer."""
        name = parse_release(release)
        began = time.perf_counter()
        try:
            answer = self._client.post(
                f"/models/{name.model}/versions/{name.number}/predict", json=dict(row)
            )
        except httpx.TimeoutException:
            return Prediction(
                release=release,
                seconds=time.perf_counter() - began,
                failure=f"{release} did not answer within {_SECONDS:.0f} s.",
                cure=f"roadworthy logs --release {release}",
            )
        except httpx.HTTPError as error:
            return Prediction(
                release=release,
                seconds=time.perf_counter() - began,
                failure=f"The gateway does not answer: {str(error) or type(error).__name__}.",
                cure="roadworthy status",
            )
        seconds = time.perf_counter() - began
        try:
            body = answer.json()
        except ValueError:
            body = None
        return read_answer(release, answer.status_code, body, seconds)


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
