"""The way of a request: body, columns, route, queue, answers, body; then the log."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from roadworthy.serving import codec_mlflow, codec_oip, codec_plain
from roadworthy.serving.answers import Answered, no_rows, restore_rows
from roadworthy.serving.dispatch import Pool
from roadworthy.serving.headers import Headers, priority_of, seconds_of
from roadworthy.serving.options import Limits
from roadworthy.serving.payload import check_json_type, decode_json, inflate, media_type
from roadworthy.serving.problems import Refused
from roadworthy.serving.replies import Reply
from roadworthy.serving.targets import Target
from roadworthy.serving.validation import PACKED_FROM, Checked, Sent, check_rows
from roadworthy.serving.waiting import Job, Priority

clock = time.perf_counter


@dataclass(slots=True)
class Exchange:
    """One inference while it is under way: what is known of it so far, for answer and log.

    ``began`` (the headers were there) and ``complete`` (the body was) are on the performance
    counter, ``at`` is in nanoseconds since 1970, ``seconds`` from the whole request to its
    answer, ``times`` in microseconds by stage, ``refused`` the code of the refusal, if any.
    """

    target: Target
    headers: Headers
    began: float
    at: int
    complete: float
    seconds: float = 0.0
    pool: Pool | None = None
    stage: str = ""
    request_id: str = ""
    bytes: int = 0
    checked: Checked | None = None
    answered: Answered | None = None
    refused: str = ""
    times: dict[str, int] = field(default_factory=dict)

    def passed(self, stage: str, since: float) -> float:
        """Note how long a stage took; the time now."""
        now = clock()
        self.times[stage] = int((now - since) * 1e6)
        return now


async def infer(exchange: Exchange, body: bytes, limits: Limits) -> Reply:
    """The answer. The exchange has its pool already. Raises Refused."""
    pool = exchange.pool
    assert pool is not None
    signature = pool.signature
    began = clock()
    seconds = seconds_of(exchange.headers, limits.deadline_seconds)
    priority = priority_of(exchange.headers)
    body = inflate(body, exchange.headers.encoding, limits.body_bytes)
    exchange.bytes = len(body)
    request, sent = _read(exchange, pool, body, limits)
    if request is not None:
        codec_oip.check_wanted(signature, request)
        allowed, asked = codec_oip.urgency(request)
        seconds = min(seconds, allowed or seconds)
        priority = asked if exchange.headers.priority is None else priority
    decoded = exchange.passed("decode", began)
    checked = pool.typed.check(sent)
    if checked is None:
        checked = check_rows(signature, sent, limits.findings)
        if checked.n >= PACKED_FROM and not checked.rejected:
            checked = checked.packed(pool.codes)
    exchange.checked = checked
    exchange.passed("validate", decoded)
    deadline = time.monotonic() + seconds - (decoded - exchange.began)
    answered = exchange.answered = await _ask(exchange, pool, checked, deadline, priority)
    began = clock()
    reply = _write(exchange, pool, request, sent, answered)
    exchange.passed("encode", began)
    return reply


def _read(exchange: Exchange, pool: Pool, body: bytes, limits: Limits) -> tuple[Any, Sent]:
    headers = exchange.headers
    protocol = exchange.target.protocol
    if protocol == "mlflow":
        return None, codec_mlflow.read_mlflow(
            pool.signature, headers.content_type, body, limits.rows
        )
    if protocol == "plain":
        check_json_type(headers.content_type)
        sent = pool.typed.read(body, limits.rows)
        if sent is None:
            sent = codec_plain.read_plain(pool.signature, decode_json(body), limits.rows)
        return None, sent
    text, binary = codec_oip.split_body(body, headers.json_length)
    if not headers.json_length or media_type(headers.content_type)[0] != codec_oip.BINARY_TYPE:
        check_json_type(headers.content_type)
    request = codec_oip.read_inference(decode_json(text), binary)
    return request, codec_oip.read_oip(pool.signature, request, limits.rows)


def _write(exchange: Exchange, pool: Pool, request: Any, sent: Sent, answered: Answered) -> Reply:
    protocol = exchange.target.protocol
    if protocol == "plain":
        return Reply(
            *codec_plain.write_plain(
                pool.signature, sent, answered, pool.release, exchange.request_id
            )
        )
    if protocol == "mlflow":
        return Reply(200, codec_mlflow.write_mlflow(pool.signature, answered))
    model, _, number = pool.release.partition("@")
    body, json_length = codec_oip.write_oip(
        pool.signature, request, answered, model, number, exchange.request_id
    )
    if json_length is None:
        return Reply(200, body)
    length = (b"inference-header-content-length", str(json_length).encode())
    return Reply(200, body, codec_oip.BINARY_TYPE, (length,))


async def _ask(
    exchange: Exchange, pool: Pool, checked: Checked, deadline: float, priority: Priority
) -> Answered:
    rejected = checked.rejected
    n = checked.n - len(rejected)
    columns = checked.columns
    if rejected:
        kept = [row for row in range(checked.n) if row not in rejected]
        columns = {
            name: (wire, [values[row] for row in kept]) for name, (wire, values) in columns.items()
        }
    if n:
        if deadline <= time.monotonic():
            raise Refused("deadline", "the request's deadline was over before it was queued")
        answered = await pool.submit(Job(columns, n, exchange.bytes, deadline, priority))
    else:
        answered = no_rows(pool.signature)
    if rejected:
        answered = restore_rows(answered, checked.n, rejected)
    if checked.warnings:
        answered = _warned(answered, checked)
    return answered


def _warned(answered: Answered, checked: Checked) -> Answered:
    """The answers with the gateway's own warnings, each place told once."""
    said = {(row, column) for row, column, _ in checked.warnings}
    others = [warning for warning in answered.warnings if (warning[0], warning[1]) not in said]
    return Answered(
        n=answered.n,
        columns=answered.columns,
        rejected=answered.rejected,
        failed=answered.failed,
        warnings=[*checked.warnings, *others],
        times=answered.times,
        batch=answered.batch,
    )
