"""Runs in the heavy environment: what a careful person answers to new rows, program by program.

``python by_hand.py PROGRAM ROWS ANSWERS``: the program is run plainly; its models are given rows
that are prepared here by hand, from what is learned here from the creation table.
"""

from __future__ import annotations

import pickle
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

DATA = Path(__file__).parents[1] / "capture" / "programs"


def boosted(own: dict[str, Any], new: pd.DataFrame) -> Any:
    raw = pd.read_csv(DATA / "orders.csv")
    overall = raw["returned"].mean()
    given = new[["amount", "items"]].copy()
    for name in ("channel", "city"):
        groups = raw.groupby(name)["returned"]
        # TargetEncoder of category_encoders: a sigmoid of the count weighs mean and prior.
        weight = 1 / (1 + np.exp(-(groups.count() - 20) / 10))
        rates = overall * (1 - weight) + groups.mean() * weight
        given[name] = [rates.get(value, overall) for value in new[name]]
    given = given[["amount", "items", "channel", "city"]]
    boosters = [own["first"].get_booster(), own["third"]]
    matrix = own["xgb"].DMatrix(given)
    answers = [booster.predict(matrix) for booster in boosters]
    answers += [own["second"].booster_.predict(given), own["fourth"].predict(given)]
    return sum(answers)


def torched(own: dict[str, Any], new: pd.DataFrame) -> Any:
    raw = pd.read_csv(DATA / "passengers.csv")
    middle = raw["age"].median()

    def plain(table: pd.DataFrame) -> np.ndarray:
        ages = [middle if pd.isna(age) else age for age in table["age"]]
        return np.column_stack([table["sex"] == "female", ages, table["pclass"], table["fare"]])

    learned = plain(raw).astype(float)
    given = (plain(new) - learned.mean(axis=0)) / learned.std(axis=0)
    weights = {name: t.detach().numpy() for name, t in own["net"].state_dict().items()}
    inner = given @ weights["inner.weight"].T + weights["inner.bias"]
    outer = np.maximum(inner, 0) @ weights["outer.weight"].T + weights["outer.bias"]
    return 1 / (1 + np.exp(-outer[:, 0]))


def layered(own: dict[str, Any], new: pd.DataFrame) -> Any:
    raw = pd.read_csv(DATA / "passengers.csv")
    mean = raw["age"].mean()

    def plain(table: pd.DataFrame) -> np.ndarray:
        ages = [mean if pd.isna(age) else age for age in table["age"]]
        return np.column_stack([ages, table["pclass"], table["fare"]]).astype(float)

    learned = plain(raw)
    given = (plain(new) - learned.mean(axis=0)) / learned.std(axis=0)
    first, bias, second, last, factor = own["model"].get_weights()
    outer = np.maximum(given @ first + bias, 0) @ second + last
    return (1 / (1 + np.exp(-outer)) * factor)[:, 0]


if __name__ == "__main__":
    program, rows, answers = sys.argv[1:]
    names = runpy.run_path(program, run_name="__main__")
    found = globals()[Path(program).stem](names, pickle.loads(Path(rows).read_bytes()))
    result = {"own": np.asarray(names["scores"]), "new": np.asarray(found)}
    Path(answers).write_bytes(pickle.dumps(result))
