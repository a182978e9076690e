"""Large batches over a real gateway: Arrow streams in and out, in chunks, in bounded memory."""

from __future__ import annotations

import gzip
import io
import socket

import pyarrow as pa
import pytest

from roadworthy.serving.options import Limits
from roadworthy.testing.hosts import Host, wait_until

ARROW = {"content-type": "application/vnd.apache.arrow.stream"}
PATH = "/models/tiny/predict"
CHUNK = 1000


@pytest.fixture(scope="module")
def host():
    limits = Limits(batch_rows=CHUNK, arrow_bytes=2 << 20, body_seconds=5.0)
    with Host(limits=limits) as started:
        started.follow(1, started.add_flow(1))
        started.applied()
        yield started


@pytest.fixture
def client(host):
    with host.client() as opened:
        yield opened


def batch(n: int, start: int = 0, **columns) -> pa.RecordBatch:
    whole = {
        "a": pa.array([float(i) for i in range(start, start + n)]),
        "b": pa.array([1] * n, pa.int32()),
        "kind": pa.array(["fine"] * n),
        **columns,
    }
    return pa.record_batch(whole)


def stream(*batches: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for each in batches:
            writer.write_batch(each)
    return sink.getvalue()


def table(content: bytes) -> pa.Table:
    return pa.ipc.open_stream(content).read_all()


def test_a_stream_is_answered_by_a_stream_in_order(client):
    content = stream(batch(2500), batch(1, 2500), batch(700, 2501))
    answer = client.post(PATH, content=content, headers=ARROW)
    assert answer.headers["content-type"] == ARROW["content-type"]
    assert answer.headers["x-release"] == "tiny@1"
    found = table(answer.content)
    assert found.column("scores").to_pylist() == [2.0 * i + 1 for i in range(3201)]
    assert found.schema.names == ["scores", "labels", "_rejected", "_error", "_warnings"]
    assert found.schema.metadata[b"release"] == b"tiny@1"
    assert found.column("_error").null_count == 3201


def test_rows_get_their_own_reasons(client):
    content = stream(
        batch(5, a=pa.array([1.0, -1.0, None, float("nan"), 2.0])),
        batch(3, kind=pa.array(["raise", "odd", None])),
    )
    rows = table(client.post(PATH, content=content, headers=ARROW).content).to_pylist()
    assert [row["scores"] for row in rows] == [3.0, None, None, None, 5.0, None, 3.0, 5.0]
    assert rows[1]["_rejected"] == "a is below zero"
    assert "got null" in rows[2]["_rejected"]
    assert "got NaN" in rows[3]["_rejected"]
    assert "poisonous" in rows[5]["_error"]
    assert rows[6]["_warnings"] == ["odd kind"]


def test_a_body_may_be_compressed_and_a_stream_may_be_empty(client):
    headers = {**ARROW, "content-encoding": "gzip"}
    content = gzip.compress(stream(batch(10)))
    assert table(client.post(PATH, content=content, headers=headers).content).num_rows == 10
    empty = client.post(PATH, content=stream(batch(0)), headers=ARROW)
    assert (empty.status_code, table(empty.content).num_rows) == (200, 0)


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"no arrow here, whatever it says", 400, "bad-arrow"),
        (b"", 400, "bad-arrow"),
        (stream(batch(3))[:-20], 400, "bad-arrow"),
        (stream(pa.record_batch({"a": [1.0]})), 422, "invalid-rows"),
        (stream(batch(2, b=pa.array(["1", "2"]))), 422, "invalid-rows"),
        (stream(batch(200_000)), 413, "body-too-large"),
    ],
)
def test_what_can_not_be_answered_is_refused_as_a_whole(client, content, status, code):
    refused = client.post(PATH, content=content, headers=ARROW)
    assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_what_breaks_after_answers_went_out_ends_the_connection(host):
    address, _, port = host.status().gateway_address.rpartition(":")
    content = stream(batch(5000), batch(100))[:-300]
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: {ARROW['content-type']}\r\n"
    with socket.create_connection((address, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + b"content-length: %d\r\n\r\n" % len(content) + content)
        found = b""
        while part := connection.recv(1 << 16):
            found += part
    assert found.startswith(b"HTTP/1.1 200 ")
    assert not found.endswith(b"0\r\n\r\n"), "the answer is not whole, and says so"


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024


def test_a_caller_who_sends_all_before_reading_is_answered_in_bounded_memory(host, client):
    def held_after(rows: int) -> int:
        pieces = [batch(10_000, start) for start in range(0, rows, 10_000)]
        answer = client.post(PATH, content=iter([stream(*pieces)]), headers=ARROW, timeout=100)
        found = table(answer.content)
        assert found.num_rows == rows
        assert found.column("scores")[-1].as_py() == 2.0 * (rows - 1) + 1
        return resident(host.status().gateway_pid)

    held_after(400_000)  # buffers and what the log waits with have their size then
    before = held_after(400_000)
    grown = held_after(1_600_000) - before
    assert grown < 48 << 20, f"{grown >> 20} MB more where 70 MB more were sent and answered"


def test_the_log_has_every_row_with_its_place_in_the_stream(host, client):
    content = stream(batch(1500, a=pa.array([float("nan")] + [1.0] * 1499)))
    client.post(PATH, content=content, headers={**ARROW, "x-request-id": "whole-stream"})

    def logged():
        rows = host.logged(request_id="whole-stream")
        return sorted(rows, key=lambda row: row["row"]) if len(rows) == 1500 else None

    rows = wait_until(logged, what="all rows in the log")
    assert [row["row"] for row in rows] == list(range(1500))
    assert "got NaN" in rows[0]["rejected"]
    assert (rows[1]["input:a"], rows[1]["input:b"], rows[1]["output:scores"]) == (1.0, 1, 3.0)


def test_others_are_answered_meanwhile_and_the_rows_are_counted(client, host):
    text = client.get("/metrics").text
    line = next(x for x in text.splitlines() if x.startswith('roadworthy_rows_total{outcome="ans'))
    before = float(line.rpartition(" ")[2])
    client.post(PATH, content=stream(batch(3000)), headers=ARROW)
    line = next(
        x for x in client.get("/metrics").text.splitlines() if x.startswith(line.rpartition(" ")[0])
    )
    assert float(line.rpartition(" ")[2]) == before + 3000
