"""The flow that both servers answer with: eleven columns, pandas steps, a scikit-learn pipeline."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy
import pandas
import tomli_w
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from roadworthy_runtime import frames

NUMBERS = ["month", "day", "hour", "minute", "distance", "dep_delay", "air_time"]
TEXTS = ["carrier", "origin", "dest", "engine"]
LEVELS = {
    "carrier": ["UA", "AA", "B6", "DL", "EV", "MQ"],
    "origin": ["EWR", "JFK", "LGA"],
    "dest": [f"D{at:02d}" for at in range(40)],
    "engine": ["jet", "prop"],
}
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


def rows(n: int, seed: int = 0) -> pandas.DataFrame:
    """Made-up flights."""
    random = numpy.random.default_rng(seed)
    table = {name: random.integers(1, 60, n).astype(float) for name in NUMBERS}
    table |= {name: random.choice(LEVELS[name], n) for name in TEXTS}
    return pandas.DataFrame(table)


def fit() -> Any:
    """The fitted pipeline."""
    table = rows(5000)
    table["night"] = ((table["hour"] < 6) | (table["hour"] > 21)).astype(float)
    table["speed"] = table["distance"] / table["air_time"].clip(lower=1)
    numeric = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [
            ("numbers", numeric, [*NUMBERS, "night", "speed"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), TEXTS),
        ]
    )
    target = (table["dep_delay"] + table["hour"] > 60).astype(int)
    return make_pipeline(columns, LogisticRegression(max_iter=300)).fit(table, target)


def write(directory: Path) -> Path:
    """Write the flow's directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "flow.py").write_text(FLOW, "utf-8")
    support = Path(frames.__file__).parent / "support"
    shutil.copytree(support, directory / "flow_support", dirs_exist_ok=True)
    with (directory / "model.pickle").open("wb") as file:
        pickle.dump(fit(), file)
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
