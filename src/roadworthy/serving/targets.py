"""The gateway's URLs: what a path asks for, in which protocol, of which model and release."""

from __future__ import annotations

import functools
import re
from typing import Literal, NamedTuple
from urllib.parse import unquote

from roadworthy.serving.problems import Protocol

Verb = Literal[
    "infer", "metadata", "ready", "live", "server", "health", "ping", "version", "metrics",
    "models", "openapi",
]  # fmt: skip


class Target(NamedTuple):
    """What is asked for. ``number`` is '' unless the URL names a release."""

    verb: Verb
    protocol: Protocol
    model: str = ""
    number: str = ""


_FIXED: dict[str, Target] = {
    "/v2": Target("server", "oip"),
    "/v2/health/live": Target("live", "oip"),
    "/v2/health/ready": Target("ready", "oip"),
    "/health": Target("health", "plain"),
    "/ping": Target("ping", "mlflow"),
    "/version": Target("version", "plain"),
    "/metrics": Target("metrics", "plain"),
    "/models": Target("models", "plain"),
    "/invocations": Target("infer", "mlflow"),
}
_MODEL = r"/(?P<model>[^/]+)(?:/versions/(?P<number>[^/]+))?"
_PATTERNS: list[tuple[re.Pattern[str], Verb, Protocol]] = [
    (re.compile(rf"/models{_MODEL}/predict"), "infer", "plain"),
    (re.compile(rf"/v2/models{_MODEL}/infer"), "infer", "oip"),
    (re.compile(rf"/models{_MODEL}/invocations"), "infer", "mlflow"),
    (re.compile(rf"/v2/models{_MODEL}/ready"), "ready", "oip"),
    (re.compile(rf"/v2/models{_MODEL}"), "metadata", "oip"),
    (re.compile(r"/openapi/(?P<model>[^/]+)\.json"), "openapi", "plain"),
]


@functools.lru_cache(maxsize=1024)
def parse_path(path: str) -> Target | None:
    """What a path asks for, None where nothing is there.

    >>> parse_path("/models/flight-delay/versions/3/predict")
    Target(verb='infer', protocol='plain', model='flight-delay', number='3')
    """
    if len(path) > 500:
        return None
    if len(path) > 1:
        path = path.rstrip("/")
    if path in _FIXED:
        return _FIXED[path]
    for pattern, verb, protocol in _PATTERNS:
        found = pattern.fullmatch(path)
        if found:
            number = found.groupdict().get("number") or ""
            return Target(verb, protocol, unquote(found["model"]), number)
    return None


def stage_of(query: bytes) -> str:
    """The stage that a query string names, '' if none.

    >>> stage_of(b"stage=staging")
    'staging'
    """
    for part in query.split(b"&"):
        if part.startswith(b"stage="):
            return part[6:40].decode("latin-1")
    return ""
