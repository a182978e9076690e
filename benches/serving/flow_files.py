"""The flow that all servers answer with: eleven columns, pandas steps, a scikit-learn pipeline."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import tomli_w
from flow_features import LEVELS, NUMBERS, TEXTS, prepare, rows
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from roadworthy.capture.directory import add_fast_form
from roadworthy_runtime import frames

SOURCE = Path(frames.__file__).parent.parent
FLOW = '''"""The production part of a flight-delay program."""

import pickle
from pathlib import Path

from flow_support import Flow

with (Path(__file__).parent / "model.pickle").open("rb") as file:
    model = pickle.load(file)


def steps(flights, rows):
    flights["night"] = ((flights["hour"] < 6) | (flights["hour"] > 21)).astype(float)
    flights["speed"] = flights["distance"] / flights["air_time"].clip(lower=1)
    return model.predict_proba(flights)[:, 1]


flow = Flow(__file__, steps)
'''


def fit(kind: str) -> Any:
    """The fitted pipeline: ``linear`` or ``trees``."""
    table = prepare(rows(5000))
    numeric = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [
            ("numbers", numeric, [*NUMBERS, "night", "speed"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), TEXTS),
        ]
    )
    target = (table["dep_delay"] + table["hour"] > 60).astype(int)
    models = {
        "linear": LogisticRegression(max_iter=300),
        "trees": HistGradientBoostingClassifier(max_iter=100, random_state=0),
    }
    if kind == "trees":  # which takes no sparse arrays
        columns.set_params(sparse_threshold=0.0)
    return make_pipeline(columns, models[kind]).fit(table, target)


def add_fast(directory: Path) -> str:
    """Verify the flow, put its fast form beside it; what the check says of it."""
    report = directory.parent / f"{directory.name[:8]}.checks.json"
    command = [sys.executable, "-m", "roadworthy_runtime", "verify", str(directory)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "--json", str(report)], env=environment, check=True)
    found = json.loads(report.read_text("utf-8"))
    (said,) = (check["measured"] for check in found["checks"] if check["id"] == "fast-form")
    if found.get("fast") is not None:
        add_fast_form(directory, SOURCE, found["fast"])
    return str(said)


def write(directory: Path, kind: str = "linear") -> Path:
    """Write the flow's directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "flow.py").write_text(FLOW, "utf-8")
    support = Path(frames.__file__).parent / "support"
    shutil.copytree(support, directory / "flow_support", dirs_exist_ok=True)
    with (directory / "model.pickle").open("wb") as file:
        model = fit(kind)
        pickle.dump(model, file)
    sample = rows(200, 4)
    answers = model.predict_proba(prepare(sample.copy()))[:, 1]
    sample.assign(**{"answer:scores": answers, "rejected": False}).to_parquet(
        directory / "sample.parquet", index=False
    )
    (directory / "state").mkdir(exist_ok=True)
    (directory / "state" / "index.json").write_text('{"format": 1, "values": []}', "utf-8")
    (directory / "README.md").write_text("", "utf-8")
    example = rows(1, 1).iloc[0].to_dict()
    columns = [
        {
            "name": name,
            "type": "float" if name in NUMBERS else "text",
            "dtype": "float64" if name in NUMBERS else "str",
            "example": example[name],
            **({"levels": LEVELS[name]} if name in LEVELS else {}),
        }
        for name in [*NUMBERS, *TEXTS]
    ]
    score = {"name": "scores", "type": "float", "dtype": "float64"}
    facts = {
        "format": 1,
        "flow": "bench",
        "signature": {
            "input": "flights",
            "kind": "dataframe",
            "columns": columns,
            "outputs": [{"name": "scores", "kind": "array", "columns": [score]}],
        },
    }
    (directory / "flow.toml").write_text(tomli_w.dumps(facts), "utf-8")
    return directory
