"""The way of a request: body, columns, route, queue, answers, body; then the log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from roadworthy.serving import codec_mlflow, codec_oip, codec_plain
from roadworthy.serving.answers import Answered, no_rows, restore_rows
from roadworthy.serving.dispatch import Job, Pool
from roadworthy.serving.headers import Headers
from roadworthy.serving.options import Limits
from roadworthy.serving.payload import check_json_type, decode_json, inflate
from roadworthy.serving.problems import Refused
from roadworthy.serving.targets import Target
from roadworthy.serving.validation import Checked, Sent, check_rows


@dataclass(slots=True)
class Exchange:
    """One inference while it is under way: what is known of it so far, for answer and log."""

    target: Target
    headers: Headers
    began: float
    at: int
    pool: Pool | None = None
    stage: str = ""
    request_id: str = ""
    bytes: int = 0
    checked: Checked | None = None
    answered: Answered | None = None


async def infer(exchange: Exchange, body: bytes, limits: Limits) -> tuple[int, bytes]:
    """Status and body of the answer. The exchange has its pool already. Raises Refused."""
    pool = exchange.pool
    assert pool is not None
    signature = pool.signature
    body = inflate(body, exchange.headers.encoding, limits.body_bytes)
    exchange.bytes = len(body)
    request, sent = _read(exchange, pool, body, limits)
    checked = exchange.checked = check_rows(signature, sent, limits.findings)
    answered = exchange.answered = await _ask(exchange, pool, checked, limits)
    protocol = exchange.target.protocol
    if protocol == "plain":
        return codec_plain.write_plain(signature, sent, answered, pool.release, exchange.request_id)
    if protocol == "mlflow":
        return 200, codec_mlflow.write_mlflow(signature, answered)
    model, _, number = pool.release.partition("@")
    return 200, codec_oip.write_oip(
        signature, request, answered, model, number, exchange.request_id
    )


def _read(exchange: Exchange, pool: Pool, body: bytes, limits: Limits) -> tuple[Any, Sent]:
    headers = exchange.headers
    if exchange.target.protocol == "mlflow":
        return None, codec_mlflow.read_mlflow(
            pool.signature, headers.content_type, body, limits.rows
        )
    if headers.binary:
        raise Refused(
            "bad-request", "binary tensors are not supported", cure="send the tensors as JSON"
        )
    check_json_type(headers.content_type)
    decoded = decode_json(body)
    if exchange.target.protocol == "plain":
        return None, codec_plain.read_plain(pool.signature, decoded, limits.rows)
    request = codec_oip.read_inference(decoded)
    return request, codec_oip.read_oip(pool.signature, request, limits.rows)


async def _ask(exchange: Exchange, pool: Pool, checked: Checked, limits: Limits) -> Answered:
    rejected = checked.rejected
    n = checked.n - len(rejected)
    columns = checked.columns
    if rejected:
        kept = [row for row in range(checked.n) if row not in rejected]
        columns = {
            name: (wire, [values[row] for row in kept]) for name, (wire, values) in columns.items()
        }
    if n:
        seconds = limits.deadline_seconds
        if exchange.headers.seconds is not None:
            seconds = min(seconds, exchange.headers.seconds)
        job = Job(columns, n, exchange.bytes, time.monotonic() + seconds)
        answered = await pool.submit(job)
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
