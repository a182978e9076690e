"""A program of an environment without Roadworthy and pyarrow is captured there and served."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from roadworthy.capture import CaptureRequest, capture_program
from roadworthy.core.deployment import WorkerSpec
from roadworthy.testing.emitted import run
from roadworthy.testing.hosts import Host

PROGRAM = """\
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

dice = np.random.default_rng(3)
orders = pd.DataFrame(
    {
        "amount": dice.normal(50, 9, 400).round(2),
        "channel": dice.choice(["web", "shop", "phone"], 400),
        "placed": pd.date_range("2024-01-01 06:00", periods=400, freq="7h").astype(str),
    }
)
returned = orders["amount"] / 100 + (orders["channel"] == "web")
typical = orders.groupby("channel")["amount"].mean().rename("typical").reset_index()
rows = orders.merge(typical, on="channel", how="left")
rows["hour"] = pd.to_datetime(rows["placed"]).dt.hour
model = LinearRegression().fit(rows[["amount", "typical", "hour"]], returned)
scores = model.predict(rows[["amount", "typical", "hour"]])
"""


def test_it_is_captured_there_and_answers(other_environment: Path, tmp_path: Path) -> None:
    program = tmp_path / "returns.py"
    program.write_text(PROGRAM, "utf-8")
    with pytest.raises(RuntimeError, match="No module named 'pyarrow'"):
        run(tmp_path, "import pyarrow", python=other_environment)

    captured = capture_program(
        CaptureRequest(
            program=program,
            name="returns",
            python=other_environment,
            input="orders",
            outputs=("scores",),
        ),
        tmp_path / "out",
    )
    assert {check.outcome for check in captured.checks} <= {"passed", "not applicable"}
    state = json.loads((captured.directory / "state" / "index.json").read_text("utf-8"))
    assert "parquet" not in {value["format"] for value in state["values"]}
    sample = json.loads((tmp_path / "out" / "recorded" / "sample.json").read_text("utf-8"))
    row = {name: values[0] for name, values in sample["columns"].items()}

    with Host() as host:
        digest = f"{7:064x}"
        shutil.copytree(captured.directory, host.directory / "flows" / digest)
        spec = WorkerSpec(release="tiny@7", flow=digest, python=str(other_environment))
        host.follow(7, spec)
        host.applied()
        with host.client() as client:
            answer = client.post("/models/tiny/predict", json=row)
    assert answer.status_code == 200, answer.text
    found = answer.json()["answer"]["scores"]
    assert math.isclose(found, sample["answers"]["scores"][0], rel_tol=1e-9)
