"""The gateway's HTTP face: an ASGI application that answers requests by the routing table."""

from __future__ import annotations

import asyncio
import hmac
import time
import traceback
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import msgspec

from roadworthy.serving import codec_oip
from roadworthy.serving.headers import Headers, read_headers
from roadworthy.serving.inference import Exchange, infer
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.openapi import describe_model
from roadworthy.serving.options import Limits
from roadworthy.serving.payload import too_large
from roadworthy.serving.prediction_log import Entry, PredictionLog
from roadworthy.serving.problems import Protocol, Refused, render
from roadworthy.serving.routing import Routing
from roadworthy.serving.targets import Target, parse_path, stage_of

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

JSON = "application/json"
OPEN_VERBS = ("live", "ready", "health", "ping", "version")


class Reply(NamedTuple):
    """What is sent back."""

    status: int
    body: bytes
    type: str = JSON
    extra: tuple[tuple[bytes, bytes], ...] = ()


class Gateway:
    """The application. ``log`` is None where predictions aren't logged."""

    def __init__(
        self,
        routing: Routing,
        metrics: Metrics,
        limits: Limits,
        log: PredictionLog | None = None,
        token: str = "",
    ) -> None:
        self.routing = routing
        self.metrics = metrics
        self._limits = limits
        self._log = log
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        headers = read_headers(scope["headers"])
        target = parse_path(scope["path"])
        if target is not None and target.verb == "infer" and scope["method"] == "POST":
            await self._infer(target, headers, scope, receive, send)
            return
        protocol = target.protocol if target is not None else _protocol_of(scope["path"])
        try:
            reply = self._answer(target, headers, scope)
        except Refused as refused:
            reply = _refusal(refused, protocol, headers.request_id)
        await _send(send, reply, headers.request_id, headers.traceparent)

    async def _infer(
        self, target: Target, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        exchange = Exchange(target, headers, time.perf_counter(), time.time_ns())
        exchange.request_id = headers.request_id
        try:
            self._check_token(headers)
            body = await _read_body(headers, receive, self._limits)
            exchange.pool, exchange.stage = self._resolve(target, scope)
            status, content = await infer(exchange, body, self._limits)
            reply = Reply(status, content)
        except Refused as refused:
            reply = _refusal(refused, target.protocol, exchange.request_id)
        except _Gone:
            return
        except Exception:  # noqa: BLE001 - a caller gets a clear 500, never a stack trace
            traceback.print_exc()
            failure = Refused("internal", "the gateway failed; its log tells where")
            reply = _refusal(failure, target.protocol, exchange.request_id)
        release = exchange.pool.release if exchange.pool is not None else ""
        await _send(send, reply, exchange.request_id, headers.traceparent, release)
        self._record(exchange, reply.status)

    def _resolve(self, target: Target, scope: Scope) -> Any:
        if target.number:
            return self.routing.resolve_number(target.model, target.number)
        model = target.model
        if not model:
            routed = self.routing.routed
            if len(routed) != 1:
                raise Refused(
                    "not-found",
                    f"{len(routed)} models are live here, and /invocations names none",
                    cure="use /models/{model}/invocations",
                )
            model = routed[0]
        query = scope["query_string"]
        return self.routing.resolve(model, stage_of(query) if query else "")

    def _check_token(self, headers: Headers) -> None:
        if self._token and not hmac.compare_digest(headers.token.encode(), self._token):
            raise Refused(
                "not-allowed",
                "the request has no valid token",
                cure="send Authorization: Bearer with the installation's token",
            )

    def _record(self, exchange: Exchange, status: int) -> None:
        pool = exchange.pool
        if pool is None:
            self.metrics.count_request("", exchange.target.protocol, status)
            return
        seconds = time.perf_counter() - exchange.began
        self.metrics.count_answer(
            pool.release, exchange.target.protocol, status, seconds, exchange.answered
        )
        if self._log is None:
            return
        checked = exchange.checked
        self._log.append(
            Entry(
                at=exchange.at,
                seconds=seconds,
                request_id=exchange.request_id,
                trace=exchange.headers.traceparent,
                caller="token" if self._token else "",
                release=pool.release,
                stage=exchange.stage,
                status=status,
                signature=pool.signature,
                n=checked.n if checked is not None else 0,
                bytes=exchange.bytes,
                columns=checked.columns if checked is not None else None,
                answered=exchange.answered,
            )
        )

    def _answer(self, target: Target | None, headers: Headers, scope: Scope) -> Reply:
        """What is not inference."""
        if target is None:
            raise Refused("not-found", f"there is nothing at {scope['path'][:200]!r}")
        wanted = ("POST",) if target.verb == "infer" else ("GET", "HEAD")
        if scope["method"] not in wanted:
            raise Refused("method", f"use {wanted[0]} here, not {scope['method'][:20]}")
        if target.verb not in OPEN_VERBS:
            self._check_token(headers)
        return _ANSWERS[target.verb](self, target, scope)

    def _server(self, target: Target, scope: Scope) -> Reply:
        return _json({"name": "roadworthy", "version": _version(), "extensions": []})

    def _live(self, target: Target, scope: Scope) -> Reply:
        return _json({"live": True})

    def _ready(self, target: Target, scope: Scope) -> Reply:
        if not target.model:
            ready = self.routing.revision > 0
            return Reply(200 if ready else 503, msgspec.json.encode({"ready": ready}))
        pool, _ = self._resolve(target, scope)
        ready = bool(pool.links)
        body = {"name": target.model, "ready": ready}
        return Reply(200 if ready else 503, msgspec.json.encode(body))

    def _metadata(self, target: Target, scope: Scope) -> Reply:
        pool, _ = self._resolve(target, scope)
        numbers = self.routing.numbers(target.model)
        return _json(codec_oip.metadata(pool.signature, target.model, numbers))

    def _health(self, target: Target, scope: Scope) -> Reply:
        return _json({"status": "ok", "table": self.routing.version})

    def _ping(self, target: Target, scope: Scope) -> Reply:
        return Reply(200, b"\n", "text/plain")

    def _version(self, target: Target, scope: Scope) -> Reply:
        return Reply(200, _version().encode(), "text/plain")

    def _metrics(self, target: Target, scope: Scope) -> Reply:
        for pool in self.routing.pools.values():
            self.metrics.waiting.labels(pool.release).set(pool.waiting)
        self.metrics.table.set(self.routing.version)
        return Reply(200, self.metrics.text(), "text/plain; version=0.0.4; charset=utf-8")

    def _models(self, target: Target, scope: Scope) -> Reply:
        live = {}
        for model in self.routing.routed:
            pool, stage = self.routing.resolve(model)
            live[model] = {"release": pool.release, "stage": stage}
        models = [
            {"model": model, "versions": self.routing.numbers(model), "live": live.get(model)}
            for model in self.routing.models
        ]
        return _json({"models": models})

    def _openapi(self, target: Target, scope: Scope) -> Reply:
        pool, _ = self._resolve(target, scope)
        return _json(describe_model(target.model, pool.release, pool.signature))


_ANSWERS: dict[str, Callable[[Gateway, Target, Scope], Reply]] = {
    "server": Gateway._server,
    "live": Gateway._live,
    "ready": Gateway._ready,
    "metadata": Gateway._metadata,
    "health": Gateway._health,
    "ping": Gateway._ping,
    "version": Gateway._version,
    "metrics": Gateway._metrics,
    "models": Gateway._models,
    "openapi": Gateway._openapi,
}


class _Gone(Exception):
    """The caller went away before the whole body was there."""


async def _read_body(headers: Headers, receive: Receive, limits: Limits) -> bytes:
    if headers.length > limits.body_bytes:
        raise too_large(limits.body_bytes)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise _Gone
    if not message.get("more_body"):
        return _bounded(body, limits)
    parts, size = [body], len(body)
    try:
        async with asyncio.timeout(limits.body_seconds):
            while message.get("more_body"):
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limits.body_bytes:
                    raise too_large(limits.body_bytes)
    except TimeoutError:
        raise Refused(
            "too-slow", f"the body did not arrive within {limits.body_seconds:g} s"
        ) from None
    return b"".join(parts)


def _bounded(body: bytes, limits: Limits) -> bytes:
    if len(body) > limits.body_bytes:
        raise too_large(limits.body_bytes)
    return body


def _refusal(refused: Refused, protocol: Protocol, request_id: str) -> Reply:
    status, type_, body = render(refused, protocol, request_id)
    extra: tuple[tuple[bytes, bytes], ...] = ()
    if refused.retry_after is not None:
        extra = ((b"retry-after", str(refused.retry_after).encode()),)
    if status in (408, 413):
        extra = (*extra, (b"connection", b"close"))
    if status == 401:
        extra = (*extra, (b"www-authenticate", b"Bearer"))
    return Reply(status, body, type_, extra)


async def _send(
    send: Send, reply: Reply, request_id: str, traceparent: str, release: str = ""
) -> None:
    headers = [
        (b"content-type", reply.type.encode()),
        (b"content-length", str(len(reply.body)).encode()),
        (b"x-request-id", request_id.encode()),
        (b"traceparent", traceparent.encode()),
        *reply.extra,
    ]
    if release:
        headers.append((b"x-release", release.encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def _json(value: Any) -> Reply:
    return Reply(200, msgspec.json.encode(value))


def _protocol_of(path: str) -> Protocol:
    return "oip" if path.startswith("/v2") else "plain"


def _version() -> str:
    try:
        return version("roadworthy")
    except PackageNotFoundError:
        return "0"
