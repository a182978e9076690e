"""A day of ``flight-delay`` as values: program, signature, report, certificate, runs, log rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from roadworthy.core.capture import (
    CaptureReport,
    Decision,
    GraphNode,
    Mark,
    SourceFile,
    SourceLine,
    StateEntry,
)
from roadworthy.core.certificate import Certificate, Check, ResourceProfile
from roadworthy.core.deployment import WorkerStatus
from roadworthy.core.run import Package, Run
from roadworthy.core.signature import Column, Output, Signature
from roadworthy.registry import Registry
from roadworthy.serving.answers import Answered
from roadworthy.serving.log_entries import Entry

NOW = datetime(2026, 3, 18, 10, 40, 12, tzinfo=UTC)
EVIL = "<script>document.title='taken'</script><img src=x onerror=document.title='taken'>"
PROGRAM = """import matplotlib.pyplot as plt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

raw = pd.read_parquet("flights.parquet")
print(raw.shape)
raw.arr_delay.clip(-60, 180).hist(bins=60)
flights = raw.dropna(subset=["arr_delay"])
late = (flights.arr_delay > 15).astype(int)

planes = pd.read_parquet("planes.parquet")
flights = flights.merge(planes, on="tailnum", how="left")
flights["wind"] = flights.wind_speed.fillna(flights.wind_speed.median())
flights["route"] = flights.origin + "-" + flights.dest
X = pd.get_dummies(flights[COLUMNS], columns=["carrier", "origin"])
X_train, X_test, y_train, y_test = train_test_split(X, late, random_state=0)
model = HistGradientBoostingClassifier(max_depth=6)
model.fit(X_train, y_train)
plt.savefig("scores.png")
scores = model.predict_proba(X)[:, 1]
"""
_ROLES: dict[int, tuple[str, str]] = {
    1: ("dropped", "plots only"),
    2: ("kept", ""),
    3: ("dropped", "training only"),
    4: ("dropped", "training only"),
    5: ("blank", ""),
    6: ("dropped", "the input: rows come with the request"),
    7: ("dropped", "prints"),
    8: ("dropped", "plot"),
    9: ("dropped", "filter bypassed: it needs arr_delay, the target"),
    10: ("dropped", "the target"),
    11: ("blank", ""),
    12: ("frozen", ""),
    13: ("kept", ""),
    14: ("kept", ""),
    15: ("kept", ""),
    16: ("kept", ""),
    17: ("dropped", "split bypassed: request rows take both sides' way"),
    18: ("dropped", "training"),
    19: ("frozen", ""),
    20: ("dropped", "plot"),
    21: ("kept", "the output"),
}
_MARKS: dict[int, list[Mark]] = {
    12: [Mark(start=0, end=0, note="table of 3,322 rows")],
    14: [Mark(start=44, end=71, note="10.357")],
    16: [Mark(start=4, end=18, note="16 carriers, 3 origins, order of 27 columns")],
    19: [Mark(start=0, end=0, note="fitted estimator, 412 KiB")],
}
SIGNATURE = Signature(
    input="raw",
    kind="dataframe",
    columns=[
        Column(
            name="carrier",
            type="text",
            dtype="str",
            levels=["UA", "B6", "EV", "DL"],
            level_count=4,
            example="UA",
        ),
        Column(
            name="origin",
            type="text",
            dtype="str",
            levels=["EWR", "JFK", "LGA"],
            level_count=3,
            example="EWR",
        ),
        Column(
            name="sched_dep_time",
            type="int",
            dtype="int64",
            minimum=106,
            maximum=2359,
            example=1745,
        ),
        Column(name="distance", type="int", dtype="int64", minimum=17, maximum=4983, example=719),
        Column(
            name="tailnum",
            type="text",
            dtype="str",
            nullable=True,
            level_count=4043,
            example="N14228",
        ),
        Column(
            name="wind_speed",
            type="float",
            dtype="float64",
            nullable=True,
            minimum=0.0,
            maximum=42.57886,
            example=13.80936,
        ),
        Column(name="holiday", type="bool", dtype="bool", example=False),
        Column(
            name="time_hour",
            type="datetime",
            dtype="datetime64[us]",
            minimum="2013-01-01T05:00:00",
            maximum="2013-12-31T23:00:00",
            example="2013-03-01T17:00:00",
        ),
    ],
    outputs=[
        Output(
            name="scores",
            kind="array",
            columns=[
                Column(
                    name="scores",
                    type="float",
                    dtype="float64",
                    minimum=0.0,
                    maximum=1.0,
                    example=0.341,
                )
            ],
        ),
    ],
)


def logged(release: str, place: int, minutes: float = 0.0, **fields: Any) -> Entry:
    """A request of one row, ``minutes`` before now."""
    at = NOW - timedelta(minutes=minutes)
    row = {column.name: column.example for column in SIGNATURE.columns}
    row["time_hour"] = 0
    row.update(fields.pop("row", {}))
    values: dict[str, Any] = {
        "at": int(at.timestamp() * 1e6) * 1000,
        "seconds": 0.0031,
        "request_id": f"01JQ8-{place:04}",
        "trace": "",
        "caller": "crew-app",
        "key": "",
        "protocol": "plain",
        "release": release,
        "stage": "production",
        "status": 200,
        "refused": "",
        "times": {"decode": 40, "validate": 25, "encode": 12},
        "signature": SIGNATURE,
        "n": 1,
        "bytes": 200,
        "columns": {column.name: (column.type, [row[column.name]]) for column in SIGNATURE.columns},
        "answered": Answered(
            n=1,
            columns={"scores": [0.341]},
            rejected={},
            failed={},
            warnings=[],
            times={"queue": 90, "batch": 1, "worker": 1800, "flow": 1500},
            batch=1,
        ),
    }
    return Entry(**{**values, **fields})


def run_of(registry: Registry, started: str, **fields: Any) -> Run:
    values: dict[str, Any] = {
        "id": registry.new_id(),
        "program": "train.py",
        "files": [],
        "arguments": [],
        "parameters": {"depth": 6},
        "metrics": {"auc": 0.84213},
        "python": "3.12.9",
        "packages": [Package(name="pandas", version="3.0.1")],
        "started": started,
        "seconds": 252.0,
        "status": "captured",
        "caller": "flight-analytics",
    }
    return Run(**{**values, **fields})


def report() -> CaptureReport:
    lines = [
        SourceLine(
            number=n, text=text, role=_ROLES[n][0], why=_ROLES[n][1], marks=_MARKS.get(n, [])
        )
        for n, text in enumerate(PROGRAM.splitlines(), start=1)
    ]
    return CaptureReport(
        files=[SourceFile(path="train.py", lines=lines)],
        decisions=[
            Decision(
                line=9,
                decision="filter bypassed",
                because="it needs arr_delay, which a request does not have",
                override="rw.deploy(…, keep_filters=True)",
            ),
            Decision(
                line=14,
                decision="median frozen over all rows",
                because="it was computed before the split; test rows took part",
                override="move line 14 below line 17, or rw.learned(value)",
            ),
            Decision(
                line=17,
                decision="split bypassed",
                because="request rows are neither train nor test",
                override='with rw.captured("split"):',
            ),
        ],
        state=[
            StateEntry(
                name="wind_speed_median",
                summary="number 10.357",
                file="values.json",
                format="json",
                digest="ab" * 32,
                bytes=18,
                line=14,
            ),
            StateEntry(
                name="planes",
                summary="table of 3,322 rows",
                file="planes.parquet",
                format="parquet",
                digest="cd" * 32,
                bytes=128_000,
                line=12,
            ),
            StateEntry(
                name="model",
                summary="HistGradientBoostingClassifier",
                file="model.pickle",
                format="pickle",
                digest="ef" * 32,
                bytes=421_888,
                line=19,
            ),
            StateEntry(
                name="COLUMNS",
                summary="list of 8 names",
                file="values.json",
                format="json",
                digest="ab" * 32,
                bytes=96,
                learned=False,
            ),
        ],
        statements=18,
        kept=6,
        frozen=2,
        dropped=10,
        nodes=[
            GraphNode(id="input", kind="input", label="raw"),
            GraphNode(id="line-13", kind="step", label=PROGRAM.splitlines()[12], line=13),
            GraphNode(id="state-planes", kind="state", label="planes"),
            GraphNode(id="output-scores", kind="output", label="scores"),
        ],
        edges=[
            ("input", "line-13"),
            ("state-planes", "line-13"),
            ("line-13", "output-scores"),
        ],
        details={"target": "arr_delay", "unused": ["arr_delay", "minute"]},
        warnings=["the median of line 14 saw rows that the split puts aside for testing"],
    )


def certificate(release: str, failed: bool = False) -> Certificate:
    def check(
        id_: str,
        group: Any,
        title: str,
        required: str,
        measured: str,
        outcome: Any = "passed",
        **evidence: Any,
    ) -> Check:
        return Check(
            id=id_,
            group=group,
            title=title,
            outcome=outcome,
            required=required,
            measured=measured,
            evidence=evidence,
        )

    return Certificate(
        release=release,
        depth="quick",
        made="2026-03-18T09:57:41+00:00",
        seconds=8.2,
        checks=[
            check(
                "replay",
                "capture",
                "Replay equals",
                "200 of 200 rows, exactly",
                "200 of 200",
                rows=200,
                equal=200,
            ),
            check(
                "law",
                "capture",
                "Law of the flow",
                "alone, permuted, halves, repeated, no row",
                "5 of 5 hold",
                held=["alone", "permuted", "halves", "repeated", "no row"],
            ),
            check(
                "effects", "capture", "Forbidden effects", "no file, network, clock", "none seen"
            ),
            check(
                "latency",
                "service",
                "Latency p50 / p95 / p99",
                "p95 ≤ 50 ms",
                "8 / 62 / 80 ms" if failed else "8 / 24 / 41 ms",
                "failed" if failed else "passed",
                requests=1200,
                p95_ms=62 if failed else 24,
            ),
            check("memory", "service", "Memory at load", "≤ 400 MiB", "268 MiB"),
            check(
                "signature",
                "compatibility",
                "Signature compatibility",
                "nothing that breaks callers",
                "no change",
            ),
            check(
                "vulnerabilities",
                "environment",
                "Known vulnerabilities",
                "when a list is supplied",
                "no list supplied",
                "not applicable",
            ),
        ],
        profile=ResourceProfile(
            start_seconds=0.74,
            idle_bytes=212 * 2**20,
            load_bytes=268 * 2**20,
            cpu_ms_per_request=0.61,
            cpu_ms_per_row=0.02,
            rows_per_second={"1": 2300.0, "32": 16400.0, "1000": 48900.0},
            p50_ms=8.0,
            p95_ms=62.0 if failed else 24.0,
            p99_ms=41.0,
            requests_per_second=2300.0,
        ),
    )


def sample(shift: float = 0.0, rows: int = 20) -> bytes:
    """Rows of creation with answers, the odd ones moved by ``shift``."""
    cells = [
        {**{column.name: column.example for column in SIGNATURE.columns}, "distance": 100 + row}
        for row in range(rows)
    ]
    table = pa.Table.from_pylist(cells)
    table = table.append_column(
        "answer:scores", pa.array([0.25 + shift * (row % 2) for row in range(rows)])
    )
    table = table.append_column("rejected", pa.array([False] * rows))
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    return bytes(sink.getvalue())


def ready(release: str, at: str = "w1", **fields: Any) -> WorkerStatus:
    return WorkerStatus(
        id=at,
        release=release,
        flow="f" * 64,
        **{"state": "ready", "pid": 4242, "rss_bytes": 231 * 2**20, **fields},
    )
