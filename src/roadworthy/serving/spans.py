"""OpenTelemetry spans of requests: one for each that is sampled, with one for each of its stages.

They are made after the answer was sent, from the times that were taken anyway. Needs the extra
``traces``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roadworthy.errors import UsageError
from roadworthy.serving.inference import Exchange
from roadworthy.serving.metrics import STAGES

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

SCOPE = "roadworthy.gateway"


class Spans:
    """Gives spans to a processor of the OpenTelemetry SDK. Raises UsageError without the SDK."""

    def __init__(self, processor: SpanProcessor) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        self._processor = processor
        self._common: dict[str, Any] = {
            "resource": Resource.create({"service.name": "roadworthy-gateway"}),
            "instrumentation_scope": InstrumentationScope(SCOPE),
        }

    def record(self, exchange: Exchange, status: int) -> None:
        """Hand over the spans of an exchange, if its trace is sampled."""
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanKind, Status, StatusCode

        _, trace, span, flags = exchange.headers.trace.split("-")
        if not int(flags, 16) & 1:
            return
        own = _context(trace, span, remote=False)
        parent = exchange.headers.parent
        whole = int((exchange.complete - exchange.began + exchange.seconds) * 1e9)
        failed = Status(StatusCode.ERROR, exchange.refused or None) if status >= 500 else Status()
        self._processor.on_end(
            ReadableSpan(
                name=f"{exchange.target.verb} {exchange.target.model}".strip(),
                context=own,
                parent=_context(trace, parent, remote=True) if parent else None,
                kind=SpanKind.SERVER,
                attributes=_attributes(exchange, status),
                status=failed,
                start_time=exchange.at,
                end_time=exchange.at + whole,
                **self._common,
            )
        )
        at = exchange.at + int((exchange.complete - exchange.began) * 1e9)
        times = {**(exchange.answered.times if exchange.answered else {}), **exchange.times}
        for number, stage in enumerate(STAGES):
            micros = times.get(stage)
            if micros is None:
                continue
            inner = f"{(int(span, 16) + number + 1) % (1 << 64) or 1:016x}"
            self._processor.on_end(
                ReadableSpan(
                    name=stage,
                    context=_context(trace, inner, remote=False),
                    parent=own,
                    start_time=at,
                    end_time=at + micros * 1000,
                    **self._common,
                )
            )
            at += micros * 1000

    def close(self) -> None:
        """Send what waits."""
        self._processor.shutdown()


def open_spans(address: str) -> Spans:
    """Spans that are sent, a batch at a time, to an address that takes OTLP over HTTP.

    Raises UsageError where the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UsageError(
            f"gateway.traces is set, and {error.name} is not installed",
            cure="pip install 'roadworthy[traces]'",
        ) from None
    return Spans(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))


def _context(trace: str, span: str, remote: bool) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(int(trace, 16), int(span, 16), remote, TraceFlags(TraceFlags.SAMPLED))


def _attributes(exchange: Exchange, status: int) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "http.request.method": "POST",
        "http.response.status_code": status,
        "roadworthy.protocol": exchange.target.protocol,
        "roadworthy.request_id": exchange.request_id,
        "roadworthy.model": exchange.target.model,
        "roadworthy.release": exchange.pool.release if exchange.pool is not None else "",
        "roadworthy.stage": exchange.stage,
        "roadworthy.rows": exchange.checked.n if exchange.checked is not None else 0,
    }
    if exchange.refused:
        found["error.type"] = exchange.refused
    return found
