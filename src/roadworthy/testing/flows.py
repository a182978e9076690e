"""Tiny flow directories, written by hand, with every way to go wrong that a worker can meet.

The flow answers ``scores = a * 2 + b``, needs the standard library only, and does what the
text in column ``kind`` says: see FLOW.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w

FLOW = '''"""A flow for tests: scores = a * factor + b; column kind says how to misbehave."""

import ctypes
import os
import time

FACTOR = {factor}
LEAKED = []
BROKEN = []


class Answers:
    def __init__(self, values, rejected, warnings):
        self.values = values
        self.rejected = rejected
        self.warnings = warnings


class Flow:
    signature = {signature}

    def answer_columns(self, columns, n):
        kinds = list(columns["kind"])
        for kind in kinds:
            misbehave(kind)
        scores, labels, rejected, warnings = [], [], [], []
        for row in range(n):
            a, b = columns["a"][row], columns["b"][row]
            if a < 0:
                rejected.append((row, "a is below zero", 7))
                scores.append(None)
                labels.append(None)
                continue
            if kinds[row] == "odd":
                warnings.append((row, "kind", "odd kind"))
            scores.append(float(a) * FACTOR + float(b))
            labels.append("high" if a > 10 else "low")
        values = {{"scores": {{"scores": scores}}, "labels": {{"labels": labels}}}}
        return Answers(values, rejected, warnings)


def misbehave(kind):
    if kind == "raise":
        raise ValueError("this row is poisonous")
    if kind == "segfault":
        ctypes.string_at(0)
    if kind == "exit":
        os._exit(7)
    if kind == "loop":
        while True:
            pass
    if kind == "break" or BROKEN:
        BROKEN.append(kind)
        raise RuntimeError("this flow is broken")
    if kind == "blocked":
        ctypes.PyDLL(None).sleep(600)
    if kind == "slow":
        time.sleep(0.3)
    if kind == "garbage":
        write_garbage()
    if kind == "leak":
        LEAKED.append(bytearray(os.urandom(1024) * 256))
        time.sleep(0.02)
    if kind == "hog":
        hoard = []
        while True:
            hoard.append(bytearray(16 << 20))


def write_garbage():
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + name).startswith("socket:"):
                os.write(int(name), b"GET / HTTP/1.1\\r\\nHost: nobody\\r\\n\\r\\n")
        except OSError:
            pass


flow = Flow()
{extra}
'''

SIGNATURE: dict[str, Any] = {
    "input": "rows",
    "kind": "dataframe",
    "unknown": "pass",
    "columns": [
        {"name": "a", "type": "float", "dtype": "float64", "example": 1.5},
        {"name": "b", "type": "int", "dtype": "int64", "example": 2},
        {"name": "kind", "type": "text", "dtype": "object", "nullable": True, "example": "fine"},
    ],
    "outputs": [
        {
            "name": "scores",
            "kind": "array",
            "columns": [{"name": "scores", "type": "float", "dtype": "float64"}],
        },
        {
            "name": "labels",
            "kind": "list",
            "columns": [{"name": "labels", "type": "text", "dtype": "object"}],
        },
    ],
}


def write_flow(
    directory: Path,
    factor: float = 2.0,
    signature: dict[str, Any] | None = None,
    requirements: str = "",
    extra: str = "",
    sample: bool = True,
    sample_factor: float | None = None,
) -> Path:
    """Write a flow directory that the worker can serve, and return it.

    ``extra`` is appended to ``flow.py``; a ``sample_factor`` other than ``factor`` makes a
    golden request that the flow answers wrongly.
    """
    signature = signature or SIGNATURE
    directory.mkdir(parents=True, exist_ok=True)
    text = FLOW.format(factor=factor, signature=repr(signature), extra=extra)
    (directory / "flow.py").write_text(text, "utf-8")
    (directory / "requirements.txt").write_text(requirements, "utf-8")
    facts = {"format": 1, "flow": "tiny", "tolerance": 0.0, "signature": signature}
    (directory / "flow.toml").write_text(tomli_w.dumps(facts), "utf-8")
    if sample:
        _write_sample(directory, factor if sample_factor is None else sample_factor)
    return directory


def tiny_rows(count: int, **columns: Any) -> Any:
    """A pyarrow table of rows that the flow answers by ``a * factor + b``; an ``id`` goes along."""
    import pyarrow as pa

    plain = {
        "id": list(range(count)),
        "a": [float(n % 7) for n in range(count)],
        "b": [n % 5 for n in range(count)],
        "kind": ["fine"] * count,
    }
    return pa.table({**plain, **columns})


def _write_sample(directory: Path, factor: float) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    a = [1.5, -1.0, 12.0, 0.0]
    b = [2, 3, 4, 5]
    rejected = [value < 0 for value in a]
    pairs = zip(a, b, strict=True)
    scores = [None if value < 0 else value * factor + more for value, more in pairs]
    labels = [None if v < 0 else "high" if v > 10 else "low" for v in a]
    table = pa.table(
        {
            "a": a,
            "b": b,
            "kind": ["fine", "fine", None, "odd"],
            "answer:scores": scores,
            "answer:labels": labels,
            "rejected": rejected,
        }
    )
    parquet.write_table(table, directory / "sample.parquet")
