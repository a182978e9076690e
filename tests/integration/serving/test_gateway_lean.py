"""The gateway loads no pandas, whatever it reads, answers and logs: it costs a second and 70 MB."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa

from roadworthy.testing.hosts import Host, wait_until

ARROW = "application/vnd.apache.arrow.stream"


def test_neither_answering_nor_logging_loads_pandas():
    with Host() as host, host.client() as client:
        host.follow(1, host.add_flow(1))
        host.applied()
        row = {"a": 1.5, "b": 2, "kind": "fine"}
        client.post("/models/tiny/predict", json=[row, {**row, "kind": "odd"}, {**row, "a": -1.0}])
        client.post("/models/tiny/predict", json=row)
        client.post("/models/tiny/predict", json={"a": "text"})
        sink = io.BytesIO()
        numbers = pa.array([1.0, None, float("nan"), -1.0])
        rows = pa.record_batch({"a": numbers, "b": [1] * 4, "kind": ["fine"] * 4})
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_batch(rows)
        answer = client.post(
            "/models/tiny/predict", content=sink.getvalue(), headers={"content-type": ARROW}
        )
        assert pa.ipc.open_stream(answer.content).read_all().num_rows == 4

        def written() -> float:
            text = client.get("/metrics").text
            (line,) = (x for x in text.splitlines() if x.startswith("roadworthy_log_written_total"))
            return float(line.rpartition(" ")[2])

        wait_until(lambda: written() == 9, what="all rows in the log")
        mapped = Path(f"/proc/{host.status().gateway_pid}/maps").read_text("utf-8")
        assert "libarrow" in mapped
        assert "/pandas/" not in mapped
