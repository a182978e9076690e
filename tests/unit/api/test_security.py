"""Who may call the API: tables of requests with the reason for which each is refused."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from roadworthy.api.security import refusal

TOKEN = "a-secret-of-some-length"
LOCAL = {"host": "127.0.0.1:8400"}


@pytest.mark.parametrize(
    ("method", "headers", "token", "part"),
    [
        ("GET", LOCAL, "", ""),
        ("GET", {"host": "localhost:8400"}, "", ""),
        ("GET", {"host": "[::1]:8400"}, "", ""),
        ("GET", {"host": "evil.example:8400"}, "", "not one of this machine"),
        ("GET", {}, "", "not one of this machine"),
        ("GET", {"host": "127.0.0.1.evil.example"}, "", "not one of this machine"),
        ("POST", LOCAL, "", ""),
        ("POST", {**LOCAL, "origin": "http://127.0.0.1:8400"}, "", ""),
        ("POST", {**LOCAL, "origin": "http://127.0.0.1:9999"}, "", "may not change"),
        ("POST", {**LOCAL, "origin": "null"}, "", "may not change"),
        ("DELETE", {**LOCAL, "sec-fetch-site": "cross-site"}, "", "another site"),
        ("PUT", {**LOCAL, "sec-fetch-site": "same-site"}, "", "another site"),
        ("GET", {"host": "model.example"}, TOKEN, "token"),
        ("GET", {"host": "x", "authorization": f"Bearer {TOKEN}"}, TOKEN, ""),
        ("GET", {"host": "x", "authorization": f"Bearer {TOKEN}x"}, TOKEN, "token"),
        ("GET", {"host": "x", "authorization": "Bearer ä"}, TOKEN, "token"),
    ],
)
def test_a_request_is_refused_for_this(
    method: str, headers: dict[str, str], token: str, part: str
) -> None:
    reason = refusal(method, "/api/v1/status", Headers(headers), token, "http")
    assert part in reason
    assert bool(reason) == bool(part)


def test_health_needs_no_token() -> None:
    assert refusal("GET", "/api/v1/health", Headers({"host": "x"}), TOKEN, "http") == ""
