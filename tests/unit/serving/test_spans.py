"""Spans are those of the trace that was taken, with a child for each stage."""

from __future__ import annotations

import itertools

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from roadworthy.serving.answers import Answered
from roadworthy.serving.headers import read_headers
from roadworthy.serving.inference import Exchange
from roadworthy.serving.spans import Spans
from roadworthy.serving.targets import Target

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def spans(exporter):
    return Spans(SimpleSpanProcessor(exporter))


def exchange(flags: str = "01", refused: str = "") -> Exchange:
    headers = read_headers([(b"traceparent", f"00-{TRACE}-{PARENT}-{flags}".encode())])
    made = Exchange(Target("infer", "plain", "tiny"), headers, 10.0, 1_000_000_000, 10.5)
    made.seconds = 0.25
    made.refused = refused
    made.times = {"decode": 100, "validate": 200, "encode": 50}
    if not refused:
        made.answered = Answered(
            n=1, columns={}, rejected={}, failed={}, warnings=[],
            times={"queue": 10, "batch": 20, "worker": 3000, "flow": 2500}, batch=1,
        )  # fmt: skip
    return made


def test_a_sampled_request_is_a_span_with_its_stages_in_order(spans, exporter):
    one = exchange()
    spans.record(one, 200)
    request, *stages = exporter.get_finished_spans()
    assert f"{request.context.trace_id:032x}" == TRACE
    assert f"{request.context.span_id:016x}" == one.headers.trace.split("-")[2]
    assert (f"{request.parent.span_id:016x}", request.parent.is_remote) == (PARENT, True)
    assert (request.kind, request.name) == (SpanKind.SERVER, "infer tiny")
    assert request.end_time - request.start_time == 750_000_000
    assert request.attributes["http.response.status_code"] == 200
    names = ["decode", "validate", "queue", "batch", "worker", "encode"]
    assert [stage.name for stage in stages] == names
    assert {stage.parent.span_id for stage in stages} == {request.context.span_id}
    assert stages[0].start_time == 1_500_000_000
    for before, after in itertools.pairwise(stages):
        assert before.end_time == after.start_time
    assert stages[-1].end_time - stages[0].start_time == 3_380_000
    assert len({span.context.span_id for span in (request, *stages)}) == 7


def test_what_is_not_sampled_leaves_no_span(spans, exporter):
    spans.record(exchange(flags="00"), 200)
    assert exporter.get_finished_spans() == ()


def test_a_failure_is_marked(spans, exporter):
    spans.record(exchange(refused="worker-failed"), 500)
    (request, *_) = exporter.get_finished_spans()
    assert request.status.status_code is StatusCode.ERROR
    assert request.attributes["error.type"] == "worker-failed"


@pytest.mark.parametrize(("share", "sampled"), [(0.0, set()), (1.0, {"01"})])
def test_a_share_of_the_traces_that_begin_here_is_sampled(share, sampled):
    flags = {read_headers([], share).trace[-2:] for _ in range(50)}
    assert flags == (sampled or {"00"})
    half = [read_headers([], 0.5).trace[-2:] for _ in range(400)].count("01")
    assert 100 < half < 300
