"""The gateway's HTTP face: an ASGI application that answers requests by the routing table."""

from __future__ import annotations

import asyncio
import hmac
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any

from roadworthy.serving.answers import Answered
from roadworthy.serving.arrow_columns import Chunk
from roadworthy.serving.arrow_stream import ARROW_TYPE, Broken, answer_stream
from roadworthy.serving.dispatch import Pool
from roadworthy.serving.headers import Headers, read_headers
from roadworthy.serving.inference import Exchange, infer
from roadworthy.serving.information import Information
from roadworthy.serving.log_entries import ChunkRows, Entry
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.options import Limits
from roadworthy.serving.payload import too_large
from roadworthy.serving.prediction_log import PredictionLog
from roadworthy.serving.problems import Protocol, Refused
from roadworthy.serving.replies import Receive, Reply, Send, refusal, send_reply
from roadworthy.serving.routing import Routing
from roadworthy.serving.spans import Spans
from roadworthy.serving.targets import Target, parse_path, stage_of

Scope = dict[str, Any]

OPEN_VERBS = ("live", "ready", "health", "ping", "version")


class Gateway:
    """The application. ``log`` is None where predictions aren't logged.

    ``bound`` maps ports to the model that ``/invocations`` and ``/ping`` mean there; ``spans``
    takes what was traced, ``trace_share`` of the traces that begin here.
    """

    def __init__(
        self,
        routing: Routing,
        metrics: Metrics,
        limits: Limits,
        log: PredictionLog | None = None,
        token: str = "",
        bound: Mapping[int, str] | None = None,
        spans: Spans | None = None,
        trace_share: float = 0.0,
    ) -> None:
        self.routing = routing
        self.metrics = metrics
        self.information = Information(routing, metrics)
        self._limits = limits
        self._log = log
        self._token = token.encode()
        self._bound = dict(bound or {})
        self._spans = spans
        self._trace_share = trace_share

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        headers = read_headers(scope["headers"], self._trace_share)
        target = parse_path(scope["path"])
        if self._bound and target is not None and not target.model:
            target = target._replace(model=self._bound.get(scope["server"][1], ""))
        if target is not None and target.verb == "infer" and scope["method"] == "POST":
            await self._infer(target, headers, scope, receive, send)
            return
        protocol = target.protocol if target is not None else _protocol_of(scope["path"])
        try:
            reply = await self._answer(target, headers, scope)
        except Refused as refused:
            reply = refusal(refused, protocol, headers.request_id)
        await send_reply(send, self._parting(reply), headers, headers.request_id)

    async def _infer(
        self, target: Target, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        began = time.perf_counter()
        exchange = Exchange(target, headers, began, time.time_ns(), began)
        exchange.request_id = headers.request_id
        try:
            self._check_token(headers)
            if target.protocol == "plain" and headers.content_type == ARROW_TYPE:
                exchange.pool, exchange.stage = self._resolve(target, scope)
                await self._stream(exchange, exchange.pool, receive, send)
                return
            body = await _read_body(headers, receive, self._limits)
            exchange.complete = time.perf_counter()
            exchange.pool, exchange.stage = self._resolve(target, scope)
            reply = await infer(exchange, body, self._limits)
        except Refused as refused:
            exchange.refused = refused.code
            reply = refusal(refused, target.protocol, exchange.request_id)
        except _Gone:
            return
        except Exception:  # noqa: BLE001 - a caller gets a clear 500, never a stack trace
            traceback.print_exc()
            exchange.refused = "internal"
            failure = Refused("internal", "the gateway failed; its log tells where")
            reply = refusal(failure, target.protocol, exchange.request_id)
        exchange.seconds = time.perf_counter() - exchange.complete
        release = exchange.pool.release if exchange.pool is not None else ""
        await send_reply(send, self._parting(reply), headers, exchange.request_id, release)
        self._record(exchange, reply.status)

    async def _stream(self, exchange: Exchange, pool: Pool, receive: Receive, send: Send) -> None:
        """Answer an Arrow stream with one. Raises Refused while nothing was sent yet."""

        def done(first: int, chunk: Chunk, answered: Answered | None, batch: Any) -> None:
            self.metrics.count_chunk(pool.release, chunk, answered)
            if self._log is not None:
                exchange.seconds = time.perf_counter() - exchange.complete
                entry = Entry.of(exchange, pool, 200, "token" if self._token else "")
                rows = ChunkRows(first, chunk.arrays, batch)
                self._log.append(
                    entry._replace(n=chunk.n, bytes=chunk.bytes, answered=answered, chunk=rows)
                )

        try:
            await answer_stream(exchange, pool, receive, send, self._limits, done)
        except Broken as broken:
            exchange.refused = "broken-stream"
            print(f"request {exchange.request_id}: {broken}", file=sys.stderr, flush=True)
        exchange.seconds = time.perf_counter() - exchange.complete
        self.metrics.count(exchange, 200)
        if self._spans is not None:
            self._spans.record(exchange, 200)

    def _resolve(self, target: Target, scope: Scope) -> tuple[Pool, str]:
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
        return self.routing.find(model, target.number, stage_of(query) if query else "")

    def _check_token(self, headers: Headers) -> None:
        if self._token and not hmac.compare_digest(headers.token.encode(), self._token):
            raise Refused(
                "not-allowed",
                "the request has no valid token",
                cure="send Authorization: Bearer with the installation's token",
            )

    def _parting(self, reply: Reply) -> Reply:
        """The reply; while this gateway is about to end, the last one on its connection."""
        if not self.information.draining:
            return reply
        return reply._replace(extra=(*reply.extra, (b"connection", b"close")))

    def _record(self, exchange: Exchange, status: int) -> None:
        self.metrics.count(exchange, status)
        if self._spans is not None:
            self._spans.record(exchange, status)
        pool = exchange.pool
        if self._log is not None and pool is not None:
            self._log.append(Entry.of(exchange, pool, status, "token" if self._token else ""))

    async def _answer(self, target: Target | None, headers: Headers, scope: Scope) -> Reply:
        """What is not inference."""
        if target is None:
            raise Refused(
                "not-found",
                f"there is nothing at {scope['path'][:200]!r}",
                cure="see /models, and /openapi/{model}.json",
            )
        wanted = ("POST",) if target.verb == "infer" else ("GET", "HEAD")
        if scope["method"] not in wanted:
            allow = ", ".join(wanted)
            raise Refused("method", f"use {allow} here, not {scope['method'][:20]}", allow=allow)
        if target.verb not in OPEN_VERBS:
            self._check_token(headers)
        query = scope["query_string"]
        return await self.information.answer(target, stage_of(query) if query else "")


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


def _protocol_of(path: str) -> Protocol:
    return "oip" if path.startswith("/v2") else "plain"
